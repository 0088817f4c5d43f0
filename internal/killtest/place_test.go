package killtest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver that sqliteledger uses

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/filestore"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
)

// place is where a service keeps its ledger and publishes, in words that another
// process understands.
type place struct {
	Ledger string // sqlite:PATH
	Bucket string // files:PATH
}

// places are those that services are killed in, by name.
var places = map[string]func(*testing.T) site{
	"sqlite and files": inFiles,
}

// site is a place of which the test can make backups.
type site struct {
	place
	backUp func(t *testing.T) (restore func(t *testing.T))
}

func inFiles(t *testing.T) site {
	dir := t.TempDir()
	www := filepath.Join(dir, "www")
	if err := os.Mkdir(www, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "ledger.db")
	n := 0
	return site{
		place: place{Ledger: "sqlite:" + path, Bucket: "files:" + www},
		backUp: func(t *testing.T) func(*testing.T) {
			n++
			copied := filepath.Join(dir, fmt.Sprintf("backup-%d.db", n))
			vacuumInto(t, path, copied)
			return func(t *testing.T) {
				for _, beside := range []string{"", "-wal", "-shm"} {
					if err := os.Remove(path + beside); err != nil && !errors.Is(err, os.ErrNotExist) {
						t.Fatal(err)
					}
				}
				vacuumInto(t, copied, path)
			}
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
	b, err := p.openBucket()
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
	switch kind, at, _ := strings.Cut(p.Ledger, ":"); kind {
	case "sqlite":
		return sqliteledger.Open(ctx, at, &sqliteledger.Options{Clock: clock})
	}
	return nil, fmt.Errorf("no ledger is kept at %q", p.Ledger)
}

func (p place) openBucket() (storage.Bucket, error) {
	switch kind, at, _ := strings.Cut(p.Bucket, ":"); kind {
	case "files":
		return filestore.New(at, nil)
	}
	return nil, fmt.Errorf("no bucket is at %q", p.Bucket)
}
