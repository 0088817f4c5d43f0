package federationtest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gaenkit/gaen/internal/efgspb"
	"github.com/gaenkit/gaen/signing/cms"
)

var gatewayAudits = []gatewayClause{
	{"audit-form", "The audit of a batch must be a JSON array, by the day in its tag, of which each element names country, time, certificates, amount and signature of an upload.", auditForm},
	{"audit-amounts", "The amounts in an audit, without those of the country that asks, must be as many as the keys of the batch; or it must be empty, of keys that nobody has signed.", auditAmounts},
	{"audit-covers", "What was uploaded must be in a batch whose audit covers it.", auditCovers},
	{"audit-same-for-all", "The audit of a batch must be the same for every nation, one's own uploads included: nobody could tell otherwise which keys are whose.", auditSameForAll},
	{"audit-signatures", "The signature in an audit must verify over the keys of its slice of the batch, all of the country that it names.", auditSignatures},
	{"audit-unchanged", "The signature in an audit must be the one that was uploaded.", auditUnchanged},
	{"audit-certificates", "The certificates and thumbprints in an audit must be those that authenticated and signed the upload.", auditCertificates},
	{"audit-anchor", "The trust anchor must have signed the certificates in an audit.", auditAnchor},
	{"audit-by-openssl", "The signature in an audit must verify by openssl.", auditByOpenSSL},
	{"audit-day", "An audit with another day than the batch's must be answered 404.", auditDay},
	{"audit-unknown-tag", "The audit of a batch that there is not must be answered 404.", auditUnknownTag},
	{"audit-gone", "The audit of a day of which batches are no longer kept must be answered 410.", auditGone},
}

// eachAudit returns what looks at the audit of every batch.
func eachAudit(look func(r *gatewayReader, p *gatewayPage) error) gatewayLater {
	return func(x *gatewayExam) error {
		audits := 0
		for _, r := range x.readers {
			for i := range r.all() {
				p := &r.all()[i]
				if p.unaudited != nil {
					continue // audit-form says so
				}
				if err := look(r, p); err != nil {
					return fmt.Errorf("%s, batch %q: %w", x.members[r.member], p.tag, err)
				}
				audits++
			}
		}
		if audits == 0 {
			return errors.New("there was no audit at all")
		}
		return nil
	}
}

// A gatewaySlice is the part of a batch that an upload is.
type gatewaySlice struct {
	gatewayAudit
	keys []*efgspb.DiagnosisKey
}

var errAmounts = errors.New("its audit speaks of another number of keys than it has")

// slices returns the parts of a batch, none if its audit does not fit it.
func (p *gatewayPage) slices(country string) (all []gatewaySlice, err error) {
	rest := p.keys
	for _, a := range p.audit {
		if a.Country == country {
			continue
		}
		if a.Amount < 0 || a.Amount > len(rest) {
			return nil, errAmounts
		}
		all = append(all, gatewaySlice{a, rest[:a.Amount]})
		rest = rest[a.Amount:]
	}
	if len(rest) > 0 && len(p.audit) > 0 {
		return nil, errAmounts
	}
	return all, nil
}

// eachSlice returns what looks at every part of every batch that the suite uploaded.
func eachSlice(look func(x *gatewayExam, s *gatewaySlice, u *gatewayUpload) error) gatewayLater {
	return func(x *gatewayExam) error {
		by := map[string]*gatewayUpload{}
		for _, u := range x.stored {
			for _, k := range u.keys {
				by[string(k.GetKeyData())+fmt.Sprint(k.GetReportType())] = u
			}
		}
		return eachAudit(func(r *gatewayReader, p *gatewayPage) error {
			parts, err := p.slices(x.members[r.member].Country)
			if err != nil {
				return nil // audit-amounts says so
			}
			for i := range parts {
				if len(parts[i].keys) == 0 {
					continue
				}
				k := parts[i].keys[0]
				if u := by[string(k.GetKeyData())+fmt.Sprint(k.GetReportType())]; u != nil {
					if err := look(x, &parts[i], u); err != nil {
						return err
					}
				}
			}
			return nil
		})(x)
	}
}

func auditForm(*gatewayExam) (gatewayLater, error) {
	return func(x *gatewayExam) error {
		for _, r := range x.readers {
			for _, p := range r.all() {
				if p.unaudited != nil {
					return fmt.Errorf("batch %q: %w", p.tag, p.unaudited)
				}
			}
		}
		return eachAudit(func(_ *gatewayReader, p *gatewayPage) error {
			for _, a := range p.audit {
				for name, value := range map[string]string{"country": a.Country, "uploadedTime": a.UploadedTime, "uploaderThumbprint": a.UploaderThumbprint,
					"signingCertificate": a.SigningCertificate, "uploaderSigningThumbprint": a.UploaderSigningThumbprint, "batchSignature": a.BatchSignature} {
					if value == "" {
						return fmt.Errorf("an upload without %s", name)
					}
				}
				if a.Amount < 1 {
					return fmt.Errorf("an upload of %d keys", a.Amount)
				}
			}
			return nil
		})(x)
	}, nil
}

func auditAmounts(*gatewayExam) (gatewayLater, error) {
	return eachAudit(func(r *gatewayReader, p *gatewayPage) error {
		_, err := p.slices(r.x.members[r.member].Country)
		return err
	}), nil
}

func auditCovers(*gatewayExam) (gatewayLater, error) {
	return func(x *gatewayExam) error {
		for _, r := range x.readers {
			covered := map[string]bool{}
			for _, p := range r.all() {
				for _, k := range p.keys {
					covered[string(k.GetKeyData())] = covered[string(k.GetKeyData())] || len(p.audit) > 0 || p.unaudited != nil
				}
			}
			for _, u := range x.stored {
				for _, k := range u.keys {
					if ok, given := covered[string(k.GetKeyData())]; given && !ok {
						return fmt.Errorf("%s was given a key that %s signed in a batch that nobody has signed", x.members[r.member], x.members[u.member])
					}
				}
			}
		}
		return nil
	}, nil
}

func auditSameForAll(x *gatewayExam) (gatewayLater, error) {
	for i := range x.members[:2] { // so that a batch has uploads of two
		if _, err := x.store(i, x.keys(i, 2)); err != nil {
			return nil, err
		}
	}
	return func(x *gatewayExam) error {
		first := map[string][]gatewayAudit{}
		return eachAudit(func(_ *gatewayReader, p *gatewayPage) error {
			if before, ok := first[p.tag]; ok && !slices.Equal(before, p.audit) {
				return errors.New("its audit is another one for another nation")
			}
			first[p.tag] = p.audit
			return nil
		})(x)
	}, nil
}

func auditSignatures(*gatewayExam) (gatewayLater, error) {
	return eachAudit(func(r *gatewayReader, p *gatewayPage) error {
		parts, err := p.slices(r.x.members[r.member].Country)
		if err != nil {
			return nil // audit-amounts says so
		}
		for _, s := range parts {
			if err := s.verify(); err != nil {
				return err
			}
		}
		return nil
	}), nil
}

// verify reports whether a slice is what its country signed.
func (s *gatewaySlice) verify() error {
	m, err := cms.Parse(s.BatchSignature, &cms.ParseOptions{Extras: true})
	if err == nil {
		err = m.Verify(efgsContent(s.keys))
	}
	if err != nil {
		return fmt.Errorf("the signature of %d keys of %s: %w", len(s.keys), s.Country, err)
	}
	for _, k := range s.keys {
		if k.GetOrigin() != s.Country {
			return fmt.Errorf("a key of %q in an upload of %s", k.GetOrigin(), s.Country)
		}
	}
	return nil
}

func auditUnchanged(*gatewayExam) (gatewayLater, error) {
	return eachSlice(func(_ *gatewayExam, s *gatewaySlice, u *gatewayUpload) error {
		if s.BatchSignature != u.signature {
			return fmt.Errorf("another signature of an upload of %s", s.Country)
		}
		return nil
	}), nil
}

func auditCertificates(*gatewayExam) (gatewayLater, error) {
	return eachSlice(func(x *gatewayExam, s *gatewaySlice, u *gatewayUpload) error {
		m := &x.members[u.member]
		shown, err := cms.ParseCertificate(s.SigningCertificate)
		switch {
		case s.Country != m.Country:
			return fmt.Errorf("an upload of %s is said to be of %s", m, s.Country)
		case err != nil || !shown.Equal(m.Signing.Leaf):
			return fmt.Errorf("another signing certificate than that of %s", m)
		case !sameDigits(s.UploaderSigningThumbprint, thumbprint(m.Signing)):
			return fmt.Errorf("another thumbprint than that of the certificate with which %s signs", m)
		case !sameDigits(s.UploaderThumbprint, thumbprint(m.Authentication)):
			return fmt.Errorf("another thumbprint than that of the certificate with which %s authenticates", m)
		}
		return nil
	}), nil
}

// sameDigits compares thumbprints as the European gateway writes them: of one that
// begins with a zero byte the zeros are lost (its own bug).
func sameDigits(a, b string) bool {
	return strings.EqualFold(strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0"))
}

func auditAnchor(x *gatewayExam) (gatewayLater, error) {
	if x.e.Anchor == nil {
		return nil, fmt.Errorf("%w: there is no Anchor", errNotGiven)
	}
	return eachSlice(func(x *gatewayExam, s *gatewaySlice, _ *gatewayUpload) error {
		if err := cms.VerifyAnchor(x.e.Anchor, s.SigningCertificate, s.SigningCertificateOperatorSignature); err != nil {
			return fmt.Errorf("the certificate with which %s signs: %w", s.Country, err)
		}
		if s.UploaderCertificate == "" {
			return nil // the gateway may know it by its thumbprint
		}
		if err := cms.VerifyAnchor(x.e.Anchor, s.UploaderCertificate, s.UploaderOperatorSignature); err != nil {
			return fmt.Errorf("the certificate with which %s authenticates: %w", s.Country, err)
		}
		return nil
	}), nil
}

func auditByOpenSSL(*gatewayExam) (gatewayLater, error) {
	return func(x *gatewayExam) error {
		asked := map[int]bool{} // one upload of each member: a process for each
		return eachSlice(func(x *gatewayExam, s *gatewaySlice, u *gatewayUpload) error {
			if asked[u.member] {
				return nil
			}
			asked[u.member] = true
			return opensslVerify(x.ctx, x.members[u.member].Signing.Leaf, efgsContent(s.keys), s.BatchSignature)
		})(x)
	}, nil
}

// wantAudit asks for an audit, and wants a status.
func (x *gatewayExam) wantAudit(what, date, tag string, want ...int) error {
	got, err := x.audit(0, date, tag)
	if err != nil {
		return err
	}
	return wantStatus(what, got, want...)
}

func auditDay(*gatewayExam) (gatewayLater, error) {
	return func(x *gatewayExam) error {
		for _, p := range x.readers[0].all() {
			for _, day := range []string{(p.day - 1).String(), (p.day + 1).String()} {
				if err := x.wantAudit("an audit of another day", day, p.tag, http.StatusNotFound); err != nil {
					return err
				}
			}
		}
		return nil
	}, nil
}

func auditUnknownTag(x *gatewayExam) (gatewayLater, error) {
	return nil, x.wantAudit("an audit of no batch", (x.start + 1).String(), "unknown", http.StatusNotFound)
}

func auditGone(x *gatewayExam) (gatewayLater, error) {
	return nil, x.wantAudit("an audit of a day long ago", (x.start - 10).String(), "20200101-1", http.StatusGone)
}
