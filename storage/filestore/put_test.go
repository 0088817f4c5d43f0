//go:build unix

package filestore

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/storage"
)

// TestOvertaken prepares two versions in the same second, before either is
// there, and lets both take their place: the later has a later second.
func TestOvertaken(t *testing.T) {
	b := open(t, t.TempDir())
	var versions [2]*version
	for i := range versions {
		v := &version{b: b, name: "a", opts: &storage.PutOptions{ContentType: "text/plain"}, tmp: tmpPath()}
		defer v.discard()
		if err := errors.Join(v.write(strings.NewReader("content")), v.stamp(nil)); err != nil {
			t.Fatal(err)
		}
		versions[i] = v
	}
	versions[1].modified = versions[0].modified // as if fractions had met, too
	for _, v := range versions {
		if err := v.commit(t.Context(), func(fs.FileInfo) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if err := v.settle(); err != nil {
			t.Fatal(err)
		}
	}
	if one, two := versions[0].modified.Unix(), versions[1].modified.Unix(); two <= one {
		t.Errorf("the second version is of second %d, the first of %d", two, one)
	}
	a, err := storage.Stat(t.Context(), b, "a")
	if err != nil || a.ETag != versions[1].attributes().ETag || a.ContentType != "text/plain" {
		t.Errorf("got %+v, %v, want %+v", a, err, versions[1].attributes())
	}
}

// TestLostRaceLeavesNothing: the condition holds when a Put begins and no
// longer when it is ready.
func TestLostRaceLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	asked := 0
	_, err := b.put(t.Context(), "new/a", strings.NewReader("content"), &storage.PutOptions{ContentType: "text/plain"}, func(fs.FileInfo) error {
		if asked++; asked > 1 {
			return fs.ErrExist
		}
		return nil
	})
	if !errors.Is(err, fs.ErrExist) || asked != 2 {
		t.Errorf("got %v after %d questions", err, asked)
	}
	wantTree(t, dir)
}

// TestFailedRenameLeavesNothing: a folder stands where the file is to be.
func TestFailedRenameLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	if err := b.root.MkdirAll("a/.object/x", 0o755); err != nil {
		t.Fatal(err)
	}
	opts := &storage.PutOptions{ContentType: "text/plain"}
	if _, err := storage.Put(t.Context(), b, "a", strings.NewReader("x"), opts); err == nil {
		t.Error("no error")
	}
	wantTree(t, dir, filepath.Join("a", ".object", "x")+"/")
}
