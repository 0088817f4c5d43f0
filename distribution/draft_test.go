package distribution

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// TestDraftAllocates: what a key costs on its way from the ledger into a file that
// there is room for is no memory.
func TestDraftAllocates(t *testing.T) {
	const n = 1000
	identity := Identity()
	d := &draft{committed: &committed{plan: plan{Start: noon.Add(-time.Hour), End: noon}}, limits: []int64{0, n / 2, n}}
	d.viewer = &viewer{maps: map[string]*PublicationMap{"identity": &identity}, leftOut: map[string]int{},
		state: &packageState{Epochs: []epoch{{Select: FromOrigin(keys.MustRegion("DE")), Map: "identity"}}}}
	d.content = &export.Content{Keys: make([]keys.TemporaryExposureKey, 0, n)}
	gen := keystest.New(1, &keystest.Options{Origins: []keys.Region{keys.MustRegion("DE")}, EndOfPeriod: true})
	var units []*ledger.Unit
	for i, k := range gen.Keys(noon.Add(-3*time.Hour), n)[:n] {
		e := ledger.Event{Number: int64(i + 1), Own: ledger.Active, Partners: ledger.Active, ReportType: k.ReportType, Sources: "own"}
		units = append(units, &ledger.Unit{Key: k, Events: []ledger.Event{e}})
	}
	allocs := testing.AllocsPerRun(3, func() {
		d.content.Keys = d.content.Keys[:0]
		for _, u := range units {
			d.add(u, u.Events[0].Number, u.Events[0].Number)
		}
	})
	if len(d.content.Keys) != n || d.revised != 0 {
		t.Fatalf("%d keys of %d, %d revised", len(d.content.Keys), n, d.revised)
	}
	if allocs > 0 {
		t.Errorf("%v allocations for %d keys", allocs, n)
	}
}

// planned is a plan of hours from midnight on, of as many keys.
func planned(pkg string, from, to, weight int) *committed {
	midnight := noon.Truncate(24 * time.Hour)
	hours := func(n int) time.Time { return midnight.Add(time.Duration(n) * time.Hour) }
	return &committed{pkg: pkg, plan: plan{Start: hours(from), End: hours(to), Parts: []part{{Keys: weight}}}}
}

// TestSweeps: what one reading can give is put together, as far as there is room for
// it, and everything stays in the order of time.
func TestSweeps(t *testing.T) {
	inZone := planned("B", 1, 2, 2)
	inZone.Start = inZone.Start.In(time.FixedZone("", 3600))
	for _, test := range []struct {
		name  string
		plans []*committed
		most  int
		want  []string
	}{
		{"none", nil, 10, nil},
		{"one window of two packages", []*committed{planned("A", 1, 2, 2), inZone}, 10, []string{"A1-2 B1-2"}},
		{"too much for one", []*committed{planned("A", 1, 2, 6), planned("B", 1, 2, 6)}, 10, []string{"A1-2", "B1-2"}},
		{"exactly enough", []*committed{planned("A", 1, 2, 5), planned("B", 1, 2, 5)}, 10, []string{"A1-2 B1-2"}},
		{"more than there may be", []*committed{planned("A", 1, 2, 60)}, 10, []string{"A1-2"}},
		{"hours of a day", []*committed{planned("A", 24, 25, 1), planned("A", 23, 24, 1), planned("A", 0, 24, 2), planned("A", 0, 1, 1)}, 10,
			[]string{"A0-1 A0-24 A23-24", "A24-25"}},
		{"all hours of a day or none", []*committed{planned("A", 0, 24, 8), planned("A", 0, 1, 1), planned("A", 1, 2, 1), planned("A", 23, 24, 1)}, 10,
			[]string{"A0-1", "A1-2", "A0-24", "A23-24"}},
		{"hours of a day in pieces", []*committed{planned("A", 0, 24, 8), planned("B", 0, 24, 8), planned("A", 0, 1, 1), planned("B", 0, 1, 1)}, 10,
			[]string{"A0-1 B0-1", "A0-24", "B0-24"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := slices.Clone(test.plans)
			var got []string
			for _, s := range sweeps(test.plans, (*plan).total, test.most) {
				line, weight := "", 0
				for _, c := range s.plans {
					hour := func(at time.Time) int { return int(at.Sub(noon.Truncate(24*time.Hour)) / time.Hour) }
					line += " " + c.pkg + strconv.Itoa(hour(c.Start)) + "-" + strconv.Itoa(hour(c.End))
					weight += c.total()
				}
				if got = append(got, line[1:]); weight != s.weight {
					t.Errorf("%s weighs %d, and says %d", line[1:], weight, s.weight)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if !slices.Equal(test.plans, before) {
				t.Error("the plans were reordered")
			}
		})
	}
}

// TestDraftSorts: files of several parts are cut from what is in canonical order, of
// revised keys too.
func TestDraftSorts(t *testing.T) {
	lists := [2][]keys.TemporaryExposureKey{}
	gen := keystest.New(1, nil)
	for i := range lists {
		for _, k := range gen.Keys(noon, 50) {
			lists[i] = append(lists[i], k.TemporaryExposureKey)
		}
	}
	d := &draft{content: &export.Content{Keys: lists[0], RevisedKeys: lists[1]}}
	d.sort()
	for i, list := range lists {
		if !slices.IsSortedFunc(list, func(a, b keys.TemporaryExposureKey) int { return a.Compare(&b) }) {
			t.Errorf("list %d is not in canonical order", i)
		}
	}
}
