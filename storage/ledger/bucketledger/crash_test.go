//go:build unix

package bucketledger_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage/filestore"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/bucketledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
)

func TestMain(m *testing.M) {
	ledgertest.Victim(openFolder)
	os.Exit(m.Run())
}

// openFolder opens the ledger in a folder, which makes a snapshot every six steps.
func openFolder(ctx context.Context, dir string, clock func() time.Time) (ledger.Store, error) {
	b, err := filestore.New(dir, &filestore.Options{NoSync: true})
	if err != nil {
		return nil, err
	}
	return bucketledger.Open(ctx, b, &bucketledger.Options{Clock: clock, MaxSegments: 6})
}

func TestKilled(t *testing.T) { ledgertest.TestKilled(t, t.TempDir(), openFolder, volume(25, 5)) }
