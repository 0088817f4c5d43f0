package efgs

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/federationtest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing/cms"
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

// An authority is a certificate with its key.
type authority struct {
	*cms.Signer
	key *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, country []string, from, to time.Time) *authority {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{Country: country, CommonName: "test"}, NotBefore: from, NotAfter: to}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return &authority{must(cms.NewSigner(must(x509.ParseCertificate(der)), key, nil)), key}
}

func (a *authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate().Raw}))
}

func (a *authority) thumbprint() cms.Thumbprint { return cms.ThumbprintOf(a.Certificate()) }

// entry returns what a list has of the authority.
func (a *authority) entry() cms.Entry {
	return cms.Entry{Use: cms.UseSigning, Country: a.Certificate().Subject.Country[0], Certificate: a.pem()}
}

// confirm returns an operator's signature over a certificate.
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
	trusted *cms.AllowList
	keys    *keystest.Generator
}

var countries = []string{"DE", "FR", "IT", "AT"}

func newEurope(t testing.TB, opts *federationtest.EFGSOptions) *europe {
	t.Helper()
	return newGateway(t, &clock{now: noon}, countries, opts)
}

func newGateway(t testing.TB, c *clock, countries []string, opts *federationtest.EFGSOptions) *europe {
	t.Helper()
	e := &europe{t: t, clock: c, signers: map[string]*authority{}, nations: map[string]federationtest.EFGSNation{},
		trusted: must(cms.NewAllowList()), keys: keystest.New(1, &keystest.Options{EndOfPeriod: true})}
	e.anchor = newAuthority(t, nil, noon, noon.AddDate(1, 0, 0))
	var all []federationtest.EFGSNation
	for _, country := range countries {
		a := newAuthority(t, []string{country}, noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))
		e.signers[country] = a
		n := federationtest.EFGSNation{Country: country, Thumbprint: fmt.Sprintf("%064x", sha256.Sum256([]byte(country))),
			SigningCertificate: a.pem(), SigningThumbprint: a.thumbprint().String(), SigningCertificateOperatorSignature: e.anchor.confirm(a.pem())}
		e.nations[country] = n
		all = append(all, n)
	}
	e.trust(countries...)
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

// trust has everybody trust these countries, and no others.
func (e *europe) trust(countries ...string) {
	e.t.Helper()
	var entries []cms.Entry
	for _, country := range countries {
		entries = append(entries, e.signers[country].entry())
	}
	if err := e.trusted.Replace(entries...); err != nil {
		e.t.Fatal(err)
	}
}

func (e *europe) verifier() *cms.Verifier { return must(cms.NewVerifier(e.trusted, nil)) }

// verify is what the gateway does with a signature.
func (e *europe) verify(country string, content []byte, signature string) error {
	s, err := e.verifier().Verify(context.Background(), content, signature, e.clock.Now())
	if err == nil && s.Country != country {
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
func (e *europe) audit() *Audit {
	return &Audit{Verifier: e.verifier(), Anchor: e.anchor.Certificate()}
}

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
		maps.Copy(w.Header(), a.header)
		w.WriteHeader(a.status)
		w.Write(a.body)
	}))
	t.Cleanup(e.http.Close)
}
