package killtest_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	_ "modernc.org/sqlite" // the driver that sqliteledger uses

	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/internal/s3test"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/filestore"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
	"github.com/gaenkit/gaen/storage/s3store"
)

// place is where a service keeps its ledger and publishes, in words that another
// process understands.
type place struct {
	Ledger string // sqlite:PATH or the URL of a PostgreSQL database
	Bucket string // files:PATH or s3:NAME@URL
}

// site is a place of which the test can make backups: copyLedger returns where a
// copy of a ledger is.
type site struct {
	place
	copyLedger func(t *testing.T, ledger string) string
}

// sites are those that services are killed in, by name.
var sites = map[string]func(*testing.T) site{
	"sqlite and files": inFiles,
	"postgres and s3":  onServers,
}

func inFiles(t *testing.T) site {
	dir := t.TempDir()
	www := filepath.Join(dir, "www")
	if err := os.Mkdir(www, 0o755); err != nil {
		t.Fatal(err)
	}
	n := 0
	return site{
		place: place{Ledger: "sqlite:" + filepath.Join(dir, "ledger.db"), Bucket: "files:" + www},
		copyLedger: func(t *testing.T, ledger string) string {
			n++
			to := filepath.Join(dir, fmt.Sprintf("copy-%d.db", n))
			vacuumInto(t, strings.TrimPrefix(ledger, "sqlite:"), to)
			return "sqlite:" + to
		},
	}
}

func onServers(t *testing.T) site {
	postgres := pgtest.Shared(t)
	pool := postgres.Database(t)
	return site{
		place: place{Ledger: pool.Config().ConnString(), Bucket: "s3:tree@" + s3test.Start(t, "tree").URL},
		copyLedger: func(t *testing.T, ledger string) string {
			from, err := pgxpool.New(t.Context(), ledger)
			if err != nil {
				t.Fatal(err)
			}
			defer from.Close()
			return postgres.Copy(t, from).Config().ConnString()
		},
	}
}

// vacuumInto copies a database as SQLite wants it done.
func vacuumInto(t *testing.T, from, to string) {
	t.Helper()
	db, err := sql.Open("sqlite", from)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "VACUUM INTO ?", to); err != nil {
		t.Fatal(err)
	}
}

// open opens what is at a place. The caller closes the store.
func (p place) open(ctx context.Context, clock func() time.Time) (store, storage.Bucket, error) {
	b, err := p.openBucket(ctx)
	if err != nil {
		return nil, nil, err
	}
	s, err := p.openLedger(ctx, clock)
	return s, b, err
}

// store is a ledger store that can be closed.
type store interface {
	ledger.Store
	Close() error
}

func (p place) openLedger(ctx context.Context, clock func() time.Time) (store, error) {
	if path, ok := strings.CutPrefix(p.Ledger, "sqlite:"); ok {
		return sqliteledger.Open(ctx, path, &sqliteledger.Options{Clock: clock})
	}
	pool, err := pgxpool.New(ctx, p.Ledger)
	if err != nil {
		return nil, err
	}
	s, err := pgledger.Open(ctx, pool, &pgledger.Options{Clock: clock})
	return pooled{s, pool}, err
}

// pooled is a store that closes its pool.
type pooled struct {
	*pgledger.Store
	pool *pgxpool.Pool
}

func (p pooled) Close() error {
	p.pool.Close()
	return nil
}

func (p place) openBucket(ctx context.Context) (storage.Bucket, error) {
	if path, ok := strings.CutPrefix(p.Bucket, "files:"); ok {
		return filestore.New(path, nil)
	}
	name, url, _ := strings.Cut(strings.TrimPrefix(p.Bucket, "s3:"), "@")
	return s3store.New(ctx, s3test.Client(url), name, nil)
}
