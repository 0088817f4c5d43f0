package wholefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gaenkit/gaen/examples/internal/wholefile/wholefiletest"
)

// TestCreate: a file is there once, whole, for its owner alone, and nothing beside it.
func TestCreate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	if err := Create(path, []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := Create(path, []byte("second")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second time: %v, want that it is there", err)
	}
	check(t, path, "first", 0o600)
	wantNames(t, dir, "secret")
}

// TestReplace: a file is replaced, with the mode of the new one.
func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "shown")
	for _, text := range []string{"first", "second"} {
		d, err := Write(path, []byte(text), 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Replace(); err != nil {
			t.Fatal(err)
		}
		d.Discard()
		check(t, path, text, 0o644)
	}
	wantNames(t, dir, "shown")
}

// TestFull: of what the disk has no room for nothing is left, and what was there stays.
func TestFull(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	wholefiletest.Full(t, 3, func() {
		if err := Create(path, []byte("first")); err == nil {
			t.Error("there was room")
		}
	})
	wantNames(t, dir)
	if err := Create(path, []byte("first")); err != nil {
		t.Error(err)
	}
}

func check(t *testing.T, path, want string, mode fs.FileMode) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil || string(text) != want {
		t.Errorf("%q, %v, want %q", text, err, want)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != mode {
		t.Errorf("%v, %v, want mode %v", info, err, mode)
	}
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
}
