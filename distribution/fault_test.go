package distribution_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/deltaset"
	"github.com/gaenkit/gaen/distribution/nhs"
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

// scenes are states of the world at which a run has something different to do.
var scenes = map[string]struct {
	seed uint64
	live func(w *world)
}{
	"first": {1, func(w *world) { w.hours(3) }}, // over midnight
	"later": {2, func(w *world) {
		w.hours(1)
		w.run()
		w.hours(2)
	}},
	"midday": {4, func(w *world) {
		w.clock = w.clock.Add(12 * time.Hour)
		w.hours(1)
		w.run()
		w.hours(1)
	}},
	"abandoned": {5, func(w *world) { // archives are there, and noted as written by nobody
		w.hours(2)
		p, _ := w.publisher(nil, failSwaps())
		if _, err := p.Run(w.t.Context()); err == nil {
			w.t.Fatal("nothing failed")
		}
	}},
	"retention": {3, func(w *world) {
		w.layout = newLayout(w.t, retentionOfADay)
		w.hours(3)
		w.run()
		w.clock = w.clock.Add(30 * time.Hour)
		w.release()
		w.run() // unlists
		w.clock = w.clock.Add(time.Hour)
		w.release()
	}},
	"open: first": {6, func(w *world) {
		w.british(nil)
		w.hours(4)
	}},
	"open: more": {7, func(w *world) {
		w.british(nil)
		w.hours(4)
		w.run()
		w.hours(2)
	}},
	"open: over": {8, func(w *world) {
		w.british(nil)
		w.clock = w.clock.Add(20 * time.Hour)
		w.hours(4)
		w.run()
		w.hours(2) // until midnight
	}},
	"open: late": {9, func(w *world) {
		w.british(nil)
		w.clock = w.clock.Add(20 * time.Hour)
		w.hours(2)
		w.run()
		w.clock = w.clock.Add(8 * time.Hour)
		w.hours(1)
	}},
	"open: abandoned": {10, func(w *world) { // a version is there, and remembered by nobody
		w.british(nil)
		w.hours(4)
		p, _ := w.publisher(failAfter("daily/2026030300.zip"))
		if _, err := p.Run(w.t.Context()); err == nil {
			w.t.Fatal("nothing failed")
		}
		w.hours(2)
	}},
	"open: retention": {11, func(w *world) {
		w.british(&nhs.Options{Days: 1})
		w.hours(4)
		w.run()
		w.clock = w.clock.Add(46 * time.Hour)
		w.hours(1)
		w.run()
		w.clock = w.clock.Add(4 * time.Hour)
		w.hours(1)
	}},
	"deltas": {12, func(w *world) { // a layout that is no archives, over midnight
		w.layout = newDeltas(w.t, &deltaset.Options{Gzip: true})
		w.hours(1)
		w.run()
		w.hours(2)
	}},
	"deltas by day": {13, func(w *world) { // of which snapshots go
		w.layout = newDeltas(w.t, &deltaset.Options{Files: deltaset.ByDay, Snapshots: 1, Announce: true, Days: 2})
		w.hours(2)
		w.run()
		w.hours(1)
		w.run() // unlists
		w.clock = w.clock.Add(time.Hour)
		w.release()
	}},
}

// failAfter fails every swap after an object of this name was written.
func failAfter(name string) (storagetest.Hook, ledgertest.Hook) {
	written := false
	bucket := func(_ context.Context, c storagetest.Call) storagetest.Verdict {
		written = written || strings.HasSuffix(c.Name, name) && (c.Op == storagetest.OpCreate || c.Op == storagetest.OpReplace)
		return storagetest.Pass
	}
	return bucket, func(_ context.Context, c ledgertest.Call) ledgertest.Verdict {
		if written && c.Op == ledgertest.OpSwap {
			return ledgertest.Fail
		}
		return ledgertest.Pass
	}
}

// failSwaps fails every swap but the first, which commits plans.
func failSwaps() ledgertest.Hook {
	swaps := 0
	return func(_ context.Context, c ledgertest.Call) ledgertest.Verdict {
		if c.Op == ledgertest.OpSwap {
			swaps++
		}
		if swaps < 2 || c.Op != ledgertest.OpSwap {
			return ledgertest.Pass
		}
		return ledgertest.Fail
	}
}

// eachScene runs a test of every scene in every kind of place. In it, a run does
// one thing after the other.
func eachScene(t *testing.T, kinds []placeKind, test func(t *testing.T, scene *world, kind placeKind)) {
	for _, kind := range kinds {
		for name := range scenes {
			if kind == onServers && isOpen(name) && !*exhaustive {
				continue // TestPlacesAgree has them there
			}
			t.Run(name+" in "+string(kind), func(t *testing.T) {
				t.Parallel()
				test(t, newScene(t, name, kind), kind)
			})
		}
	}
}

// isOpen reports whether a scene is one with an open file.
func isOpen(scene string) bool { return strings.HasPrefix(scene, "open:") }

// newScene makes the scene of a name. Wherever it is, it is the same.
func newScene(t *testing.T, name string, kind placeKind) *world {
	t.Helper()
	w := newWorldIn(t, kind, scenes[name].seed)
	w.opts.Parallel = 1
	scenes[name].live(w)
	return w
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

var exhaustive = flag.Bool("exhaustive", false, "try every pair of faults, every pause also on servers, and many pairs there (minutes)")

// sparing says that of what could go wrong a test tries every n-th; none if n is
// 0.
type sparing struct{ faults, pairs, pauses int }

// sparing is what a kind of place is quick enough for.
func (k placeKind) sparing() sparing {
	switch {
	case k == onServers && testing.Short():
		return sparing{faults: 20, pauses: 40}
	case k == onServers && *exhaustive:
		return sparing{faults: 1, pairs: 10, pauses: 1}
	case k == onServers:
		return sparing{faults: 1, pauses: 5}
	case k == inFiles && testing.Short():
		return sparing{faults: 3, pauses: 5}
	case testing.Short():
		return sparing{faults: 1, pauses: 1}
	case k == inFiles && !*exhaustive:
		return sparing{faults: 1, pairs: 40, pauses: 2}
	case !*exhaustive:
		return sparing{faults: 1, pairs: 5, pauses: 1}
	}
	return sparing{faults: 1, pairs: 1, pauses: 1}
}

// sparing is that of the kind of place; of the scenes of other layouts, which are
// more and whose runs make more calls, fewer are tried.
func (w *world) sparing(kind placeKind) sparing {
	s := kind.sparing()
	if w.layout.Name() == "cwa" || *exhaustive {
		return s
	}
	s.pauses = max(s.pauses, 6)
	if s.pairs > 0 {
		s.pairs = max(s.pairs, 397)
	}
	if kind != inMemory {
		s.faults, s.pairs, s.pauses = max(s.faults, 12), 0, max(s.pauses, 40)
	}
	return s
}

// TestFaults is invariant 2: after a fault at every call, and at every pair of
// calls, the next run ends in the very bucket that a run without faults makes. The
// tree can be read in between, too.
func TestFaults(t *testing.T) {
	eachScene(t, placeKinds, func(t *testing.T, scene *world, kind placeKind) {
		want := scene.settled()
		probe := scene.copy()
		calls := attempt(t, probe, nil)
		probe.discard()

		tried := 0
		trial := func(f fault) {
			tried++
			w := scene.copy()
			defer w.discard()
			attempt(t, w, f)
			if len(f) == 1 {
				w.readable(fmt.Sprintf("after faults %v", f))
			}
			w.run()
			w.run()
			if d := difference(objects(t, w.bucket), want); d != "" {
				t.Errorf("faults %v: %s", f, d)
			}
		}
		spare := scene.sparing(kind)
		for i := 1; i <= calls; i++ {
			for n, after := range []bool{false, true} {
				if (2*i+n)%spare.faults == 0 {
					trial(fault{i: after})
				}
				for j := i + 1; spare.pairs > 0 && j <= calls+2; j++ {
					if (i+j)%spare.pairs == 0 {
						trial(fault{i: after, j: true})
						trial(fault{i: after, j: false})
					}
				}
			}
		}
		t.Logf("%d calls, %d faults", calls, tried)
	})
}

// TestReadAtAnyTime: whoever reads the tree before any call of a run finds nothing
// wrong with it.
func TestReadAtAnyTime(t *testing.T) {
	eachScene(t, placeKinds, func(t *testing.T, scene *world, _ placeKind) {
		n := 0
		read := func() {
			n++
			scene.readable(fmt.Sprintf("before call %d", n))
		}
		p, _ := scene.publisher(
			func(context.Context, storagetest.Call) storagetest.Verdict { read(); return storagetest.Pass },
			func(context.Context, ledgertest.Call) ledgertest.Verdict { read(); return ledgertest.Pass },
		)
		if _, err := p.Run(t.Context()); err != nil {
			t.Error(err)
		}
		if n == 0 {
			t.Error("no calls")
		}
	})
}

// TestPlacesAgree: the same is published wherever it is, and the same remembered.
func TestPlacesAgree(t *testing.T) {
	end := func(t *testing.T, name string, kind placeKind) (map[string][]byte, []string) {
		t.Helper()
		w := newScene(t, name, kind)
		w.run()
		w.run()
		found, err := w.store.Registers(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		var registers []string
		for _, r := range found {
			registers = append(registers, r.Name)
		}
		return objects(t, w.bucket), registers
	}
	for _, kind := range placeKinds[1:] {
		t.Run(string(kind), func(t *testing.T) {
			for name := range scenes {
				want, wantRegisters := end(t, name, inMemory)
				got, registers := end(t, name, kind)
				if strings.HasPrefix(name, "deltas") { // whose sums name the ledger
					want, got = withoutSums(want), withoutSums(got)
				}
				if d := difference(got, want); d != "" {
					t.Errorf("%s: %s", name, d)
				}
				if !slices.Equal(registers, wantRegisters) {
					t.Errorf("%s: got registers %q, want %q", name, registers, wantRegisters)
				}
			}
		})
	}
}

// settled returns what the world's bucket comes to without faults, which must
// verify.
func (w *world) settled() map[string][]byte {
	w.t.Helper()
	c := w.copy()
	defer c.discard()
	c.run()
	c.run()
	c.verify()
	return objects(c.t, c.bucket)
}

// TestPausedRunner is invariant 2 for a run that is paused before any of its
// calls while another does the same work, or goes on for hours; then it wakes
// up.
func TestPausedRunner(t *testing.T) {
	eachScene(t, placeKinds, func(t *testing.T, scene *world, kind placeKind) {
		probe := scene.copy()
		calls := attempt(t, probe, nil)
		probe.discard()
		for _, hours := range []int{0, 2} {
			reference := scene.copy()
			reference.hours(hours)
			reference.run()
			once := objects(t, reference.bucket)
			reference.run()
			want := objects(t, reference.bucket)
			reference.discard()
			for at := 1; at <= calls; at++ {
				if (2*at+hours/2)%scene.sparing(kind).pauses != 0 {
					continue
				}
				w := scene.copy()
				pausedAt(t, w, at, func() {
					w.hours(hours)
					w.run()
				})
				if hours > 0 { // which hours have a snapshot depends on when there was a run
					once, want = deltasAlone(once), deltasAlone(want)
				}
				if d := difference(w.same(hours), once); d != "" && !strings.Contains(t.Name(), "retention") {
					t.Errorf("paused at call %d for %d hours, it undid something: %s", at, hours, d)
				}
				w.run()
				w.run()
				if strings.Contains(t.Name(), "deltas") {
					w.verify()
				}
				if d := difference(w.same(hours), want); d != "" {
					t.Errorf("paused at call %d for %d hours: %s", at, hours, d)
				}
				w.discard()
			}
		}
	})
}

// same returns what must be in the bucket whether there was a run every hour or
// not.
func (w *world) same(hours int) map[string][]byte {
	w.t.Helper()
	all := objects(w.t, w.bucket)
	if hours == 0 {
		return all
	}
	return deltasAlone(all)
}

// deltasAlone leaves snapshots out, and what lists them.
func deltasAlone(all map[string][]byte) map[string][]byte {
	maps.DeleteFunc(all, func(name string, _ []byte) bool { return strings.Contains(name, "/snapshot/") })
	return withoutSums(all)
}

// withoutSums leaves out the indexes of delta sets that say when they were made.
func withoutSums(all map[string][]byte) map[string][]byte {
	maps.DeleteFunc(all, func(name string, _ []byte) bool { return strings.Contains(name, "/SHA256SUMS") })
	return all
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
