//go:build unix

package filestore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage"
)

func TestNewFails(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	taken := t.TempDir()
	if err := os.WriteFile(filepath.Join(taken, ".gaen"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, dir string
		opts      *Options
		is        error
		text      string
	}{
		{"no folder", filepath.Join(dir, "not/mounted"), nil, fs.ErrNotExist, "not/mounted"},
		{"a file", file, nil, nil, "not a directory"},
		{"empty", "", nil, nil, "filestore: "},
		{"not writable", "/proc", nil, nil, `folder "/proc"`},
		{"private folder is a file", taken, nil, nil, ".gaen"},
		{"mode with more than permissions", dir, &Options{FileMode: fs.ModeDir | 0o644}, nil, "Options.FileMode"},
		{"mode that we cannot read", dir, &Options{FileMode: 0o044}, nil, "Options.FileMode"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := New(tt.dir, tt.opts)
			if err == nil {
				b.Close()
				t.Fatal("no error")
			}
			if tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.text) || !strings.HasPrefix(err.Error(), "filestore: ") {
				t.Errorf("got %v, want %q in it", err, tt.text)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "not")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("New made a folder where a volume was to be")
	}
}

func TestCheckTime(t *testing.T) {
	want := time.Unix(1_600_000_000, 123_456_700)
	if err := checkTime(want, want); err != nil {
		t.Error(err)
	}
	for _, kept := range []time.Duration{time.Microsecond, time.Second, 2 * time.Second} {
		err := checkTime(want.Truncate(kept), want)
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "100 ns") {
			t.Errorf("times to %v: got %v", kept, err)
		}
	}
}

// TestSweep: what is old in .gaen/tmp goes, what is young stays, and so does
// the bucket.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	put(t, open(t, dir), "a", "content", nil)
	old := time.Now().Add(-leftoverAge - time.Minute)
	for name, when := range map[string]time.Time{"old": old, "young": time.Now().Add(-leftoverAge + time.Minute), "folder/.object": old} {
		file := filepath.Join(dir, tmpDir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, when, when); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(filepath.Join(dir, tmpDir, "folder"), old, old); err != nil {
		t.Fatal(err)
	}
	b := open(t, dir)
	entries, err := os.ReadDir(filepath.Join(dir, tmpDir))
	if err != nil || len(entries) != 1 || entries[0].Name() != "young" {
		t.Errorf("left is %v, %v, want young", entries, err)
	}
	if got := read(t, b, "a"); got != "content" {
		t.Errorf("got %q", got)
	}
}

// TestNewConcurrently: a New must not sweep away what another is probing with.
func TestNewConcurrently(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				b, err := New(dir, &Options{NoSync: true})
				if err != nil {
					t.Error(err)
					return
				}
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestInvalidNamesReachNothing(t *testing.T) {
	b := open(t, t.TempDir())
	// By the methods themselves: storage.Put would refuse before.
	for _, name := range []string{".gaen/lock", ".gaen/tmp/x", "../x", "a/.object", "/etc/passwd", ""} {
		if _, _, err := b.Get(t.Context(), name); !errors.Is(err, storage.ErrInvalidName) {
			t.Errorf("Get %q: %v", name, err)
		}
		if _, err := b.Stat(t.Context(), name); !errors.Is(err, storage.ErrInvalidName) {
			t.Errorf("Stat %q: %v", name, err)
		}
		if _, err := b.Put(t.Context(), name, strings.NewReader("x"), &storage.PutOptions{}); !errors.Is(err, storage.ErrInvalidName) {
			t.Errorf("Put %q: %v", name, err)
		}
		if err := b.Delete(t.Context(), name); !errors.Is(err, storage.ErrInvalidName) {
			t.Errorf("Delete %q: %v", name, err)
		}
	}
}
