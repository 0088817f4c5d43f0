package cms

import (
	"crypto/x509"
	encoding "encoding/asn1"
	"encoding/pem"
	"strings"
	"time"
)

// MaxCertificateText is the length of the longest text that is read as a
// certificate in PEM. Those in use have about 1,500 characters.
const MaxCertificateText = 32 << 10

const pemCertificate = "CERTIFICATE"

var oidCountry = encoding.ObjectIdentifier{2, 5, 4, 6}

// CountryOf returns the country in the subject of cert: there must be exactly
// one, of two upper-case letters.
func CountryOf(cert *x509.Certificate) (string, error) {
	country, n := "", 0
	for _, attribute := range cert.Subject.Names {
		if attribute.Type.Equal(oidCountry) {
			n++
			country, _ = attribute.Value.(string)
		}
	}
	if n != 1 {
		return "", fail(ReasonCountry, "certificate", "%d countries in its subject, want 1", n)
	}
	if !isCountry(country) {
		return "", fail(ReasonCountry, "certificate", "its country is not two upper-case letters")
	}
	return country, nil
}

func isCountry(s string) bool {
	return len(s) == 2 && 'A' <= s[0] && s[0] <= 'Z' && 'A' <= s[1] && s[1] <= 'Z'
}

// CheckValidity reports whether cert is valid at a time. Both ends are within.
func CheckValidity(cert *x509.Certificate, at time.Time) error {
	if at.Before(cert.NotBefore) {
		return fail(ReasonNotYet, "certificate", "not valid before %s", cert.NotBefore.UTC().Format(time.RFC3339))
	}
	if at.After(cert.NotAfter) {
		return fail(ReasonExpired, "certificate", "expired at %s", cert.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

// ParseCertificate reads the one certificate in PEM text, around which there may
// be nothing but white space.
func ParseCertificate(text string) (*x509.Certificate, error) {
	if len(text) > MaxCertificateText {
		return nil, fail(ReasonTooLarge, "certificate", "%d characters, at most %d", len(text), MaxCertificateText)
	}
	text = strings.TrimSpace(text)
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != pemCertificate || len(rest) > 0 || !strings.HasPrefix(text, "-----BEGIN") {
		return nil, fail(ReasonCertificate, "certificate", "not one certificate in PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil { // which may quote what is in it
		return nil, fail(ReasonCertificate, "certificate", "it cannot be parsed")
	}
	return cert, nil
}

func checkCertificateKey(cert *x509.Certificate) error {
	if err := checkKey(cert.PublicKey); err != nil {
		return &Error{Reason: ReasonCertificate, Subject: "certificate", Err: err}
	}
	return nil
}
