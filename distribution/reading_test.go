package distribution_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/memstore"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// reset forgets what was counted.
func (s *countedStore) reset() { s.reads, s.units = 0, 0 }

// TestReadOnce: a run reads the log once for all packages and all of what it plans,
// whatever is in how many files. One that has too much to do to keep what it has
// planned reads once to plan, and once or twice to write. All publish the same.
func TestReadOnce(t *testing.T) {
	w := newWorld(t, 1)
	w.clock = w.clock.Truncate(24 * time.Hour)
	w.policy.MinKeys, w.policy.MinUploads, w.policy.MaxDay = 0, 0, 1500
	counted := &countedStore{Store: w.store}
	w.store = counted

	noticed := map[string]int{} // of what is left out, and of what is shared
	var day, all int64          // where the day began, and what is published
	var ours ledger.Upload
	for i := 1; i <= 49; i++ {
		if i%3 == 0 { // another country claims what was ours three hours ago
			for k := range ours.Keys {
				ours.Keys[k].Origin = fr
			}
			if i > 3 {
				w.accept("hub", ours)
			}
			ours = w.upload(de)
			w.accept(ledger.Own, ours)
		}
		w.hours(1)
		counted.reset()
		tally(noticed, w.run())
		from := all
		if all = w.lastNumber(); i%24 == 0 {
			from, day = day, all
		}
		if counted.reads != 1 || counted.units == 0 || counted.units > int(all-from) {
			t.Errorf("hour %d: %d readings of %d units, of %d numbers", i, counted.reads, counted.units, all-from)
		}
		counted.reset()
		if w.run(); counted.reads > 0 {
			t.Errorf("hour %d: with nothing new, %d readings", i, counted.reads)
		}
	}
	want := objects(t, w.bucket)
	for _, test := range []struct {
		name    string
		maxKeys int
		reads   int
		times   int64 // that a number may be read
	}{
		{"behind", 0, 2 + 1, 1},
		{"far-behind", 1500, 2 + 1 + 2 + 48, 3}, // to plan days and an hour; to write days and their hours
	} {
		t.Run(test.name, func(t *testing.T) {
			again := *w
			again.t, again.bucket = t, memstore.New(nil)
			again.opts.Output, again.opts.MaxKeys = test.name, test.maxKeys
			counted.reset()
			got := map[string]int{}
			tally(got, again.run())
			if counted.reads != test.reads || counted.units > int(test.times*all) {
				t.Errorf("%d readings of %d units, of %d numbers; want %d, each number at most %d times", counted.reads, counted.units, all, test.reads, test.times)
			}
			if d := difference(objects(t, again.bucket), want); d != "" {
				t.Error(d)
			}
			if !maps.Equal(got, noticed) {
				t.Errorf("noticed %v; hour by hour it was %v", got, noticed)
			}
		})
	}
}

// tally adds up what a run noticed of the keys that it planned.
func tally(sums map[string]int, r *distribution.Report) {
	for pkg, n := range r.Shared {
		sums[pkg+" shared"] += n
	}
	for pkg, reasons := range r.LeftOut {
		for reason, n := range reasons {
			sums[pkg+" "+reason] += n
		}
	}
}

// lastNumber returns the last number of the log.
func (w *world) lastNumber() int64 {
	w.t.Helper()
	log, err := w.open(nil).Log(w.t.Context(), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return log.Last.Last
}

// TestReadPruned: where the ledger no longer has all of a day, the hours of it that it
// still has are published, though all are read together.
func TestReadPruned(t *testing.T) {
	w := newWorld(t, 2)
	w.clock = w.clock.Truncate(24 * time.Hour)
	w.policy.MinKeys, w.policy.MinUploads, w.policy.PruneAge = 0, 0, 15*24*time.Hour
	for i := range 3 {
		for range 5 {
			up := w.upload(de)
			if i > 0 { // only what is young
				up.Keys = slices.DeleteFunc(up.Keys, func(k keys.DiagnosisKey) bool { return k.End().Before(w.clock.Add(-8 * 24 * time.Hour)) })
			}
			w.accept(ledger.Own, up)
		}
		w.release()
	}
	w.clock = w.clock.Add(5 * 24 * time.Hour)
	w.release()
	if pruned, err := w.open(nil).Prune(t.Context()); err != nil || pruned.Removed == 0 {
		t.Fatal(pruned, err)
	}
	r := w.run()
	published := 0
	for _, p := range r.Published {
		if p.Package == "DE" && p.Keys > 0 && p.Window.End.Before(w.clock.Add(-48*time.Hour)) {
			published++
		}
	}
	var expired []string
	for _, p := range r.Expired {
		expired = append(expired, p.Package+" "+p.Span)
	}
	slices.Sort(expired)
	if want := []string{"DE day", "DE hour", "EUR day", "EUR hour"}; published != 2 || !slices.Equal(expired, want) {
		t.Errorf("%d hours of DE have keys, want 2; expired are %q, want %q", published, expired, want)
	}
}

// TestKeptInVain: who is beaten to a plan by a runner that goes by another map does not
// write what it has read for its own.
func TestKeptInVain(t *testing.T) {
	w := newWorld(t, 1)
	w.hours(2)
	other := *w
	other.packages = twoPackages()
	other.packages[0].Map = distribution.CWA(3)
	alone := w.copy()
	alone.packages = other.packages
	alone.run()

	beaten := false
	p, _ := w.publisher(nil, func(_ context.Context, c ledgertest.Call) ledgertest.Verdict {
		if c.Op == ledgertest.OpSwap && !beaten {
			beaten = true
			quicker, _ := other.publisher(nothingWritten, nil)
			if r, err := quicker.Run(t.Context()); err == nil {
				t.Errorf("the other runner was to plan and write nothing:\n%s", r)
			}
		}
		return ledgertest.Pass
	})
	r, err := p.Run(t.Context())
	if err != nil || !beaten {
		t.Fatalf("%v\n%s", err, r)
	}
	if d := difference(objects(t, w.bucket), objects(t, alone.bucket)); d != "" {
		t.Error(d)
	}
}

// nothingWritten fails whatever is more than to look at a bucket.
func nothingWritten(_ context.Context, c storagetest.Call) storagetest.Verdict {
	if c.Op != storagetest.OpList {
		return storagetest.Fail
	}
	return storagetest.Pass
}
