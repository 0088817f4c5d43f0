package cms

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
)

// maxThumbprintText is more than the longest spelling of a thumbprint has:
// base64 with every character escaped.
const maxThumbprintText = 3 * 44

// Thumbprint is the SHA-256 of a certificate, by which certificates are listed.
type Thumbprint [sha256.Size]byte

// ThumbprintOf returns the thumbprint of a certificate.
func ThumbprintOf(cert *x509.Certificate) Thumbprint { return sha256.Sum256(cert.Raw) }

// String returns t in 64 lower-case hex digits. The gateway's own code drops a
// zero byte at the beginning, so that one certificate in 256 has 62 there.
func (t Thumbprint) String() string { return hex.EncodeToString(t[:]) }

// MarshalText returns [Thumbprint.String].
func (t Thumbprint) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText is [ParseThumbprint].
func (t *Thumbprint) UnmarshalText(text []byte) (err error) {
	*t, err = ParseThumbprint(string(text))
	return err
}

// ParseThumbprint reads a thumbprint as load balancers spell it: in 64 hex
// digits of either case, or in base64, padded or not, which may be escaped as in
// a URL.
func ParseThumbprint(text string) (Thumbprint, error) {
	malformed := fail(ReasonMalformed, "thumbprint", "neither %d hex digits nor base64 of %d bytes", 2*sha256.Size, sha256.Size)
	if len(text) > maxThumbprintText {
		return Thumbprint{}, malformed
	}
	if len(text) == 2*sha256.Size {
		if data, err := hex.DecodeString(text); err == nil {
			return Thumbprint(data), nil
		}
	}
	if strings.Contains(text, "%") {
		var err error
		// Not as in a query, where a plus is a space: some escape only what a
		// header cannot carry.
		if text, err = url.PathUnescape(text); err != nil {
			return Thumbprint{}, malformed
		}
	}
	if strings.ContainsAny(text, "\r\n") {
		return Thumbprint{}, malformed
	}
	data, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimSuffix(text, "="))
	if err != nil || len(data) != sha256.Size {
		return Thumbprint{}, malformed
	}
	return Thumbprint(data), nil
}
