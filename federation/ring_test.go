package federation_test

import (
	"flag"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
)

var (
	histories = flag.Int("federation.histories", 6, "random histories of the ring")
	firstSeed = flag.Uint64("federation.seed", 1, "seed of the first")
)

// newRing returns two hubs that know each other, and four nations: two at the
// first, one at the second, and one at both that relays between them. So there are
// two ways from everywhere to everywhere, and rings.
func newRing(t *testing.T, seed uint64) *network {
	t.Helper()
	n := newNetwork(t, seed)
	a, b, c, g := n.nation("a", de), n.nation("b", fr), n.nation("c", it), n.nation("g", ch)
	hub1, hub2 := n.server("hub1"), n.server("hub2")
	all := keys.All[keys.Region]()
	n.connect(a, hub1, federation.Export(), keys.Set[keys.Region]{})
	n.connect(b, hub1, federation.Export(), keys.Set[keys.Region]{})
	n.connect(c, hub2, federation.Export(), keys.Set[keys.Region]{})
	n.connect(g, hub1, federation.Relay(), all)
	n.connect(g, hub2, federation.Relay(), all)
	n.connect(hub1, hub2, federation.Relay(), all)
	return n
}

// TestRing has keys submitted in every nation of the ring. All arrive everywhere,
// with their origins, once; it comes to rest; the books balance.
func TestRing(t *testing.T) {
	n := newRing(t, 1)
	want := map[ledger.UnitID]ledger.State{}
	for _, name := range []string{"a", "b", "c", "g"} {
		for _, u := range n.sites[name].submit(3) {
			want[u] = ledger.Active
		}
	}
	n.rest()
	for _, name := range n.names {
		expectStates(t, n.sites[name], want)
	}
	n.checkBooks()
}

// expectStates compares what a site has released with what it should have.
func expectStates(t *testing.T, s *site, want map[ledger.UnitID]ledger.State) {
	t.Helper()
	got := s.states()
	missing, wrong, extra := 0, 0, 0
	for u, state := range want {
		switch have, ok := got[u]; {
		case !ok && state == ledger.Active:
			missing++
		case ok && have != state:
			wrong++
		}
	}
	for u := range got {
		if _, ok := want[u]; !ok {
			extra++
		}
	}
	if missing+wrong+extra > 0 {
		t.Errorf("%s: of %d units %d are missing, %d in another state, %d too many", s.name, len(want), missing, wrong, extra)
	}
}

// TestRingHistories runs random histories of the ring, with submissions,
// withdrawals, faults at any call, limits and rules that change, and restarts.
// Whatever happened, when the faults end everything arrives everywhere.
func TestRingHistories(t *testing.T) {
	for i := range *histories {
		if testing.Short() && i > 1 {
			break
		}
		seed := *firstSeed + uint64(i)
		t.Run("", func(t *testing.T) {
			t.Parallel()
			t.Logf("-federation.histories=1 -federation.seed=%d", seed)
			runHistory(t, newRing(t, seed))
		})
	}
}

func runHistory(t *testing.T, n *network) {
	want := map[ledger.UnitID]ledger.State{}
	var own []ledger.UnitID
	n.fault = func() ledgertest.Verdict {
		switch n.rand.IntN(60) {
		case 0:
			return ledgertest.Fail
		case 1:
			return ledgertest.FailAfter
		}
		return ledgertest.Pass
	}
	for range 40 {
		s := n.sites[[]string{"a", "b", "c", "g"}[n.rand.IntN(4)]]
		switch n.rand.IntN(6) {
		case 0, 1:
			for _, u := range s.submit(1 + n.rand.IntN(3)) {
				want[u] = ledger.Active
				own = append(own, u)
			}
		case 2:
			if len(own) > 0 {
				n.withdraw(own[n.rand.IntN(len(own))], want)
			}
		case 3:
			n.reconfigure()
		}
		n.round([]time.Duration{7 * time.Minute, 40 * time.Minute, time.Hour, 3 * time.Hour}[n.rand.IntN(4)])
	}
	if n.errors == 0 {
		t.Error("no fault was met")
	}
	n.fault = func() ledgertest.Verdict { return ledgertest.Pass }
	for _, w := range n.wires { // without limits, so that rest is rest
		w.pushing, w.pulling = &federation.PushOptions{MaxBatch: 70}, nil
		w.open()
	}
	n.rest()
	for _, name := range n.names {
		expectStates(t, n.sites[name], want)
	}
	n.checkBooks()
}

// withdraw has the nation that submitted a key take it back.
func (n *network) withdraw(u ledger.UnitID, want map[ledger.UnitID]ledger.State) {
	n.t.Helper()
	for _, name := range n.names {
		if s := n.sites[name]; s.region == u.Origin {
			n.healthy(func() { must(s.ledger.Withdraw(n.t.Context(), u)) })
			want[u] = ledger.Withdrawn
		}
	}
}

// reconfigure changes limits of a wire, and restarts both its ends.
func (n *network) reconfigure() {
	w := n.wires[n.rand.IntN(len(n.wires))]
	w.pushing = &federation.PushOptions{FromBeginning: true, MaxBatch: 1 + n.rand.IntN(60), MaxBatches: 1 + n.rand.IntN(20), MaxRange: int64(1 + n.rand.IntN(200))}
	w.pulling = &federation.PullOptions{MaxPages: 1 + n.rand.IntN(20), Settle: time.Duration(n.rand.IntN(3)-1) * 10 * time.Minute}
	w.rules.Defaults.TransmissionRiskLevel = federation.DefaultTo(keys.TransmissionRiskLevel(n.rand.IntN(8)))
	w.open()
	if w.hub.hub != nil {
		w.hub.serve(&federation.HubOptions{BatchSize: int64(100 + n.rand.IntN(100)), Fresh: 1, Shelf: 1 + n.rand.IntN(5)})
	}
}
