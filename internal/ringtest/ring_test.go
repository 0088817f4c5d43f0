package ringtest_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gaenkit/gaen/internal/fastclock"
	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
)

// ring is the deployment.
type ring struct {
	t        *testing.T
	seed     uint64
	dir      string
	clock    *fastclock.Clock
	fire     *fire
	leaks    *leaks
	rand     *rand.Rand      // of who decides what happens, alone
	postgres *pgtest.Server  // nil: ledgers are files
	settings pgtest.Settings // of it
	hubs     []*hub
	nations  []*nation
	links    []*link
}

// What the ways are like. To a database there are many pieces for one that has an
// effect, and a run that meets a fault begins anew.
var (
	toDatabase = odds{refuse: 40, cut: 400, hold: 200}
	toPeer     = odds{refuse: 15, cut: 25, hold: 15}
	toPhones   = odds{refuse: 20, cut: 20, hold: 20}
)

func newRing(t *testing.T, seed uint64, speed int, postgres *pgtest.Server, settings pgtest.Settings) *ring {
	t.Helper()
	dir := t.TempDir()
	build(t, dir) // before the clock goes
	r := &ring{
		t: t, seed: seed, dir: dir, clock: fastclock.NewAt(speed, evening), fire: newFire(seed), leaks: newLeaks(),
		rand: rand.New(rand.NewPCG(seed, 9)), postgres: postgres, settings: settings,
	}
	hub1, hub2 := r.hub("hub-1", 2), r.hub("hub-2", 1)
	r.nation("a", "DE", 1, hub1)
	r.nation("b", "FR", 2, hub1, hub2)
	r.nation("c", "IE", 1, hub1, hub2)
	for _, h := range r.hubs {
		for _, n := range r.nations {
			if n.at(h) {
				h.onboard(n)
			}
		}
	}
	hub1.processes[1].steady, r.nations[1].processes[1].steady = true, true
	return r
}

// programs returns all there are.
func (r *ring) programs() (all []*program) {
	for _, h := range r.hubs {
		all = append(all, h.processes...)
	}
	for _, n := range r.nations {
		all = append(all, n.processes...)
	}
	return all
}

func (r *ring) sites() (all []*site) {
	for _, h := range r.hubs {
		all = append(all, h.site)
	}
	for _, n := range r.nations {
		all = append(all, n.site)
	}
	return all
}

// way opens a link.
func (r *ring) way(o odds, to func() (address, bool)) *link {
	l := newLink(r.t, r.fire, o, to)
	r.links = append(r.links, l)
	return l
}

// A site is a ledger, and a folder for whoever runs on it.
type site struct {
	ring *ring
	name string
	dir  string
	pool *pgxpool.Pool // without faults; nil for a file
}

const schema = "gaen"

func (r *ring) site(name string) *site {
	r.t.Helper()
	s := &site{ring: r, name: name, dir: filepath.Join(r.dir, name)}
	if err := os.Mkdir(s.dir, 0o755); err != nil {
		r.t.Fatal(err)
	}
	if r.postgres != nil {
		s.pool = r.postgres.Database(r.t)
	}
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

// write puts a file in place, in one step: programs read some while they run.
func (s *site) write(name, text string) {
	path := s.path(name)
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		s.ring.t.Error(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		s.ring.t.Error(err)
	}
}

// place returns where the ledger is, without faults.
func (s *site) place() string {
	if s.pool == nil {
		return s.path("ledger.db")
	}
	return s.ring.postgres.URL(s.database()) + "&schema=" + schema
}

func (s *site) database() string { return s.pool.Config().ConnConfig.Database }

// placeWithFaults returns where the ledger is by a way of its own.
func (s *site) placeWithFaults() string {
	if s.pool == nil {
		return s.place()
	}
	server := s.pool.Config().ConnConfig
	socket := address{"unix", fmt.Sprintf("%s/.s.PGSQL.%d", server.Host, server.Port)}
	l := s.ring.way(toDatabase, func() (address, bool) { return socket, true })
	place := url.URL{
		Scheme: "postgres", User: url.User(server.User), Host: l.address(), Path: s.database(),
		RawQuery: "sslmode=disable&pool_max_conns=8&schema=" + schema,
	}
	return place.String()
}

// open opens the ledger, without faults, whatever its policy is.
func (s *site) open(ctx context.Context) (*ledger.Ledger, func(), error) {
	if s.pool == nil {
		store, err := sqliteledger.Open(ctx, s.place(), &sqliteledger.Options{Clock: s.ring.clock.Now})
		if err != nil {
			return nil, nil, err
		}
		l, err := ledger.Open(ctx, store, nil)
		return l, func() { store.Close() }, err
	}
	store, err := pgledger.Open(ctx, s.pool, &pgledger.Options{Schema: schema, Clock: s.ring.clock.Now})
	if err != nil {
		return nil, nil, err
	}
	l, err := ledger.Open(ctx, store, nil)
	return l, func() {}, err
}

// program adds a program that runs in the site's folder.
func (s *site) program(name string, prepare func() []string) *program {
	p := &program{name: name, dir: s.dir, clock: s.ring.clock, leaks: s.ring.leaks, tell: s.ring.t.Log, prepare: prepare}
	s.ring.t.Cleanup(p.abandon)
	return p
}

// A hub is a federation server: one ledger, and processes that serve it.
type hub struct {
	*site
	processes []*program

	mu    sync.Mutex
	batch int
	grid  string // a policy that it is given when it begins; empty leaves the one it has
	turn  int
}

func (r *ring) hub(name string, processes int) *hub {
	r.t.Helper()
	h := &hub{site: r.site(name), batch: 1000}
	for i := range processes {
		place := h.placeWithFaults()
		h.processes = append(h.processes, h.program(fmt.Sprintf("%s.%d", name, i+1), func() []string { return h.commandLine(place) }))
	}
	r.hubs = append(r.hubs, h)
	return h
}

func (h *hub) commandLine(place string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	args := []string{
		filepath.Join(h.ring.dir, "federationserver"), "serve", "-ledger", place, "-listen", "127.0.0.1:0", "-monitor", "127.0.0.1:0",
		"-every", "100ms", "-drain", "2s", "-batch", fmt.Sprint(h.batch),
		"-allow-gap", // a machine that stands still for some minutes has lost a day
	}
	if h.grid != "" {
		args = append(args, "-grid", h.grid, "-change-policy")
	}
	return args
}

// reconfigure changes limits. A policy may change only where no other process
// serves the ledger.
func (h *hub) reconfigure(random *rand.Rand) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.batch = 100 + random.IntN(900)
	if len(h.processes) == 1 {
		h.grid = []string{"5m", "10m"}[random.IntN(2)]
	}
}

// serving returns where one of the processes is, in turn.
func (h *hub) serving() (address, bool) {
	h.mu.Lock()
	h.turn++
	turn := h.turn
	h.mu.Unlock()
	return inTurn(h.processes, turn, "serving")
}

// inTurn returns where one of several processes listens, of those that do.
func inTurn(all []*program, turn int, what string) (address, bool) {
	for i := range all {
		if a, ok := all[(turn+i)%len(all)].where(what); ok {
			return a, true
		}
	}
	return address{}, false
}

// run runs a command of the hub's operator.
func (h *hub) run(args ...string) error {
	args = append([]string{filepath.Join(h.ring.dir, "federationserver")}, append(args, "-ledger", h.place())...)
	if out, err := h.processes[0].command(args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %s: %w\n%s", h.name, strings.Join(args[1:3], " "), err, out)
	}
	return nil
}

// onboard makes a nation one of the hub's.
func (h *hub) onboard(n *nation) {
	h.ring.t.Helper()
	args := []string{"nation", "add", "-region", n.region.String(), "-withdrawals", "-key", n.path("keys/federation.pem.pub")}
	if n.gateway {
		args = append(args, "-extended", "-relays", "*")
	}
	if err := h.run(append(args, n.name)...); err != nil {
		h.ring.t.Fatal(err)
	}
	if err := h.issueToken(n); err != nil {
		h.ring.t.Fatal(err)
	}
	secrets, err := os.ReadFile(h.path("token-secrets"))
	if err != nil {
		h.ring.t.Fatal(err)
	}
	for line := range strings.Lines(string(secrets)) {
		if _, secret, ok := strings.Cut(line, " "); ok && !strings.HasPrefix(line, "#") {
			h.ring.leaks.addSecret(secret)
		}
	}
}

// issueToken puts a new token where the nation reads it.
func (h *hub) issueToken(n *nation) error {
	path := n.path(h.name + ".next")
	os.Remove(path)
	if err := h.run("nation", "token", "-out", path, n.name); err != nil {
		return err
	}
	token, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	h.ring.leaks.addSecret(string(token))
	return os.Rename(path, n.path(h.name+".token"))
}

// rotateToken gives a nation another token, and refuses the one it had.
func (h *hub) rotateToken(n *nation) error {
	old, err := os.ReadFile(n.path(h.name + ".token"))
	if err != nil {
		return err
	}
	if err := h.issueToken(n); err != nil {
		return err
	}
	parts := strings.Split(string(old), ".")
	text, err := base64.RawURLEncoding.DecodeString(parts[min(1, len(parts)-1)])
	if err != nil {
		return err
	}
	var claims struct {
		ID string `json:"jti"`
	}
	if err := json.Unmarshal(text, &claims); err != nil {
		return err
	}
	return h.run("nation", "revoke", "-token", claims.ID, n.name)
}

// A nation is a national back end, and its phones.
type nation struct {
	*site
	region    keys.Region
	gateway   bool
	processes []*program
	phones    *link
	wires     []*wire

	mu       sync.Mutex
	turn     int
	apiKeys  []string // the one in use is the last but four
	config   settings
	gen      *keystest.Generator
	uploads  []*upload
	withheld bool                   // some keys from abroad may not have been published
	local    map[ledger.UnitID]bool // keys from abroad that the operator took back here
}

// A wire is the way to a hub.
type wire struct {
	hub  *hub
	link *link
	*recorder
}

func (r *ring) nation(name, region string, processes int, hubs ...*hub) {
	r.t.Helper()
	n := &nation{site: r.site(name), region: keys.MustRegion(region), gateway: len(hubs) > 1, local: map[ledger.UnitID]bool{}}
	n.gen = keystest.New(r.seed<<8|uint64(len(r.nations)), &keystest.Options{Origins: []keys.Region{n.region}, EndOfPeriod: true})
	for _, h := range hubs {
		w := &wire{hub: h, recorder: newRecorder(name+" to "+h.name, r.clock.Now)}
		w.link = r.way(toPeer, h.serving)
		w.link.tap = w.tap
		n.wires = append(n.wires, w)
	}
	for range 5 {
		n.addAPIKey()
	}
	n.config = calm(len(hubs))
	for i := range processes {
		store, file := n.placeWithFaults(), fmt.Sprintf("backend-%d.json", i+1)
		n.processes = append(n.processes, n.program(fmt.Sprintf("%s.%d", name, i+1), func() []string {
			n.prepare(file, store)
			return n.command("serve", file)
		}))
	}
	n.phones = r.way(toPhones, n.serving)
	r.nations = append(r.nations, n)

	if _, err := n.run("init"); err != nil {
		r.t.Fatal(err)
	}
	made, err := filepath.Glob(n.path("keys/*.pem"))
	if err != nil || len(made) == 0 {
		r.t.Fatalf("%s: no keys were made: %v", name, err)
	}
	for _, path := range made {
		text, err := os.ReadFile(path)
		if err != nil {
			r.t.Fatal(err)
		}
		r.leaks.addSecret(string(text))
	}
}

// at reports whether the nation is one of a hub's.
func (n *nation) at(h *hub) bool {
	return slices.ContainsFunc(n.wires, func(w *wire) bool { return w.hub == h })
}

// serving returns where one of the processes is, in turn.
func (n *nation) serving() (address, bool) {
	n.mu.Lock()
	n.turn++
	turn := n.turn
	n.mu.Unlock()
	return inTurn(n.processes, turn, "submission")
}

// command returns a command line of the program.
func (n *nation) command(name, file string) []string {
	return []string{filepath.Join(n.ring.dir, "nationalbackend"), name, "-config", n.path(file)}
}

// run runs a command of the nation's operator, without faults.
func (n *nation) run(name string) ([]byte, error) {
	const file = "operator.json"
	n.prepare(file, n.place())
	var stderr bytes.Buffer
	cmd := n.processes[0].command(n.command(name, file)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %s: %w\n%s", n.name, name, err, stderr.Bytes())
	}
	return out, err
}

// prepare puts the configuration in place.
func (n *nation) prepare(file, store string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.write(file, n.configuration(store))
	n.write("api-keys", strings.Join(n.apiKeys, "\n")+"\n")
}

// addAPIKey adds a key of the phones' app. The one in use is the last but four, so
// that the program has it before a phone shows it, and for some time after.
func (n *nation) addAPIKey() {
	value := fmt.Sprintf("%016x%016x", n.ring.rand.Uint64(), n.ring.rand.Uint64())
	n.ring.leaks.addSecret(value)
	n.apiKeys = append(n.apiKeys, fmt.Sprintf("app-%s:%s", value[:6], value))
	n.apiKeys = n.apiKeys[max(0, len(n.apiKeys)-10):]
}

// reconfigure changes limits, switches and API keys, for the next start.
func (n *nation) reconfigure(random *rand.Rand) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.steady() { // it would learn of a key when it looks next, whenever that is
		n.addAPIKey()
	}
	n.config = wild(random, len(n.wires), !n.gateway)
	for _, in := range n.config.instances {
		n.withheld = n.withheld || in.withheld
	}
}

// steady reports whether one of the processes is not to be killed.
func (n *nation) steady() bool {
	return slices.ContainsFunc(n.processes, func(p *program) bool { return p.steady })
}

// settle gives the nation the configuration in which it is to come to rest.
func (n *nation) settle() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.config = calm(len(n.wires))
}

// retry does something until it works, while the database may be away.
func (r *ring) retry(what string, f func(context.Context) error) error {
	var err error
	for range 200 {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		err = f(ctx)
		cancel()
		if err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("%s: %w", what, err)
}
