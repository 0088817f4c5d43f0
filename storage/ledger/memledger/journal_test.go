package memledger_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// TestJournal replays every step of a history on another ledger, and expects the
// same there; then it has the journal fail, and expects that nothing changes.
func TestJournal(t *testing.T) {
	now := time.Date(2021, 1, 10, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	var replica *memledger.Store
	var fails error
	steps := 0
	store := memledger.New(&memledger.Options{Clock: clock, Journal: func(_ context.Context, st *memledger.Step) error {
		steps++
		if fails != nil {
			return fails
		}
		return replica.Apply(st)
	}})
	replica = store.Copy()
	up := keystest.New(1, &keystest.Options{EndOfPeriod: true}).Upload(now.Add(-time.Minute))
	same := func(after string) {
		t.Helper()
		if a, b := content(t, store, up), content(t, replica, up); a != b {
			t.Fatalf("after %s:\n%s\nreplayed:\n%s", after, a, b)
		}
	}
	begin(t, store, up)
	same("accepting")
	now = now.Add(time.Hour)
	release(t, store)
	accept(t, openAround(t, store), ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: "later", Keys: up.Keys[1:2]}}})
	same("a cut")
	now = now.Add(time.Hour)
	goOn(t, store, up)
	same("all kinds of steps")
	var state *memledger.State
	store.Copy().View(func(s *memledger.State) { state = s }) // that of a copy which nobody uses
	restored, err := memledger.Restore(state, &memledger.Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	replica = restored
	same("restoring")

	now = now.Add(60 * 24 * time.Hour) // all is old
	if _, err := openAround(t, store).Release(t.Context(), &ledger.ReleaseOptions{AllowGap: true}); err != nil {
		t.Fatal(err)
	}
	fails = errors.New("no room")
	before, journalled := content(t, store, up), steps
	now = now.Add(time.Hour)
	l := openAround(t, store)
	_, accepting := l.Accept(t.Context(), &ledger.Delivery{Source: "z", Uploads: []ledger.Upload{{ID: "z", Keys: up.Keys[:1]}}})
	_, releasing := l.Release(t.Context(), nil)
	swapping := l.Hold(t.Context(), ledger.Holds{Sources: []ledger.Source{"z"}})
	_, removing := l.Prune(t.Context())
	for _, err := range []error{accepting, releasing, swapping, removing} {
		if !errors.Is(err, fails) {
			t.Errorf("with a journal that fails, a step gives %v", err)
		}
	}
	now = now.Add(-60 * 24 * time.Hour)
	if steps != journalled+4 || content(t, store, up) != before {
		t.Errorf("a step that was not journalled was taken")
	}
}

// TestJournalSkipsNothing: a call that changes nothing is no step.
func TestJournalSkipsNothing(t *testing.T) {
	store := memledger.New(&memledger.Options{Journal: func(_ context.Context, st *memledger.Step) error {
		t.Errorf("a step that changes nothing was journalled: %+v", st)
		return nil
	}})
	err := store.Accept(t.Context(), &ledger.Intake{Decide: func(*ledger.Standing) (*ledger.Changes, error) { return &ledger.Changes{}, nil }})
	if err != nil {
		t.Error(err)
	}
	n, err := store.Remove(t.Context(), &ledger.Removal{Now: time.Now(), Ended: time.Now(), Limit: 10, Forget: []string{"none"},
		Tallies: func() ledger.Tallies { return nil }, Again: func() {}})
	if n != 0 || err != nil {
		t.Error(n, err)
	}
}

// TestApplyRefuses gives a ledger steps that are not its own.
func TestApplyRefuses(t *testing.T) {
	id := ledger.UnitID{Origin: keys.MustRegion("DE"), KeyData: keys.KeyData{1}}
	unit := &ledger.Unit{Key: keys.DiagnosisKey{TemporaryExposureKey: keys.TemporaryExposureKey{KeyData: id.KeyData}, Origin: id.Origin}}
	other := ledger.Cut{}.Next(ledger.Identity{1}, time.Unix(0, 0), 0, 1)
	for _, tt := range []struct {
		name string
		step memledger.Step
	}{
		{"a gap in the numbers", memledger.Step{Units: []*ledger.Unit{unit}, Numbered: []memledger.Numbered{{ID: id, Event: ledger.Event{Number: 2}}}}},
		{"a number of no unit", memledger.Step{Numbered: []memledger.Numbered{{ID: id, Event: ledger.Event{Number: 1}}}}},
		{"events that were not given", memledger.Step{Units: []*ledger.Unit{{Key: unit.Key, Events: []ledger.Event{{Number: 7}}}}}},
		{"one unit twice", memledger.Step{Units: []*ledger.Unit{unit, unit}}},
		{"removes what is not there", memledger.Step{Removed: []memledger.Removed{{ID: id}}}},
		{"another ledger's cut", memledger.Step{Cut: &other}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := memledger.New(nil)
			if err := store.Apply(&tt.step); err == nil {
				t.Error("it was applied")
			}
			store.View(func(s *memledger.State) {
				if len(s.Units) > 0 || len(s.Cuts) > 0 {
					t.Error("something changed")
				}
			})
		})
	}
	store := memledger.New(nil)
	if err := store.Apply(&memledger.Step{Units: []*ledger.Unit{unit}}); err != nil {
		t.Fatal(err)
	}
	if err := store.Apply(&memledger.Step{Removed: []memledger.Removed{{ID: id}, {ID: id}}}); err == nil {
		t.Error("a unit was removed twice")
	}
}

// TestRestoreRefuses: a state must be one that a ledger can be in.
func TestRestoreRefuses(t *testing.T) {
	if _, err := memledger.Restore(&memledger.State{Replay: true}, nil); !errors.Is(err, ledger.ErrReplay) {
		t.Errorf("a replay ledger without a clock gives %v", err)
	}
	for _, number := range []int64{0, 1, 2} {
		unit := &ledger.Unit{Events: []ledger.Event{{Number: number}}}
		state := &memledger.State{Units: map[ledger.UnitID]*ledger.Unit{{}: unit}}
		if _, err := memledger.Restore(state, nil); err == nil {
			t.Errorf("an event with number %d of none was restored", number)
		}
	}
}
