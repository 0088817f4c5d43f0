package sqliteledger_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
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
	got := ledgertest.ReadAllocations(t, func(t *testing.T, clock func() time.Time) ledger.Store {
		return open(t, filepath.Join(t.TempDir(), "ledger.db"), &sqliteledger.Options{Clock: clock})
	})
	if got > allocsPerUnit {
		t.Errorf("%.2f allocations for each unit, at most %d", got, allocsPerUnit)
	}
}
