package efgs

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/service"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/cms"
)

// A caller is who sent a request.
type caller struct {
	country string // of the certificate
	entry   cms.Entry
	nation  *federation.Nation
}

// authenticate returns who calls: by the certificate of the connection or, where
// the connection is a load balancer's, by what that says.
func (s *Server) authenticate(r *http.Request) (*caller, error) {
	entry, err := s.present(r)
	if err != nil {
		return nil, err
	}
	country, err := keys.ParseRegion(entry.Country)
	if err != nil {
		return nil, service.Unable(fmt.Errorf("the country of a listed certificate: %w", err))
	}
	n, err := s.nations.Nation(r.Context(), country)
	switch {
	case errors.Is(err, ErrUnknownNation):
		return nil, forbidden(fmt.Errorf("certificate of %s: %w", country, err))
	case err != nil:
		return nil, service.Unable(err)
	case n.Region != country:
		return nil, service.Unable(fmt.Errorf("nation %s is not of %s", n.Name, country))
	}
	return &caller{country: entry.Country, entry: entry, nation: n}, nil
}

// forbidden refuses whoever is not known. What is wrong with the certificate is for
// the log alone.
func forbidden(cause error) error {
	return service.Refuse(http.StatusForbidden, "not a certificate that is known here").Because(cause)
}

var errNoCertificate = errors.New("no client certificate")

// present returns the entry of the certificate that a request was sent with.
func (s *Server) present(r *http.Request) (cms.Entry, error) {
	now := s.opts.Clock()
	var entry cms.Entry
	var err error
	switch {
	case s.isBalancer(r.RemoteAddr):
		// The connection's own certificate, if it has one, is the balancer's.
		if entry, err = s.told(r, now); err != nil {
			if _, ok := errors.AsType[*service.Refusal](err); ok {
				return entry, err
			}
		}
	case r.TLS == nil || len(r.TLS.PeerCertificates) == 0:
		return entry, forbidden(s.unexplained(r))
	default:
		entry, err = cms.Check(r.Context(), s.list, r.TLS.PeerCertificates[0], cms.UseAuthentication, now)
	}
	if err == nil {
		err = s.opts.confirm(&entry)
	}
	switch {
	case errors.Is(err, cms.ReasonUnavailable):
		return entry, service.Unable(err)
	case err != nil:
		return entry, forbidden(err)
	}
	return entry, nil
}

// unexplained says what a request without a certificate looks like: one with the
// headers of a balancer is an attack, or a balancer that nobody has configured.
func (s *Server) unexplained(r *http.Request) error {
	if r.Header.Get(s.opts.ThumbprintHeader) == "" && r.Header.Get(s.opts.DNHeader) == "" {
		return errNoCertificate
	}
	return fmt.Errorf("%w, and the headers of a load balancer from %s, which is none", errNoCertificate, r.RemoteAddr)
}

// isBalancer reports whether a connection is that of a load balancer.
func (s *Server) isBalancer(remote string) bool {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	ip := addr.Addr().Unmap().WithZone("")
	for _, p := range s.opts.Balancers {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// told returns the entry of the certificate that a load balancer has seen.
func (s *Server) told(r *http.Request, now time.Time) (entry cms.Entry, err error) {
	dn, err := header(r, s.opts.DNHeader)
	if err != nil {
		return entry, err
	}
	country, err := countryIn(dn)
	if err != nil {
		return entry, service.Refuse(http.StatusBadRequest, s.opts.DNHeader+": "+err.Error())
	}
	text, err := header(r, s.opts.ThumbprintHeader)
	if err != nil {
		return entry, err
	}
	t, err := cms.ParseThumbprint(text)
	if err != nil {
		return entry, err
	}
	if entry, err = cms.Lookup(r.Context(), s.list, t, cms.UseAuthentication, country); err != nil {
		return entry, err
	}
	return entry, checkShown(&entry, now)
}

// checkShown reports whether the certificate of an entry is valid at a time. Where
// only its thumbprint is known, the balancer has to see to that.
func checkShown(e *cms.Entry, now time.Time) error {
	if e.Certificate == "" {
		return nil
	}
	cert, err := cms.ParseCertificate(e.Certificate)
	if err != nil {
		return err
	}
	return cms.CheckValidity(cert, now)
}

// confirm reports whether the trust anchor has signed the certificate of an entry.
func (o *ServerOptions) confirm(e *cms.Entry) error { return confirmed(o.Anchor, e) }

func confirmed(anchor *x509.Certificate, e *cms.Entry) error {
	if anchor == nil {
		return nil
	}
	return cms.VerifyAnchor(anchor, e.Certificate, e.AnchorSignature)
}

// listed returns the entry of a certificate that is good for a use by a country.
func listed(ctx context.Context, list cms.Certificates, anchor *x509.Certificate, cert *x509.Certificate, use cms.Use, country string, now time.Time) (cms.Entry, error) {
	if err := cms.CheckValidity(cert, now); err != nil {
		return cms.Entry{}, err
	}
	e, err := cms.Lookup(ctx, list, cms.ThumbprintOf(cert), use, country)
	if err != nil {
		return e, err
	}
	return e, confirmed(anchor, &e)
}

// maxDN is the length of the longest distinguished name that is read, in bytes.
const maxDN = 4 << 10

var (
	errDN      = errors.New("not a distinguished name")
	errCountry = errors.New("not exactly one C, of two upper-case letters")
)

// countryIn returns the country in a distinguished name as RFC 2253 writes it, which
// may be escaped as in a URL. The gateway splits at every comma; here one that is
// escaped or quoted is part of a value, so that nobody has a country in his name.
func countryIn(dn string) (string, error) {
	if len(dn) > maxDN {
		return "", errDN
	}
	if strings.Contains(dn, "%") {
		unescaped, err := url.QueryUnescape(dn)
		if err != nil {
			return "", errDN
		}
		dn = unescaped
	}
	country, found := "", 0
	for dn != "" {
		part, rest, ok := cutName(dn)
		if !ok {
			return "", errDN
		}
		dn = rest
		name, value, _ := strings.Cut(part, "=")
		if strings.EqualFold(strings.Trim(name, " "), "C") {
			country, found = strings.Trim(value, " "), found+1
		}
	}
	if found != 1 || !isCountry(country) {
		return "", errCountry
	}
	return country, nil
}

func isCountry(s string) bool {
	return len(s) == 2 && 'A' <= s[0] && s[0] <= 'Z' && 'A' <= s[1] && s[1] <= 'Z'
}

// cutName takes the first attribute off a distinguished name.
func cutName(dn string) (part, rest string, ok bool) {
	quoted := false
	for i := 0; i < len(dn); i++ {
		switch c := dn[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == ';' || c == '+'):
			return dn[:i], dn[i+1:], true
		}
	}
	return dn, "", !quoted
}
