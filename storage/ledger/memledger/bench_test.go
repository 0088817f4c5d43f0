package memledger_test

import (
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// BenchmarkOrder withdraws 100,000 released keys, and reinstates them.
func BenchmarkOrder(b *testing.B) {
	ledgertest.BenchmarkOrder(b, ledgertest.NewScene(b, func(clock func() time.Time) (ledger.Store, error) {
		return memledger.New(&memledger.Options{Clock: clock}), nil
	}))
}
