package pgledger_test

import (
	"math"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
)

// allocsPerUnit is what reading may allocate: the four texts of a row.
const allocsPerUnit = 5

// TestReadAllocates: a unit that is read costs few allocations, however many columns
// it has.
func TestReadAllocates(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	s := open(t, fresh(t), &pgledger.Options{Clock: func() time.Time { return now }})
	l, err := ledger.Open(t.Context(), s, &ledger.Options{Policy: eager()})
	if err != nil {
		t.Fatal(err)
	}
	gen := keystest.New(1, &keystest.Options{EndOfPeriod: true})
	d := &ledger.Delivery{Source: ledger.Own}
	const want = 5000
	for n := 0; n < want; {
		up := gen.Upload(now)
		d.Uploads = append(d.Uploads, ledger.Upload{ID: up.ID, Keys: up.Keys})
		n += len(up.Keys)
	}
	if _, err := l.Accept(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	now = now.Add(24 * time.Hour)
	if _, err := l.Release(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	units := 0
	allocs := testing.AllocsPerRun(2, func() {
		units = 0
		for _, err := range s.Read(t.Context(), 0, math.MaxInt64) {
			if err != nil {
				t.Fatal(err)
			}
			units++
		}
	})
	if units < want {
		t.Fatalf("%d units", units)
	}
	t.Logf("%.2f allocations for each of %d units", allocs/float64(units), units)
	if allocs > float64(allocsPerUnit*units) {
		t.Errorf("%.2f allocations for each of %d units, at most %d", allocs/float64(units), units, allocsPerUnit)
	}
}
