package efgs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/federationtest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
)

var noon = time.Date(2021, 6, 2, 12, 0, 0, 0, time.UTC)

var today = federation.DayOf(noon)

// A clock is what everybody in a test goes by.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// An authority signs as a country does. What it makes is no CMS, which is another
// package's, but has what matters here: the certificate, and a signature by its key.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, country []string, from, to time.Time) *authority {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{Country: country, CommonName: "signing"}, NotBefore: from, NotAfter: to}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return &authority{must(x509.ParseCertificate(der)), key}
}

// signed is a signature with the certificate.
type signed struct{ Certificate, Signature []byte }

func (a *authority) Sign(content []byte, at time.Time) (string, error) {
	sum := sha256.Sum256(content)
	signature, err := a.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	return base64.StdEncoding.EncodeToString(must(json.Marshal(signed{a.cert.Raw, signature}))), err
}

func (a *authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

func (a *authority) thumbprint() string {
	sum := sha256.Sum256(a.cert.Raw)
	return hex.EncodeToString(sum[:])
}

// A list is the certificates that are trusted.
type list struct {
	mu    sync.Mutex
	certs []*x509.Certificate
}

func (l *list) Verify(content []byte, signature string, at time.Time) (*x509.Certificate, error) {
	text, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return nil, errors.New("no base64")
	}
	var s signed
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, errors.New("no signature")
	}
	cert, err := x509.ParseCertificate(s.Certificate)
	if err != nil {
		return nil, errors.New("no certificate")
	}
	l.mu.Lock()
	known := slices.ContainsFunc(l.certs, cert.Equal)
	l.mu.Unlock()
	sum := sha256.Sum256(content)
	switch {
	case !known:
		return nil, errors.New("unknown certificate")
	case at.Before(cert.NotBefore) || at.After(cert.NotAfter):
		return nil, errors.New("the certificate has run out")
	case !ecdsa.VerifyASN1(cert.PublicKey.(*ecdsa.PublicKey), sum[:], s.Signature):
		return nil, errors.New("of something else")
	}
	return cert, nil
}

// Confirm makes an authority an anchor.
func (a *authority) Confirm(certificate []byte, signature string) error {
	sum := sha256.Sum256(certificate)
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || !ecdsa.VerifyASN1(&a.key.PublicKey, sum[:], raw) {
		return errors.New("not the operator's")
	}
	return nil
}

func (a *authority) confirm(certificate string) string {
	sum := sha256.Sum256([]byte(certificate))
	return base64.StdEncoding.EncodeToString(must(a.key.Sign(rand.Reader, sum[:], crypto.SHA256)))
}

// Europe is a gateway with countries around it.
type europe struct {
	t       testing.TB
	clock   *clock
	gateway *federationtest.EFGSServer
	http    *httptest.Server
	anchor  *authority
	signers map[string]*authority
	nations map[string]federationtest.EFGSNation
	trusted *list
	keys    *keystest.Generator
}

var countries = []string{"DE", "FR", "IT", "AT"}

func newEurope(t testing.TB, opts *federationtest.EFGSOptions) *europe {
	t.Helper()
	e := &europe{t: t, clock: &clock{now: noon}, signers: map[string]*authority{}, nations: map[string]federationtest.EFGSNation{}, trusted: &list{},
		keys: keystest.New(1, &keystest.Options{EndOfPeriod: true})}
	e.anchor = newAuthority(t, nil, noon, noon.AddDate(1, 0, 0))
	var all []federationtest.EFGSNation
	for _, country := range countries {
		a := newAuthority(t, []string{country}, noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))
		e.signers[country] = a
		e.trusted.certs = append(e.trusted.certs, a.cert)
		n := federationtest.EFGSNation{Country: country, Thumbprint: fmt.Sprintf("%064x", sha256.Sum256([]byte(country))),
			SigningCertificate: a.pem(), SigningThumbprint: a.thumbprint(), SigningCertificateOperatorSignature: e.anchor.confirm(a.pem())}
		e.nations[country] = n
		all = append(all, n)
	}
	o := federationtest.EFGSOptions{Verify: e.verify}
	if opts != nil {
		o = *opts
	}
	o.Clock = e.clock.Now
	e.gateway = must(federationtest.NewEFGSServer(all, &o))
	e.http = httptest.NewServer(e.gateway)
	t.Cleanup(e.http.Close)
	return e
}

// verify is what the gateway does with a signature.
func (e *europe) verify(country string, content []byte, signature string) error {
	cert, err := e.trusted.Verify(content, signature, e.clock.Now())
	if err == nil && !slices.Equal(cert.Subject.Country, []string{country}) {
		err = errors.New("another country's")
	}
	return err
}

// client returns a country's client, with whatever else opts say.
func (e *europe) client(country string, opts *ClientOptions) *Client {
	e.t.Helper()
	o := ClientOptions{}
	if opts != nil {
		o = *opts
	}
	n := e.nations[country]
	o.Header, o.Clock = n.Header(), e.clock.Now
	if o.Signer == nil {
		o.Signer = e.signers[country]
	}
	return must(NewClient(e.http.URL, keys.MustRegion(country), &o))
}

// audit returns the option that has everything verified.
func (e *europe) audit() *Audit { return &Audit{Verifier: e.trusted, Anchor: e.anchor} }

// newKeys returns keys of a country, as they look when they have come.
func (e *europe) newKeys(country string, n int) []keys.DiagnosisKey {
	all := e.keys.Keys(e.clock.Now(), n)[:n]
	for i := range all {
		all[i].Origin, all[i].VisitedCountries, all[i].TestType = keys.MustRegion(country), keys.Regions{}, 0
		all[i].ConsentToFederate, all[i].Provenance = keys.ConsentUnstated, keys.Real
		all[i].ReportType, all[i].DaysSinceOnsetOfSymptoms = keys.Some(keys.ReportConfirmedTest), keys.Some(keys.DaysSinceOnset(1))
		all[i].VariantOfConcern = keys.Optional[keys.VariantOfConcern]{}
	}
	return all
}

// upload has a country upload keys.
func (e *europe) upload(country, tag string, all []keys.DiagnosisKey) {
	e.t.Helper()
	a, err := e.client(country, nil).Upload(e.t.Context(), &federation.Batch{Tag: tag, Keys: all})
	if err != nil || len(a.Known)+len(a.Refused) > 0 {
		e.t.Fatal(a, err)
	}
}

// answering returns a server that gives every request one answer.
func answering(t testing.TB, status int, header map[string]string, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// classOf returns which class of package federation an error is of.
func classOf(err error) error {
	for _, class := range []error{federation.ErrDenied, federation.ErrThrottled, federation.ErrRefused, federation.ErrGone, federation.ErrUnavailable} {
		if errors.Is(err, class) {
			return class
		}
	}
	return err
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A recorded is an answer of the gateway that is changed on its way.
type recorded struct {
	status int
	header http.Header
	body   []byte
}

func record(h http.Handler, path string, header http.Header) *recorded {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header = header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return &recorded{w.Code, w.Header(), w.Body.Bytes()}
}

// change changes an audit.
func (a *recorded) change(f func(all []AuditEntry) []AuditEntry) {
	var all []AuditEntry
	if err := json.Unmarshal(a.body, &all); err != nil {
		panic(err)
	}
	a.body = must(json.Marshal(f(all)))
}

// between puts something between the gateway and its clients that changes answers.
func (e *europe) between(t *testing.T, change func(r *http.Request, a *recorded)) {
	t.Helper()
	e.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := record(e.gateway, r.URL.String(), r.Header)
		change(r, a)
		for name, values := range a.header {
			w.Header()[name] = values
		}
		w.WriteHeader(a.status)
		w.Write(a.body)
	}))
	t.Cleanup(e.http.Close)
}
