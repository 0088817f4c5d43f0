package federation_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// epoch is when the tests' ledgers are made.
var epoch = time.Date(2026, 3, 1, 9, 2, 0, 0, time.UTC)

var (
	de = keys.MustRegion("DE")
	fr = keys.MustRegion("FR")
	it = keys.MustRegion("IT")
	ch = keys.MustRegion("CH")
)

// network is back ends and hubs, the wires between them, and the clock that all
// run by.
type network struct {
	t     testing.TB
	clock time.Time
	rand  *rand.Rand
	sites map[string]*site
	names []string // in the order in which they were made

	// fault decides what becomes of a call of any store or on any wire.
	fault func() ledgertest.Verdict

	wires  []*wire
	errors int // of runs, by faults
}

// site is one ledger, and what runs on it.
type site struct {
	*network
	name   string
	region keys.Region
	store  *memledger.Store
	ledger *ledger.Ledger
	policy ledger.Policy
	gen    *keystest.Generator
	hub    *federation.Hub
	nth    int
}

// eager is a policy by which every due key goes with the next cut.
func eager(grid time.Duration) ledger.Policy {
	p := ledger.DefaultPolicy()
	p.MinKeys, p.MinUploads, p.LongestWait = 1, 1, 0
	p.MinWithdrawnUploads, p.WithdrawalWait = 1, 0
	p.Grid, p.FineGrid = grid, grid < time.Hour
	return p
}

func newNetwork(t testing.TB, seed uint64) *network {
	return &network{t: t, clock: epoch, rand: rand.New(rand.NewPCG(seed, 4)), sites: map[string]*site{},
		fault: func() ledgertest.Verdict { return ledgertest.Pass }}
}

func (n *network) add(name string, region keys.Region, grid time.Duration) *site {
	n.t.Helper()
	s := &site{network: n, name: name, region: region, policy: eager(grid)}
	if region != (keys.Region{}) {
		s.gen = keystest.New(n.rand.Uint64(), &keystest.Options{Origins: []keys.Region{region}, EndOfPeriod: true})
	}
	s.store = memledger.New(&memledger.Options{Clock: func() time.Time { return n.clock }})
	s.open()
	n.sites[name] = s
	n.names = append(n.names, name)
	return s
}

// open opens the ledger, whose calls fail where the network wants it.
func (s *site) open() {
	s.t.Helper()
	healthy := must(ledger.Open(s.t.Context(), s.store, &ledger.Options{Policy: &s.policy}))
	s.ledger = healthy.With(ledgertest.Faulty(s.store, func(context.Context, ledgertest.Call) ledgertest.Verdict { return s.fault() }))
}

// nation adds a back end that submits keys.
func (n *network) nation(name string, region keys.Region) *site {
	return n.add(name, region, time.Hour)
}

// server adds a hub.
func (n *network) server(name string) *site {
	s := n.add(name, keys.Region{}, 5*time.Minute)
	s.serve(&federation.HubOptions{Fresh: 1}) // days pass in milliseconds here
	return s
}

func (s *site) serve(opts *federation.HubOptions) { s.hub = must(federation.NewHub(s.ledger, opts)) }

// connect makes a an instance of hub: it pulls and pushes by the rules.
func (n *network) connect(a, hub *site, rules federation.Rules, relays keys.Set[keys.Region]) *wire {
	n.t.Helper()
	rules.Withdrawals = true
	w := &wire{network: n, from: a, hub: hub, rules: rules, tags: map[string][32]byte{}, sent: map[said]string{},
		nation:  federation.Nation{Name: ledger.Source(a.name), Region: a.region, Relays: relays, Withdrawals: true},
		pushing: &federation.PushOptions{FromBeginning: true, MaxBatch: 100},
	}
	w.open()
	n.wires = append(n.wires, w)
	return w
}

// wire is the client side of a connection to a hub, without a protocol.
type wire struct {
	*network
	from, hub *site
	rules     federation.Rules
	nation    federation.Nation
	pulling   *federation.PullOptions
	pushing   *federation.PushOptions
	pull      *federation.Pull
	push      *federation.Push

	tags map[string][32]byte // what was sent under each tag
	sent map[said]string     // under which tag each thing was said
}

type said struct {
	unit   ledger.UnitID
	report keys.Optional[keys.ReportType]
}

func (w *wire) open() {
	w.t.Helper()
	name := ledger.Source(w.hub.name)
	w.pull = must(federation.NewPull(w.from.ledger, name, w, w.pulling))
	w.push = must(federation.NewPush(w.from.ledger, name, w, w.rules, w.pushing))
}

var errWire = fmt.Errorf("%w: on purpose", federation.ErrUnavailable)

// Download implements [federation.Downloader].
func (w *wire) Download(ctx context.Context, at federation.Place) (*federation.Page, error) {
	v := w.fault()
	if v == ledgertest.Fail {
		return nil, errWire
	}
	page, err := w.hub.hub.Download(ctx, &w.nation, at)
	if err != nil || v == ledgertest.FailAfter {
		return nil, errors.Join(errWire, err)
	}
	if page != nil {
		w.checkOrder("download", page.Keys)
		for i := range page.Keys {
			if page.Keys[i].Origin == w.nation.Region {
				w.t.Errorf("%s is given a key of its own", w.from.name)
			}
			w.checkEmbargo("download", &page.Keys[i])
		}
	}
	return page, err
}

// Upload implements [federation.Uploader], and holds what is sent against what
// was sent before: invariants 4, 6, 8 and 14.
func (w *wire) Upload(ctx context.Context, b *federation.Batch) (*federation.Answer, error) {
	w.check(b)
	v := w.fault()
	if v == ledgertest.Fail {
		return nil, errWire
	}
	receipt, err := w.hub.hub.Upload(ctx, &w.nation, &federation.Incoming{Tag: b.Tag, Keys: b.Keys})
	if err != nil || v == ledgertest.FailAfter {
		return nil, errors.Join(errWire, err)
	}
	for _, a := range receipt.Rejected {
		// It came there first by another way, or its origin says one thing here and another there.
		if a.Reason != ledger.ReasonWithdrawn && a.ID.Origin != claimed {
			w.t.Errorf("%s refuses %v", w.hub.name, a)
		}
	}
	return &federation.Answer{Inserted: receipt.Accepted + receipt.Revised}, nil
}

func (w *wire) check(b *federation.Batch) {
	content := sha256.Sum256(fmt.Appendf(nil, "%x", plain(b.Keys)))
	if before, ok := w.tags[b.Tag]; ok && before != content {
		w.t.Errorf("%s sends %s other content under tag %s than before", w.from.name, w.hub.name, b.Tag)
	}
	w.tags[b.Tag] = content
	w.checkOrder("upload", b.Keys)
	for i := range b.Keys {
		k := &b.Keys[i]
		w.checkEmbargo("upload", k)
		if k.Provenance != keys.Real {
			w.t.Error("padding leaves")
		}
		what := said{ledger.IDOf(k), k.ReportType}
		if tag, ok := w.sent[what]; ok && tag != b.Tag {
			w.t.Errorf("%s sends %s a key with %v under two tags", w.from.name, w.hub.name, k.ReportType)
		}
		w.sent[what] = b.Tag
	}
}

func (w *wire) checkOrder(what string, all []keys.DiagnosisKey) {
	if !slices.IsSortedFunc(all, func(a, b keys.DiagnosisKey) int { return a.Compare(&b) }) {
		w.t.Errorf("%s of %s is not in canonical order", what, w.from.name)
	}
}

func (w *wire) checkEmbargo(what string, k *keys.DiagnosisKey) {
	if w.clock.Before(k.End().Add(keys.Embargo)) {
		w.t.Errorf("%s of %s: a key leaves %s before it may", what, w.from.name, k.End().Add(keys.Embargo).Sub(w.clock))
	}
}

// plain returns keys as bytes, for a hash.
func plain(all []keys.DiagnosisKey) (b []byte) {
	for i := range all {
		k := &all[i]
		b = append(b, k.KeyData[:]...)
		b = fmt.Append(b, k.RollingStartIntervalNumber, k.RollingPeriod, k.TransmissionRiskLevel, k.ReportType,
			k.DaysSinceOnsetOfSymptoms, k.Origin, k.VisitedCountries, k.TestType)
	}
	return b
}

// Origins implements [federation.Uploader].
func (w *wire) Origins() keys.Set[keys.Region] {
	if w.nation.Relays.IsEmpty() {
		return keys.Only(w.nation.Region)
	}
	return keys.All[keys.Region]()
}

// submit has phones of a nation submit, and returns the units.
func (s *site) submit(uploads int) []ledger.UnitID {
	s.t.Helper()
	var units []ledger.UnitID
	d := &ledger.Delivery{Source: ledger.Own}
	for range uploads {
		up := s.gen.Upload(s.clock)
		// What is about to be too old would be so before it is everywhere.
		up.Keys = slices.DeleteFunc(up.Keys, func(k keys.DiagnosisKey) bool { return s.clock.Sub(k.End()) > 9*24*time.Hour })
		for i := range up.Keys {
			up.Keys[i].ConsentToFederate = keys.ConsentGiven
			units = append(units, ledger.IDOf(&up.Keys[i]))
		}
		s.nth++
		d.Uploads = append(d.Uploads, ledger.Upload{ID: fmt.Sprintf("%s-%d", s.name, s.nth), Keys: up.Keys})
	}
	s.healthy(func() {
		if r := must(s.ledger.Accept(s.t.Context(), d)); len(r.Rejected) > 0 {
			s.t.Fatalf("rejected: %v", r.Rejected[0])
		}
	})
	return units
}

// healthy does what must not fail.
func (n *network) healthy(f func()) {
	fault := n.fault
	n.fault = func() ledgertest.Verdict { return ledgertest.Pass }
	f()
	n.fault = fault
}

// round has every site do what it does by the clock, in any order, and moves the
// clock on.
func (n *network) round(step time.Duration) {
	n.t.Helper()
	ctx := n.t.Context()
	var jobs []func() error
	for _, name := range n.names {
		s := n.sites[name]
		if s.hub != nil {
			jobs = append(jobs, func() error { _, err := s.hub.Release(ctx, nil); return err })
		} else {
			jobs = append(jobs, func() error { _, err := s.ledger.Release(ctx, nil); return err })
		}
	}
	for _, w := range n.wires {
		jobs = append(jobs,
			func() error { _, err := w.pull.Run(ctx); return err },
			func() error { _, err := w.push.Run(ctx); return err })
	}
	n.rand.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
	for _, job := range jobs {
		if err := job(); err != nil {
			n.errors++
			if !errors.Is(err, ledgertest.ErrFault) && !errors.Is(err, federation.ErrUnavailable) {
				n.t.Errorf("%v", err)
			}
		}
	}
	n.clock = n.clock.Add(step)
}

// rest runs rounds until nothing happens any more, which must be soon.
func (n *network) rest() {
	n.t.Helper()
	still := 0
	for range 60 {
		before := n.lasts()
		n.round(time.Hour)
		if still++; !maps.Equal(before, n.lasts()) {
			still = 0
		}
		if still == 4 {
			return
		}
	}
	n.t.Error("it never comes to rest")
}

// lasts returns the last number of every log.
func (n *network) lasts() map[string]int64 {
	lasts := map[string]int64{}
	n.healthy(func() {
		for name, s := range n.sites {
			lasts[name] = must(s.ledger.Log(n.t.Context(), 0)).Last.Last
		}
	})
	return lasts
}

// states returns the state of every unit that a site has released.
func (s *site) states() map[ledger.UnitID]ledger.State {
	states := map[ledger.UnitID]ledger.State{}
	s.healthy(func() {
		for rec, err := range s.ledger.Find(s.t.Context(), ledger.Query{}) {
			if err != nil {
				s.t.Fatal(err)
			}
			if u := rec.Unit; u != nil && u.Released() {
				states[rec.ID] = u.Events[len(u.Events)-1].Own
			}
		}
	})
	return states
}

// checkBooks holds every ledger's books against their equations (invariant 12).
func (n *network) checkBooks() {
	n.t.Helper()
	n.healthy(func() {
		for _, name := range n.names {
			s := n.sites[name]
			var sinks []ledger.Sink
			for _, w := range n.wires {
				if w.from == s {
					sinks = append(sinks, must(w.push.Sink(n.t.Context())))
				}
			}
			stats := must(s.ledger.Stats(n.t.Context(), sinks...))
			if err := stats.Check(); err != nil {
				n.t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
