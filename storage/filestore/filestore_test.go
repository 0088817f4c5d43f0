//go:build unix

package filestore

import (
	"errors"
	"os"
	"testing"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// open returns a bucket in dir that is not slowed down by the disk.
func open(t *testing.T, dir string) *Bucket {
	t.Helper()
	b, err := New(dir, &Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// withLinks makes b do without the exchange of files and folders.
func withLinks(b *Bucket) *Bucket {
	b.exchange = func(*os.File, string, *os.File, string) error { return errors.ErrUnsupported }
	return b
}

func TestBucket(t *testing.T) {
	storagetest.Test(t, func(t *testing.T) storage.Bucket { return open(t, t.TempDir()) }, nil)
}

// TestSync works as those do who set no options: with fsync.
func TestSync(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b, err := New(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			mode(b)
			opts := &storage.PutOptions{ContentType: "text/plain"}
			for _, name := range []string{"a", "a/b/c", "a/b", "a"} {
				put(t, b, name, name, opts)
			}
			for _, name := range []string{"a", "a/b", "a/b/c"} {
				if got := read(t, b, name); got != name {
					t.Errorf("%s is %q", name, got)
				}
				if err := storage.Delete(t.Context(), b, name); err != nil {
					t.Fatal(err)
				}
			}
			wantTree(t, dir)
		})
	}
}

func TestBucketWithLinks(t *testing.T) {
	const same = "turns no file into a folder; TestBucket has checked it"
	storagetest.Test(t, func(t *testing.T) storage.Bucket { return withLinks(open(t, t.TempDir())) }, &storagetest.Options{
		Skip: map[string]string{"list-past-one-page": same, "delete-all-past-one-request": same, "list-stable-under-insert-and-delete": same, "large-object": same},
	})
}
