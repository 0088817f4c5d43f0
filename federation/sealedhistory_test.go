package federation_test

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

var sealedHistories = flag.Int("federation.sealed", 40, "random histories of sealed uploads; the first has the seed of -federation.seed")

// TestSealedForgets: pieces are forgotten with their last key, and all that is known
// of them with the batches.
func TestSealedForgets(t *testing.T) {
	h := newSealed(t)
	sealed := func(prefix string) int {
		return len(must(h.ledger.Registers(t.Context(), "federation/hub/sealed/"+prefix)))
	}
	policy := eager(5 * time.Minute)
	policy.Quota = 50
	_, version := h.ledger.Policy()
	if err := ledger.ChangePolicy(t.Context(), h.store, policy, version); err != nil {
		t.Fatal(err)
	}
	h.policy = policy
	h.open()
	h.serve(&federation.HubOptions{Fresh: 1})
	for i := range 50 {
		k := h.key(de, -9*24*time.Hour)
		h.put(&germany, fmt.Sprint(i), k)
	}
	h.put(&germany, "held", h.key(de, -time.Hour))
	withdrawn := h.key(fr, -time.Hour)
	h.put(&france, "open", withdrawn)
	must(h.ledger.Withdraw(t.Context(), ledger.IDOf(&withdrawn)))
	h.upload(&gateway, "1", h.keysOf(it, 1)...)
	h.release()
	first := h.checker(&italy).read()
	if len(first.pieces) != 50 || sealed("waiting/") != 1 || sealed("open/") != 1 || sealed("tags/") != 52 {
		t.Fatalf("%d pieces, %d waiting, %d open, %d tags", len(first.pieces), sealed("waiting/"), sealed("open/"), sealed("tags/"))
	}
	days := func(n int) {
		for range n {
			h.clock = h.clock.Add(24 * time.Hour)
			must(h.hub.Release(t.Context(), nil))
			must(h.ledger.Prune(t.Context()))
		}
	}
	days(4)
	if sealed("bytes/") != 52 {
		t.Errorf("%d pieces after 4 days, want all", sealed("bytes/"))
	}
	days(2) // the keys of most were 9 days old; but batches are kept for 7
	if sealed("bytes/") != 52 {
		t.Errorf("%d pieces after 6 days, want all", sealed("bytes/"))
	}
	days(2)
	if sealed("bytes/") != 2 || sealed("units/") != 2 || sealed("tags/") != 2 || sealed("waiting/") != 1 {
		t.Errorf("%d pieces, %d units, %d tags, %d waiting after 8 days", sealed("bytes/"), sealed("units/"), sealed("tags/"), sealed("waiting/"))
	}
	if got := h.checker(&italy).read(); len(got.pieces) > 0 {
		t.Errorf("%d forgotten pieces are handed out", len(got.pieces))
	}
	if page := must(h.hub.Audit(t.Context(), &germany, first.pages[0].Tag)); page != nil {
		t.Error("there is an audit of what is forgotten")
	}
	h.upload(&gateway, "2", h.keysOf(it, 1)...)
	h.release()
	if got := must(h.hub.DownloadSealed(t.Context(), &germany, first.at)); got == nil || len(got.Keys) != 1 {
		t.Errorf("who stands at a forgotten batch is given %+v", got)
	}
	h.put(&germany, "0", h.key(de, -time.Hour)) // the tag is free again
	days(32)
	h.upload(&gateway, "3", h.keysOf(it, 1)...)
	h.release()
	h.release()
	for prefix, want := range map[string]int{"bytes/": 0, "units/": 0, "tags/": 0, "waiting/": 0, "open/": 0, "loads/": 0, "cuts/": 1} {
		if got := sealed(prefix); got != want {
			t.Errorf("%d registers of %s, want %d", got, prefix, want)
		}
	}
}

// TestSealedForgetsMuch: more than one step may forget is forgotten by several.
func TestSealedForgetsMuch(t *testing.T) {
	h := newSealed(t)
	for i := range 700 {
		h.put(&germany, fmt.Sprint(i), h.key(de, -time.Hour))
	}
	for _, want := range []int{500, 700} { // no more than so many leave with one cut
		h.release()
		if got := h.checker(&france).read(); len(got.pieces) != want {
			t.Fatalf("France has read %d pieces, want %d", len(got.pieces), want)
		}
	}
	h.clock = h.clock.Add(16 * 24 * time.Hour)
	must(h.ledger.Release(t.Context(), &ledger.ReleaseOptions{AllowGap: true}))
	left := []int{}
	for range 6 {
		h.release()
		left = append(left, len(must(h.ledger.Registers(t.Context(), "federation/hub/sealed/"))))
	}
	if left[0] == 0 || left[5] != 0 {
		t.Errorf("after each step there are %v registers, want none at last, and not at first", left)
	}
}

// TestSealedLargestRegisters: what is told of every key of the smallest pieces fits
// into registers.
func TestSealedLargestRegisters(t *testing.T) {
	h := newSealed(t)
	n := germany
	n.Name = ledger.Source(strings.Repeat("n", 64))
	var all []keys.DiagnosisKey
	for i := range 100 {
		some := append(h.keysOf(de, 49), h.key(de, 40*time.Minute))
		h.put(&n, strings.Repeat("t", 1000)+fmt.Sprint(i), some...)
		all = append(all, some[:49]...)
	}
	h.release()
	for i := range all {
		all[i] = revoked(all[i])
	}
	h.put(&n, "gone", all...)
	h.release()
	h.clock = h.clock.Add(40 * time.Minute)
	h.release()
	c := h.checker(&france).read()
	if len(c.pieces) != 100 {
		t.Errorf("%d pieces", len(c.pieces))
	}
	for i := range all {
		c.expect(all[i], "REVOKED")
	}
}

// TestSealedFaults has every call of the store fail once, before its effect or after
// it, while uploads come and leave.
func TestSealedFaults(t *testing.T) {
	for _, verdict := range []ledgertest.Verdict{ledgertest.Fail, ledgertest.FailAfter} {
		for nth := 1; ; nth++ {
			h := newSealed(t)
			calls, met := 0, false
			h.fault = func() ledgertest.Verdict {
				if calls++; calls == nth {
					met = true
					return verdict
				}
				return ledgertest.Pass
			}
			again := func(f func() error) {
				if err := f(); err != nil {
					if err = f(); err != nil {
						t.Fatalf("call %d, %v: %v", nth, verdict, err)
					}
				}
			}
			put := func(s *federation.Sealed) {
				again(func() error {
					a, err := h.hub.UploadSealed(t.Context(), &germany, s)
					if err == nil && !a.Stored {
						return fmt.Errorf("%d known, %d refused", len(a.Known), len(a.Refused))
					}
					return err
				})
			}
			k, gone := h.keysOf(de, 3), h.key(de, -time.Hour)
			put(h.seal("a", append(k, gone)...))
			put(h.seal("b", revoked(gone)))
			for range 3 {
				h.clock = h.clock.Add(5 * time.Minute)
				again(func() error { _, err := h.hub.Release(t.Context(), nil); return err })
				again(func() error { _, err := h.hub.DownloadSealed(t.Context(), &france, federation.Place{}); return err })
			}
			h.fault = func() ledgertest.Verdict { return ledgertest.Pass }
			h.release()
			c := h.checker(&france).read()
			c.expectPieces("de/a")
			for i := range k {
				c.expect(k[i], "SELF_REPORT")
			}
			c.expect(gone, "REVOKED")
			if !met {
				if nth < 30 {
					t.Errorf("only %d calls", nth)
				}
				break
			}
		}
	}
}

// TestSealedPollersMissNothing: batches are made by several processes while nations
// upload and others ask as fast as they can (invariant 7).
func TestSealedPollersMissNothing(t *testing.T) {
	rounds := *pollerRounds / 4
	if testing.Short() {
		rounds = min(rounds, 100)
	}
	var now atomic.Int64
	now.Store(epoch.UnixNano())
	clock := func() time.Time { return time.Unix(0, now.Load()).UTC() }
	policy := eager(5 * time.Minute)
	store := memledger.New(&memledger.Options{Clock: clock})
	hub := func() *federation.Hub {
		l := must(ledger.Open(t.Context(), store, &ledger.Options{Policy: &policy}))
		return must(federation.NewHub(l, &federation.HubOptions{BatchSize: 100, Fresh: 1, Shelf: 3, SealedShelf: 1000}))
	}
	done := make(chan struct{})
	var offered sync.Map // what is uploaded: tags of pieces, and keys
	go func() {
		defer close(done)
		gen := keystest.New(1, &keystest.Options{Origins: []keys.Region{de}, EndOfPeriod: true})
		others := keystest.New(2, &keystest.Options{Origins: []keys.Region{it}, EndOfPeriod: true})
		makers := []*federation.Hub{hub(), hub()}
		for i := range rounds {
			all, loose := gen.Keys(clock().Add(-3*time.Hour), 1+i%3), others.Keys(clock().Add(-3*time.Hour), 1)[:1]
			s := &federation.Sealed{Tag: fmt.Sprint(i), Keys: all, Body: plain(all), Seal: []byte{1}}
			if a, err := makers[0].UploadSealed(t.Context(), &germany, s); err != nil || !a.Stored {
				t.Error(a, err)
			}
			if _, err := makers[1].Upload(t.Context(), &gateway, &federation.Incoming{Tag: s.Tag, Keys: loose}); err != nil {
				t.Error(err)
			}
			offered.Store(s.Tag, true)
			offered.Store(loose[0].KeyData, true)
			now.Add(int64(5 * time.Minute))
			var both sync.WaitGroup
			for _, m := range makers {
				both.Go(func() {
					if _, err := m.Release(t.Context(), nil); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
		}
	}()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			replicas := []*federation.Hub{hub(), hub()}
			seen := map[any]int{}
			at, over := federation.Place{}, false
			for i := 0; ; i++ {
				page, err := replicas[i%2].DownloadSealed(t.Context(), &france, at)
				if err != nil {
					t.Error(err)
					return
				}
				if page == nil {
					if over {
						break
					}
					select {
					case <-done:
						over = true
						time.Sleep(time.Millisecond) // nothing that is listed is fresh now
					default:
					}
					continue
				}
				for _, p := range page.Pieces {
					seen[p.Tag]++
				}
				for j := range page.Keys {
					seen[page.Keys[j].KeyData]++
				}
				at = page.Next
			}
			missing, twice := 0, 0
			offered.Range(func(what, _ any) bool {
				switch seen[what] {
				case 0:
					missing++
				case 1:
				default:
					twice++
				}
				return true
			})
			if missing+twice > 0 {
				t.Errorf("a poller missed %d and got %d twice", missing, twice)
			}
		})
	}
	wg.Wait()
}

// A sealedWorld is a hub of nations that seal and of nations that do not, in a
// random history.
type sealedWorld struct {
	*sealedSite
	t       *testing.T
	hubs    []*federation.Hub // processes
	readers []*checker
	others  *checker // checks no seals
	mine    map[*federation.Nation][]keys.DiagnosisKey
	touched map[ledger.UnitID]bool // by the operator
	early   map[ledger.UnitID]bool // taken back before they were brought, or in one breath
	nth     int
	pending map[*federation.Nation]*federation.Sealed // without an answer yet
}

var sealers = []*federation.Nation{&germany, &france, &relay}

// TestSealedHistories: whatever happened, in the end everybody has been told of every
// key what is true of it.
func TestSealedHistories(t *testing.T) {
	n := *sealedHistories
	if testing.Short() {
		n = min(n, 5)
	}
	for i := range n {
		seed := *firstSeed + uint64(i)
		t.Run("", func(t *testing.T) {
			t.Parallel()
			defer func() {
				if t.Failed() {
					t.Logf("-federation.sealed=1 -federation.seed=%d", seed)
				}
			}()
			newSealedWorld(t, seed).run()
		})
	}
}

func newSealedWorld(t *testing.T, seed uint64) *sealedWorld {
	w := &sealedWorld{sealedSite: newSealed(t), t: t, mine: map[*federation.Nation][]keys.DiagnosisKey{},
		touched: map[ledger.UnitID]bool{}, early: map[ledger.UnitID]bool{}, pending: map[*federation.Nation]*federation.Sealed{}}
	w.rand = newNetwork(t, seed).rand
	w.data = keystest.New(seed, nil)
	w.restart()
	only := italy
	only.SealedOnly = true
	for _, n := range []*federation.Nation{&germany, &france, &relay, {Name: "pl", Region: keys.MustRegion("PL"), Withdrawals: true}, &only} {
		w.readers = append(w.readers, w.checker(n))
	}
	w.others = w.checker(&federation.Nation{Name: "se", Region: keys.MustRegion("SE"), Withdrawals: true})
	return w
}

func (w *sealedWorld) restart() {
	w.hubs = nil
	for range 2 {
		w.hubs = append(w.hubs, must(federation.NewHub(w.ledger, &federation.HubOptions{
			BatchSize: int64(100 + w.rand.IntN(3)), Fresh: 1, Shelf: 1 + w.rand.IntN(3), SealedShelf: 1 + w.rand.IntN(2000)})))
	}
	w.hub = w.hubs[0]
}

func (w *sealedWorld) run() {
	inside := false
	w.fault = func() ledgertest.Verdict {
		if !inside && w.rand.IntN(15) == 0 { // what another process does meanwhile
			inside = true
			w.meanwhile()
			inside = false
		}
		switch w.rand.IntN(60) {
		case 0:
			return ledgertest.Fail
		case 1:
			return ledgertest.FailAfter
		}
		return ledgertest.Pass
	}
	for range 60 {
		w.step()
	}
	w.fault = func() ledgertest.Verdict { return ledgertest.Pass }
	w.settle()
	w.check()
}

func (w *sealedWorld) meanwhile() {
	switch w.rand.IntN(4) {
	case 0:
		w.hubs[1].Release(w.t.Context(), nil)
	case 3: // it is slow, so that there may be further cuts
		w.clock = w.clock.Add(5 * time.Minute)
		w.hubs[1].Release(w.t.Context(), nil)
	case 1:
		w.bring(w.hubs[1])
	case 2:
		w.loose(w.hubs[1])
	}
}

func (w *sealedWorld) step() {
	ctx := w.t.Context()
	switch w.rand.IntN(14) {
	case 0, 1, 2, 3:
		w.bring(w.hubs[w.rand.IntN(2)])
	case 4:
		w.loose(w.hubs[w.rand.IntN(2)])
	case 5:
		w.operate()
	case 6:
		origin, source := ledger.Holds{Origins: []keys.Region{de}}, ledger.Holds{Sources: []ledger.Source{"fr"}}
		w.healthy(func() {
			must(0, w.ledger.Resume(ctx, origin))
			must(0, w.ledger.Resume(ctx, source))
			if w.rand.IntN(3) == 0 {
				must(0, w.ledger.Hold(ctx, []ledger.Holds{origin, source}[w.rand.IntN(2)]))
			}
		})
	case 7:
		w.restart()
	case 8:
		r := w.readers[w.rand.IntN(len(w.readers))]
		w.hub.DownloadSealed(ctx, r.nation, r.at) // it may fail, and does no harm
		w.healthy(func() { r.read() })
	default:
		w.clock = w.clock.Add([]time.Duration{time.Minute, 5 * time.Minute, 17 * time.Minute}[w.rand.IntN(3)])
		if _, err := w.hubs[w.rand.IntN(2)].Release(ctx, nil); err != nil && !errors.Is(err, ledgertest.ErrFault) {
			w.t.Error(err)
		}
	}
}

// bring has a nation upload something sealed: new keys, due or not, and keys it
// brought before, revoked, revised, or as they were.
func (w *sealedWorld) bring(hub *federation.Hub) {
	n := sealers[w.rand.IntN(len(sealers))]
	s := w.pending[n]
	if s == nil {
		w.nth++
		var all []keys.DiagnosisKey
		for range 1 + w.rand.IntN(4) {
			origin := n.Region
			if n == &relay && w.rand.IntN(2) == 0 {
				origin = it
			}
			k := w.key(origin, time.Duration(w.rand.IntN(100)-60)*time.Minute)
			all = append(all, k)
		}
		for range w.rand.IntN(3) {
			if before := w.mine[n]; len(before) > 0 {
				k := before[w.rand.IntN(len(before))]
				all = append(all, as(k, []keys.ReportType{keys.ReportRevoked, keys.ReportRevoked, keys.ReportConfirmedTest, keys.ReportSelfReport}[w.rand.IntN(4)]))
			}
		}
		if w.rand.IntN(6) == 0 { // a withdrawal that comes before its key
			k := w.key(n.Region, -time.Hour)
			w.mine[n] = append(w.mine[n], k)
			w.early[ledger.IDOf(&k)] = true
			all = append(all, revoked(k))
		}
		said := map[ledger.UnitID]bool{}
		for i := range all {
			id := ledger.IDOf(&all[i])
			w.early[id] = w.early[id] || said[id]
			said[id] = true
		}
		s = w.seal(fmt.Sprint(w.nth), all...)
		w.pending[n] = s
	}
	w.clock = w.clock.Add(time.Microsecond) // no two at the same moment
	a, err := hub.UploadSealed(w.t.Context(), n, s)
	switch {
	case err != nil && !errors.Is(err, ledgertest.ErrFault):
		w.t.Error(err)
	case err != nil:
	case a.Stored:
		delete(w.pending, n)
		for _, k := range s.Keys {
			if k.ReportType == keys.Some(keys.ReportSelfReport) {
				w.mine[n] = append(w.mine[n], k)
			}
		}
	default:
		w.pending[n] = w.without(s, a)
	}
}

// without returns what is left to upload when some keys are not taken, nil if
// nothing is.
func (w *sealedWorld) without(s *federation.Sealed, a *federation.SealedAnswer) *federation.Sealed {
	var rest []keys.DiagnosisKey
	for i := range s.Keys {
		refused := slices.ContainsFunc(a.Refused, func(r federation.Refusal) bool { return r.Index == i })
		if !refused && !slices.Contains(a.Known, i) {
			rest = append(rest, s.Keys[i])
		}
	}
	if len(rest) == len(s.Keys) {
		w.t.Error("nothing is stored, and no key is to blame")
	}
	if len(rest) == 0 {
		return nil
	}
	return w.seal(s.Tag, rest...)
}

// loose has the gateway, which does not seal, upload keys of Italy, some of which
// the relay has brought as well.
func (w *sealedWorld) loose(hub *federation.Hub) {
	w.nth++
	all := []keys.DiagnosisKey{w.key(it, time.Duration(w.rand.IntN(100)-60)*time.Minute)}
	for _, k := range slices.Concat(w.mine[&relay], w.mine[&gateway]) {
		if k.Origin == it && w.rand.IntN(6) == 0 {
			all = append(all, as(k, []keys.ReportType{keys.ReportRevoked, keys.ReportSelfReport, keys.ReportConfirmedTest}[w.rand.IntN(3)]))
		}
	}
	w.mine[&gateway] = append(w.mine[&gateway], all[0])
	if mine := w.mine[&germany]; len(mine) > 0 && w.rand.IntN(3) == 0 { // the same key data, of another origin
		k := mine[w.rand.IntN(len(mine))]
		k.Origin = it
		all = append(all, k)
	}
	_, err := hub.Upload(w.t.Context(), &gateway, &federation.Incoming{Tag: fmt.Sprint(w.nth), Keys: all})
	if err != nil && !errors.Is(err, ledgertest.ErrFault) {
		w.t.Error(err)
	}
}

// operate has the operator withdraw a key, or reinstate one.
func (w *sealedWorld) operate() {
	for _, n := range sealers {
		for _, k := range w.mine[n] {
			if w.rand.IntN(5) > 0 {
				continue
			}
			id := ledger.IDOf(&k)
			w.touched[id] = true
			w.healthy(func() {
				if w.rand.IntN(2) == 0 {
					must(w.ledger.Withdraw(w.t.Context(), id))
				} else {
					must(w.ledger.Reinstate(w.t.Context(), id))
				}
			})
		}
	}
}

// settle lets everything leave that ever will.
func (w *sealedWorld) settle() {
	ctx := w.t.Context()
	must(0, w.ledger.Resume(ctx, ledger.Holds{Origins: []keys.Region{de}, Sources: []ledger.Source{"fr"}}))
	w.clock = w.clock.Add(3 * time.Hour)
	for range 12 {
		w.clock = w.clock.Add(5 * time.Minute)
		must(w.hubs[w.rand.IntN(2)].Release(ctx, nil))
	}
	if n := len(must(w.ledger.Registers(ctx, "federation/hub/sealed/waiting/"))); n > 0 {
		w.t.Errorf("%d pieces wait for ever", n)
	}
	for _, r := range w.readers {
		r.read()
	}
	for at := w.others.at; ; {
		page := must(w.hub.Download(ctx, w.others.nation, at))
		if page == nil {
			break
		}
		for i := range page.Keys {
			w.others.learn(&page.Keys[i])
		}
		at = page.Next
	}
}

// check holds what readers were told against what is true.
func (w *sealedWorld) check() {
	w.checkBooks()
	for rec, err := range w.ledger.Find(w.t.Context(), ledger.Query{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		for _, r := range append(slices.Clone(w.readers), w.others) {
			w.checkUnit(r, rec.Unit)
		}
	}
	for _, r := range w.readers {
		w.checkAgain(r)
	}
}

func (w *sealedWorld) checkUnit(r *checker, u *ledger.Unit) {
	w.t.Helper()
	told, ok := r.state[u.ID()]
	n := r.nation
	brought := slices.ContainsFunc(u.Claims, func(c ledger.Claim) bool { return c.Source == n.Name })
	seals := slices.ContainsFunc(u.Claims, func(c ledger.Claim) bool { return c.Source != "gw" })
	if u.Key.Origin == n.Region || brought {
		return
	}
	e := ledger.Event{}
	if u.Released() {
		e = u.Events[len(u.Events)-1]
	}
	want := e.ReportType.Or(keys.ReportUnknown)
	switch {
	case n.SealedOnly:
		// It was told of the key, unless nobody sealed it; and what it was told last is
		// not what its nation took back.
		if e.Partners == ledger.Active && seals && !ok && !w.touched[u.ID()] && u.Events[0].Sources != "gw" && !strings.Contains(string(e.Sources), "gw") {
			w.t.Errorf("%s, who reads only what is sealed, was never told of a key", n.Name)
		}
		if e.Partners == ledger.Withdrawn && !w.early[u.ID()] && len(u.Claims) == 1 && u.Claims[0].Source != "gw" && ok && told != keys.ReportRevoked {
			w.t.Errorf("%s, who reads only what is sealed, was told %v of a key that its nation took back", n.Name, told)
		}
	case e.Partners == ledger.Active && w.touched[u.ID()]:
		// What the operator withdrew is told, in keys of other batches, as long as it
		// was not, and again when it is reinstated.
	case e.Partners == ledger.Active && (!ok || told != want):
		w.t.Errorf("%s was told %v (%v) of a key that is active with %v", n.Name, told, ok, want)
	case e.Partners != ledger.Active && ok && told != keys.ReportRevoked:
		w.t.Errorf("%s was told %v of a key that is %v", n.Name, told, e.Partners)
	}
}

// checkAgain reads everything once more: it is as it was, and each piece once.
func (w *sealedWorld) checkAgain(r *checker) {
	w.restart()
	again := w.checker(r.nation).read()
	if got, want := w.shown(again), w.shown(r); got != want {
		w.t.Errorf("%s is told something else the second time", r.nation.Name)
	}
	tags := r.tags()
	if len(slices.Compact(slices.Clone(tags))) != len(tags) {
		w.t.Errorf("%s has read a piece twice", r.nation.Name)
	}
}

// shown shows what a reader was told, but for keys that the operator touched.
func (w *sealedWorld) shown(c *checker) string {
	var b strings.Builder
	for _, p := range c.pages {
		fmt.Fprintf(&b, "%s %s %x\n", p.Tag, p.Time, plain(w.untouched(p.Keys)))
		for i := range p.Pieces {
			fmt.Fprintf(&b, "%+v\n", p.Pieces[i])
		}
	}
	return b.String()
}

func (w *sealedWorld) untouched(all []keys.DiagnosisKey) []keys.DiagnosisKey {
	return slices.DeleteFunc(slices.Clone(all), func(k keys.DiagnosisKey) bool { return w.touched[ledger.IDOf(&k)] })
}
