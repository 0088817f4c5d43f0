package federation_test

import (
	"context"
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

var (
	germany = federation.Nation{Name: "de", Region: de, Withdrawals: true}
	france  = federation.Nation{Name: "fr", Region: fr, Withdrawals: true}
	italy   = federation.Nation{Name: "it", Region: it}
	gateway = federation.Nation{Name: "gw", Region: ch, Relays: keys.Only(it), Withdrawals: true}
)

var pollerRounds = flag.Int("federation.rounds", 1000, "rounds of batches that pollers race with")

// hubSite is a hub, and phones of every country.
type hubSite struct {
	*site
	phones map[keys.Region]*keystest.Generator
}

func newHub(t testing.TB) *hubSite {
	n := newNetwork(t, 9)
	h := &hubSite{site: n.server("hub"), phones: map[keys.Region]*keystest.Generator{}}
	for i, r := range []keys.Region{de, fr, it, ch} {
		h.phones[r] = keystest.New(uint64(i), &keystest.Options{Origins: []keys.Region{r}, EndOfPeriod: true})
	}
	return h
}

// make returns n keys of a country that are due.
func (h *hubSite) make(r keys.Region, n int) []keys.DiagnosisKey {
	return h.phones[r].Keys(h.clock.Add(-3*time.Hour), n)[:n]
}

func (h *hubSite) upload(n *federation.Nation, tag string, all ...keys.DiagnosisKey) *ledger.Receipt {
	h.t.Helper()
	return must(h.hub.Upload(h.t.Context(), n, &federation.Incoming{Tag: tag, Keys: all}))
}

func (h *hubSite) release() {
	h.t.Helper()
	h.clock = h.clock.Add(5 * time.Minute)
	must(h.hub.Release(h.t.Context(), nil))
}

// drain returns everything that follows a place, and the place after it.
func (h *hubSite) drain(n *federation.Nation, at federation.Place) (all []keys.DiagnosisKey, next federation.Place) {
	h.t.Helper()
	for range 1000 {
		page := must(h.hub.Download(h.t.Context(), n, at))
		if page == nil {
			return all, at
		}
		all, at = append(all, page.Keys...), page.Next
	}
	h.t.Fatal("there is no end")
	return nil, at
}

func today(h *hubSite) federation.Place { return federation.Place{Day: federation.DayOf(h.clock)} }

func sameUnits(got, want []keys.DiagnosisKey) bool {
	n := map[ledger.UnitID]int{}
	for i := range want {
		n[ledger.IDOf(&want[i])]++
	}
	for i := range got {
		n[ledger.IDOf(&got[i])]--
	}
	for _, d := range n {
		if d != 0 {
			return false
		}
	}
	return true
}

func TestHubSparesItsCaller(t *testing.T) {
	h := newHub(t)
	ours, theirs, relayed := h.make(de, 150), h.make(fr, 120), h.make(it, 30)
	h.upload(&germany, "1", ours...)
	h.upload(&france, "1", theirs...) // the same tag: each nation has its own
	h.upload(&gateway, "1", relayed...)
	h.release()
	for _, c := range []struct {
		nation *federation.Nation
		want   []keys.DiagnosisKey
	}{
		{&germany, slices.Concat(theirs, relayed)},
		{&france, slices.Concat(ours, relayed)},
		{&italy, slices.Concat(ours, theirs)},
		{&gateway, slices.Concat(ours, theirs)},
	} {
		if got, _ := h.drain(c.nation, today(h)); !sameUnits(got, c.want) {
			t.Errorf("%s is given %d keys, want %d others", c.nation.Name, len(got), len(c.want))
		}
	}
	// A key that somebody brings after it was released is still theirs to get from
	// where they stand, and one that they brought before is not.
	h.upload(&italy, "1", h.make(it, 1)...)
	late := h.make(it, 1)
	h.upload(&italy, "2", late...)
	h.release()
	all, _ := h.drain(&gateway, today(h))
	h.upload(&gateway, "2", append(h.make(ch, 1), late...)...)
	h.release()
	if got, _ := h.drain(&gateway, today(h)); !sameUnits(got, all) || len(got) != 272 {
		t.Errorf("the gateway is given %d keys", len(got))
	}
}

// TestHubSeesWhatItRecorded: a process that has looked for batches a moment ago has
// those that it makes itself, of both kinds, at once.
func TestHubSeesWhatItRecorded(t *testing.T) {
	h := newSealed(t)
	h.serve(&federation.HubOptions{Fresh: time.Hour})
	for i := range 3 {
		if got, _ := h.drain(&france, today(h.hubSite)); len(got) != 2*i {
			t.Errorf("after %d cuts %d keys are to be had, want %d", i, len(got), 2*i)
		}
		if got := h.checker(&france).read(); len(got.pieces) != i || len(got.loose) != i {
			t.Errorf("after %d cuts %d pieces and %d keys are to be had, want %d of each", i, len(got.pieces), len(got.loose), i)
		}
		h.put(&germany, fmt.Sprint(i), h.key(de, -time.Hour))
		h.upload(&gateway, fmt.Sprint(i), h.make(it, 1)...)
		h.release()
	}
}

// TestHubForgetsMuch: more batches than one step may forget are forgotten by several.
func TestHubForgetsMuch(t *testing.T) {
	h := newHub(t)
	const cuts = 150
	for i := range cuts {
		h.upload(&germany, fmt.Sprint(i), h.make(de, 1)...)
		h.release()
	}
	h.clock = h.clock.Add(16 * 24 * time.Hour)
	must(h.ledger.Release(t.Context(), &ledger.ReleaseOptions{AllowGap: true}))
	for _, want := range []int{cuts - 100, 0, 0} {
		h.release()
		if n := len(must(h.ledger.Registers(t.Context(), "federation/hub/batches/"))); n != want {
			t.Errorf("%d registers are left, want %d", n, want)
		}
	}
}

func TestHubGivesNobodyAnothersOrigin(t *testing.T) {
	h := newHub(t)
	r := h.upload(&germany, "1", h.make(fr, 2)...)
	if r.Accepted != 0 || len(r.Rejected) != 2 || r.Rejected[0].Field != keys.FieldOrigin || r.Rejected[0].Reason != keys.ReasonNotAllowed {
		t.Errorf("got %+v", r)
	}
	r = h.upload(&gateway, "1", slices.Concat(h.make(it, 1), h.make(fr, 1), h.make(ch, 1))...)
	if r.Accepted != 2 || len(r.Rejected) != 1 {
		t.Errorf("got %+v", r)
	}
}

func TestHubWithdrawals(t *testing.T) {
	h := newHub(t)
	all := h.make(de, 10)
	h.upload(&germany, "1", all...)
	h.release()
	_, at := h.drain(&france, today(h))
	_, atItaly := h.drain(&italy, today(h))
	gone := all[3]
	gone.ReportType = keys.Some(keys.ReportRevoked)
	foreign := gone
	if r := h.upload(&france, "2", foreign); len(r.Rejected) != 1 {
		t.Errorf("another nation withdraws: %+v", r)
	}
	if r := h.upload(&germany, "2", gone); r.WithdrawalsTaken != 1 {
		t.Errorf("got %+v", r)
	}
	h.release()
	got, _ := h.drain(&france, at)
	if len(got) != 1 || ledger.IDOf(&got[0]) != ledger.IDOf(&gone) || got[0].ReportType != gone.ReportType {
		t.Errorf("France is told %+v", got)
	}
	if got, _ := h.drain(&italy, atItaly); len(got) != 0 {
		t.Errorf("Italy, which takes none, is told %d withdrawals", len(got))
	}
	gone = all[4]
	gone.ReportType = keys.Some(keys.ReportRevoked)
	h.upload(&germany, "3", append(h.make(de, 20), gone)...)
	h.release()
	if got, _ := h.drain(&france, at); !slices.IsSortedFunc(got[1:], func(a, b keys.DiagnosisKey) int { return a.Compare(&b) }) {
		t.Error("keys and a withdrawal are not in canonical order")
	}
	if got, _ := h.drain(&france, today(h)); len(got) != 32 {
		t.Errorf("who reads it all is told %d things, want 30 keys and 2 withdrawals", len(got))
	}
}

func TestHubTags(t *testing.T) {
	h := newHub(t)
	all := h.make(de, 450)
	h.upload(&germany, "1", all...)
	h.release()
	first := must(h.hub.Download(t.Context(), &france, today(h)))
	if again := must(h.hub.Download(t.Context(), &france, today(h))); again.Tag != first.Tag || !sameUnits(first.Keys, again.Keys) {
		t.Error("the same question has another answer")
	}
	for _, tag := range []string{"unknown", first.Tag + "0", "../" + first.Tag, strings.ToUpper(first.Tag) + " ", "\x00", strings.Repeat("9", 2000)} {
		got, _ := h.drain(&france, federation.Place{Day: today(h).Day, Tag: tag})
		if !sameUnits(got, all) {
			t.Errorf("after the unknown tag %q come %d keys, want all of the day", tag, len(got))
		}
	}
	if page := must(h.hub.Download(t.Context(), &france, federation.Place{Day: today(h).Day + 1})); page != nil {
		t.Error("a batch of tomorrow")
	}
	if got, _ := h.drain(&france, federation.Place{Day: -1 << 30}); !sameUnits(got, all) {
		t.Errorf("since the beginning of time: %d keys", len(got))
	}
}

// TestHubTagsAreOfOneLedger: a reader that brings the tag of another, or of this one
// before it went back, is not taken for one that has read what is here.
func TestHubTagsAreOfOneLedger(t *testing.T) {
	h, other := newHub(t), newHub(t)
	all := h.make(de, 5)
	h.upload(&germany, "1", all...)
	h.release()
	other.upload(&germany, "1", other.make(de, 5)...)
	other.release()
	_, at := other.drain(&france, today(other))
	if got, _ := h.drain(&france, at); !sameUnits(got, all) {
		t.Errorf("got %d keys, want %d", len(got), len(all))
	}
}

// TestHubKeyOfTwoOrigins: it is two units, and a nation is given both.
func TestHubKeyOfTwoOrigins(t *testing.T) {
	h := newHub(t)
	ours := h.make(de, 3)
	theirs := slices.Clone(ours)
	for i := range theirs {
		theirs[i].Origin = it
	}
	h.upload(&germany, "1", ours...)
	h.upload(&gateway, "1", theirs...)
	h.release()
	if got, _ := h.drain(&france, today(h)); !sameUnits(got, slices.Concat(ours, theirs)) {
		t.Errorf("got %d keys, want 6", len(got))
	}
}

// TestHubMidnight: the batches of a cut at the beginning of a day are of that day.
func TestHubMidnight(t *testing.T) {
	h := newHub(t)
	h.clock = h.clock.UTC().Truncate(24 * time.Hour).Add(24*time.Hour - 5*time.Minute)
	all := h.make(de, 5)
	h.upload(&germany, "1", all...)
	h.release()
	if got, _ := h.drain(&france, today(h)); !sameUnits(got, all) {
		t.Errorf("got %d keys, want %d", len(got), len(all))
	}
}

// TestHubForgets: a tag of a batch that is pruned goes on with the oldest kept.
func TestHubForgets(t *testing.T) {
	h := newHub(t)
	h.upload(&germany, "1", h.make(de, 10)...)
	h.release()
	_, at := h.drain(&france, today(h))
	for range 16 {
		h.clock = h.clock.Add(24 * time.Hour)
		must(h.hub.Release(t.Context(), nil))
	}
	must(h.ledger.Prune(t.Context()))
	later := h.make(de, 5)
	h.upload(&germany, "2", later...)
	h.release()
	h.release()
	if n := len(must(h.ledger.Registers(t.Context(), "federation/hub/batches/"))); n != 1 {
		t.Errorf("%d registers of batches, want that of the last", n)
	}
	h.serve(&federation.HubOptions{Fresh: 1})
	if got, _ := h.drain(&france, at); !sameUnits(got, later) {
		t.Errorf("got %d keys, want %d", len(got), len(later))
	}
}

// TestHubPrunedBatches: batches that are still listed and can no longer be read are
// passed over.
func TestHubPrunedBatches(t *testing.T) {
	h := newHub(t)
	old := h.make(de, 5)
	h.upload(&germany, "1", old...)
	h.release()
	h.clock = h.clock.Add(14 * 24 * time.Hour)
	later := h.make(de, 5)
	h.upload(&germany, "2", later...)
	h.clock = h.clock.Add(5 * time.Minute)
	must(h.hub.Release(t.Context(), &ledger.ReleaseOptions{AllowGap: true}))
	must(h.ledger.Prune(t.Context()))
	h.serve(&federation.HubOptions{Fresh: 1})
	if got, _ := h.drain(&france, federation.Place{}); !sameUnits(got, later) {
		t.Errorf("got %d keys, want %d", len(got), len(later))
	}
}

// aged returns k as one of a whole day that ended some days ago.
func aged(k keys.DiagnosisKey, now time.Time, days int) keys.DiagnosisKey {
	end := now.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1-days)
	k.RollingStartIntervalNumber, k.RollingPeriod = keys.Interval(end.Unix()/600-144), 144
	return k
}

// TestHubKeepsBatchesForLateReaders: a key of nearly the prune age does not take its
// batch with it, before a nation that asks once a week has read it.
func TestHubKeepsBatchesForLateReaders(t *testing.T) {
	h := newHub(t)
	at := today(h)
	old := h.make(de, 10)
	for i := range 5 {
		old[i] = aged(old[i], h.clock, 14-i)
	}
	h.upload(&germany, "1", old...)
	h.release()
	h.clock = h.clock.Add(15*time.Hour + 30*time.Minute)
	if r := must(h.ledger.Prune(t.Context())); r.Removed > 0 {
		t.Errorf("on the first day: got %+v", r)
	}
	must(h.hub.Release(t.Context(), nil))
	for range 6 {
		h.clock = h.clock.Add(24 * time.Hour)
		h.upload(&germany, "later", aged(h.make(de, 1)[0], h.clock, 14))
		must(h.hub.Release(t.Context(), nil))
		must(h.ledger.Prune(t.Context()))
	}
	h.serve(&federation.HubOptions{Fresh: 1})
	if got, _ := h.drain(&france, at); len(got) != 15 {
		t.Errorf("after 6 days a nation is given %d keys, want 15", len(got))
	}
	for range 3 {
		h.clock = h.clock.Add(24 * time.Hour)
		must(h.hub.Release(t.Context(), nil))
	}
	if r := must(h.ledger.Prune(t.Context())); r.Removed == 0 || len(r.Expired) > 0 {
		t.Errorf("after 9 days: got %+v, want the old keys gone", r)
	}
}

// TestHubKeepsBatchesBeyondThePruneAge, if it is told to: those that can be read are
// listed, too.
func TestHubKeepsBatchesBeyondThePruneAge(t *testing.T) {
	h := newHub(t)
	h.serve(&federation.HubOptions{Fresh: 1, Keep: 21 * 24 * time.Hour})
	at := today(h)
	all := h.make(de, 10)
	h.upload(&germany, "1", all...)
	h.release()
	for day := range 24 {
		h.clock = h.clock.Add(24 * time.Hour)
		must(h.hub.Release(t.Context(), nil))
		must(h.ledger.Prune(t.Context()))
		want := 10
		if day >= 21 {
			want = 0
		}
		if got, _ := h.drain(&france, at); len(got) != want {
			t.Errorf("on day %d a nation is given %d keys, want %d", day+1, len(got), want)
		}
	}
}

// TestHubBatchSizes: a cut is divided, and nothing falls between.
func TestHubBatchSizes(t *testing.T) {
	for _, n := range []int{1, 99, 100, 101, 250} {
		h := newHub(t)
		h.serve(&federation.HubOptions{BatchSize: 100, Fresh: 1})
		all := h.make(de, n)
		h.upload(&germany, "1", all...)
		h.release()
		h.release()
		at, pages := today(h), 0
		var got []keys.DiagnosisKey
		for {
			page := must(h.hub.Download(t.Context(), &france, at))
			if page == nil {
				break
			}
			pages++
			got, at = append(got, page.Keys...), page.Next
			if len(page.Keys) > 100 {
				t.Errorf("a batch of %d", len(page.Keys))
			}
		}
		if want := (n + 99) / 100; pages != want || !sameUnits(got, all) {
			t.Errorf("%d keys: %d pages with %d keys, want %d", n, pages, len(got), want)
		}
	}
}

// TestHubFaults has every call of the store fail once while batches are made.
func TestHubFaults(t *testing.T) {
	for _, verdict := range []ledgertest.Verdict{ledgertest.Fail, ledgertest.FailAfter} {
		for nth := 1; ; nth++ {
			h := newHub(t)
			all := h.make(de, 250)
			h.upload(&germany, "1", all...)
			h.clock = h.clock.Add(5 * time.Minute)
			calls, met := 0, false
			h.fault = func() ledgertest.Verdict {
				if calls++; calls == nth {
					met = true
					return verdict
				}
				return ledgertest.Pass
			}
			h.hub.Release(t.Context(), nil)
			h.fault = func() ledgertest.Verdict { return ledgertest.Pass }
			h.release()
			if got, _ := h.drain(&france, today(h)); !sameUnits(got, all) {
				t.Errorf("call %d, %v: %d keys, want %d", nth, verdict, len(got), len(all))
			}
			if !met {
				if nth < 5 {
					t.Errorf("only %d calls", nth)
				}
				break
			}
		}
	}
}

// TestHubKnowsItsLedger: one that went back is noticed before batches are made.
func TestHubKnowsItsLedger(t *testing.T) {
	h, other := newHub(t), newHub(t)
	h.upload(&germany, "1", h.make(de, 5)...)
	h.release()
	for _, r := range must(h.ledger.Registers(t.Context(), "federation/hub/head")) {
		other.ledger.Swap(t.Context(), ledger.NewNonce(), ledger.Swap{Name: r.Name, Value: r.Value})
	}
	other.clock = other.clock.Add(5 * time.Minute)
	if _, err := other.hub.Release(t.Context(), nil); !errors.Is(err, ledger.ErrOtherLedger) {
		t.Errorf("got %v", err)
	}
}

// TestHubPollersMissNothing: batches are made by several processes while nations
// upload and others ask as fast as they can (invariant 7; lesson E6).
func TestHubPollersMissNothing(t *testing.T) {
	rounds := *pollerRounds
	if testing.Short() {
		rounds = min(rounds, 300)
	}
	var now atomic.Int64
	now.Store(epoch.UnixNano())
	clock := func() time.Time { return time.Unix(0, now.Load()).UTC() }
	policy := eager(5 * time.Minute)
	store := memledger.New(&memledger.Options{Clock: clock})
	hub := func() *federation.Hub {
		l := must(ledger.Open(t.Context(), store, &ledger.Options{Policy: &policy}))
		return must(federation.NewHub(l, &federation.HubOptions{BatchSize: 100, Fresh: time.Duration(1), Shelf: 3}))
	}
	var wg sync.WaitGroup
	done := make(chan struct{})
	var offered sync.Map
	go func() {
		defer close(done)
		gen := keystest.New(1, &keystest.Options{Origins: []keys.Region{de}, EndOfPeriod: true})
		makers := []*federation.Hub{hub(), hub()}
		for i := range rounds {
			all := gen.Keys(clock().Add(-3*time.Hour), 1+i%3)
			for j := range all {
				offered.Store(all[j].KeyData, true)
			}
			if _, err := makers[0].Upload(context.Background(), &germany, &federation.Incoming{Tag: fmt.Sprint(i), Keys: all}); err != nil {
				t.Error(err)
			}
			now.Add(int64(5 * time.Minute))
			var both sync.WaitGroup
			for _, m := range makers {
				both.Go(func() {
					if _, err := m.Release(context.Background(), nil); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
		}
	}()
	for range 3 {
		wg.Go(func() {
			replicas := []*federation.Hub{hub(), hub()}
			seen := map[keys.KeyData]int{}
			at, over := federation.Place{}, false
			for i := 0; ; i++ {
				page, err := replicas[i%2].Download(context.Background(), &france, at)
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
						now.Add(int64(time.Second)) // nothing of the listing is fresh now
					default:
					}
					continue
				}
				for j := range page.Keys {
					seen[page.Keys[j].KeyData]++
				}
				at = page.Next
			}
			missing, twice := 0, 0
			offered.Range(func(data, _ any) bool {
				switch seen[data.(keys.KeyData)] {
				case 0:
					missing++
				case 1:
				default:
					twice++
				}
				return true
			})
			if missing+twice > 0 {
				t.Errorf("a poller missed %d keys and got %d twice", missing, twice)
			}
		})
	}
	wg.Wait()
}

func TestHubChecks(t *testing.T) {
	h := newHub(t)
	for name, o := range map[string]federation.HubOptions{"BatchSize": {BatchSize: 99}, "Fresh": {Fresh: -1}, "Shelf": {Shelf: -1}, "Keep": {Keep: -1}} {
		if _, err := federation.NewHub(h.ledger, &o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, n := range []federation.Nation{{Name: "own", Region: de}, {Name: "", Region: de}, {Name: "x"}} {
		if _, err := h.hub.Upload(t.Context(), &n, &federation.Incoming{Tag: "1"}); err == nil {
			t.Errorf("uploads: %+v", n)
		}
		if _, err := h.hub.Download(t.Context(), &n, federation.Place{}); err == nil {
			t.Errorf("downloads: %+v", n)
		}
	}
}

// TestHubAfterAnOutage: a gap is for somebody to allow, and batches that were not
// recorded before it are made then.
func TestHubAfterAnOutage(t *testing.T) {
	h := newHub(t)
	before := h.make(de, 5)
	h.upload(&germany, "1", before...)
	h.clock = h.clock.Add(5 * time.Minute)
	must(h.ledger.Release(t.Context(), nil)) // and it went down before batches were recorded
	at := today(h)
	h.clock = h.clock.Add(25 * time.Hour)
	after := h.make(de, 5)
	h.upload(&germany, "2", after...)
	h.clock = h.clock.Add(5 * time.Minute)
	if _, err := h.hub.Release(t.Context(), nil); !errors.Is(err, ledger.ErrTime) {
		t.Errorf("a gap of a day: got %v", err)
	}
	if r := must(h.hub.Release(t.Context(), &ledger.ReleaseOptions{AllowGap: true})); r == nil || r.New != 5 {
		t.Errorf("got %+v", r)
	}
	if got, _ := h.drain(&france, at); !sameUnits(got, slices.Concat(before, after)) {
		t.Errorf("got %d keys, want %d", len(got), len(before)+len(after))
	}
	if r := must(h.hub.Release(t.Context(), nil)); r != nil {
		t.Errorf("twice: got %+v", r)
	}
}

// TestHubOperatorWithdraws: what the operator of a hub withdraws, no batch of it
// carries from the next cut on, and nobody is told; reinstated, it is there again.
func TestHubOperatorWithdraws(t *testing.T) {
	h := newHub(t)
	h.serve(&federation.HubOptions{Fresh: 1})
	at := today(h)
	ks := h.make(de, 4)
	h.upload(&germany, "1", ks...)
	h.release()
	before, next := h.drain(&france, at)
	if len(before) != 4 {
		t.Fatalf("got %d keys", len(before))
	}
	must(h.ledger.Withdraw(t.Context(), ledger.IDOf(&ks[0])))
	h.release()
	for _, n := range []*federation.Nation{&france, &italy} {
		if got, _ := h.drain(n, at); !sameUnits(got, ks[1:]) {
			t.Errorf("%s is given %d keys, want 3", n.Name, len(got))
		}
	}
	if got, _ := h.drain(&france, next); len(got) != 0 {
		t.Errorf("France is told %d times", len(got))
	}
	must(h.ledger.Reinstate(t.Context(), ledger.IDOf(&ks[0])))
	h.release()
	if got, _ := h.drain(&italy, at); !sameUnits(got, ks) {
		t.Errorf("reinstated, Italy is given %d keys, want 4", len(got))
	}
}
