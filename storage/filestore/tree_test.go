//go:build unix

package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/gaenkit/gaen/storage"
)

func put(t *testing.T, b storage.Bucket, name, content string, opts *storage.PutOptions) storage.Attributes {
	t.Helper()
	a, err := storage.Put(t.Context(), b, name, strings.NewReader(content), opts)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func read(t *testing.T, b storage.Bucket, name string) string {
	t.Helper()
	content, _, err := storage.ReadAll(t.Context(), b, name, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func list(t *testing.T, b storage.Bucket, prefix string) []string {
	t.Helper()
	var names []string
	for a, err := range storage.List(t.Context(), b, prefix) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, a.Name)
	}
	return names
}

// tree returns the files and links in dir with modes and contents, folders
// with nothing in them, and of .gaen only the number of files in a folder.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	private := make(map[string]int)
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, file)
		fi, err := d.Info()
		if err != nil {
			return err
		}
		parts := strings.Split(rel, "/")
		switch {
		case parts[0] == ".gaen" && len(parts) > 2 && !d.IsDir():
			private[parts[1]]++
		case parts[0] == ".gaen":
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(file)
			all = append(all, rel+" -> "+target)
			return err
		case d.IsDir():
			if entries, err := os.ReadDir(file); err != nil || len(entries) > 0 {
				return err
			}
			all = append(all, rel+"/")
		default:
			content, err := os.ReadFile(file)
			all = append(all, fmt.Sprintf("%s %v %s", rel, fi.Mode(), content))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, sub := range slices.Sorted(maps.Keys(private)) {
		all = append(all, fmt.Sprintf(".gaen/%s: %d", sub, private[sub]))
	}
	return all
}

func wantTree(t *testing.T, dir string, want ...string) {
	t.Helper()
	if got := tree(t, dir); !slices.Equal(got, want) {
		t.Errorf("the folder is\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestObjectsArePlainFiles(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	put(t, b, "DE/index", "[]", &storage.PutOptions{ACL: storage.PublicRead, ContentType: "application/json"})
	put(t, b, "inbox/1", "secret", nil)
	wantTree(t, dir, "DE/index -rw-r--r-- []", "inbox/1 -rw------- secret", ".gaen/attrs: 1")

	group, err := New(dir, &Options{NoSync: true, FileMode: 0o640})
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	put(t, group, "inbox/2", "group's", nil)
	put(t, group, "DE/index", "[1]", nil)
	wantTree(t, dir, "DE/index -rw-r----- [1]", "inbox/1 -rw------- secret", "inbox/2 -rw-r----- group's")
}

func TestFolderInPlace(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	put(t, b, "date/1/hour/5", "5", nil)
	put(t, b, "date/1", "day", &storage.PutOptions{ContentType: "application/zip"})
	wantTree(t, dir, "date/1/.object -rw------- day", "date/1/hour/5 -rw------- 5", ".gaen/attrs: 1")
	if err := storage.Delete(t.Context(), b, "date/1/hour/5"); err != nil {
		t.Fatal(err)
	}
	wantTree(t, dir, "date/1/.object -rw------- day", ".gaen/attrs: 1")
	if err := storage.Delete(t.Context(), b, "date/1"); err != nil {
		t.Fatal(err)
	}
	wantTree(t, dir)
}

func TestFileBecomesFolder(t *testing.T) {
	hidden := filepath.Base(hiddenDir("date/1"))
	for _, tt := range []struct {
		name  string
		links bool
		want  []string
	}{
		{"exchange", false, []string{"date/1/.object -rw-r--r-- day", "date/1/hour/5 -rw------- 5"}},
		{"links", true, []string{"date/" + hidden + "/.object -rw-r--r-- day", "date/" + hidden + "/hour/5 -rw------- 5", "date/1 -> " + hidden}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			b := open(t, dir)
			if tt.links {
				withLinks(b)
			} else {
				needExchange(t, b)
			}
			before := put(t, b, "date/1", "day", &storage.PutOptions{ACL: storage.PublicRead})
			put(t, b, "date/1/hour/5", "5", nil)
			wantTree(t, dir, tt.want...)
			after, err := storage.Stat(t.Context(), b, "date/1")
			if err != nil || after.ETag != before.ETag || !after.Modified.Equal(before.Modified) {
				t.Errorf("got %+v, %v, want what it was before, %+v", after, err, before)
			}
			for _, name := range []string{"date/1", "date/1/hour/5"} {
				if err := storage.Delete(t.Context(), b, name); err != nil {
					t.Fatal(err)
				}
			}
			wantTree(t, dir)
		})
	}
}

// needExchange skips the test where the file system cannot exchange; Linux
// file systems that people test on can.
func needExchange(t *testing.T, b *Bucket) {
	t.Helper()
	put(t, b, "probe", "", nil)
	put(t, b, "probe/probe", "", nil)
	fi, err := b.root.Lstat("probe")
	if err != nil {
		t.Fatal(err)
	}
	if fi.Mode().Type() == fs.ModeSymlink {
		t.Skip("this file system cannot exchange files and folders")
	}
	for _, name := range []string{"probe/probe", "probe"} {
		if err := storage.Delete(t.Context(), b, name); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNothingStays: what failed or was refused leaves neither temporary files
// nor attributes nor empty folders.
func TestNothingStays(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	full := &storage.PutOptions{ContentType: "text/plain", IfAbsent: true}
	put(t, b, "a", "content", full)
	if _, err := storage.Put(t.Context(), b, "a", strings.NewReader("other"), full); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if _, err := storage.Replace(t.Context(), b, "new/b", "other", strings.NewReader("other"), nil); !errors.Is(err, storage.ErrPrecondition) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &cancelling{strings.NewReader("other"), cancel}
	if _, err := storage.Put(ctx, b, "new/c", r, full); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	wantTree(t, dir, "a -rw------- content", ".gaen/attrs: 1")
	for range 3 {
		put(t, b, "a", "new", &storage.PutOptions{ContentType: "text/html"})
	}
	wantTree(t, dir, "a -rw------- new", ".gaen/attrs: 1")
	if err := storage.Delete(t.Context(), b, "a"); err != nil {
		t.Fatal(err)
	}
	wantTree(t, dir)
}

// cancelling cancels at its end, without an error.
type cancelling struct {
	r      *strings.Reader
	cancel func()
}

func (c *cancelling) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.r.Len() == 0 {
		c.cancel()
	}
	return n, err
}

func TestFilesFromElsewhere(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	for name, content := range map[string]string{
		"index": "[]", "a/b": "b", "a/.object": "a", ".hidden": "x", "a/.htaccess": "x", ".git/config": "x",
		"bad\nname": "x", `back\slash`: "x", "not\xffutf8": "x",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, want := list(t, b, ""), []string{"a", "a/b", "index"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	a, err := storage.Stat(t.Context(), b, "index")
	if err != nil || a.Size != 2 || a.ETag == "" || a.ContentType != "" {
		t.Errorf("got %+v, %v", a, err)
	}
	if got := read(t, b, "a"); got != "a" {
		t.Errorf("got %q", got)
	}
	if _, _, err := storage.Get(t.Context(), b, "pipe"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a pipe: got %v, want fs.ErrNotExist", err)
	}
	if _, err := storage.Replace(t.Context(), b, "index", a.ETag, strings.NewReader("[1]"), nil); err != nil {
		t.Error(err)
	}
	if err := storage.Delete(t.Context(), b, "a/b"); err != nil {
		t.Error(err)
	}
	if got, want := list(t, b, ""), []string{"a", "index"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLinksFromElsewhere(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	b := open(t, dir)
	put(t, b, "a/file", "content", nil)
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{
		"latest": "a/file", "a/again": "file", "a/loop": "..", "dangling": "nowhere",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := list(t, b, ""), []string{"a/again", "a/file", "latest"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := read(t, b, "latest"); got != "content" {
		t.Errorf("got %q", got)
	}
	put(t, b, "latest", "own", nil)
	put(t, b, "dangling", "own", nil)
	if _, err := storage.Put(t.Context(), b, "a/again/below", strings.NewReader("x"), nil); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("below a link to a file: got %v, want ENOTDIR", err)
	}
	if got := read(t, b, "a/file"); got != "content" {
		t.Errorf("a Put went through a link: got %q", got)
	}
	if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "escape")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := storage.Get(t.Context(), b, "escape"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link out of the folder: got %v, want an error that is not fs.ErrNotExist", err)
	}
}
