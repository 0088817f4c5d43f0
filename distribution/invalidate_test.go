package distribution_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/cwa"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// cache notes what it is told to forget.
type cache struct {
	err        error
	calls      int
	references map[string][]string
	forgotten  map[string]int // by name
}

func newCache() *cache {
	return &cache{references: map[string][]string{}, forgotten: map[string]int{}}
}

func (c *cache) Invalidate(_ context.Context, reference string, names []string) error {
	c.calls++
	if c.err != nil {
		return c.err
	}
	if before, ok := c.references[reference]; ok && !slices.Equal(before, names) {
		return errors.New("one reference for several sets of names")
	}
	c.references[reference] = names
	for _, name := range names {
		c.forgotten[name]++
	}
	return nil
}

// TestInvalidate: the cache is told once after a run that replaced something, of
// just that, and of nothing by any other run.
func TestInvalidate(t *testing.T) {
	w := newWorld(t, 1)
	w.british(nil)
	c := newCache()
	w.opts.Invalidator = c
	const current = "distribution/daily/2026030300.zip"
	for _, step := range []struct {
		hours int
		want  []string
	}{
		{4, nil}, // until 02:00: created, one closed and one open
		{0, nil},
		{1, nil},
		{1, []string{current}},
		{0, nil},
		{2, []string{current}},
		{18, []string{current}}, // until midnight: closed
		{2, nil},                // the next day's, created
	} {
		w.hours(step.hours)
		before := c.calls
		r := w.run()
		if !slices.Equal(r.Invalidated, step.want) {
			t.Errorf("%s: told of %q, want %q", w.clock, r.Invalidated, step.want)
		}
		if got, want := c.calls-before, min(1, len(step.want)); got != want {
			t.Errorf("%s: %d calls, want %d", w.clock, got, want)
		}
	}
}

// TestCacheDown: a cache that cannot be told for weeks holds up nothing, and then is
// told of everything once.
func TestCacheDown(t *testing.T) {
	w := newWorld(t, 1)
	c := newCache()
	w.opts.Invalidator = c
	w.hours(1)
	w.run()
	c.err = errors.New("the CDN is down")
	names := map[string]bool{}
	for range 60 {
		w.clock = w.clock.Add(11 * time.Hour)
		w.hours(1)
		for _, name := range w.run().Indexes {
			names[name] = true
		}
	}
	registers, err := w.open(nil).Registers(t.Context(), "distribution/cwa/stale")
	if err != nil || len(registers) != 1 {
		t.Fatalf("%d registers, %v", len(registers), err)
	}
	if n := strings.Count(string(registers[0].Value), `"run"`); n > len(names) {
		t.Errorf("%d entries for %d objects", n, len(names))
	}
	c.err = nil
	w.hours(1)
	if r := w.run(); len(r.Invalidated) == 0 || c.calls == 0 || slices.Max(slices.Collect(maps.Values(c.forgotten))) != 1 {
		t.Errorf("once it is up: %q, %v", r.Invalidated, c.forgotten)
	}
	if registers, err = w.open(nil).Registers(t.Context(), "distribution/cwa/stale"); err != nil || len(registers) != 0 {
		t.Errorf("%d registers are left, %v", len(registers), err)
	}
}

// TestTooMuchToName: where more is replaced than a register has names for, all is
// replaced and published nonetheless, and the cache is told of whatever there was.
func TestTooMuchToName(t *testing.T) {
	w := newWorld(t, 1)
	w.layout = newLayout(t, &cwa.Options{Path: cwa.Path{Prefix: strings.Repeat("p", 110)}}) // long names fill a register sooner
	c := newCache()
	w.opts.Invalidator, w.opts.Budget = c, -1
	for range 150 {
		w.release()
	}
	w.run()
	w.putBytes("elsewhere", []byte("somebody's"))
	damaged := 0
	for name := range objects(t, w.bucket) {
		if _, file := w.layout.Parse(name); file && !strings.HasSuffix(name, "hour/22") { // or it would not be our bucket
			w.putBytes(name, nil)
			damaged++
		}
	}
	w.hours(1)
	before := slices.Sorted(maps.Keys(objects(t, w.bucket)))
	c.err = errors.New("the CDN is down")
	if r := w.run(); len(r.Repaired) != damaged || len(r.Published) != 2 || len(r.Warnings) != 1 {
		t.Fatalf("repaired %d of %d, published %d, warnings %q", len(r.Repaired), damaged, len(r.Published), r.Warnings)
	}
	w.verify()
	registers, err := w.open(nil).Registers(t.Context(), "distribution/cwa/stale")
	if err != nil || len(registers) != 1 || len(registers[0].Value) > 1000 {
		t.Fatalf("%d registers, %v: want one that names nothing", len(registers), err)
	}

	c.err = nil
	w.hours(1)
	r := w.run()
	for _, name := range before {
		if told := slices.Contains(r.Invalidated, name); told != (name != "elsewhere") {
			t.Errorf("%s: told %v", name, told)
		}
	}
	if registers, err = w.open(nil).Registers(t.Context(), "distribution/cwa/stale"); err != nil || len(registers) != 0 {
		t.Errorf("%d registers are left, %v", len(registers), err)
	}
}

// TestInvalidateIndexes: what is told of is what was replaced, indexes too.
func TestInvalidateIndexes(t *testing.T) {
	w := newWorld(t, 1)
	c := newCache()
	w.opts.Invalidator = c
	w.hours(3)
	w.run()
	if c.calls > 0 {
		t.Error("told of what was only created")
	}
	before := objects(t, w.bucket)
	w.hours(1)
	r := w.run()
	var want []string
	for name, content := range objects(t, w.bucket) {
		if was, ok := before[name]; ok && string(was) != string(content) {
			want = append(want, name)
		}
	}
	slices.Sort(want)
	if !slices.Equal(r.Invalidated, want) || len(want) == 0 {
		t.Errorf("told of %q, want %q", r.Invalidated, want)
	}
}

// TestInvalidateAgain: a cache that cannot be told is a warning, and is told by the
// next run, by the same reference as long as nothing else is replaced.
func TestInvalidateAgain(t *testing.T) {
	w := newWorld(t, 1)
	w.british(nil)
	c := newCache()
	w.opts.Invalidator = c
	w.hours(4)
	w.run()
	w.hours(2)
	c.err = errors.New("no answer")
	r := w.run()
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "no answer") || r.Invalidated != nil {
		t.Errorf("warnings %q, told of %q", r.Warnings, r.Invalidated)
	}
	w.clock = w.clock.Add(time.Hour) // past the deadline of the run that failed
	c.err = nil
	if r := w.run(); len(r.Invalidated) != 1 || len(r.Open) != 0 {
		t.Errorf("told of %q\n%s", r.Invalidated, r)
	}
	if r := w.run(); r.Invalidated != nil {
		t.Errorf("told again of %q", r.Invalidated)
	}
}

// TestInvalidateFaults: whatever goes wrong in a run, what it replaced is told of
// in the end.
func TestInvalidateFaults(t *testing.T) {
	scene := newWorld(t, 1)
	scene.british(nil)
	scene.opts.Invalidator = newCache()
	scene.hours(4)
	scene.run()
	scene.hours(2)
	probe := scene.copy()
	probe.opts.Invalidator = newCache()
	calls := attempt(t, probe, nil)
	for i := 1; i <= calls; i++ {
		for _, after := range []bool{false, true} {
			w := scene.copy()
			c := newCache()
			w.opts.Invalidator = c
			n := 0
			p, _ := w.publisher(fault{i: after}.hooks(&n))
			p.Run(t.Context())
			w.clock = w.clock.Add(30 * time.Minute)
			told := c.calls
			w.run()
			if len(c.forgotten) != 1 {
				t.Errorf("fault %d, %v: told of %v, before it was tried again %d times", i, after, c.forgotten, told)
			}
			at := c.calls
			if w.run(); c.calls != at {
				t.Errorf("fault %d, %v: told again", i, after)
			}
		}
	}
	t.Logf("%d calls", calls)
}

// TestInvalidatePaused: a run that wakes up after another told the cache of what
// both were going to replace tells it again.
func TestInvalidatePaused(t *testing.T) {
	w := newWorld(t, 1)
	w.british(nil)
	c := newCache()
	w.opts.Invalidator = c
	w.hours(4)
	w.run()
	w.hours(2)
	told := 0
	paused := false
	p, _ := w.publisher(func(_ context.Context, call storagetest.Call) storagetest.Verdict {
		if call.Op == storagetest.OpReplace && !paused {
			paused = true
			w.bucketlessRun()
			told = c.calls
		}
		return storagetest.Pass
	}, func(context.Context, ledgertest.Call) ledgertest.Verdict { return ledgertest.Pass })
	if _, err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if told != 1 || c.calls != 2 {
		t.Errorf("told %d times, %d times before it woke up", c.calls, told)
	}
}

// bucketlessRun has another run tell the cache of everything, that fails at
// everything it puts.
func (w *world) bucketlessRun() {
	p, _ := w.publisher(func(_ context.Context, call storagetest.Call) storagetest.Verdict {
		if call.Op == storagetest.OpReplace {
			return storagetest.Fail
		}
		return storagetest.Pass
	}, nil)
	if _, err := p.Run(w.t.Context()); !errors.Is(err, distribution.ErrIncomplete) {
		w.t.Errorf("got %v", err)
	}
}
