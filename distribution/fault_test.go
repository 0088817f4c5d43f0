package distribution_test

import (
	"context"
	"errors"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// fault is what goes wrong in a run: the verdicts on its calls, bucket and
// ledger counted together.
type fault map[int]bool // call number -> lost answer instead of no effect

// hooks returns hooks that share one count of calls.
func (f fault) hooks(n *int) (storagetest.Hook, ledgertest.Hook) {
	bucket := func(context.Context, storagetest.Call) storagetest.Verdict {
		*n++
		after, ok := f[*n]
		switch {
		case !ok:
			return storagetest.Pass
		case after:
			return storagetest.FailAfter
		}
		return storagetest.Fail
	}
	led := func(context.Context, ledgertest.Call) ledgertest.Verdict {
		*n++
		after, ok := f[*n]
		switch {
		case !ok:
			return ledgertest.Pass
		case after:
			return ledgertest.FailAfter
		}
		return ledgertest.Fail
	}
	return bucket, led
}

// scenes are states of the world at which a run has something different to do,
// each in every kind of bucket.
func scenes(t *testing.T) map[string]*world {
	all := map[string]*world{}
	for _, kind := range bucketKinds {
		begin := func(seed uint64) *world {
			w := newWorld(t, seed)
			w.bucket = kind.new(t)
			return w
		}
		first := begin(1)
		first.hours(3) // over midnight

		later := begin(2)
		later.hours(1)
		later.run()
		later.hours(2)

		midday := begin(4)
		midday.clock = midday.clock.Add(12 * time.Hour)
		midday.hours(1)
		midday.run()
		midday.hours(1)

		retention := begin(3)
		retention.layout = newLayout(t, retentionOfADay)
		retention.hours(3)
		retention.run()
		retention.clock = retention.clock.Add(30 * time.Hour)
		retention.release()
		retention.run() // unlists
		retention.clock = retention.clock.Add(time.Hour)
		retention.release()
		for name, w := range map[string]*world{"first": first, "later": later, "midday": midday, "retention": retention} {
			all[name+" in "+string(kind)] = w
		}
	}
	return all
}

// attempt runs a publisher with faults. It returns how many calls were made.
func attempt(t *testing.T, w *world, f fault) int {
	t.Helper()
	n := 0
	p, _ := w.publisher(f.hooks(&n))
	report, err := p.Run(t.Context())
	if err == nil && len(report.Failed) > 0 {
		t.Errorf("faults %v: failures %v, and no error", f, report.Failed)
	}
	if errors.Is(err, distribution.ErrForeign) {
		t.Errorf("faults %v: %v", f, err)
	}
	return n
}

var exhaustive = flag.Bool("exhaustive", false, "try every pair of faults also in files (minutes), not every tenth")

// TestFaults is invariant 2: after a fault at every call, and at every pair of
// calls, the next run ends in the very bucket that a run without faults makes.
func TestFaults(t *testing.T) {
	for name, scene := range scenes(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scene.t = t
			_, files := scene.bucket.(folder)
			sparing := files && !*exhaustive
			reference := scene.copy()
			reference.opts.Parallel = 1
			reference.run()
			reference.run()
			want := objects(t, reference.bucket)
			reference.verify()

			probe := scene.copy()
			probe.opts.Parallel = 1
			calls := attempt(t, probe, nil)

			trial := func(f fault) {
				w := scene.copy()
				w.opts.Parallel = 1
				attempt(t, w, f)
				w.run()
				w.run()
				if d := difference(objects(t, w.bucket), want); d != "" {
					t.Errorf("faults %v: %s", f, d)
				}
			}
			for i := 1; i <= calls; i++ {
				for _, after := range []bool{false, true} {
					trial(fault{i: after})
					if testing.Short() {
						continue
					}
					for j := i + 1; j <= calls+2; j++ {
						if sparing && (i+j)%10 != 0 {
							continue
						}
						trial(fault{i: after, j: true})
						trial(fault{i: after, j: false})
					}
				}
			}
			t.Logf("%d calls", calls)
		})
	}
}

// TestPausedRunner is invariant 2 for a run that is paused before any of its
// calls while another does the same work, or goes on for hours; then it wakes
// up.
func TestPausedRunner(t *testing.T) {
	for name, scene := range scenes(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scene.t = t
			probe := scene.copy()
			probe.opts.Parallel = 1
			calls := attempt(t, probe, nil)

			for _, hours := range []int{0, 2} {
				reference := scene.copy()
				reference.hours(hours)
				reference.run()
				once := objects(t, reference.bucket)
				reference.run()
				want := objects(t, reference.bucket)
				for at := 1; at <= calls; at++ {
					w := scene.copy()
					w.opts.Parallel = 1
					pausedAt(t, w, at, func() {
						w.hours(hours)
						w.run()
					})
					if d := difference(objects(t, w.bucket), once); d != "" && !strings.HasPrefix(name, "retention") {
						t.Errorf("paused at call %d for %d hours, it undid something: %s", at, hours, d)
					}
					w.run()
					w.run()
					if d := difference(objects(t, w.bucket), want); d != "" {
						t.Errorf("paused at call %d for %d hours: %s", at, hours, d)
					}
				}
			}
		})
	}
}

// pausedAt runs a publisher that is paused before a call while something else
// happens.
func pausedAt(t *testing.T, w *world, at int, meanwhile func()) {
	t.Helper()
	n := 0
	pause := func() {
		if n++; n == at {
			meanwhile()
		}
	}
	p, _ := w.publisher(
		func(context.Context, storagetest.Call) storagetest.Verdict { pause(); return storagetest.Pass },
		func(context.Context, ledgertest.Call) ledgertest.Verdict { pause(); return ledgertest.Pass },
	)
	report, err := p.Run(t.Context())
	if err != nil && !errors.Is(err, distribution.ErrIncomplete) {
		t.Errorf("paused at call %d: %v\n%s", at, err, report)
	}
}
