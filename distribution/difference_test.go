package distribution_test

import (
	"strings"
	"testing"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
)

// treeOf opens the tree in a bucket.
func (w *world) treeOf(b storage.Bucket, rings ...*signing.Ring) *distribution.Tree {
	w.t.Helper()
	public := w.ring.PublicKeys()
	for _, r := range rings {
		public = append(public, r.PublicKeys()...)
	}
	trusted, err := signing.NewTrustList(public...)
	if err != nil {
		w.t.Fatal(err)
	}
	t, err := distribution.OpenTree(w.t.Context(), b, w.layout, trusted, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return t
}

// TestCompareTrees plants what two trees can differ in.
func TestCompareTrees(t *testing.T) {
	const (
		date  = tree + "/DE/date/2026-03-02"
		hour0 = date + "/hour/0"
		hour1 = date + "/hour/1"
	)
	w := newWorld(t, 1)
	w.hours(28)
	w.run()
	other := newRing(t, "999-v1")
	for _, test := range []struct {
		name   string
		plant  func(w *world)
		want   distribution.Difference
		first  int // windows that only the first has
		second int
	}{
		{name: "nothing", plant: func(*world) {}},
		{name: "another signer", plant: func(w *world) {
			w.putArchive(hour0, contentOf(t, objects(t, w.bucket)[hour0]), other)
		}},
		{name: "a key more", want: distribution.Difference{OnlySecond: 1}, plant: func(w *world) {
			c := contentOf(t, objects(t, w.bucket)[hour0])
			c.Keys = append(c.Keys, someKeys(t, 1)...)
			w.putArchive(hour0, c, w.ring)
		}},
		{name: "two keys less", want: distribution.Difference{OnlyFirst: 2}, plant: func(w *world) {
			c := contentOf(t, objects(t, w.bucket)[hour0])
			c.Keys = c.Keys[2:]
			w.putArchive(hour0, c, w.ring)
		}},
		{name: "another risk", want: distribution.Difference{Otherwise: 1}, plant: func(w *world) {
			c := contentOf(t, objects(t, w.bucket)[hour0])
			c.Keys[0].TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(0))
			w.putArchive(hour0, c, w.ring)
		}},
		{name: "new as revised", want: distribution.Difference{Otherwise: 1}, plant: func(w *world) {
			c := contentOf(t, objects(t, w.bucket)[hour0])
			c.Keys, c.RevisedKeys = c.Keys[1:], append(c.RevisedKeys, c.Keys[0])
			w.putArchive(hour0, c, w.ring)
		}},
		{name: "another hour's archive", want: distribution.Difference{Problem: "start_timestamp"}, plant: func(w *world) {
			w.putBytes(hour0, objects(t, w.bucket)[hour1])
		}},
		{name: "damaged", want: distribution.Difference{Problem: "zip"}, plant: func(w *world) {
			w.putBytes(hour0, []byte("no archive"))
		}},
		{name: "hours less", first: 22, plant: func(w *world) { w.putBytes(date+"/hour", []byte("[0,1]")) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := w.copy()
			test.plant(b)
			for _, back := range []bool{false, true} {
				one, two, want := w.treeOf(w.bucket), w.treeOf(b.bucket, other), test.want
				first, second := test.first, test.second
				if back {
					one, two, first, second = two, one, second, first
					want.OnlyFirst, want.OnlySecond = want.OnlySecond, want.OnlyFirst
				}
				c, err := distribution.CompareTrees(t.Context(), one, two)
				if err != nil {
					t.Fatal(err)
				}
				checkComparison(t, c, want, first, second)
			}
		})
	}
	if _, err := distribution.CompareTrees(t.Context(), w.treeOf(w.bucket), deltaTree(t)); err == nil {
		t.Error("compares two layouts")
	}
}

func checkComparison(t *testing.T, c *distribution.Comparison, want distribution.Difference, first, second int) {
	t.Helper()
	windows := func(all []distribution.Missing) (n int) {
		for _, m := range all {
			n += m.Windows
		}
		return n
	}
	if windows(c.OnlyFirst) != first || windows(c.OnlySecond) != second {
		t.Errorf("only the first: %v, only the second: %v", c.OnlyFirst, c.OnlySecond)
	}
	if want == (distribution.Difference{}) {
		if len(c.Differences) > 0 || c.Equal() != (first+second == 0) || c.Windows == 0 || c.Keys == 0 {
			t.Errorf("finds %+v", c)
		}
		return
	}
	if len(c.Differences) != 1 || c.Equal() {
		t.Fatalf("finds %+v", c)
	}
	d := c.Differences[0]
	if d.OnlyFirst != want.OnlyFirst || d.OnlySecond != want.OnlySecond || d.Otherwise != want.Otherwise || !strings.Contains(d.Problem, want.Problem) || d.Package != "DE" || d.Span != "hour" {
		t.Errorf("finds %s", &d)
	}
}

func deltaTree(t *testing.T) *distribution.Tree {
	w := newWorld(t, 2)
	w.layout = newDeltas(t, nil)
	w.hours(3)
	w.run()
	return w.treeOf(w.bucket)
}
