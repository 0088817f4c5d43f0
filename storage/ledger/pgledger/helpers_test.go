package pgledger_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
)

// volume returns how much of something a test does: n, or with the race detector
// slowly, which is enough to find races.
func volume(n, slowly int) int {
	if slow {
		return slowly
	}
	return n
}

// fresh returns a pool of connections to an empty database.
func fresh(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	return pgtest.Database(tb)
}

// another returns another pool of connections to a database, as another process
// has one.
func another(tb testing.TB, pool *pgxpool.Pool) *pgxpool.Pool {
	tb.Helper()
	return pgtest.Shared(tb).Pool(tb, pool.Config().ConnConfig.Database)
}

func open(tb testing.TB, pool *pgxpool.Pool, opts *pgledger.Options) *pgledger.Store {
	tb.Helper()
	s, err := pgledger.Open(tb.Context(), pool, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// eager lets a cut take whatever is due.
func eager() *ledger.Policy {
	p := ledger.DefaultPolicy()
	p.MinKeys, p.MinUploads, p.MinWithdrawnUploads = 0, 0, 0
	p.MaxCut, p.MaxDay, p.Quota = 1e7, 1e7, 1e9
	return &p
}
