package ledger_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

func TestStatsCheck(t *testing.T) {
	balanced := func() *ledger.Stats {
		return &ledger.Stats{Padded: 99, Sources: map[ledger.Source]*ledger.SourceStats{"p": {
			Offered: 10, Accepted: 4, Revised: 1, Duplicates: 2, Rejected: map[string]int64{"a/b": 1, "c/d": 2},
			WithdrawalsOffered: 6, WithdrawalsTaken: 1, WithdrawalsKept: 2, WithdrawalsRefused: 3,
			Sinks: map[string]map[ledger.Term]int64{
				"de":  {ledger.TermWaiting: 1, ledger.TermHeld: 1, ledger.TermSent: 2},
				"eur": {ledger.TermWithdrawn: 1, ledger.TermDue: 1, ledger.TermNotForSink: 1, ledger.TermExpired: 1},
			},
		}}}
	}
	if err := balanced().Check(); err != nil {
		t.Errorf("books that balance give %v", err)
	}
	tests := []struct {
		name   string
		change func(s *ledger.SourceStats)
		want   string
	}{
		{"offered", func(s *ledger.SourceStats) { s.Offered++ }, "p: 11 keys offered, 10 accounted for"},
		{"accepted", func(s *ledger.SourceStats) { s.Accepted++; s.Offered++ }, "p: 5 keys accepted, 4 accounted for in de"},
		{"revised", func(s *ledger.SourceStats) { s.Revised-- }, "p: 10 keys offered, 9 accounted for"},
		{"duplicates", func(s *ledger.SourceStats) { s.Duplicates++ }, "p: 10 keys offered, 11 accounted for"},
		{"rejected", func(s *ledger.SourceStats) { delete(s.Rejected, "a/b") }, "p: 10 keys offered, 9 accounted for"},
		{"one sink", func(s *ledger.SourceStats) { s.Sinks["eur"][ledger.TermDue]++ }, "p: 4 keys accepted, 5 accounted for in eur"},
		{"withdrawals", func(s *ledger.SourceStats) { s.WithdrawalsKept-- }, "p: 6 withdrawals offered, 5 accounted for"},
	}
	for _, tt := range tests {
		s := balanced()
		tt.change(s.Sources["p"])
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

// sink has been given everything up to a number.
type sink struct {
	name string
	sent int64
}

func (s sink) Name() string { return s.name }

func (s sink) Term(u *ledger.Unit) ledger.Term {
	switch {
	case u.Events[0].Number <= s.sent:
		return ledger.TermSent
	case u.Events[len(u.Events)-1].Own == ledger.Withdrawn:
		return ledger.TermWithdrawn
	}
	return ledger.TermDue
}

// TestStatsTerms has a key in every term, before and after they are pruned.
func TestStatsTerms(t *testing.T) {
	p := ledger.DefaultPolicy()
	p.MinKeys, p.MinUploads, p.MinWithdrawnUploads, p.Quota = 0, 0, 0, 6
	s := open(t, &ledger.Options{Policy: &p})
	sent, due, gone, late, never, beyond, onHold := s.key(), s.key(), s.key(), s.key(), s.key(), s.key(), s.key()
	onHold.Origin = keys.MustRegion("AT")
	s.accept(ledger.Own, "a", sent)
	s.release() // 1
	s.accept(ledger.Own, "b", due, gone)
	s.release() // 2, 3
	s.withdraw(ledger.Own, gone)
	s.release() // 4
	late.RollingStartIntervalNumber, late.RollingPeriod = keys.IntervalAt(s.now)-6, 6
	s.accept(ledger.Own, "c", late, never)
	s.withdraw(ledger.Own, never)
	bad := s.key()
	bad.RollingPeriod = 0
	s.accept(ledger.Own, "d", bad, beyond, onHold) // the seventh of its origin
	if err := s.Hold(t.Context(), ledger.Holds{Origins: []keys.Region{onHold.Origin}}); err != nil {
		t.Fatal(err)
	}
	stats := func(want map[ledger.Term]int64) {
		t.Helper()
		got, err := s.Stats(t.Context(), sink{"all", 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := got.Check(); err != nil {
			t.Error(err)
		}
		own := got.Sources[ledger.Own]
		for _, term := range []ledger.Term{ledger.TermSent, ledger.TermDue, ledger.TermWithdrawn, ledger.TermWaiting, ledger.TermHeld, ledger.TermExpired, ledger.TermNotForSink} {
			if own.Sinks["all"][term] != want[term] {
				t.Errorf("%d keys are %s, want %d", own.Sinks["all"][term], term, want[term])
			}
		}
		if own.Accepted != 7 || own.Offered != 8 {
			t.Errorf("%d of %d are accepted, want 7 of 8", own.Accepted, own.Offered)
		}
	}
	stats(map[ledger.Term]int64{ledger.TermSent: 1, ledger.TermDue: 1, ledger.TermWithdrawn: 2, ledger.TermWaiting: 1, ledger.TermHeld: 2})
	s.outage(s.now.Add(20 * 24 * time.Hour))
	if r, err := s.Prune(t.Context(), sink{"all", 1}); err != nil || r.Removed != 7 {
		t.Fatalf("pruning gives %+v, %v", r, err)
	}
	stats(map[ledger.Term]int64{ledger.TermSent: 1, ledger.TermWithdrawn: 2, ledger.TermExpired: 4})
}

func TestPruneFloors(t *testing.T) {
	s := open(t, nil)
	ctx := t.Context()
	var ks []keys.DiagnosisKey
	for range 4 {
		k := s.key()
		ks = append(ks, k)
		s.accept("p", "u"+string(rune('a'+len(ks))), k)
		s.release()
	}
	at := s.now
	floor := func(consumer string, number int64, at time.Time) {
		t.Helper()
		have, err := s.Registers(ctx, ledger.FloorRegister(consumer))
		if err != nil {
			t.Fatal(err)
		}
		swap := ledger.Swap{Name: ledger.FloorRegister(consumer), Value: ledger.Floor{Number: number, Time: at}.Value()}
		if len(have) > 0 {
			swap.Version = have[0].Version
		}
		if err := s.Swap(ctx, ledger.NewNonce(), swap); err != nil {
			t.Fatal(err)
		}
	}
	prune := func(want int, expired ...string) {
		t.Helper()
		r, err := s.Prune(ctx)
		if err != nil || r.Removed != want || !slices.Equal(r.Expired, expired) {
			t.Errorf("pruning gives %+v, %v; want %d and %q expired", r, err, want, expired)
		}
	}
	prune(0) // too young
	s.outage(noon.Add(14*24*time.Hour - 12*time.Hour))
	prune(0) // exactly the prune age after their end
	s.now = s.now.Add(time.Microsecond)
	floor("de", 1, s.now)
	floor("eur", 3, s.now)
	prune(1)
	floor("de", 4, at)
	prune(2)
	floor("dead", 0, s.now.Add(-14*24*time.Hour))
	prune(0) // of the prune age: still waited for
	floor("dead", 0, s.now.Add(-14*24*time.Hour-time.Microsecond))
	floor("eur", 4, at.Add(-30*24*time.Hour)) // old, and at the end of the log
	prune(1, "dead")
	if err := s.Swap(ctx, ledger.NewNonce(), ledger.Swap{Name: ledger.FloorRegister("bad"), Value: []byte("{")}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prune(ctx); err == nil || !strings.Contains(err.Error(), "register floor/bad") {
		t.Errorf("with a floor that cannot be read got %v", err)
	}
}

// TestPruneInBatches removes more than one step does.
func TestPruneInBatches(t *testing.T) {
	s := open(t, nil)
	const n = 10_000 + 7
	var ks []keys.DiagnosisKey
	for range n {
		ks = append(ks, s.key())
	}
	s.accept("p", "u", ks...)
	s.now = s.now.Add(20 * 24 * time.Hour)
	if r, err := s.Prune(t.Context(), sink{"all", 0}); err != nil || r.Removed != n {
		t.Fatalf("pruning gives %+v, %v", r, err)
	}
	stats, err := s.Stats(t.Context(), sink{"all", 0})
	if err != nil || stats.Check() != nil || stats.Sources["p"].Sinks["all"][ledger.TermExpired] != n {
		t.Errorf("the books are %+v, %v", stats.Sources["p"], stats.Check())
	}
}

// TestPruneForgetsCounters sees that counters of single days do not pile up.
func TestPruneForgetsCounters(t *testing.T) {
	s := open(t, nil)
	for range 40 {
		k := s.key()
		k.RollingStartIntervalNumber = keys.IntervalAt(s.now) - 144
		s.accept("p", "u", k)
		if _, err := s.Release(t.Context(), &ledger.ReleaseOptions{AllowGap: true}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(24 * time.Hour)
	}
	log, err := s.Log(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	days := 0
	for name := range log.Tallies {
		if strings.HasPrefix(name, "day/") {
			days++
		}
	}
	if days != 2*15 { // the days on which the prune age and the present lie, and those between
		t.Errorf("there are %d counters of days, want two of each of 15 days", days)
	}
	if log.Tallies["accepted/p"] != 40 {
		t.Errorf("of all days, %d keys were accepted, want 40", log.Tallies["accepted/p"])
	}
}

func TestFloorValue(t *testing.T) {
	if got := string(ledger.Floor{Number: 7, Time: noon}.Value()); got != `{"number":7,"time":"2021-01-10T12:00:00Z"}` {
		t.Errorf("got %s", got)
	}
}

// TestSinkAddedLater: what was removed before there was a sink was not for it.
func TestSinkAddedLater(t *testing.T) {
	s := open(t, nil)
	s.accept("p", "u", s.key(), s.key())
	s.now = s.now.Add(20 * 24 * time.Hour)
	if r, err := s.Prune(t.Context(), sink{"old", 0}); err != nil || r.Removed != 2 {
		t.Fatalf("pruning gives %+v, %v", r, err)
	}
	stats, err := s.Stats(t.Context(), sink{"old", 0}, sink{"new", 0})
	if err != nil || stats.Check() != nil {
		t.Fatalf("%v, %v", err, stats.Check())
	}
	if got := stats.Sources["p"].Sinks["new"][ledger.TermNotForSink]; got != 2 {
		t.Errorf("%d keys were not for the new sink, want 2", got)
	}
}
