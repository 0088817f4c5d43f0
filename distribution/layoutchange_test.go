package distribution_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/cwa"
	"github.com/gaenkit/gaen/distribution/deltaset"
	"github.com/gaenkit/gaen/distribution/nhs"
)

// TestLayoutChanges: a layout whose windows or names are others than those of what is
// published is refused, and nothing is changed; with what it was, it goes on.
func TestLayoutChanges(t *testing.T) {
	none := time.Duration(0)
	deltas := func(o deltaset.Options) distribution.Layout { return newDeltas(t, &o) }
	german := func(o cwa.Options) distribution.Layout { return newLayout(t, &o) }
	for _, test := range []struct {
		name     string
		was, is  distribution.Layout
		mentions string
	}{
		{"windows earlier", german(cwa.Options{}), german(cwa.Options{Offset: -15 * time.Minute}), "offset"}, // by the same names
		{"windows later", german(cwa.Options{}), german(cwa.Options{Offset: 15 * time.Minute}), "offset"},
		{"windows not moved any more", german(cwa.Options{Offset: 15 * time.Minute}), german(cwa.Options{}), "offset"},
		{"hours of two digits", german(cwa.Options{}), german(cwa.Options{HourDigits: 2}), "hour/00"},
		{"files in folders", german(cwa.Options{}), german(cwa.Options{Index: "index"}), "/index"},
		{"British windows", newNHS(t, nil), newNHS(t, &nhs.Options{Offset: &none}), "offset"},
		{"longer intervals", deltas(deltaset.Options{}), deltas(deltaset.Options{Interval: 2 * time.Hour}), "lengths"},
		{"longer intervals, by day", deltas(deltaset.Options{Files: deltaset.ByDay}), deltas(deltaset.Options{Files: deltaset.ByDay, Interval: 2 * time.Hour}), "lengths"},
		{"files by day", deltas(deltaset.Options{}), deltas(deltaset.Options{Files: deltaset.ByDay}), ".gz"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, 1)
			w.british(nil) // which has one package, as all layouts can
			w.layout = test.was
			w.hours(5)
			w.run()
			before := objects(t, w.bucket)
			w.layout = test.is
			w.hours(2)
			p, _ := w.publisher(nil, nil)
			if r, err := p.Run(t.Context()); err == nil || !strings.Contains(err.Error(), test.mentions) {
				t.Errorf("got %v, want an error that says %q\n%s", err, test.mentions, r)
			}
			if d := difference(objects(t, w.bucket), before); d != "" {
				t.Errorf("refused, and %s", d)
			}
			w.layout = test.was
			w.run()
			w.verify()
		})
	}
}

// TestLayoutMoves: a tree that is copied to another place is taken for what it is, and
// made again where it was not.
func TestLayoutMoves(t *testing.T) {
	for _, copied := range []bool{true, false} {
		w := newWorld(t, 1)
		w.hours(4)
		w.run()
		for name, content := range objects(t, w.bucket) {
			if copied {
				w.putBytes("new/"+name, content)
			}
			w.delete(name)
		}
		w.layout = newLayout(t, &cwa.Options{Path: cwa.Path{Prefix: "new"}})
		if r := w.run(); copied != (r.Written == 0) {
			t.Errorf("copied %v: %d archives were written", copied, r.Written)
		}
		w.verify()
	}
}
