package distribution_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/nhs"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// british has the world publish the British layout, in which a day has an open
// file.
func (w *world) british(opts *nhs.Options) {
	w.t.Helper()
	w.layout = newNHS(w.t, opts)
	w.packages = []distribution.Package{{
		Name: "DE", Select: distribution.FromEverywhere(), Map: distribution.NHS(), FromBeginning: true,
	}}
}

func newNHS(t testing.TB, opts *nhs.Options) *nhs.Layout {
	t.Helper()
	signer, err := signing.NewSigner(signing.Identity{KeyID: "metadata", KeyVersion: "v1"}, fixedKey(t, "metadata"), nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := nhs.New("DE", signer, opts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestOpenHistories publishes random histories with random faults in a layout that
// has an open file, and compares two hours with the model, days with their hours,
// and every file with what it was (invariants 1 to 5).
func TestOpenHistories(t *testing.T) {
	n := *histories / 4
	if testing.Short() {
		n = min(n, 4)
	}
	for i := range n {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			h := &history{world: newWorldIn(t, []placeKind{inMemory, inFiles}[seed%2], seed), seen: map[string][]byte{}, fixed: true}
			h.british(nil)
			for range 30 + h.rand.IntN(30) {
				h.hour()
				if t.Failed() {
					return
				}
			}
			h.clock = h.clock.Add(7 * hour)
			h.release()
			h.model.look(t, h.open(nil), h.clock.Truncate(hour), h.packages)
			h.cleanRun()
			h.cleanRun()
			h.verify()
			h.compareTwoHours()
			t.Logf("%d hours, %d archives, %d units pruned", len(h.model.hours), len(h.seen), h.pruned)
		})
	}
}

// compareTwoHours checks the base windows of the British layout against the model:
// those that are closed.
func (h *history) compareTwoHours() {
	h.t.Helper()
	const length, offset = 2 * hour, -15 * time.Minute
	want := h.model.wantOf("DE", func(cut time.Time) time.Time {
		return cut.Add(-1 - offset).Truncate(length).Add(length + offset)
	})
	last := h.clock.Truncate(hour)
	for end := range want {
		if end.After(last) {
			delete(want, end)
		}
	}
	h.compareFiles("DE", want, h.have("DE", "two-hourly"))
}

// TestOpenNeedsReplace: where the bucket cannot replace on a condition, nothing is
// written.
func TestOpenNeedsReplace(t *testing.T) {
	w := newWorld(t, 1)
	w.british(nil)
	w.hours(4)
	if _, err := distribution.New(w.open(nil), storagetest.Minimal(w.bucket), w.layout, w.packages, w.ring, &w.opts); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("New: got %v", err)
	}
	w.bucket = storagetest.Faulty(storagetest.Minimal(w.bucket), nil) // one that learns it when it is asked
	p, _ := w.publisher(nil, nil)
	if _, err := p.Run(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Run: got %v", err)
	}
	if n := len(objects(t, w.bucket)); n > 0 {
		t.Errorf("%d objects were written", n)
	}
}

// TestOpenUnchanged: a run with nothing new asks the bucket for its list alone.
func TestOpenUnchanged(t *testing.T) {
	w := newWorld(t, 1)
	w.british(nil)
	for _, hours := range []int{4, 2, 1} {
		w.hours(hours)
		w.run()
		p, b := w.publisher(nil, nil)
		if r, err := p.Run(t.Context()); err != nil || r.Written > 0 {
			t.Errorf("%v\n%s", err, r)
		}
		for _, c := range b.Calls() {
			if c.Op != storagetest.OpList {
				t.Errorf("after %d hours: %s %s", hours, c.Op, c.Name)
			}
		}
	}
}

// TestOpenDamaged: a version that somebody broke is written again, one that says
// something else stops the package.
func TestOpenDamaged(t *testing.T) {
	const current = "distribution/daily/2026030300.zip"
	scene := newWorld(t, 1)
	scene.british(nil)
	scene.hours(4)
	scene.run()
	for name, test := range map[string]struct {
		content  func(w *world) []byte // nil deletes it
		hours    int
		repaired bool
		conflict bool
	}{
		"deleted":               {nil, 0, false, false},
		"deleted, and more":     {nil, 2, false, false},
		"broken":                {func(*world) []byte { return []byte("no zip") }, 0, true, false},
		"broken, and more":      {func(*world) []byte { return []byte("no zip") }, 2, true, false},
		"broken, and over":      {func(*world) []byte { return []byte("no zip") }, 22, true, false},
		"another file":          {func(w *world) []byte { return objects(w.t, w.bucket)["distribution/two-hourly/2026030200.zip"] }, 0, false, true},
		"another file, as over": {func(w *world) []byte { return objects(w.t, w.bucket)["distribution/two-hourly/2026030200.zip"] }, 22, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			want := scene.copy()
			want.hours(test.hours)
			want.run()
			w := scene.copy()
			w.t = t
			if test.content == nil {
				if err := storage.Delete(t.Context(), w.bucket, current); err != nil {
					t.Fatal(err)
				}
			} else if _, err := storage.Put(t.Context(), w.bucket, current, bytes.NewReader(test.content(w)), nil); err != nil {
				t.Fatal(err)
			}
			w.hours(test.hours)
			p, _ := w.publisher(nil, nil)
			r, err := p.Run(t.Context())
			if test.conflict {
				if len(r.Conflicts) != 1 || !errors.Is(err, distribution.ErrIncomplete) {
					t.Errorf("got %v\n%s", err, r)
				}
				return
			}
			if err != nil || len(r.Repaired) > 0 != test.repaired {
				t.Errorf("got %v\n%s", err, r)
			}
			if d := difference(objects(t, w.bucket), objects(t, want.bucket)); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestOpenStops: where two hours cannot be written, the day holds what was before
// them, is not closed, and no later file appears.
func TestOpenStops(t *testing.T) {
	w := newWorld(t, 1)
	w.british(nil)
	w.hours(4)
	w.run()
	w.hours(26)
	p, _ := w.publisher(func(_ context.Context, c storagetest.Call) storagetest.Verdict {
		if strings.HasSuffix(c.Name, "two-hourly/2026030210.zip") {
			return storagetest.Fail
		}
		return storagetest.Pass
	}, nil)
	if r, err := p.Run(t.Context()); !errors.Is(err, distribution.ErrIncomplete) || len(r.Failed) != 1 {
		t.Errorf("got %v\n%s", err, r)
	}
	all := objects(t, w.bucket)
	if got, want := headerOf(t, all["distribution/daily/2026030300.zip"]).End, time.Date(2026, 3, 2, 7, 45, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("the day ends at %s, want %s", got, want)
	}
	for _, name := range []string{"two-hourly/2026030212.zip", "daily/2026030400.zip"} {
		if _, ok := all["distribution/"+name]; ok {
			t.Errorf("%s is there", name)
		}
	}
	w.verify()
	w.run()
	w.verify()
	if got, want := headerOf(t, objects(t, w.bucket)["distribution/daily/2026030300.zip"]).End, time.Date(2026, 3, 2, 23, 45, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("in the end the day ends at %s, want %s", got, want)
	}
}

// TestLayoutsRefused: what makes no sense is found when a publisher is made.
func TestLayoutsRefused(t *testing.T) {
	w := newWorld(t, 1)
	w.british(nil)
	for want, change := range map[string]func(spans []distribution.Span) []distribution.Span{
		"several open spans": func(s []distribution.Span) []distribution.Span { return append(s, s[1]) },
		"is open, which":     func(s []distribution.Span) []distribution.Span { return s[1:] },
		"in parts":           func(s []distribution.Span) []distribution.Span { s[1].Parts = true; return s },
	} {
		l := otherSpans{w.layout, change(w.layout.Spans())}
		if _, err := distribution.New(w.open(nil), w.bucket, l, w.packages, w.ring, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
	w.packages[0].Name = "FR"
	if _, err := distribution.New(w.open(nil), w.bucket, w.layout, w.packages, w.ring, nil); err == nil || !strings.Contains(err.Error(), "no names for a package FR") {
		t.Errorf("got %v", err)
	}
}

type otherSpans struct {
	distribution.Layout
	spans []distribution.Span
}

func (l otherSpans) Spans() []distribution.Span { return l.spans }
