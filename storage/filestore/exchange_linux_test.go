package filestore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

func TestExchange(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	err = exchange(d, "file", d, "folder")
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("not on this file system")
	}
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(filepath.Join(dir, "file")); err != nil || !fi.IsDir() {
		t.Errorf("file is %v, %v, want a folder", fi, err)
	}
	if content, err := os.ReadFile(filepath.Join(dir, "folder")); string(content) != "content" || err != nil {
		t.Errorf("folder is %q, %v", content, err)
	}
	if err := exchange(d, "file", d, "nothing"); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("exchange with nothing: %v", err)
	}
}

func TestExchangeError(t *testing.T) {
	for errno, unsupported := range map[syscall.Errno]bool{
		syscall.EINVAL: true, syscall.ENOSYS: true, syscall.EOPNOTSUPP: true, syscall.EXDEV: true,
		syscall.ENOENT: false, syscall.EIO: false, syscall.ENOSPC: false, syscall.EACCES: false,
	} {
		if err := exchangeError(errno); err == nil || errors.Is(err, errors.ErrUnsupported) != unsupported {
			t.Errorf("%v: got %v", errno, err)
		}
	}
	if err := exchangeError(0); err != nil {
		t.Error(err)
	}
}

// TestUnprivileged: folders and objects that we may not read or write are
// errors that say so. It drops the thread's rights if it has any.
func TestUnprivileged(t *testing.T) {
	dir, err := os.MkdirTemp("", "gaen") // t.TempDir is below a folder that is ours alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b := open(t, dir)
	put(t, b, "a/b", "content", nil)
	for _, f := range []string{dir, filepath.Join(dir, "a")} {
		if err := os.Chmod(f, 0o555); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "a/b"), 0); err != nil {
		t.Fatal(err)
	}
	asNobody(t, func() {
		if _, err := New(dir, nil); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("New: %v, want fs.ErrPermission", err)
		}
		if _, _, err := b.Get(t.Context(), "a/b"); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("Get: %v, want fs.ErrPermission", err)
		}
		if err := b.Delete(t.Context(), "a/b"); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("Delete: %v, want fs.ErrPermission", err)
		}
	})
	os.Chmod(dir, 0o755)
	os.Chmod(filepath.Join(dir, "a"), 0o755)
	if _, err := b.Stat(t.Context(), "a/b"); err != nil {
		t.Errorf("the object is gone: %v", err)
	}
}

// asNobody calls f in a thread without rights to others' files.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		if os.Geteuid() == 0 {
			if err := syscall.Setfsuid(65534); err != nil {
				done <- err
				return
			}
		}
		f()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
