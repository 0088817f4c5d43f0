package sqliteledger_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
)

func openPath(ctx context.Context, path string, clock func() time.Time) (ledger.Store, error) {
	return sqliteledger.Open(ctx, path, &sqliteledger.Options{Clock: clock})
}

func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	ledgertest.TestKilled(t, path, openPath, volume(40, 5))
	checkIntegrity(t, path)
}
