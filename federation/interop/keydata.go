package interop

import (
	"fmt"

	"github.com/gaenkit/gaen/federation/internal/jsontext"
	"github.com/gaenkit/gaen/keys"
)

// notSextet marks bytes that are no digit of base64.
const notSextet = 0xff

// sextets are the values of the digits of base64 and of base64url.
var sextets = func() (table [256]byte) {
	for i := range table {
		table[i] = notSextet
	}
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	for i := range len(digits) {
		table[digits[i]] = byte(i)
	}
	table['+'], table['-'] = 62, 62
	table['/'], table['_'] = 63, 63
	return table
}()

// parseKeyData returns the key data in a JSON value, as the field really writes
// it: base64 or base64url, padded or not, with line breaks (spec/interop: the
// server decodes leniently and hands out what it was sent). What is neither, with
// other characters in it for instance, or an array of numbers, is no key data.
func parseKeyData(v jsontext.Value) (k keys.KeyData, err error) {
	text, ok := v.Text()
	switch {
	case v.IsAbsent():
		return k, missing(keys.FieldKeyData)
	case !ok:
		return k, malformed(keys.FieldKeyData, "not a string")
	}
	var data [keys.KeyDataSize + 1]byte
	bits, n, digits, ended := uint32(0), 0, 0, false
	for _, c := range text {
		if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
			continue
		}
		if c == '=' {
			ended = true
			continue
		}
		s := sextets[c]
		if s == notSextet || ended {
			return k, malformed(keys.FieldKeyData, "not base64")
		}
		bits = bits<<6 | uint32(s)
		digits++
		if digits%4 != 1 { // the first digit of four completes no byte
			if n < len(data) {
				data[n] = byte(bits >> (6 - 2*((digits-1)%4)))
			}
			n++
		}
	}
	if n != keys.KeyDataSize {
		return k, &keys.Rejection{Field: keys.FieldKeyData, Reason: keys.ReasonLength, Detail: fmt.Sprintf("%d bytes, want %d", n, keys.KeyDataSize)}
	}
	return keys.ParseKeyData(data[:n])
}

func missing(field keys.Field) error {
	return &keys.Rejection{Field: field, Reason: keys.ReasonMissing}
}

func malformed(field keys.Field, detail string) error {
	return &keys.Rejection{Field: field, Reason: keys.ReasonMalformed, Detail: detail}
}
