package signing

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Registration is what a team tells the app stores about a verification key.
type Registration struct {
	PublicKey

	// AppBundleID and AndroidPackage name the apps that take archives of this
	// key; empty if that goes without saying.
	AppBundleID    string
	AndroidPackage string
}

// The names of a key file's lines. The values of dates are RFC 3339.
const (
	lineKeyID          = "Verification-Key-ID"
	lineKeyVersion     = "Verification-Key-Version"
	lineAlgorithm      = "Signature-Algorithm"
	lineNotBefore      = "Not-Before"
	lineNotAfter       = "Not-After"
	lineAppBundleID    = "App-Bundle-ID"
	lineAndroidPackage = "Android-Package"
)

const keyFileTitle = "# Verification key for exposure notification archives: ECDSA, P-256, SHA-256.\n"

// maxLineValue limits the value of one line of a key file.
const maxLineValue = 255

// MarshalKeyFile returns the key file of the given registrations: for each, the
// lines that say what it is and its public key as PEM. [ParseKeyFile] reads it
// back, and openssl the first key in it.
func MarshalKeyFile(registrations ...Registration) ([]byte, error) {
	var file bytes.Buffer
	for i, r := range registrations {
		if err := r.check(); err != nil {
			return nil, err
		}
		if i > 0 {
			file.WriteByte('\n')
		}
		der, err := x509.MarshalPKIXPublicKey(r.Key)
		if err != nil {
			return nil, &Error{Subject: "key " + r.Identity.String(), Err: err}
		}
		file.WriteString(keyFileTitle)
		for _, line := range r.lines() {
			if line[1] != "" {
				fmt.Fprintf(&file, "%s: %s\n", line[0], line[1])
			}
		}
		file.WriteByte('\n')
		pem.Encode(&file, &pem.Block{Type: pemPublic, Bytes: der})
	}
	if file.Len() > MaxKeyText {
		return nil, fail("key file", "%w: %d bytes, at most %d", ErrTooLarge, file.Len(), MaxKeyText)
	}
	return file.Bytes(), nil
}

func (r *Registration) lines() [][2]string {
	return [][2]string{
		{lineKeyID, r.KeyID},
		{lineKeyVersion, r.KeyVersion},
		{lineAlgorithm, AlgorithmECDSAWithSHA256},
		{lineNotBefore, formatTime(r.NotBefore)},
		{lineNotAfter, formatTime(r.NotAfter)},
		{lineAppBundleID, r.AppBundleID},
		{lineAndroidPackage, r.AndroidPackage},
	}
}

func (r *Registration) check() error {
	if err := r.PublicKey.Check(); err != nil {
		return err
	}
	for _, line := range r.lines() {
		if err := checkLine(line[0], line[1]); err != nil {
			return err
		}
	}
	if err := checkTime(lineNotBefore, r.NotBefore); err != nil {
		return err
	}
	return checkTime(lineNotAfter, r.NotAfter)
}

func checkTime(name string, t time.Time) error {
	if back, err := parseTime(formatTime(t)); err != nil || !back.Equal(t) {
		return fail(name, "not a whole second of the years 0 to 9999")
	}
	return nil
}

func checkLine(name, value string) error {
	if len(value) > maxLineValue {
		return fail(name, "%d bytes, at most %d", len(value), maxLineValue)
	}
	if !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) || strings.TrimSpace(value) != value {
		return fail(name, "%q is not plain text", value)
	}
	return nil
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	return t.UTC(), err
}

// ParseKeyFile returns the registrations in a key file, at least one, in the
// order of the file.
//
// Before each "PUBLIC KEY" block stand lines "Name: value", as [MarshalKeyFile]
// writes them; id and version are mandatory. Empty lines and lines that begin
// with # mean nothing. Anything else is an error that names the line: a
// misspelt Not-After must not pass for a key without an end.
func ParseKeyFile(text []byte) ([]Registration, error) { return parseKeyFile("key file", text) }

func parseKeyFile(subject string, text []byte) ([]Registration, error) {
	if len(text) > MaxKeyText {
		return nil, fail(subject, "%w: %d bytes, at most %d", ErrTooLarge, len(text), MaxKeyText)
	}
	p := keyFileParser{subject: subject, lines: bufio.NewScanner(bytes.NewReader(text))}
	p.lines.Buffer(nil, MaxKeyText+1)
	var all []Registration
	for p.next() {
		r, err := p.registration()
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	if len(all) == 0 {
		return nil, fail(subject, "no key in it")
	}
	return all, nil
}

type keyFileParser struct {
	subject string
	lines   *bufio.Scanner
	line    string // the present one
	number  int
}

// next goes to the next line that means something.
func (p *keyFileParser) next() bool {
	for p.lines.Scan() {
		p.number++
		p.line = strings.TrimSpace(p.lines.Text())
		if p.line != "" && !strings.HasPrefix(p.line, "#") {
			return true
		}
	}
	return false
}

func (p *keyFileParser) fail(format string, args ...any) error {
	return fail(fmt.Sprintf("%s, line %d", p.subject, p.number), format, args...)
}

// registration parses the lines up to and including the end of a PEM block.
func (p *keyFileParser) registration() (r Registration, err error) {
	seen := make(map[string]bool)
	for !strings.HasPrefix(p.line, "-----BEGIN ") {
		name, value, _ := strings.Cut(p.line, ":")
		if err := r.set(name, strings.TrimSpace(value)); err != nil {
			return Registration{}, p.fail("%w", err)
		}
		if seen[name] {
			return Registration{}, p.fail("a second %s", name)
		}
		seen[name] = true
		if !p.next() {
			return Registration{}, p.fail("no PEM block after the last line")
		}
	}
	block, err := p.block()
	if err != nil {
		return Registration{}, err
	}
	if r.Key, err = decodePublicKey(p.subject, block); err != nil {
		return Registration{}, err
	}
	if err := r.check(); err != nil {
		return Registration{}, p.fail("the key that ends here: %w", err)
	}
	return r, nil
}

// set sets the field that the line with this name is for. The error for a line
// that is none of ours does not quote it: it may be of a private key's file.
func (r *Registration) set(name, value string) (err error) {
	switch name {
	case lineKeyID:
		r.KeyID = value
	case lineKeyVersion:
		r.KeyVersion = value
	case lineAlgorithm:
		if value != AlgorithmECDSAWithSHA256 {
			return fmt.Errorf("%s: want %s", name, AlgorithmECDSAWithSHA256)
		}
	case lineNotBefore:
		r.NotBefore, err = parseTime(value)
	case lineNotAfter:
		r.NotAfter, err = parseTime(value)
	case lineAppBundleID:
		r.AppBundleID = value
	case lineAndroidPackage:
		r.AndroidPackage = value
	default:
		return errors.New("not a line of a key file")
	}
	if err != nil {
		return fmt.Errorf("%s: not a time such as 2021-12-31T00:00:00Z", name)
	}
	return nil
}

// block returns the PEM block that begins at the present line and ends at the
// one that is present afterwards.
func (p *keyFileParser) block() (*pem.Block, error) {
	var text strings.Builder
	for begin := p.number; ; {
		text.WriteString(p.line + "\n")
		if strings.HasPrefix(p.line, "-----END ") {
			break
		}
		if !p.next() {
			return nil, p.fail("the PEM block of line %d does not end", begin)
		}
	}
	block, _ := pem.Decode([]byte(text.String()))
	if block == nil {
		return nil, p.fail("the PEM block that ends here is malformed")
	}
	return block, nil
}
