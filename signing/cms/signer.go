package cms

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// SignerOptions are options of [NewSigner]. Nil means no options.
type SignerOptions struct {
	// PSS signs with an RSA key by RSASSA-PSS, rather than by PKCS #1 v1.5. One
	// nation did; the gateway, as it was measured, refused it.
	PSS bool
}

// Signer signs in the name of a certificate. It is safe for concurrent use if
// the crypto.Signer below it is.
type Signer struct {
	cert      *x509.Certificate
	key       crypto.Signer
	algorithm algorithm
	rand      io.Reader // nil: deterministic
}

// NewSigner returns a signer in the name of cert with its key, which may lie in
// a key service: ECDSA on P-256, P-384 or P-521, or RSA of [MinRSABits] to
// [MaxRSABits]. The public key is asked for once, here. The hash is SHA-256
// whatever the key.
//
// Whether the certificate names a country, peers will ask: see [CountryOf].
func NewSigner(cert *x509.Certificate, key crypto.Signer, opts *SignerOptions) (*Signer, error) {
	if opts == nil {
		opts = &SignerOptions{}
	}
	if cert == nil {
		return nil, fail(ReasonOptions, "certificate", "nil")
	}
	if isNil(key) {
		return nil, fail(ReasonOptions, "key", "nil")
	}
	if err := checkKey(cert.PublicKey); err != nil {
		return nil, &Error{Reason: ReasonOptions, Subject: "certificate", Err: err}
	}
	public, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(key.Public()) {
		return nil, fail(ReasonOptions, "key", "not the one of the certificate")
	}
	s := &Signer{cert: cert, key: key, algorithm: algorithm{kind: kindECDSA, hash: crypto.SHA256}, rand: rand.Reader}
	_, isRSA := cert.PublicKey.(*rsa.PublicKey)
	switch {
	case isRSA && opts.PSS:
		s.algorithm.kind, s.algorithm.salt = kindPSS, crypto.SHA256.Size()
	case isRSA:
		s.algorithm.kind = kindPKCS1
	case opts.PSS:
		return nil, fail(ReasonOptions, "SignerOptions.PSS", "the key is not of RSA")
	}
	if _, isLocal := key.(*ecdsa.PrivateKey); isLocal {
		s.rand = nil // RFC 6979
	}
	return s, nil
}

func isNil(key crypto.Signer) bool {
	switch key := key.(type) {
	case nil:
		return true
	case *ecdsa.PrivateKey:
		return key == nil
	case *rsa.PrivateKey:
		return key == nil
	}
	return false
}

// Sign returns a detached signature of content, made at a time, as base64 of DER
// on one line. It holds the certificate, and the time to the second, at which the
// certificate must be valid. It has been verified: a signature that the
// certificate's key does not verify is an error of [ReasonSigner].
//
// Where the key is in memory and not for PSS, the same content and time give the
// same signature.
func (s *Signer) Sign(content []byte, at time.Time) (string, error) {
	at = at.UTC().Truncate(time.Second)
	if err := CheckValidity(s.cert, at); err != nil {
		return "", err
	}
	attrs, err := newAttributes(digestOf(s.algorithm.hash, content), at)
	if err != nil {
		return "", err
	}
	signature, err := crypto.SignMessage(s.key, s.rand, attrs.signed, s.algorithm.opts())
	if err != nil {
		return "", &Error{Reason: ReasonSigner, Subject: "signer", Err: err}
	}
	if err := s.algorithm.verify(s.cert.PublicKey, attrs.signed, signature); err != nil {
		return "", fail(ReasonSigner, "signer", "the certificate's key does not verify its signature")
	}
	der, err := signedDataOf(s.cert, s.algorithm, attrs, signature)
	if err != nil {
		return "", &Error{Reason: ReasonSigner, Subject: "signature", Err: err}
	}
	return base64.StdEncoding.EncodeToString(der), nil
}

// Certificate returns the certificate that s signs in the name of. It must not
// be changed.
func (s *Signer) Certificate() *x509.Certificate { return s.cert }

// String returns the certificate's thumbprint; the key is not for printing.
func (s *Signer) String() string { return "Signer(" + ThumbprintOf(s.cert).String() + ")" }

// Format prints [Signer.String] whatever the verb and flags.
func (s *Signer) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue returns [Signer.String]; the key is not for logs.
func (s *Signer) LogValue() slog.Value { return slog.StringValue(s.String()) }
