//go:build unix

package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/gaenkit/gaen/storage"
)

// modes are the two ways to turn a file into a folder.
var modes = map[string]func(*Bucket) *Bucket{
	"exchange": func(b *Bucket) *Bucket { return b },
	"links":    withLinks,
}

// TestConversionIsNeverSeen: while an object's file becomes a folder, no reader
// misses the object: not ours, and not one that looks for the file and then in
// the folder, as nginx does.
func TestConversionIsNeverSeen(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b, other := mode(open(t, dir)), open(t, dir)
			content := strings.Repeat("content", 100)
			for i := range 50 {
				name := fmt.Sprintf("day/%d", i)
				put(t, b, name, content, &storage.PutOptions{ContentType: "text/plain"})
				seen := watch(
					func() error { return whole(t.Context(), other, name, content) },
					func() error { return wholeFile(filepath.Join(dir, name), content) },
					func() error { return wholeFile(filepath.Join(dir, name), content) })
				put(t, b, name+"/hour/1", "x", nil)
				if err := seen(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// watch calls each look again and again, until the function that it returns is
// called, which returns what they found.
func watch(looks ...func() error) (stop func() error) {
	var wg sync.WaitGroup
	stopped := make(chan struct{})
	errs := make([]error, len(looks))
	for i, look := range looks {
		wg.Go(func() {
			for errs[i] == nil {
				errs[i] = look()
				select {
				case <-stopped:
					return
				default:
				}
			}
		})
	}
	return func() error {
		close(stopped)
		wg.Wait()
		return errors.Join(errs...)
	}
}

// whole returns an error unless the object is there by every way to ask.
func whole(ctx context.Context, b storage.Bucket, name, want string) error {
	content, a, err := storage.ReadAll(ctx, b, name, 1<<20)
	if err != nil || string(content) != want || a.ContentType != "text/plain" {
		return fmt.Errorf("Get: %d bytes, %+v, %v", len(content), a, err)
	}
	if s, err := storage.Stat(ctx, b, name); err != nil || s.ETag != a.ETag {
		return fmt.Errorf("Stat: %+v, %v, want ETag %s", s, err, a.ETag)
	}
	for l, err := range storage.List(ctx, b, name) {
		if err != nil || l.Name != name || l.ETag != a.ETag {
			return fmt.Errorf("List: %+v, %v, want %s", l, err, name)
		}
		return nil
	}
	return fmt.Errorf("List: %s is missing", name)
}

// wholeFile reads as a web server with two places to look does.
func wholeFile(file, want string) error {
	content, err := os.ReadFile(file)
	if errors.Is(err, syscall.EISDIR) {
		content, err = os.ReadFile(file + "/.object")
	}
	if err != nil || string(content) != want {
		return fmt.Errorf("%s: %d bytes, %v", file, len(content), err)
	}
	return nil
}

// TestKilledConversionByLink: an attempt that died before the link took the
// file's place leaves a hidden folder, which the next attempt or a Delete
// clears away, with the copy of the content in it.
func TestKilledConversionByLink(t *testing.T) {
	for name, after := range map[string]func(b *Bucket){
		"next attempt": func(b *Bucket) { put(t, b, "day/1/hour", "hour", nil) },
		"delete": func(b *Bucket) {
			if err := storage.Delete(t.Context(), b, "day/1"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b := withLinks(open(t, dir))
			put(t, b, "day/1", "old", nil)
			if err := b.prepareDir(hiddenDir("day/1"), "day/1"); err != nil {
				t.Fatal(err)
			}
			if got := list(t, b, ""); len(got) != 1 || got[0] != "day/1" {
				t.Errorf("the leftover is listed: %q", got)
			}
			after(b)
			if name == "delete" {
				wantTree(t, dir)
				return
			}
			hidden := filepath.Base(hiddenDir("day/1"))
			wantTree(t, dir, "day/"+hidden+"/.object -rw------- old", "day/"+hidden+"/hour -rw------- hour", "day/1 -> "+hidden)
		})
	}
}

// TestKilledDeleteByLink: a Delete that died between the folder and the link
// to it leaves a link to nothing, which is no object and in nobody's way.
func TestKilledDeleteByLink(t *testing.T) {
	for name, next := range map[string]string{"put it": "day/1", "put below": "day/1/hour"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b := withLinks(open(t, dir))
			put(t, b, "day/2", "two", nil)
			if err := os.Symlink(filepath.Base(hiddenDir("day/1")), filepath.Join(dir, "day/1")); err != nil {
				t.Fatal(err)
			}
			if got := list(t, b, ""); len(got) != 1 {
				t.Errorf("listed: %q", got)
			}
			if _, err := storage.Stat(t.Context(), b, "day/1"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("got %v", err)
			}
			put(t, b, next, "new", nil)
			wantTree(t, dir, next+" -rw------- new", "day/2 -rw------- two")
		})
	}
}

// TestConversionFails: if it cannot be done, nothing has changed.
func TestConversionFails(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	broken := errors.New("I/O error")
	b.exchange = func(*os.File, string, *os.File, string) error { return broken }
	put(t, b, "day/1", "day", nil)
	if _, err := storage.Put(t.Context(), b, "day/1/hour/1", strings.NewReader("x"), nil); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	wantTree(t, dir, "day/1 -rw------- day")
}

// TestFoldersWithMoreInThemStay: what is not an object is nobody's to remove.
func TestFoldersWithMoreInThemStay(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	put(t, b, "a/b/c", "x", nil)
	if err := os.WriteFile(filepath.Join(dir, "a/.htaccess"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := storage.Delete(t.Context(), b, "a/b/c"); err != nil {
		t.Fatal(err)
	}
	wantTree(t, dir, "a/.htaccess -rw-r--r-- ")
}
