package cms

import (
	"context"
	"crypto/x509"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
)

// Use is what a certificate is good for.
type Use string

// The uses that the gateway knows.
const (
	UseSigning        Use = "signing"        // batches of keys
	UseAuthentication Use = "authentication" // as the client of the gateway, by TLS
	UseCallback       Use = "callback"       // as the server that the gateway calls back
)

func (u Use) known() bool {
	return u == UseSigning || u == UseAuthentication || u == UseCallback
}

// Entry lists a certificate for one use.
type Entry struct {
	Use     Use    `json:"use"`
	Country string `json:"country"` // two upper-case letters

	// Thumbprint is the certificate's. Where Certificate is given, it may be
	// left zero, and is filled in.
	Thumbprint Thumbprint `json:"thumbprint,omitzero"`

	// Certificate is the certificate as PEM text, "" if only its thumbprint is
	// known. Its country must be Country.
	Certificate string `json:"certificate,omitempty"`

	// AnchorSignature is that of the trust anchor over Certificate, as
	// [VerifyAnchor] takes it, "" for none.
	AnchorSignature string `json:"anchorSignature,omitempty"`

	// Revoked says that it is good no longer. An entry that says so tells more
	// than a missing one.
	Revoked bool `json:"revoked,omitempty"`
}

// checked returns e as it is kept, its thumbprint filled in.
func (e Entry) checked(subject string) (Entry, error) {
	if !e.Use.known() {
		return Entry{}, fail(ReasonOptions, subject+".use", "none of %s, %s and %s", UseSigning, UseAuthentication, UseCallback)
	}
	if !isCountry(e.Country) {
		return Entry{}, fail(ReasonOptions, subject+".country", "not two upper-case letters")
	}
	if e.Certificate == "" {
		if e.Thumbprint == (Thumbprint{}) {
			return Entry{}, fail(ReasonOptions, subject+".thumbprint", "missing, and no certificate")
		}
		return e, nil
	}
	cert, err := ParseCertificate(e.Certificate)
	if err != nil {
		return Entry{}, fail(ReasonOptions, subject+".certificate", "%w", err)
	}
	if country, err := CountryOf(cert); err != nil || country != e.Country {
		return Entry{}, fail(ReasonOptions, subject+".country", "not the certificate's")
	}
	t := ThumbprintOf(cert)
	if e.Thumbprint != (Thumbprint{}) && e.Thumbprint != t {
		return Entry{}, fail(ReasonOptions, subject+".thumbprint", "not the certificate's")
	}
	e.Thumbprint = t
	return e, nil
}

// checkAnchor reports whether the trust anchor has signed e.
func (e Entry) checkAnchor(subject string, anchor *x509.Certificate) error {
	if e.Certificate == "" {
		return fail(ReasonAnchor, subject+".certificate", "missing, so that the trust anchor cannot have signed it")
	}
	if err := VerifyAnchor(anchor, e.Certificate, e.AnchorSignature); err != nil {
		return fail(ReasonAnchor, subject+".anchorSignature", "%w", err)
	}
	return nil
}

// index is entries by what they are found by.
type index map[listed]Entry

type listed struct {
	thumbprint Thumbprint
	use        Use
}

func newIndex(entries []Entry) (index, error) {
	found := make(index, len(entries))
	for i, e := range entries {
		subject := fmt.Sprintf("entries[%d]", i)
		e, err := e.checked(subject)
		if err != nil {
			return nil, err
		}
		key := listed{e.Thumbprint, e.Use}
		if _, ok := found[key]; ok {
			return nil, fail(ReasonOptions, subject, "the second of its certificate and use")
		}
		found[key] = e
	}
	return found, nil
}

// AllowList is [Certificates] in memory. It is safe for concurrent use, and the
// entries may be replaced meanwhile. The zero value lists nothing.
type AllowList struct {
	entries atomic.Pointer[index]
}

var _ Certificates = (*AllowList)(nil)

// NewAllowList returns a list of entries. A certificate may be in it once for
// each use; during a rotation a nation has several.
func NewAllowList(entries ...Entry) (*AllowList, error) {
	l := &AllowList{}
	if err := l.Replace(entries...); err != nil {
		return nil, err
	}
	return l, nil
}

// Replace puts entries in the place of all that were there. If one of them is
// not right, nothing changes.
func (l *AllowList) Replace(entries ...Entry) error {
	found, err := newIndex(entries)
	if err != nil {
		return err
	}
	l.entries.Store(&found)
	return nil
}

// Find implements [Certificates].
func (l *AllowList) Find(_ context.Context, t Thumbprint, use Use) (Entry, error) {
	if found := l.entries.Load(); found != nil {
		if e, ok := (*found)[listed{t, use}]; ok {
			return e, nil
		}
	}
	return Entry{}, fail(ReasonUnlisted, "certificate", "%s for %s: %w", t, use, fs.ErrNotExist)
}

// Entries returns what is in the list, by country, use and thumbprint.
func (l *AllowList) Entries() []Entry {
	found := l.entries.Load()
	if found == nil {
		return nil
	}
	return slices.SortedFunc(maps.Values(*found), compareEntries)
}

func compareEntries(a, b Entry) int {
	for _, c := range []int{
		strings.Compare(a.Country, b.Country),
		strings.Compare(string(a.Use), string(b.Use)),
		strings.Compare(a.Thumbprint.String(), b.Thumbprint.String()),
	} {
		if c != 0 {
			return c
		}
	}
	return 0
}
