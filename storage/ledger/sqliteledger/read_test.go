package sqliteledger_test

import (
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
)

// allocsPerUnit is what reading may allocate: what the driver makes of each column,
// and the name of an upload for every dozen.
const allocsPerUnit = 10

// TestReadAllocates: a unit that is read costs as many allocations as it has columns,
// and not as many as it has fields.
func TestReadAllocates(t *testing.T) {
	if slow {
		t.Skip("the race detector finds nothing in a count")
	}
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	s, err := sqliteledger.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), &sqliteledger.Options{Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	policy := ledger.DefaultPolicy()
	policy.MinKeys, policy.MinUploads = 0, 0
	l, err := ledger.Open(t.Context(), s, &ledger.Options{Policy: &policy})
	if err != nil {
		t.Fatal(err)
	}
	gen := keystest.New(1, &keystest.Options{Origins: []keys.Region{keys.MustRegion("DE")}, EndOfPeriod: true})
	const want = 8192 // two chunks
	d := &ledger.Delivery{Source: ledger.Own}
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
