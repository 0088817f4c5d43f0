package pgledger_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
)

func TestMain(m *testing.M) {
	ledgertest.Victim(openURL)
	os.Exit(pgtest.Main(m))
}

// pooled is a store with a pool of its own.
type pooled struct {
	*pgledger.Store
	pool *pgxpool.Pool
}

func (p pooled) Close() error {
	p.pool.Close()
	return nil
}

// openURL opens the ledger in a database, once the server has noticed that whoever
// was at work there is dead.
func openURL(ctx context.Context, url string, clock func() time.Time) (ledger.Store, error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, err
	}
	const others = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()`
	for n := 1; n > 0; time.Sleep(10 * time.Millisecond) {
		if err := pool.QueryRow(ctx, others).Scan(&n); err != nil {
			return nil, err
		}
	}
	s, err := pgledger.Open(ctx, pool, &pgledger.Options{Clock: clock})
	return pooled{s, pool}, err
}

func TestKilled(t *testing.T) {
	pool := fresh(t)
	url := pgtest.Shared(t).URL(pool.Config().ConnConfig.Database)
	ledgertest.TestKilled(t, url, openURL, volume(40, 5))
	checkIntegrity(t, pool)
}

// TestServerCrash has a server crash that was told not to wait for the disk.
func TestServerCrash(t *testing.T) {
	// The longest that the server may leave to itself what to write and when.
	settings := pgtest.Settings{"synchronous_commit": "off", "wal_writer_delay": "10000", "wal_writer_flush_after": "0"}
	server, err := pgtest.Start(settings)
	pgtest.Need(t, err)
	defer server.Stop()
	ledgertest.TestServerCrash(t, server.URL("postgres"), openURL, func() {
		if err := server.Restart(settings); err != nil {
			t.Fatal(err)
		}
	}, volume(4, 1))
}
