package distribution_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/storage/ledger"
)

// twoHours is a layout whose windows have two cuts each.
type twoHours struct{ partsLayout }

func (twoHours) Name() string { return "two-hours" }
func (twoHours) Spans() []distribution.Span {
	return []distribution.Span{{Name: "hour", Length: 2 * time.Hour, Retain: 14 * 24 * time.Hour, Parts: true}}
}

func (twoHours) Parse(name string) (distribution.File, bool) {
	f, ok := partsLayout{}.Parse(name)
	f.Window.End = f.Window.Start.Add(2 * time.Hour)
	return f, ok
}

// terms returns what became of the own keys in a package.
func (w *world) terms(pkg string) map[ledger.Term]int64 {
	w.t.Helper()
	p, _ := w.publisher(nil, nil)
	sinks, err := p.Sinks(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	stats, err := w.open(nil).Stats(w.t.Context(), sinks...)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := stats.Check(); err != nil {
		w.t.Error(err)
	}
	terms := stats.Sources[ledger.Own].Sinks["two-hours."+pkg]
	for term, n := range terms {
		if n == 0 {
			delete(terms, term)
		}
	}
	return terms
}

// TestTerms follows keys through the books of a package.
func TestTerms(t *testing.T) {
	w := newWorld(t, 1)
	w.layout = twoHours{}
	w.packages = w.packages[:1]
	w.policy.MinKeys, w.policy.MinUploads = 0, 0
	w.run()
	up := w.upload(de)
	for i := range up.Keys { // nothing under embargo
		up.Keys[i].RollingStartIntervalNumber = up.Keys[0].RollingStartIntervalNumber
	}
	w.accept(ledger.Own, up)
	n := int64(len(up.Keys))
	check := func(when string, want map[ledger.Term]int64) {
		t.Helper()
		got := w.terms("DE")
		for _, term := range []ledger.Term{ledger.TermWaiting, ledger.TermHeld, ledger.TermWithdrawn, ledger.TermSent, ledger.TermDue, ledger.TermNotForSink, ledger.TermExpired} {
			if got[term] != want[term] {
				t.Errorf("%s: %d %s, want %d", when, got[term], term, want[term])
			}
		}
	}
	check("accepted", map[ledger.Term]int64{ledger.TermWaiting: n})
	w.release() // 23:00, in the middle of the window
	check("released", map[ledger.Term]int64{ledger.TermDue: n})
	w.run()
	check("the window is still open", map[ledger.Term]int64{ledger.TermDue: n})
	w.withdraw(ledger.IDOf(&up.Keys[0]))
	w.release() // 24:00, the end of the window
	check("one withdrawn before the window closed", map[ledger.Term]int64{ledger.TermDue: n - 1, ledger.TermWithdrawn: 1})
	p, _ := w.publisher(failPuts(""), nil)
	if _, err := p.Run(t.Context()); !errors.Is(err, distribution.ErrIncomplete) {
		t.Fatal(err)
	}
	check("planned, and not written", map[ledger.Term]int64{ledger.TermDue: n - 1, ledger.TermWithdrawn: 1})
	w.run()
	check("published", map[ledger.Term]int64{ledger.TermSent: n - 1, ledger.TermWithdrawn: 1})
	w.withdraw(ledger.IDOf(&up.Keys[1]))
	w.release()
	check("one withdrawn later", map[ledger.Term]int64{ledger.TermSent: n - 1, ledger.TermWithdrawn: 1})
	if err := w.open(nil).Hold(t.Context(), ledger.Holds{Sources: []ledger.Source{ledger.Own}}); err != nil {
		t.Fatal(err)
	}
	w.accept(ledger.Own, w.upload(fr))
	if got := w.terms("DE"); got[ledger.TermHeld] == 0 {
		t.Errorf("held: %v", got)
	}
	if err := w.open(nil).Resume(t.Context(), ledger.Holds{Sources: []ledger.Source{ledger.Own}}); err != nil {
		t.Fatal(err)
	}
	w.clock = w.clock.Add(26 * time.Hour)
	w.release()
	w.run()
	if got := w.terms("DE"); got[ledger.TermNotForSink] == 0 {
		t.Errorf("of another origin: %v", got)
	}
}

// TestFloor: as long as a plan is not carried out, its keys are not pruned,
// however old they are.
func TestFloor(t *testing.T) {
	w := committed(t)
	for range 5 {
		w.clock = w.clock.Add(24 * time.Hour)
		w.release()
		p, _ := w.publisher(failPuts("2026-03-01/hour"), nil)
		if _, err := p.Run(t.Context()); err == nil {
			t.Fatal("nothing failed")
		}
		r, err := w.open(nil).Prune(t.Context())
		if err != nil || r.Removed != 0 || len(r.Expired) != 0 {
			t.Fatalf("pruned %+v, %v", r, err)
		}
	}
	w.run()
	w.verify()
	if r, err := w.open(nil).Prune(t.Context()); err != nil || r.Removed == 0 {
		t.Errorf("after the plans were carried out: pruned %+v, %v", r, err)
	}
}
