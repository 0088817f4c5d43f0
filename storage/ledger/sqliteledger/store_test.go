package sqliteledger_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
)

// TestStore holds the store to the suite for all ledgers.
func TestStore(t *testing.T) {
	h := &handles{paths: map[ledger.Store]string{}, clocks: map[ledger.Store]func() time.Time{}}
	ledgertest.Test(t, h.new, &ledgertest.Options{
		Histories: volume(30, 2),
		Reopen: func(t *testing.T, s ledger.Store) ledger.Store {
			if err := s.(*sqliteledger.Store).Close(); err != nil {
				t.Fatal(err)
			}
			return h.open(t, h.paths[s], h.clocks[s])
		},
		Second: func(t *testing.T, s ledger.Store) ledger.Store {
			return h.open(t, h.paths[s], h.clocks[s])
		},
		Copy: func(t *testing.T, s ledger.Store) ledger.Store {
			path := filepath.Join(t.TempDir(), "copy.db")
			backUp(t, h.paths[s], path)
			return h.open(t, path, h.clocks[s])
		},
	})
}

// handles remembers where stores are.
type handles struct {
	paths  map[ledger.Store]string
	clocks map[ledger.Store]func() time.Time
}

func (h *handles) new(t *testing.T, clock func() time.Time) ledger.Store {
	return h.open(t, filepath.Join(t.TempDir(), "ledger.db"), clock)
}

func (h *handles) open(t *testing.T, path string, clock func() time.Time) ledger.Store {
	s, err := sqliteledger.Open(t.Context(), path, &sqliteledger.Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	h.paths[s], h.clocks[s] = path, clock
	return s
}

// backUp copies a ledger as its package comment says.
func backUp(t *testing.T, from, to string) {
	db, err := sql.Open("sqlite", from)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "VACUUM INTO ?", to); err != nil {
		t.Fatal(err)
	}
}
