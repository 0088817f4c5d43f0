package pgledger_test

import (
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
)

// allocsPerUnit is what reading may allocate: the four texts of a row.
const allocsPerUnit = 5

// TestReadAllocates: a unit that is read costs few allocations, however many columns
// it has.
func TestReadAllocates(t *testing.T) {
	got := ledgertest.ReadAllocations(t, func(t *testing.T, clock func() time.Time) ledger.Store {
		return open(t, fresh(t), &pgledger.Options{Clock: clock})
	})
	if got > allocsPerUnit {
		t.Errorf("%.2f allocations for each unit, at most %d", got, allocsPerUnit)
	}
}
