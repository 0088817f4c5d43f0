package cms

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"time"
)

// Certificates says which certificates are good for what. Methods may be called
// from several goroutines at once. [AllowList] is one in memory.
type Certificates interface {
	// Find returns the entry of a certificate for a use. If there is none, the
	// error must satisfy errors.Is(err, fs.ErrNotExist): an entry for another
	// use is none. A revoked certificate has an entry that says so. Any other
	// error means that it could not be found out.
	Find(ctx context.Context, t Thumbprint, use Use) (Entry, error)
}

// Check reports whether a certificate may be used at a time: it is valid then,
// names one country ([CountryOf]), and is listed for this use and this country,
// not revoked. It returns its entry.
//
// Of a certificate in a [Message] it says nothing of whether its key has signed.
// Where TLS ends before the server, so that there is only a thumbprint and a
// country, there is [Lookup].
func Check(ctx context.Context, list Certificates, cert *x509.Certificate, use Use, at time.Time) (Entry, error) {
	if err := CheckValidity(cert, at); err != nil {
		return Entry{}, err
	}
	country, err := CountryOf(cert)
	if err != nil {
		return Entry{}, err
	}
	return Lookup(ctx, list, ThumbprintOf(cert), use, country)
}

// Lookup returns the entry of the certificate with a thumbprint, if it is listed
// for this use and this country, and not revoked.
func Lookup(ctx context.Context, list Certificates, t Thumbprint, use Use, country string) (Entry, error) {
	entry, err := list.Find(ctx, t, use)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Entry{}, fail(ReasonUnlisted, "certificate", "%s is not listed for %s", t, use)
	case err != nil:
		return Entry{}, fail(ReasonUnavailable, "certificate", "%s: %w", t, err)
	case entry.Revoked:
		return Entry{}, fail(ReasonRevoked, "certificate", "%s is revoked", t)
	case entry.Country != country:
		return Entry{}, fail(ReasonCountry, "certificate", "%s is listed for another country", t)
	case entry.Thumbprint != t || entry.Use != use: // a list that does not keep its contract
		return Entry{}, fail(ReasonUnavailable, "certificate", "%s: the list has answered with another", t)
	}
	return entry, nil
}

// VerifierOptions are options of [NewVerifier]. Nil means no options.
type VerifierOptions struct {
	ParseOptions
}

// Verifier verifies signatures by listed certificates. It is safe for concurrent
// use if its list is.
type Verifier struct {
	list Certificates
	opts VerifierOptions
}

// NewVerifier returns a verifier of signatures by the certificates that are in
// list for [UseSigning].
func NewVerifier(list Certificates, opts *VerifierOptions) (*Verifier, error) {
	if list == nil {
		return nil, fail(ReasonOptions, "list", "nil")
	}
	if opts == nil {
		opts = &VerifierOptions{}
	}
	return &Verifier{list: list, opts: *opts}, nil
}

// Signature is one that has been verified.
type Signature struct {
	*Message

	// Country is that of the certificate, two upper-case letters. The gateway
	// wants every key that is signed to have it for its origin.
	Country string
}

// Verify reports who has signed content, by a signature as [Parse] reads it. The
// certificate must be listed, and valid at the time. Nothing is verified by a key
// that is not listed.
func (v *Verifier) Verify(ctx context.Context, content []byte, text string, at time.Time) (*Signature, error) {
	m, err := Parse(text, &v.opts.ParseOptions)
	if err != nil {
		return nil, err
	}
	entry, err := Check(ctx, v.list, m.Certificate, UseSigning, at)
	if err != nil {
		return nil, err
	}
	if err := m.Verify(content); err != nil {
		return nil, err
	}
	return &Signature{Message: m, Country: entry.Country}, nil
}
