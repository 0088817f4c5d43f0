package sqliteledger_test

import (
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
)

// TestCanonicalOrder releases keys that differ in one field or in several, or in
// nothing but the origin, and expects SQLite to number them in the order of
// [keys.DiagnosisKey.Compare].
func TestCanonicalOrder(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "ledger.db"), nil)
	r := rand.New(rand.NewPCG(11, 12))
	n := volume(20_000, 1000)
	units := make(map[ledger.UnitID]*ledger.Unit, n)
	for range n {
		k := orderedKey(r)
		units[ledger.IDOf(&k)] = &ledger.Unit{
			Key: k, Claims: []ledger.Claim{{Source: "p", Key: k}},
		}
	}
	err := s.Accept(t.Context(), &ledger.Intake{Decide: func(*ledger.Standing) (*ledger.Changes, error) {
		c := &ledger.Changes{}
		for _, u := range units {
			c.Units = append(c.Units, u)
		}
		return c, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	// Half of each group, so that the order also decides which half.
	want := slices.Collect(maps.Values(units))
	slices.SortFunc(want, func(a, b *ledger.Unit) int { return a.Key.Compare(&b.Key) })
	want = firstHalves(want)
	releaseHalves(t, s)

	var got []int64
	numbers := map[ledger.UnitID]int64{}
	for rec, err := range s.Find(t.Context(), ledger.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Unit.Released() {
			numbers[rec.ID] = rec.Unit.Events[0].Number
			got = append(got, rec.Unit.Events[0].Number)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d units have a number, want %d", len(got), len(want))
	}
	for i, u := range want {
		if numbers[u.ID()] != int64(i+1) {
			t.Fatalf("unit %d in canonical order has number %d: %+v", i+1, numbers[u.ID()], u.Key)
		}
	}
}

var orderedOrigins = []keys.Region{
	keys.MustRegion("DE"), keys.MustRegion("DE-BY"), keys.MustRegion("DE-B"), keys.MustRegion("D0"),
	keys.MustRegion("419"), keys.MustRegion("GB-EAW"), keys.MustRegion("AB-CD-EF"),
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func maybe[T comparable](r *rand.Rand, from ...T) keys.Optional[T] {
	if r.IntN(3) == 0 {
		return keys.Optional[T]{}
	}
	return keys.Some(pick(r, from))
}

// orderedKey returns a key of which every field is often the same as another's.
func orderedKey(r *rand.Rand) keys.DiagnosisKey {
	k := keys.DiagnosisKey{
		TemporaryExposureKey: keys.TemporaryExposureKey{
			RollingStartIntervalNumber: pick(r, []keys.Interval{-1 << 31, -1, 0, 1, 255, 256, 2_600_000, 1<<31 - 1}),
			RollingPeriod:              pick(r, []uint8{0, 1, 127, 128, 144, 255}),
			TransmissionRiskLevel:      maybe[keys.TransmissionRiskLevel](r, 0, 1, 8, 255),
			ReportType:                 maybe[keys.ReportType](r, 0, 1, 5, 200),
			DaysSinceOnsetOfSymptoms:   maybe[keys.DaysSinceOnset](r, -32768, -14, -1, 0, 14, 4014),
			VariantOfConcern:           maybe[keys.VariantOfConcern](r, 0, 1, 128),
		},
		Origin:   pick(r, orderedOrigins),
		TestType: keys.TestType(r.IntN(4)),
	}
	for i := range k.KeyData {
		k.KeyData[i] = pick(r, []byte{0, 1, 127, 128, 255})
	}
	return k
}

// firstHalves returns the first half of each origin's units, in their order.
func firstHalves(all []*ledger.Unit) (halves []*ledger.Unit) {
	total, taken := map[keys.Region]int{}, map[keys.Region]int{}
	for _, u := range all {
		total[u.Key.Origin]++
	}
	for _, u := range all {
		if taken[u.Key.Origin] < total[u.Key.Origin]/2 {
			taken[u.Key.Origin]++
			halves = append(halves, u)
		}
	}
	return halves
}

func releaseHalves(t *testing.T, s ledger.Store) {
	t.Helper()
	_, err := s.Release(t.Context(), &ledger.Release{
		Begin: func(st *ledger.Start) (time.Time, ledger.Holds, error) { return st.Now, ledger.Holds{}, nil },
		Choose: func(groups []ledger.Group) (*ledger.Choice, error) {
			c := &ledger.Choice{}
			for _, g := range groups {
				c.Take = append(c.Take, ledger.Take{GroupID: g.GroupID, Keys: g.Keys / 2})
			}
			return c, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestReadOrder expects a range in the order of its numbers, however large.
func TestReadOrder(t *testing.T) {
	now := time.Date(2021, 6, 1, 12, 0, 0, 0, time.UTC)
	s := open(t, filepath.Join(t.TempDir(), "ledger.db"), &sqliteledger.Options{Clock: func() time.Time { return now }})
	w := newWriter(t, s)
	n := volume(9000, 4200) // more than two chunks, or one
	w.accept(n)
	now = now.Add(24 * time.Hour)
	report, err := w.ledger.Release(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := int64(1)
	for u, err := range s.Read(t.Context(), 0, report.Cut.Last) {
		if err != nil {
			t.Fatal(err)
		}
		if u.Events[0].Number != want {
			t.Fatalf("number %d follows %d", u.Events[0].Number, want-1)
		}
		want++
	}
	if want != int64(n)+1 {
		t.Errorf("read %d units of %d", want-1, n)
	}
}

// TestReadOneMoment changes units while a range is read that they are in.
func TestReadOneMoment(t *testing.T) {
	now := time.Date(2021, 6, 1, 12, 0, 0, 0, time.UTC)
	s := open(t, filepath.Join(t.TempDir(), "ledger.db"), &sqliteledger.Options{Clock: func() time.Time { return now }})
	w := newWriter(t, s)
	const n = 4200 // more than is read at a time
	w.accept(n)
	now = now.Add(24 * time.Hour)
	report, err := w.ledger.Release(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var last *ledger.Unit
	for u, err := range s.Read(t.Context(), n-1, n) {
		if err != nil {
			t.Fatal(err)
		}
		last = u.Clone()
	}
	first := true
	for u, err := range s.Read(t.Context(), 0, report.Cut.Last) {
		if err != nil {
			t.Fatal(err)
		}
		if first {
			first = false
			if r, err := w.ledger.Withdraw(t.Context(), last.ID()); err != nil || r.Done != 1 {
				t.Fatalf("got %+v, %v", r, err)
			}
		}
		if u.OperatorWithdrew {
			t.Fatal("a change shows that was made after the reading had begun")
		}
	}
}
