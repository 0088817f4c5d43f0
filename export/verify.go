package export

import (
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/signing"
)

// Expectation is which archive one asked for. Every archive of a back end is
// signed with the same key, so that a good signature does not say that this is
// the one. A field that is zero is not compared.
type Expectation struct {
	Region     string
	Start, End time.Time
}

// Verified is an archive that a trusted key signed.
type Verified struct {
	Payload

	// SignedBy are the trusted keys whose signatures verify, in the order of
	// export.sig; at least one.
	SignedBy []signing.Identity

	// Remarks are what is odd about the archive; see [Archive.Remarks].
	Remarks []Remark
}

// Verify checks the signatures of the archive. A key is looked up by its id and
// version, as phones do; one good signature by a trusted key is enough. If there
// is none, the error is of [KindUnsigned], [KindUntrusted] or
// [KindBadSignature]; if the archive is not the expected one, of
// [KindUnexpected]. A nil expectation expects nothing.
func (a *Archive) Verify(trusted *signing.TrustList, want *Expectation) (*Verified, error) {
	if len(a.signatures) == 0 {
		return nil, fail(KindUnsigned, a.opts.SigName, "no signature")
	}
	v := &Verified{Payload: Payload{a}, Remarks: slices.Clone(a.remarks)}
	var bad error
	for i := range a.signatures {
		s := &a.signatures[i]
		key, ok := trusted.Lookup(s.Info.Identity)
		if !ok {
			continue
		}
		if err := a.verifyOne(s, key); err != nil {
			bad = err
			v.Remarks = append(v.Remarks, Remark{RemarkOtherSignature, err.Error()})
			continue
		}
		if !slices.Contains(v.SignedBy, key.Identity) {
			v.SignedBy = append(v.SignedBy, key.Identity)
		}
		if !key.Contains(a.header.End) {
			v.Remarks = append(v.Remarks, Remark{RemarkValidity, fmt.Sprintf("key %s was not valid at the end of the archive", key.Identity)})
		}
	}
	switch {
	case len(v.SignedBy) > 0:
	case bad != nil:
		return nil, bad
	default:
		return nil, fail(KindUntrusted, a.opts.SigName, "no trusted key among those that signed: %s", a.signers())
	}
	if err := want.check(&a.header); err != nil {
		return nil, err
	}
	return v, nil
}

func (a *Archive) verifyOne(s *Signature, key signing.PublicKey) error {
	err := key.Verify(a.info.SHA256[:], s.DER)
	if err == nil {
		return nil
	}
	if why := notDER(s.DER); why != "" {
		err = fmt.Errorf("%w: %s", err, why)
	}
	return &Error{Kind: KindBadSignature, Subject: a.opts.SigName, Err: err}
}

// notDER says why b is no ECDSA signature in ASN.1 DER, empty if it is one.
func notDER(b []byte) string {
	var s struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(b, &s)
	switch {
	case err == nil && len(rest) == 0:
		return ""
	case len(b) == 64:
		return "64 bytes that are no ASN.1 DER: raw r and s?"
	}
	return "not ASN.1 DER"
}

// signers names the keys that export.sig names, for an error.
func (a *Archive) signers() string {
	const most = 5
	var names []string
	for i := range a.signatures {
		if i == most {
			names = append(names, "...")
			break
		}
		names = append(names, fmt.Sprintf("%.80q", a.signatures[i].Info.Identity.String()))
	}
	return strings.Join(names, ", ")
}

func (want *Expectation) check(h *Header) error {
	if want == nil {
		return nil
	}
	if want.Region != "" && want.Region != h.Region {
		return fail(KindUnexpected, "region", "%.80q, want %q", h.Region, want.Region)
	}
	if !want.Start.IsZero() && !want.Start.Equal(h.Start) {
		return fail(KindUnexpected, "start_timestamp", "%s, want %s", h.Start, want.Start.UTC())
	}
	if !want.End.IsZero() && !want.End.Equal(h.End) {
		return fail(KindUnexpected, "end_timestamp", "%s, want %s", h.End, want.End.UTC())
	}
	return nil
}
