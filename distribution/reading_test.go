package distribution_test

import (
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage/memstore"
)

// reset forgets what was counted.
func (s *countedStore) reset() { s.reads, s.units = 0, 0 }

// TestReadOnce: a run reads the log once for all packages and all of what it plans,
// whatever is in how many files. One that has too much to do to keep what it has
// planned reads once to plan, and once or twice to write. All publish the same.
func TestReadOnce(t *testing.T) {
	w := newWorld(t, 1)
	w.clock = w.clock.Truncate(24 * time.Hour)
	w.policy.MinKeys, w.policy.MinUploads, w.policy.MaxDay = 0, 0, 1200
	counted := &countedStore{Store: w.store}
	w.store = counted

	var day, all int64 // where the day began, and what is published
	for i := 1; i <= 49; i++ {
		w.hours(1)
		counted.reset()
		w.run()
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
		{"far-behind", 1200, 2 + 1 + 2 + 48, 3}, // to plan days and an hour; to write days and their hours
	} {
		t.Run(test.name, func(t *testing.T) {
			again := *w
			again.t, again.bucket = t, memstore.New(nil)
			again.opts.Output, again.opts.MaxKeys = test.name, test.maxKeys
			counted.reset()
			again.run()
			if counted.reads != test.reads || counted.units > int(test.times*all) {
				t.Errorf("%d readings of %d units, of %d numbers; want %d, each number at most %d times", counted.reads, counted.units, all, test.reads, test.times)
			}
			if d := difference(objects(t, again.bucket), want); d != "" {
				t.Error(d)
			}
		})
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
