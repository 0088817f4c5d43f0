package distribution_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/filestore"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
	"github.com/gaenkit/gaen/storage/memstore"
)

// placeKind is where a world keeps its ledger and publishes to.
type placeKind string

const (
	inMemory  placeKind = "memory"
	inFiles   placeKind = "files" // from a ledger in memory
	onServers placeKind = "S3 from PostgreSQL"
	onS3      placeKind = "S3 from memory"
)

// placeKinds are those that invariants are shown on.
var placeKinds = []placeKind{inMemory, inFiles, onServers}

// open returns an empty ledger and an empty bucket.
func (k placeKind) open(t testing.TB, clock func() time.Time) (ledger.Store, storage.Bucket) {
	t.Helper()
	switch k {
	case onServers:
		s := newServers(t)
		return s.openLedger(t, clock), s.openBucket(t)
	case onS3:
		return memledger.New(&memledger.Options{Clock: clock}), newS3(t).openBucket(t)
	case inFiles:
		return memledger.New(&memledger.Options{Clock: clock}), openFolder(t, t.TempDir())
	}
	return memledger.New(&memledger.Options{Clock: clock}), memstore.New(nil)
}

// copyStore returns another ledger with the same history.
func copyStore(t testing.TB, s ledger.Store, clock func() time.Time) ledger.Store {
	t.Helper()
	if r, ok := s.(remoteLedger); ok {
		return r.copy(t, clock)
	}
	return s.(*memledger.Store).CopyWithClock(clock)
}

// folder is a bucket that knows where it is.
type folder struct {
	*filestore.Bucket
	dir string
}

func openFolder(t testing.TB, dir string) folder {
	t.Helper()
	b, err := filestore.New(dir, &filestore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	return folder{b, dir}
}

// copyBucket returns another bucket with the same objects, which have the same
// ETags.
func copyBucket(t testing.TB, b storage.Bucket) storage.Bucket {
	t.Helper()
	switch b := b.(type) {
	case folder:
		return b.copy(t)
	case remoteBucket:
		return b.copy(t)
	}
	c := memstore.New(nil)
	for name, content := range objects(t, b) {
		a, err := storage.Stat(t.Context(), b, name)
		if err != nil {
			t.Fatal(err)
		}
		opts := &storage.PutOptions{ContentType: a.ContentType, ContentEncoding: a.ContentEncoding, CacheControl: a.CacheControl, Metadata: a.Metadata}
		if _, err := storage.Put(t.Context(), c, name, bytes.NewReader(content), opts); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// copy copies the files with their times, as restoring a backup does.
func (f folder) copy(t testing.TB) folder {
	t.Helper()
	to, err := os.MkdirTemp(t.TempDir(), "copy")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(f.dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		return copyFile(path, filepath.Join(to, rel))
	})
	if err != nil {
		t.Fatal(err)
	}
	return openFolder(t, to)
}

func copyFile(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to, content, info.Mode()); err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}
