//go:build unix

package filestore

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage"
)

type fakeInfo struct {
	fs.FileInfo
	modified time.Time
}

func (f fakeInfo) ModTime() time.Time { return f.modified }

func TestNextTime(t *testing.T) {
	now := time.Unix(1_600_000_000, 999)
	at := func(d time.Duration) fs.FileInfo { return fakeInfo{modified: now.Add(d)} }
	for _, tt := range []struct {
		name string
		old  fs.FileInfo
		want int64 // seconds after now
	}{
		{"new", nil, 0},
		{"old", at(-time.Hour), 0},
		{"the second before", at(-time.Second), 0},
		{"the same second", at(time.Microsecond), 1},
		{"ahead", at(10 * time.Second), 11},
		{"far ahead", at(24 * time.Hour), 0}, // a wrong clock, not ours
		{"very far ahead", fakeInfo{modified: time.Unix(1<<40, 0)}, 0},
	} {
		for range 100 {
			got := nextTime(now, tt.old)
			if got.Unix() != now.Unix()+tt.want {
				t.Errorf("%s: got %d seconds later, want %d", tt.name, got.Unix()-now.Unix(), tt.want)
			}
			if got.Nanosecond()%100 != 0 {
				t.Errorf("%s: got %d ns, which not every file system keeps", tt.name, got.Nanosecond())
			}
			if !follows(got, tt.old) {
				t.Errorf("%s: %v does not follow what it was made to follow", tt.name, got)
			}
		}
	}
	if follows(now, at(0)) || follows(now, at(time.Second)) {
		t.Error("a version may have the second of the one before, or an earlier one")
	}
}

// TestFractionsAreRandom: an object that was deleted has no old version to be
// later than.
func TestFractionsAreRandom(t *testing.T) {
	b := open(t, t.TempDir())
	seen := make(map[string]bool)
	for range 50 {
		a := put(t, b, "a", "content", nil)
		if seen[a.ETag] {
			t.Fatalf("the ETag %s came twice", a.ETag)
		}
		seen[a.ETag] = true
		if err := storage.Delete(t.Context(), b, "a"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWebServersSeeChanges: nginx makes its ETag of whole seconds and size.
func TestWebServersSeeChanges(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	last := time.Time{}
	for range 5 {
		put(t, b, "a", "same size", nil)
		fi, err := os.Stat(filepath.Join(dir, "a"))
		if err != nil {
			t.Fatal(err)
		}
		if !fi.ModTime().Truncate(time.Second).After(last) {
			t.Errorf("the version of %v follows the one of %v", fi.ModTime(), last)
		}
		last = fi.ModTime().Truncate(time.Second)
	}
}

// TestRestoredFolderKeepsETags: a backup that keeps times keeps versions, with
// their attributes.
func TestRestoredFolderKeepsETags(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	want := put(t, open(t, from), "a/b", "content", &storage.PutOptions{ContentType: "text/plain"})
	err := filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, file)
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, rel), content, 0o644); err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		return os.Chtimes(filepath.Join(to, rel), fi.ModTime(), fi.ModTime())
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := storage.Stat(t.Context(), open(t, to), "a/b")
	if err != nil || got.ETag != want.ETag || got.ContentType != "text/plain" {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}
