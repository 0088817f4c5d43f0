package bucketledger_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gaenkit/gaen/internal/s3test"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/filestore"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/bucketledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/memstore"
	"github.com/gaenkit/gaen/storage/s3store"
)

// TestStore holds the store to the suite for all ledgers, over a bucket in
// memory; with a snapshot every few steps, so that whatever the suite does is
// done across them.
func TestStore(t *testing.T) {
	newBucket := func(*testing.T) storage.Bucket { return memstore.New(nil) }
	t.Run("memory", func(t *testing.T) { testStore(t, newBucket, 0, volume(60, 3)) })
	t.Run("memory, many snapshots", func(t *testing.T) { testStore(t, newBucket, 3, volume(40, 3)) })
	t.Run("S3", func(t *testing.T) {
		server, n := s3test.Start(t, "ledgers"), 0
		testStore(t, func(t *testing.T) storage.Bucket {
			n++
			return newS3(t, server, fmt.Sprintf("%d/", n))
		}, 20, volume(4, 1))
	})
	t.Run("files", func(t *testing.T) { testStore(t, newFolder, 20, volume(8, 1)) })
}

// newFolder returns a bucket in a folder of its own.
func newFolder(t *testing.T) storage.Bucket {
	t.Helper()
	b, err := filestore.New(t.TempDir(), &filestore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// newS3 returns a bucket of a server, below a prefix of its own.
func newS3(t *testing.T, server *s3test.Server, prefix string) storage.Bucket {
	t.Helper()
	b, err := s3store.New(t.Context(), s3test.Client(server.URL), "ledgers", &s3store.Options{Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func testStore(t *testing.T, newBucket func(*testing.T) storage.Bucket, maxSegments, histories int) {
	h := &handles{maxSegments: maxSegments, buckets: map[ledger.Store]storage.Bucket{}, clocks: map[ledger.Store]func() time.Time{}}
	ledgertest.Test(t, func(t *testing.T, clock func() time.Time) ledger.Store { return h.open(t, newBucket(t), clock) }, &ledgertest.Options{
		Histories: histories,
		Reopen: func(t *testing.T, s ledger.Store) ledger.Store {
			return h.open(t, h.buckets[s], h.clocks[s])
		},
		Second: func(t *testing.T, s ledger.Store) ledger.Store {
			return h.open(t, h.buckets[s], h.clocks[s])
		},
		Copy: func(t *testing.T, s ledger.Store) ledger.Store {
			to := newBucket(t)
			copyBucket(t, to, h.buckets[s])
			return h.open(t, to, h.clocks[s])
		},
	})
}

// handles remembers where stores are.
type handles struct {
	maxSegments int
	buckets     map[ledger.Store]storage.Bucket
	clocks      map[ledger.Store]func() time.Time
}

func (h *handles) open(t *testing.T, b storage.Bucket, clock func() time.Time) ledger.Store {
	t.Helper()
	s := open(t, b, &bucketledger.Options{Clock: clock, MaxSegments: h.maxSegments})
	h.buckets[s], h.clocks[s] = b, clock
	return s
}

func open(t *testing.T, b storage.Bucket, opts *bucketledger.Options) *bucketledger.Store {
	t.Helper()
	s, err := bucketledger.Open(t.Context(), b, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// copyBucket copies all objects from one bucket to another.
func copyBucket(t *testing.T, to, from storage.Bucket) {
	t.Helper()
	for a, err := range storage.List(t.Context(), from, "") {
		if err != nil {
			t.Fatal(err)
		}
		copyObject(t.Context(), t, to, from, a.Name)
	}
}

func copyObject(ctx context.Context, t *testing.T, to, from storage.Bucket, name string) {
	t.Helper()
	content, _, err := storage.ReadAll(ctx, from, name, 1<<30)
	if err == nil {
		_, err = storage.Put(ctx, to, name, bytes.NewReader(content), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}
