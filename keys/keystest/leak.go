package keystest

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/gaenkit/gaen/keys"
)

// leakSize is how much key data in a row counts as a leak: less, such as the
// beginning of a digest, turns up by chance.
const leakSize = 8

// Leak returns the name of a form in which text holds the first 8 bytes of data
// or more, such as "hexadecimal", or "" if it holds them in none. It knows the
// forms that fmt, slog and the encoders give. The key data must be random: zeros
// turn up by chance.
func Leak(text string, data keys.KeyData) string {
	for _, form := range leakForms {
		if strings.Contains(text, form.start(data[:])) {
			return form.name
		}
	}
	return ""
}

// A leakForm is a way to write key data; start returns how what is written
// begins.
type leakForm struct {
	name  string
	start func(data []byte) string
}

var leakForms = []leakForm{
	printed("raw bytes", "%s"),
	printed("hexadecimal", "%x"),
	printed("upper-case hexadecimal", "%X"),
	printed("spaced hexadecimal", "% x"),
	printed("spaced upper-case hexadecimal", "% X"),
	printed("0x hexadecimal", "% #x"),
	printed("0X hexadecimal", "% #X"),
	elements("Go syntax", "%#v"),
	elements("decimal", "%d"),
	elements("octal", "%o"),
	elements("0 octal", "%#o"),
	elements("0o octal", "%O"),
	elements("binary", "%b"),
	elements("0b binary", "%#b"),
	elements("characters", "%c"),
	elements("Unicode", "%U"),
	{"JSON array", func(b []byte) string { return strings.ReplaceAll(between(fmt.Sprint(b[:leakSize])), " ", ",") }},
	{"quoted", func(b []byte) string { return quotedStart("%q", b) }},
	{"quoted ASCII", func(b []byte) string { return quotedStart("%+q", b) }},
	{"base64", func(b []byte) string { return base64Start(base64.StdEncoding, b) }},
	{"base64 for URLs", func(b []byte) string { return base64Start(base64.URLEncoding, b) }},
}

func printed(name, format string) leakForm {
	return leakForm{name, func(b []byte) string { return fmt.Sprintf(format, b[:leakSize]) }}
}

// elements is printed without the brackets around it all.
func elements(name, format string) leakForm {
	return leakForm{name, func(b []byte) string { return between(fmt.Sprintf(format, b[:leakSize])) }}
}

func between(s string) string {
	if _, literal, ok := strings.Cut(s, "byte{"); ok {
		return strings.TrimSuffix(literal, "}")
	}
	return s[1 : len(s)-1]
}

// quotedStart leaves out a character that begins before leakSize and ends after.
func quotedStart(format string, b []byte) string {
	start, all := between(fmt.Sprintf(format, b[:leakSize])), between(fmt.Sprintf(format, b))
	for !strings.HasPrefix(all, start) {
		start = start[:len(start)-1]
	}
	return start
}

// base64Start leaves out the character that depends on the next byte as well.
func base64Start(enc *base64.Encoding, b []byte) string {
	return enc.EncodeToString(b[:leakSize])[:leakSize*8/6]
}
