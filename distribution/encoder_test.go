package distribution_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/deltaset"
)

// spanned is a delta set with other spans.
type spanned struct {
	*deltaset.Layout
	spans []distribution.Span
}

func (s spanned) Spans() []distribution.Span { return s.spans }

// spannedArchives is a layout of archives with other spans.
type spannedArchives struct {
	distribution.Layout
	spans []distribution.Span
}

func (s spannedArchives) Spans() []distribution.Span { return s.spans }

// TestSpansOfEncoders: spans that an encoder may not have, or that the ledger cannot
// serve, are refused at construction.
func TestSpansOfEncoders(t *testing.T) {
	w := newWorld(t, 1)
	const day = 24 * hour
	good := newDeltas(t, nil).Spans()
	with := func(i int, change func(s *distribution.Span)) []distribution.Span {
		spans := append([]distribution.Span(nil), good...)
		change(&spans[i])
		return spans
	}
	for _, test := range []struct {
		spans []distribution.Span
		want  string
	}{
		{good, ""},
		{with(0, func(s *distribution.Span) { s.State, s.Keep = true, 1 }), "not the base"},
		{with(1, func(s *distribution.Span) { s.Keep = 0 }), "keeps at least one"},
		{with(1, func(s *distribution.Span) { s.Days = 0 }), "keys of 0 days"},
		{with(0, func(s *distribution.Span) { s.Days = -1 }), "keys of -1 days"},
		{with(1, func(s *distribution.Span) { s.Expire = true }), "only the base"},
		{with(1, func(s *distribution.Span) { s.Days = 15 }), "needs keys for 360h"},
		{with(0, func(s *distribution.Span) { s.Days, s.Expire = 13, true }), "needs keys for 360h"},
		{with(0, func(s *distribution.Span) { s.Days, s.Expire = 12, true }), ""},
		{with(0, func(s *distribution.Span) { s.Retain = hour }), "at least a day"},
	} {
		_, err := distribution.New(w.open(nil), w.bucket, spanned{newDeltas(t, nil), test.spans}, w.packages, w.ring, nil)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%+v: got %v, want %q", test.spans, err, test.want)
		}
	}
	for _, span := range []distribution.Span{{State: true, Keep: 1}, {Days: 1}, {Expire: true}} {
		span.Name, span.Length, span.Retain = "hour", time.Hour, day
		_, err := distribution.New(w.open(nil), w.bucket, spannedArchives{w.layout, []distribution.Span{span}}, w.packages, w.ring, nil)
		if err == nil || !strings.Contains(err.Error(), "for encoders") {
			t.Errorf("archives with %+v: got %v", span, err)
		}
	}
}

// TestDeltasDamaged: what was published and is altered is written again; what is
// there before it was published, with another content, is a conflict; and a tree of
// another ledger is left alone.
func TestDeltasDamaged(t *testing.T) {
	w := newWorld(t, 1)
	w.opts.Parallel = 1 // the faults are counted
	w.layout = newDeltas(t, nil)
	w.hours(2)
	w.run()
	want := objects(t, w.bucket)
	newest := w.clock.Unix()/3600 - 1
	exposures := fmt.Sprint("deltaset/DE/exposures/", newest)
	line := []byte("00000000000000000000000000000001 20513 2953872 144 1 -\n")

	for name, content := range map[string][]byte{"no record": []byte("<html>"), "another record": line, "nothing": nil} {
		c := w.copy()
		c.putBytes(exposures, content)
		if r := c.run(); len(r.Repaired) != 1 || r.Repaired[0] != exposures {
			t.Errorf("%s: repaired %q", name, r.Repaired)
		}
		if d := difference(objects(t, c.bucket), want); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}

	conflict := w.copy()
	p, _ := conflict.publisher(nil, failSwaps())
	conflict.hours(1)
	if _, err := p.Run(t.Context()); err == nil {
		t.Fatal("nothing failed")
	}
	conflict.putBytes(fmt.Sprint("deltaset/DE/exposures/", newest+1), line)
	p, _ = conflict.publisher(nil, nil)
	r, err := p.Run(t.Context())
	if !errors.Is(err, distribution.ErrIncomplete) || len(r.Conflicts) != 1 {
		t.Errorf("got %v and conflicts %v, want one", err, r.Conflicts)
	}

	other := newWorld(t, 2)
	other.layout = w.layout
	other.hours(2)
	other.run()
	other.bucket = w.copy().bucket
	other.hours(1)
	p, _ = other.publisher(nil, nil)
	if _, err := p.Run(t.Context()); !errors.Is(err, distribution.ErrForeign) {
		t.Errorf("another ledger's tree: %v, want ErrForeign", err)
	}
}

// TestVerifyDeltas plants what can be wrong with a delta set, and has the verifier
// find it.
func TestVerifyDeltas(t *testing.T) {
	w := newWorld(t, 1)
	w.layout = newDeltas(t, nil)
	w.hours(3)
	w.run()
	w.verify()
	newest := w.clock.Unix()/3600 - 1
	const root = "deltaset/DE/"
	exposures := fmt.Sprint(root, "exposures/", newest)
	for _, test := range []struct {
		name   string
		plant  func(w *world)
		object string
		want   string
	}{
		{"missing file", func(w *world) { w.delete(exposures) }, exposures, "it is not there"},
		{"altered file", func(w *world) { w.putBytes(exposures, nil) }, exposures, "an index says"},
		{"no record", func(w *world) { w.putBytes(exposures, []byte("x\n")) }, exposures, "malformed record"},
		{"altered sums", func(w *world) { w.putBytes(root+"SHA256SUMS", objects(t, w.bucket)[root+"exposures/SHA256SUMS"]) }, "indexes", "not signed"},
		{"sums of a folder at the top", func(w *world) {
			w.putBytes(root+"SHA256SUMS", objects(t, w.bucket)[root+"exposures/SHA256SUMS"])
			w.putBytes(root+"SHA256SUMS.sig", objects(t, w.bucket)[root+"exposures/SHA256SUMS.sig"])
		}, "indexes", "folder exposures"},
		{"no signature", func(w *world) { w.delete(root + "snapshot/SHA256SUMS.sig") }, "indexes", "snapshot/SHA256SUMS"},
		{"missing sums", func(w *world) { w.delete(root + "retractions/SHA256SUMS") }, "indexes", "retractions/SHA256SUMS"},
		{"latest behind", func(w *world) { w.putBytes(root+"latest", []byte("1\n")) }, "indexes", "says 1"},
		{"no packages", func(w *world) { w.delete("deltaset/packages") }, "indexes", "packages"},
		{"packages no list", func(w *world) { w.putBytes("deltaset/packages", []byte("../..\n")) }, "indexes", "no package"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := w.copy()
			c.t = t
			test.plant(c)
			r := c.inspect(nil)
			for _, f := range r.Findings {
				if f.Object == test.object && strings.Contains(f.Problem, test.want) {
					return
				}
			}
			t.Errorf("not found; found %v", r.Findings)
		})
	}
}

// TestLatePlan: what a window's snapshot would need may be pruned when it is carried
// out days later; it is given up then, and the deltas are published all the same.
func TestLatePlan(t *testing.T) {
	w := newWorld(t, 1)
	w.opts.Parallel = 1 // the faults are counted
	w.layout = newDeltas(t, nil)
	w.hours(1)
	p, _ := w.publisher(nil, failSwaps())
	p.Run(t.Context()) // has planned
	snapshot := fmt.Sprint("deltaset/DE/snapshot/", w.clock.Unix()/3600-1)
	w.delete(snapshot)
	w.clock = w.clock.Add(30 * time.Hour)
	w.release()
	r := w.run()
	expired := map[string]bool{}
	for _, e := range r.Expired {
		expired[e.Package+" "+e.Span] = true
	}
	if len(expired) != 2 || !expired["DE snapshot"] || !expired["EUR snapshot"] {
		t.Errorf("expired: %v", expired)
	}
	if _, there := objects(t, w.bucket)[snapshot]; there {
		t.Error("the snapshot is there")
	}
	w.verify()
}
