package deploy

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/filestore"
)

// TestFolderReadsWhatFilestoreWrites fills a folder by package filestore, with
// an object and a prefix of one name, and reads it back: the same objects, with
// the same content, and nothing else.
func TestFolderReadsWhatFilestoreWrites(t *testing.T) {
	dir := t.TempDir()
	store, err := filestore.New(dir, &filestore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, name := range []string{"date/2020-06-11/hour/5", "date/2020-06-11", "date", "date-b", "version"} {
		if _, err := storage.Put(t.Context(), store, name, strings.NewReader("content of "+name), nil); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"folder-link": "date", "file-link": "version", "dangling": "nowhere"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := openReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	for _, prefix := range []string{"", "date", "date/", "date/2020-06-11", "none"} {
		if got, want := listing(t, f, prefix), listing(t, store, prefix); got != want {
			t.Errorf("objects with the prefix %q: %s, want %s", prefix, got, want)
		}
	}
}

// listing returns the objects of a bucket with their content.
func listing(t *testing.T, b storage.Bucket, prefix string) string {
	t.Helper()
	var all []string
	for a, err := range storage.List(t.Context(), b, prefix) {
		if err != nil {
			t.Fatal(err)
		}
		content, _, err := storage.ReadAll(t.Context(), b, a.Name, 1000)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a.Name+"="+string(content))
	}
	return strings.Join(all, " ")
}

func TestFolderAbsent(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := openReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	for _, name := range []string{"missing", "folder", "file/below", "folder/missing"} {
		if _, _, err := storage.Get(t.Context(), f, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("get %s: %v, want that there is none", name, err)
		}
	}
	if _, err := storage.Put(t.Context(), f, "new", strings.NewReader(""), nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("put: %v, want that it is not possible", err)
	}
	if err := storage.Delete(t.Context(), f, "file"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("delete: %v, want that it is not possible", err)
	}
}
