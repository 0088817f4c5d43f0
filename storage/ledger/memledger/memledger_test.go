package memledger_test

import (
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

func TestStore(t *testing.T) {
	ledgertest.Test(t, func(t *testing.T, clock func() time.Time) ledger.Store {
		return memledger.New(&memledger.Options{Clock: clock})
	}, &ledgertest.Options{
		Copy:   func(_ *testing.T, s ledger.Store) ledger.Store { return s.(*memledger.Store).Copy() },
		Second: func(_ *testing.T, s ledger.Store) ledger.Store { return s }, // memory is shared by one process only
	})
}
