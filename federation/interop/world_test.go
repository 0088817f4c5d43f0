package interop

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/signing/jws"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

var (
	noon = time.Date(2021, 6, 2, 12, 0, 0, 0, time.UTC)

	ie, gi, gb, de, fr = keys.MustRegion("IE"), keys.MustRegion("GI"), keys.MustRegion("GB-EAW"), keys.MustRegion("DE"), keys.MustRegion("FR")
)

// A clock is what ledgers and tokens of a test go by.
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

// newLedger returns a ledger in memory whose next cut takes everything.
func newLedger(t testing.TB, c *clock) *ledger.Ledger {
	t.Helper()
	policy := ledger.DefaultPolicy()
	policy.MinKeys, policy.MinUploads, policy.MinWithdrawnUploads = 0, 0, 0
	policy.Quota, policy.MaxCut, policy.MaxDay = 1<<40, 1<<40, 1<<40
	l, err := ledger.Open(t.Context(), memledger.New(&memledger.Options{Clock: c.Now}), &ledger.Options{Policy: &policy})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (w *world) isRevoked(_ context.Context, c jws.Claims) (bool, error) {
	return w.revoked[c.TokenID], nil
}

func newSigner(t testing.TB, opts *jws.SignerOptions) *jws.Signer {
	t.Helper()
	return signerOf(t, newKey(t), opts)
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := signing.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signerOf(t testing.TB, key *ecdsa.PrivateKey, opts *jws.SignerOptions) *jws.Signer {
	t.Helper()
	named, err := signing.NewSigner(signing.Identity{KeyID: "nation", KeyVersion: "v1"}, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := jws.NewSigner(named, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A world is a hub with a server, and nations with keys.
type world struct {
	t       testing.TB
	clock   *clock
	ledger  *ledger.Ledger
	hub     *federation.Hub
	tokens  *jws.Tokens
	secret  jws.Secret
	revoked map[string]bool
	members *Directory
	table   map[string]Member
	private map[string]*ecdsa.PrivateKey
	signers map[string]*jws.Signer
	server  *Server
	http    *httptest.Server
	keys    *keystest.Generator
	log     *bytes.Buffer
}

// nations are those of a world, by their ids: ie and gi are as others are; gb is
// not told of withdrawals; dk knows the extended form; gw is a gateway that relays
// DE and FR; mute may not upload, deaf not download.
func nations() map[string]Member {
	return map[string]Member{
		"ie":   {Nation: federation.Nation{Name: "ie", Region: ie, Withdrawals: true}, Downloads: true},
		"gi":   {Nation: federation.Nation{Name: "gi", Region: gi, Withdrawals: true}, Downloads: true},
		"gb":   {Nation: federation.Nation{Name: "gb", Region: gb}, Downloads: true},
		"dk":   {Nation: federation.Nation{Name: "dk", Region: keys.MustRegion("DK"), Withdrawals: true}, Downloads: true, Extended: true},
		"gw":   {Nation: federation.Nation{Name: "gw", Relays: keys.Only(de, fr), Withdrawals: true}, Downloads: true, Extended: true},
		"mute": {Nation: federation.Nation{Name: "mute", Region: keys.MustRegion("MT")}, Downloads: true},
		"deaf": {Nation: federation.Nation{Name: "deaf", Region: keys.MustRegion("BE")}},
	}
}

func newWorld(t testing.TB, opts *ServerOptions) *world {
	t.Helper()
	w := &world{
		t: t, clock: &clock{now: noon}, revoked: map[string]bool{}, private: map[string]*ecdsa.PrivateKey{}, signers: map[string]*jws.Signer{},
		keys: keystest.New(1, &keystest.Options{EndOfPeriod: true}), log: &bytes.Buffer{},
	}
	w.ledger = newLedger(t, w.clock)
	var err error
	if w.hub, err = federation.NewHub(w.ledger, &federation.HubOptions{Fresh: time.Nanosecond}); err != nil {
		t.Fatal(err)
	}
	w.secret = jws.NewSecret()
	w.tokens, err = jws.NewSecretTokens([]jws.SecretKey{{Secret: w.secret}}, &jws.TokenOptions{Now: w.clock.Now, Revoked: w.isRevoked})
	if err != nil {
		t.Fatal(err)
	}
	w.table = nations()
	for id, m := range w.table {
		if id == "mute" {
			continue
		}
		w.private[id] = newKey(t)
		w.signers[id] = signerOf(t, w.private[id], nil)
		m.Verifier = verifierOf(t, w.signers[id])
		w.table[id] = m
	}
	if w.members, err = NewDirectory(w.table); err != nil {
		t.Fatal(err)
	}
	if opts == nil {
		opts = &ServerOptions{}
	}
	own := *opts
	own.Logger = slog.New(slog.NewJSONHandler(&locked{w: w.log}, nil))
	if w.server, err = NewServer(w.hub, w.members, w.tokens, &own); err != nil {
		t.Fatal(err)
	}
	w.http = httptest.NewServer(w.server)
	t.Cleanup(w.http.Close)
	return w
}

// locked is a writer for several goroutines.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func verifierOf(t testing.TB, signers ...*jws.Signer) *jws.Verifier {
	t.Helper()
	var all []jws.Key
	for _, s := range signers {
		all = append(all, s.Key())
	}
	v, err := jws.NewVerifier(all, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (w *world) token(id string) string {
	w.t.Helper()
	token, _, err := w.tokens.Issue(id)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

// client returns the client of a nation.
func (w *world) client(id string) *Client {
	w.t.Helper()
	c, err := NewClient(w.http.URL, TokenText(w.token(id)), &ClientOptions{Signer: w.signers[id], Region: w.table[id].Region, Extended: w.table[id].Extended})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// newKeys returns keys of an origin, as phones make them.
func (w *world) newKeys(origin keys.Region, n int) []keys.DiagnosisKey {
	var ks []keys.DiagnosisKey
	for len(ks) < n {
		for _, k := range w.keys.Upload(noon.Add(-3 * time.Hour)).Keys {
			k.Origin = origin
			k.ConsentToFederate = keys.ConsentUnstated // which the protocol does not say
			if k.TestType == keys.TestUnstated {
				k.TestType = keys.TestLab
			}
			k.ReportType = keys.Some(keys.ReportConfirmedTest)
			k.VisitedCountries = keys.Regions{}
			ks = append(ks, k)
		}
	}
	return ks[:n]
}

// release makes the hub's next cut, of all that was uploaded.
func (w *world) release() {
	w.t.Helper()
	w.clock.add(time.Hour)
	if _, err := w.hub.Release(w.t.Context(), nil); err != nil {
		w.t.Fatal(err)
	}
}

// stored counts the keys that the hub has, of a source.
func (w *world) stored(source ledger.Source) (n int) {
	w.t.Helper()
	for rec, err := range w.ledger.Find(w.t.Context(), ledger.Query{Source: source}) {
		if err != nil {
			w.t.Fatal(err)
		}
		if rec.Unit != nil {
			n++
		}
	}
	return n
}

// A call is a request, as a test spells it.
type call struct {
	method string // "" is GET, with a body POST
	path   string // with the query
	token  string // the whole header; "" for none
	body   string
	header map[string]string
}

// An outcome is an answer.
type outcome struct {
	status int
	header http.Header
	body   string
}

func (w *world) do(c call) outcome {
	w.t.Helper()
	if c.method == "" {
		c.method = http.MethodGet
		if c.body != "" {
			c.method = http.MethodPost
		}
	}
	req, err := http.NewRequestWithContext(w.t.Context(), c.method, w.http.URL+c.path, strings.NewReader(c.body))
	if err != nil {
		w.t.Fatal(err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", c.token)
	}
	if c.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, v := range c.header {
		req.Header.Set(name, v)
		if v == "" {
			req.Header.Del(name)
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(req) // as it is, without redirects
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return outcome{resp.StatusCode, resp.Header, string(body)}
}

// upload sends what a nation signs.
func (w *world) upload(id, tag, payload string) outcome {
	w.t.Helper()
	return w.do(call{path: "/upload", token: "Bearer " + w.token(id), body: w.envelope(id, tag, payload)})
}

// envelope returns the body of an upload.
func (w *world) envelope(id, tag, payload string) string {
	w.t.Helper()
	signed, err := w.signers[id].Sign([]byte(payload))
	if err != nil {
		w.t.Fatal(err)
	}
	return envelope(tag, signed)
}

func envelope(tag, signed string) string {
	b, err := json.Marshal(map[string]string{"batchTag": tag, "payload": signed})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// payload returns the exposures of an upload, as clients of the field write them.
func payload(ks ...keys.DiagnosisKey) string {
	return string((&writer{}).appendAll(nil, ks))
}

// noLeak fails the test if a text holds key data.
func noLeak(t testing.TB, what, text string, ks []keys.DiagnosisKey) {
	t.Helper()
	for i := range ks {
		if form := keystest.Leak(text, ks[i].KeyData); form != "" {
			t.Errorf("%s holds key data (%s)", what, form)
			return
		}
	}
}
