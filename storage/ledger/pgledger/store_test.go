package pgledger_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
)

// TestStore holds the store to the suite for all ledgers.
func TestStore(t *testing.T) {
	h := &handles{pools: map[ledger.Store]*pgxpool.Pool{}, clocks: map[ledger.Store]func() time.Time{}}
	ledgertest.Test(t, h.new, &ledgertest.Options{
		Histories: volume(20, 2),
		Reopen: func(t *testing.T, s ledger.Store) ledger.Store {
			h.pools[s].Close()
			return h.open(t, another(t, h.pools[s]), h.clocks[s])
		},
		Second: func(t *testing.T, s ledger.Store) ledger.Store {
			return h.open(t, another(t, h.pools[s]), h.clocks[s])
		},
		Copy: func(t *testing.T, s ledger.Store) ledger.Store {
			return h.open(t, pgtest.Shared(t).Copy(t, h.pools[s]), h.clocks[s])
		},
	})
}

// handles remembers where stores are.
type handles struct {
	pools  map[ledger.Store]*pgxpool.Pool
	clocks map[ledger.Store]func() time.Time
}

func (h *handles) new(t *testing.T, clock func() time.Time) ledger.Store {
	return h.open(t, fresh(t), clock)
}

func (h *handles) open(t *testing.T, pool *pgxpool.Pool, clock func() time.Time) ledger.Store {
	s := open(t, pool, &pgledger.Options{Clock: clock})
	h.pools[s], h.clocks[s] = pool, clock
	return s
}
