package efgs

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing/cms"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// A world is a gateway of ours, nations with certificates, and whatever else a test
// puts beside them.
type world struct {
	t       testing.TB
	clock   *clock
	kept    *memledger.Store // by which the ledger keeps
	ledger  *ledger.Ledger
	hub     *federation.Hub
	nations *Directory
	list    *cms.AllowList
	entries []cms.Entry
	anchor  *authority
	auth    map[string]*authority // by which nations authenticate
	signers map[string]*authority // by which they sign
	calls   *Callbacks
	server  *Server
	http    *httptest.Server // plain, as behind a load balancer
	tls     *httptest.Server
	keys    *keystest.Generator
	log     *lockedBuffer
}

// A lockedBuffer is a log of several goroutines.
type lockedBuffer struct {
	clock // for its lock
	buf   bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// theWorld is the nations of a world. AT wants nothing but what is signed.
var theWorld = []federation.Nation{
	{Name: "de", Region: keys.MustRegion("DE"), Withdrawals: true},
	{Name: "fr", Region: keys.MustRegion("FR"), Withdrawals: true},
	{Name: "it", Region: keys.MustRegion("IT"), Withdrawals: true},
	{Name: "at", Region: keys.MustRegion("AT"), Withdrawals: true, SealedOnly: true},
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func newWorld(t testing.TB, opts *ServerOptions) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{now: noon}, auth: map[string]*authority{}, signers: map[string]*authority{}, log: &lockedBuffer{},
		list: must(cms.NewAllowList()), nations: must(NewDirectory(theWorld...)), keys: keystest.New(1, &keystest.Options{EndOfPeriod: true})}
	w.kept = memledger.New(&memledger.Options{Clock: w.clock.Now})
	w.ledger = newLedger(t, w.kept)
	w.hub = must(federation.NewHub(w.ledger, &federation.HubOptions{Fresh: 1}))
	w.anchor = newAuthority(t, nil, noon, noon.AddDate(1, 0, 0))
	for _, n := range theWorld {
		country := n.Region.String()
		w.auth[country] = newAuthority(t, []string{country}, noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))
		w.signers[country] = newAuthority(t, []string{country}, noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))
		w.admit(w.auth[country], cms.UseAuthentication)
		w.admit(w.signers[country], cms.UseSigning)
	}
	o := ServerOptions{Balancers: loopback, Anchor: w.anchor.Certificate()}
	if opts != nil {
		o = *opts
	}
	o.Clock = w.clock.Now
	o.Logger = slog.New(slog.NewTextHandler(w.log, nil))
	w.calls = o.Callbacks
	if w.calls == nil {
		w.calls = w.callbacks(nil)
		o.Callbacks = w.calls
	}
	w.server = must(NewServer(w.hub, w.nations, w.list, &o))
	w.http = httptest.NewServer(w.server)
	t.Cleanup(w.http.Close)
	return w
}

// newLedger returns a ledger whose next cut takes everything.
func newLedger(t testing.TB, store ledger.Store) *ledger.Ledger {
	t.Helper()
	return must(openLedger(t.Context(), store))
}

func openLedger(ctx context.Context, store ledger.Store) (*ledger.Ledger, error) {
	policy := ledger.DefaultPolicy()
	policy.Grid, policy.FineGrid = 5*time.Minute, true
	policy.MinKeys, policy.MinUploads, policy.MinWithdrawnUploads = 0, 0, 0
	policy.Quota, policy.MaxCut, policy.MaxDay = 1<<40, 1<<40, 1<<40
	return ledger.Open(ctx, store, &ledger.Options{Policy: &policy})
}

func (w *world) callbacks(opts *CallbackOptions) *Callbacks {
	w.t.Helper()
	o := CallbackOptions{}
	if opts != nil {
		o = *opts
	}
	o.Clock, o.Anchor = w.clock.Now, w.anchor.Certificate()
	o.Logger = slog.New(slog.NewTextHandler(w.log, nil))
	return must(NewCallbacks(w.hub, w.ledger, w.nations, w.list, &o))
}

// admit puts a certificate on the list.
func (w *world) admit(a *authority, use cms.Use) {
	w.t.Helper()
	w.entries = append(w.entries, cms.Entry{Use: use, Country: a.Certificate().Subject.Country[0], Certificate: a.pem(), AnchorSignature: w.anchor.confirm(a.pem())})
	w.relist()
}

func (w *world) relist() {
	w.t.Helper()
	if err := w.list.Replace(w.entries...); err != nil {
		w.t.Fatal(err)
	}
}

// revise changes the entry of a certificate.
func (w *world) revise(a *authority, change func(e *cms.Entry)) {
	w.t.Helper()
	for i := range w.entries {
		if w.entries[i].Certificate == a.pem() {
			change(&w.entries[i])
		}
	}
	w.relist()
}

// headers are what a load balancer says of a nation.
func (w *world) headers(country string) http.Header {
	h := http.Header{}
	h.Set("X-SSL-Client-SHA256", w.auth[country].thumbprint().String())
	h.Set("X-SSL-Client-DN", "CN=test,C="+country)
	return h
}

// client returns the client of a nation by way of a load balancer.
func (w *world) client(country string, opts *ClientOptions) *Client {
	w.t.Helper()
	o := ClientOptions{}
	if opts != nil {
		o = *opts
	}
	o.Header, o.Clock = w.headers(country), w.clock.Now
	if o.Signer == nil {
		o.Signer = w.signers[country]
	}
	return must(NewClient(w.http.URL, keys.MustRegion(country), &o))
}

// audit returns the option that has everything verified.
func (w *world) audit() *Audit {
	return &Audit{Verifier: must(cms.NewVerifier(w.list, nil)), Anchor: w.anchor.Certificate(), Unsigned: true}
}

// direct starts the server with TLS of its own.
func (w *world) direct() *httptest.Server {
	w.t.Helper()
	if w.tls == nil {
		w.tls = httptest.NewUnstartedServer(w.server)
		w.tls.TLS = &tls.Config{ClientAuth: tls.RequestClientCert} // as ServerTLS, but for those who have none
		w.tls.StartTLS()
		w.t.Cleanup(w.tls.Close)
	}
	return w.tls
}

// with returns a client of HTTP with a client certificate, nil for none.
func (w *world) with(a *authority) *http.Client {
	transport := w.direct().Client().Transport.(*http.Transport).Clone()
	if a != nil {
		transport.TLSClientConfig.Certificates = []tls.Certificate{{Certificate: [][]byte{a.Certificate().Raw}, PrivateKey: a.key}}
	}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// newKeys returns keys of a country, as they look when they have come.
func (w *world) newKeys(country string, n int) []keys.DiagnosisKey {
	all := w.keys.Keys(w.clock.Now().Add(-3*time.Hour), n)[:n]
	for i := range all {
		all[i].Origin, all[i].VisitedCountries, all[i].TestType = keys.MustRegion(country), keys.Regions{}, 0
		all[i].ConsentToFederate, all[i].Provenance = keys.ConsentUnstated, keys.Real
		all[i].ReportType, all[i].DaysSinceOnsetOfSymptoms = keys.Some(keys.ReportConfirmedTest), keys.Some(keys.DaysSinceOnset(1))
		all[i].VariantOfConcern = keys.Optional[keys.VariantOfConcern]{}
	}
	return all
}

// A call is a request, and a got what it was answered.
type call struct {
	method, path string
	header       http.Header
	body         []byte
}

type got struct {
	status int
	header http.Header
	body   string
}

// do sends a request by way of the load balancer.
func (w *world) do(c call) got {
	w.t.Helper()
	return w.doBy(http.DefaultClient, w.http.URL, c)
}

func (w *world) doBy(client *http.Client, base string, c call) got {
	w.t.Helper()
	if c.method == "" {
		c.method = http.MethodGet
	}
	r := must(http.NewRequestWithContext(w.t.Context(), c.method, base+"/diagnosiskeys"+c.path, bytes.NewReader(c.body)))
	maps.Copy(r.Header, c.header)
	resp, err := client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	return got{resp.StatusCode, resp.Header, string(must(io.ReadAll(resp.Body)))}
}

// an is an upload as a request.
type an struct {
	country, tag string
	format       Format
	keys         []DiagnosisKey
	body         []byte // nil is that of keys
	signer       *authority
	signed       []DiagnosisKey // nil is keys
}

func (w *world) request(u an) call {
	w.t.Helper()
	if u.body == nil {
		u.body = u.format.Append(nil, u.keys)
	}
	if u.signed == nil {
		u.signed = u.keys
	}
	if u.signer == nil {
		u.signer = w.signers[u.country]
	}
	h := w.headers(u.country)
	h.Set("Content-Type", u.format.MediaType())
	h.Set("batchTag", u.tag)
	h.Set("batchSignature", must(u.signer.Sign(SigningBytes(u.signed), w.clock.Now())))
	return call{method: "POST", path: "/upload", header: h, body: u.body}
}

// put has a nation upload what is to be stored.
func (w *world) put(country, tag string, all ...keys.DiagnosisKey) {
	w.t.Helper()
	if g := w.do(w.request(an{country: country, tag: tag, keys: BatchOf(all).Keys})); g.status != 201 || g.header.Get("batchTag") != tag {
		w.t.Fatalf("upload %s of %s: %d %s", tag, country, g.status, g.body)
	}
}

// store puts an upload into the hub, past the server.
func (w *world) store(country string, all ...keys.DiagnosisKey) {
	w.t.Helper()
	n := must(w.nations.Nation(w.t.Context(), keys.MustRegion(country)))
	s := &federation.Sealed{Tag: "1", Keys: all, Body: Protobuf.Append(nil, BatchOf(all).Keys), Seal: []byte("{}")}
	if a := must(w.hub.UploadSealed(w.t.Context(), n, s)); !a.Stored {
		w.t.Fatal("not stored")
	}
}

// release makes batches five minutes later.
func (w *world) release() {
	w.t.Helper()
	w.clock.add(5 * time.Minute)
	must(w.hub.Release(w.t.Context(), nil))
}

// get asks for a batch.
func (w *world) get(country, day, tag string, format Format) got {
	w.t.Helper()
	h := w.headers(country)
	h.Set("Accept", format.MediaType())
	if tag != "" {
		h.Set("batchTag", tag)
	}
	return w.do(call{path: "/download/" + day, header: h})
}

// stored returns how many keys the ledger has of a nation.
func (w *world) stored(name ledger.Source) (n int) {
	w.t.Helper()
	for _, err := range w.ledger.Find(context.Background(), ledger.Query{Source: name}) {
		if err != nil {
			w.t.Fatal(err)
		}
		n++
	}
	return n
}

// noLeak has key data in no text.
func noLeak(t testing.TB, what, text string, all []keys.DiagnosisKey) {
	t.Helper()
	for i := range all {
		if form := keystest.Leak(text, all[i].KeyData); form != "" {
			t.Errorf("%s holds key data in %s", what, form)
		}
	}
}

// drain pulls all that a nation has not got yet, verifying it.
func (w *world) drain(c *Client) (all []keys.DiagnosisKey) {
	w.t.Helper()
	at := federation.Place{Day: federation.DayOf(noon)}
	for range 10_000 {
		page, err := c.Download(w.t.Context(), at)
		if err != nil {
			w.t.Fatal(err)
		}
		if page == nil {
			return all
		}
		if len(page.Unreadable) > 0 {
			w.t.Fatalf("%d keys of %s set aside: %v", len(page.Unreadable), page.Tag, page.Unreadable[0])
		}
		all, at = append(all, page.Keys...), page.Next
	}
	w.t.Fatal("there is no end")
	return nil
}
