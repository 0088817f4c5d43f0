package nation

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/examples/internal/showntest"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/signing/jws"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
	"github.com/gaenkit/gaen/storage/ledger/submit"
)

var (
	noon   = time.Date(2021, 6, 2, 12, 0, 0, 0, time.UTC)
	de, fr = keys.MustRegion("DE"), keys.MustRegion("FR")
	ie     = keys.MustRegion("IE")
)

// A world is hubs on loopback and nations around them, by one clock.
type world struct {
	t    *testing.T
	mu   sync.Mutex
	now  time.Time
	keys *keystest.Generator
	log  bytes.Buffer
}

func newWorld(t *testing.T) *world {
	return &world{t: t, now: noon, keys: keystest.New(1, &keystest.Options{EndOfPeriod: true})}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) add(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// Write is the log of all back ends.
func (w *world) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(b)
}

func everything() *ledger.Policy {
	p := ledger.DefaultPolicy()
	p.MinKeys, p.MinUploads, p.MinWithdrawnUploads = 0, 0, 0
	return &p
}

// A hub is a federation server.
type hub struct {
	w       *world
	hub     *federation.Hub
	ledger  *ledger.Ledger
	members map[string]interop.Member
	table   *interop.Directory
	tokens  *jws.Tokens
	server  atomic.Pointer[interop.Server]
	http    *httptest.Server
	down    bool
	retry   string // what it says when, if it is down
	asked   int
	before  func(*http.Request)
}

func (w *world) hub() *hub {
	w.t.Helper()
	return w.hubOn(memledger.New(&memledger.Options{Clock: w.clock}))
}

// hubOn returns a hub with its ledger in a store.
func (w *world) hubOn(store ledger.Store) *hub {
	w.t.Helper()
	h := &hub{w: w, members: map[string]interop.Member{}}
	var err error
	if h.tokens, err = jws.NewSecretTokens([]jws.SecretKey{{Secret: jws.NewSecret()}}, &jws.TokenOptions{Now: w.clock}); err != nil {
		w.t.Fatal(err)
	}
	if h.table, err = interop.NewDirectory(h.members); err != nil {
		w.t.Fatal(err)
	}
	h.open(store)
	h.http = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if h.before != nil {
			h.before(r)
		}
		h.asked++
		if h.down && h.retry != "" {
			rw.Header().Set("Retry-After", h.retry)
		}
		if h.down {
			http.Error(rw, "down", http.StatusServiceUnavailable)
			return
		}
		h.server.Load().ServeHTTP(rw, r)
	}))
	w.t.Cleanup(h.http.Close)
	return h
}

// open begins to serve what is in a store: again, after a restart.
func (h *hub) open(store ledger.Store) {
	h.w.t.Helper()
	var err error
	if h.ledger, err = ledger.Open(h.w.t.Context(), store, &ledger.Options{Policy: everything()}); err != nil {
		h.w.t.Fatal(err)
	}
	if h.hub, err = federation.NewHub(h.ledger, &federation.HubOptions{Fresh: time.Nanosecond}); err != nil {
		h.w.t.Fatal(err)
	}
	server, err := interop.NewServer(h.hub, h.table, h.tokens, nil)
	if err != nil {
		h.w.t.Fatal(err)
	}
	h.server.Store(server)
}

func (h *hub) release() {
	h.w.t.Helper()
	if _, err := h.hub.Release(h.w.t.Context(), nil); err != nil {
		h.w.t.Fatal(err)
	}
}

// sources returns how many keys the hub has, by origin.
func (h *hub) origins() map[keys.Region]int {
	h.w.t.Helper()
	n := map[keys.Region]int{}
	for rec, err := range h.ledger.Find(h.w.t.Context(), ledger.Query{}) {
		if err != nil {
			h.w.t.Fatal(err)
		}
		if rec.Unit != nil {
			n[rec.ID.Origin]++
		}
	}
	return n
}

// A country is a nation, with a folder of its own.
type country struct {
	w       *world
	region  keys.Region
	dir     string
	config  *Config
	backend *Backend
	phones  *httptest.Server
	opts    Options // beside clock and logger

	cutOff bool // in the last hour, so that what is published may be between two steps
}

// country returns a nation without instances, which is not open yet.
func (w *world) country(region keys.Region) *country {
	w.t.Helper()
	c := &country{w: w, region: region, dir: w.t.TempDir(), config: Default()}
	c.config.dir = c.dir
	c.config.API.OriginCountry = region
	c.config.API.UnionPackage = "EUR"
	c.config.Input.ConsentToFederate = "given"
	r := &c.config.Release
	r.MinKeys, r.MinUploads, r.MinWithdrawnUploads = 0, 0, 0
	s := &c.config.Submission
	s.Listen, s.Authorizer, s.SigningKey, s.Beat = "127.0.0.1:0", "token", partner.Secret{File: "keys/answers.pem"}, deploy.Duration(time.Millisecond)
	return c
}

// joins adds an instance, and makes the nation a member of the hub.
func (c *country) joins(h *hub, in partner.Instance, m interop.Member) {
	c.w.t.Helper()
	id := strings.ToLower(c.region.String())
	in.URL, in.PlainHTTP = h.http.URL, true
	in.Token, in.SigningKey = partner.Secret{File: string(in.Name) + ".token"}, partner.Secret{File: "keys/federation.pem"}
	in.Limits.Settle = -1
	c.config.Instances = append(c.config.Instances, in)
	if _, err := c.config.MakeKeys(); err != nil {
		c.w.t.Fatal(err)
	}
	token, _, err := h.tokens.Issue(id)
	if err != nil {
		c.w.t.Fatal(err)
	}
	c.write(string(in.Name)+".token", token+"\n")
	key, err := signing.ReadPrivateKeyFile(filepath.Join(c.dir, "keys/federation.pem"))
	if err != nil {
		c.w.t.Fatal(err)
	}
	m.Name, m.Region, m.Downloads, m.Withdrawals = ledger.Source(id), c.region, true, true
	if m.Verifier, err = jws.NewVerifier([]jws.Key{{Key: &key.PublicKey}}, nil); err != nil {
		c.w.t.Fatal(err)
	}
	h.members[id] = m
	if err := h.table.Replace(h.members); err != nil {
		c.w.t.Fatal(err)
	}
}

func (c *country) write(name, text string) {
	c.w.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
		c.w.t.Fatal(err)
	}
}

// open opens the back end, again if it was open: a restart.
func (c *country) open() *country {
	c.w.t.Helper()
	c.close()
	if _, err := c.config.MakeKeys(); err != nil {
		c.w.t.Fatal(err)
	}
	if err := c.config.Check(); err != nil {
		c.w.t.Fatal(err)
	}
	if err := c.config.Rehearse(c.w.t.Context()); err != nil {
		c.w.t.Fatal(err)
	}
	var err error
	c.opts.Clock, c.opts.Logger = c.w.clock, slog.New(slog.NewJSONHandler(c.w, nil))
	if c.backend, err = Open(c.w.t.Context(), c.config, &c.opts); err != nil {
		c.w.t.Fatal(err)
	}
	c.phones = httptest.NewServer(c.backend.Phones())
	c.w.t.Cleanup(c.close)
	return c
}

func (c *country) close() {
	if c.backend != nil {
		c.phones.Close()
		if err := c.backend.Close(); err != nil {
			c.w.t.Error(err)
		}
		c.backend = nil
	}
}

// submit has a phone submit n keys, with a token.
func (c *country) submit(n int) []keys.DiagnosisKey {
	c.w.t.Helper()
	ks := c.w.keys.Upload(c.w.clock().Add(-3 * time.Hour)).Keys[:n]
	c.submitKeys(ks)
	return ks
}

// submitKeys has a phone submit these keys, with a token.
func (c *country) submitKeys(ks []keys.DiagnosisKey) {
	c.w.t.Helper()
	token, err := c.backend.IssueToken(c.w.t.Context(), submit.Terms{TestType: keys.TestLab, ConsentToFederate: keys.ConsentGiven})
	if err != nil {
		c.w.t.Fatal(err)
	}
	body := map[string]any{"diagnosisKeySubmissionToken": token}
	var list []map[string]any
	for _, k := range ks {
		list = append(list, map[string]any{"key": base64.StdEncoding.EncodeToString(k.KeyData[:]), "rollingStartNumber": k.RollingStartIntervalNumber, "rollingPeriod": k.RollingPeriod})
	}
	body["temporaryExposureKeys"] = list
	text, err := json.Marshal(body)
	if err != nil {
		c.w.t.Fatal(err)
	}
	resp, err := http.Post(c.phones.URL+submit.DefaultPath, "application/json", bytes.NewReader(text))
	if err != nil {
		c.w.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		c.w.t.Fatal(resp.Status)
	}
}

// tick looks once, and must meet no error.
func (c *country) tick() *TickReport {
	c.w.t.Helper()
	r, err := c.backend.Tick(c.w.t.Context())
	if err != nil {
		c.w.t.Fatalf("%s: %v", c.region, err)
	}
	return r
}

// hour lets an hour pass, in which every nation looks, and every hub makes its cut.
func (w *world) hour(hubs []*hub, countries ...*country) {
	w.t.Helper()
	w.add(time.Hour)
	for _, c := range countries {
		c.tick()
	}
	for _, h := range hubs {
		h.release()
	}
}

// published returns the keys in the base windows of a package, and how often each
// is there.
func (c *country) published(pkg string) map[keys.KeyData]int {
	c.w.t.Helper()
	return showntest.Keys(c.w.t, filepath.Join(c.dir, "www"), filepath.Join(c.dir, c.config.Paths.PrivateKey), c.config.Identity(), pkg)
}

// shows fails the test unless a package shows exactly these keys, each once.
func (c *country) shows(pkg string, want ...[]keys.DiagnosisKey) {
	c.w.t.Helper()
	got := c.published(pkg)
	n := 0
	for _, ks := range want {
		for i := range ks {
			n++
			if got[ks[i].KeyData] != 1 {
				c.w.t.Errorf("%s shows a key in %s %d times, want once", c.region, pkg, got[ks[i].KeyData])
				return
			}
		}
	}
	if len(got) != n {
		c.w.t.Errorf("%s shows %d keys in %s, want %d", c.region, len(got), pkg, n)
	}
}

// units returns the units in a back end's ledger, by origin and source.
func (c *country) units() map[string]int {
	c.w.t.Helper()
	n := map[string]int{}
	for rec, err := range c.backend.ledger.Find(c.w.t.Context(), ledger.Query{}) {
		if err != nil {
			c.w.t.Fatal(err)
		}
		if rec.Unit != nil {
			for _, claim := range rec.Unit.Claims {
				n[rec.ID.Origin.String()+" by "+string(claim.Source)]++
			}
		}
	}
	return n
}

// clean fails the test if books do not balance, or a log holds key data.
func (w *world) clean(ks []keys.DiagnosisKey, countries ...*country) {
	w.t.Helper()
	for _, c := range countries {
		if _, err := c.backend.Books(context.WithoutCancel(w.t.Context())); err != nil {
			w.t.Errorf("%s: %v", c.region, err)
		}
	}
	text := w.log.String()
	for i := range ks {
		if form := keystest.Leak(text, ks[i].KeyData); form != "" {
			w.t.Errorf("the log holds key data (%s)", form)
			return
		}
	}
}

type got struct {
	status int
	body   string
}

func get(h http.Handler, path string) got {
	r := httptest.NewRecorder()
	h.ServeHTTP(r, httptest.NewRequest(http.MethodGet, path, nil))
	return got{r.Code, r.Body.String()}
}
