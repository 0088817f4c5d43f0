//go:build unix

package filestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/storage"
)

// TestFolderIsFileByNow: what was a folder when its name was read may be a
// file when it is its turn, or nothing.
func TestFolderIsFileByNow(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	put(t, b, "a/b", "x", nil)
	put(t, b, "c", "x", nil)
	var got []string
	for a, err := range storage.List(t.Context(), b, "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, a.Name)
	}
	w := walk{b: b, ctx: t.Context(), yield: func(storage.Attributes, error) bool { return true }}
	if _, err := w.below(b.root, "", []string{"c", "nothing"}, ""); err != nil {
		t.Errorf("a file and nothing, taken for folders: %v", err)
	}
	if want := []string{"a/b", "c"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestListFailsOnWhatItCannotRead: a folder or link that cannot be looked at
// is not one without objects.
func TestListFailsOnWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	put(t, b, "a", "x", nil)
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	var got []string
	var failed error
	for a, err := range storage.List(t.Context(), b, "") {
		if failed = err; err == nil {
			got = append(got, a.Name)
		}
	}
	if e, ok := errors.AsType[*storage.Error](failed); !ok || e.Op != "list" || !slices.Equal(got, []string{"a"}) {
		t.Errorf("got %q and then %v, want a and then an error", got, failed)
	}
}

// TestManyNeighbours puts folders beside names that sort between a folder and
// what is in it, some levels deep.
func TestManyNeighbours(t *testing.T) {
	b := open(t, t.TempDir())
	parts := []string{"x", "x ", "x!", "x-", "x.", "x0", "xx"}
	var want []string
	for _, one := range parts {
		want = append(want, one)
		for _, two := range parts {
			want = append(want, one+"/"+two)
			for _, three := range parts[3:] {
				want = append(want, one+"/"+two+"/"+three)
			}
		}
	}
	for _, name := range want {
		put(t, b, name, "", nil)
	}
	slices.Sort(want)
	if got := list(t, b, ""); !slices.Equal(got, want) {
		t.Errorf("got %d names, want %d; %q", len(got), len(want), got)
	}
	for _, prefix := range []string{"x", "x/", "x/x", "x/x-", "x-/x-/x", "x./x./", "xx/xx/xx", "y"} {
		some := slices.DeleteFunc(slices.Clone(want), func(name string) bool { return !strings.HasPrefix(name, prefix) })
		if got := list(t, b, prefix); !slices.Equal(got, some) {
			t.Errorf("prefix %q: got %q, want %q", prefix, got, some)
		}
	}
}

func benchmarkBucket(b *testing.B, opts *Options) *Bucket {
	b.Helper()
	bucket, err := New(b.TempDir(), opts)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { bucket.Close() })
	return bucket
}

// benchmarkName spreads objects as a layout does: 24 to a day.
func benchmarkName(i int) string {
	return fmt.Sprintf("version/v1/country/DE/date/%04d/hour/%d", i/24, i%24)
}

var benchmarkOptions = &storage.PutOptions{ContentType: "application/zip", CacheControl: "public,max-age=300"}

func benchmarkPut(b *testing.B, bucket *Bucket, name string, opts *storage.PutOptions) {
	b.Helper()
	if _, err := storage.Put(b.Context(), bucket, name, strings.NewReader("content"), opts); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkPut(b *testing.B) {
	for name, opts := range map[string]*Options{"sync": nil, "nosync": {NoSync: true}} {
		b.Run(name, func(b *testing.B) {
			bucket := benchmarkBucket(b, opts)
			for i := 0; b.Loop(); i++ {
				benchmarkPut(b, bucket, benchmarkName(i), benchmarkOptions)
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	bucket := benchmarkBucket(b, &Options{NoSync: true})
	const n = 1000
	for i := range n {
		benchmarkPut(b, bucket, benchmarkName(i), benchmarkOptions)
	}
	for i := 0; b.Loop(); i++ {
		if _, _, err := storage.ReadAll(b.Context(), bucket, benchmarkName(i%n), 100); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkList20000 lists as many objects as a year of hours and days in two
// packages has.
func BenchmarkList20000(b *testing.B) {
	bucket := benchmarkBucket(b, &Options{NoSync: true})
	const n = 20_000
	for i := range n {
		benchmarkPut(b, bucket, benchmarkName(i), nil)
	}
	for b.Loop() {
		listed := 0
		for _, err := range storage.List(b.Context(), bucket, "") {
			if err != nil {
				b.Fatal(err)
			}
			listed++
		}
		if listed != n {
			b.Fatalf("%d objects, want %d", listed, n)
		}
	}
}
