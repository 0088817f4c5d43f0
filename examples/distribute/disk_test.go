//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
)

// nobody is a user that owns nothing of ours.
const nobody = 65534

// child runs the program in a process of its own, which may do no more than
// anybody: nothing is refused to root.
func child(t *testing.T, args ...string) (code int, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Args = append([]string{"distribute"}, args...)
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	err := cmd.Run()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return failed.ExitCode(), errs.String()
	}
	if err != nil {
		t.Fatal(err)
	}
	return exitDone, errs.String()
}

// anybodys returns a folder that is the child's.
func anybodys(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gaen-disk-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	chown(t, dir)
	return dir
}

func chown(t *testing.T, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// hourOf returns the arguments of a run over the hours until then.
func hourOf(dir, ledgerFile string, hour int, uploads string) []string {
	now := time.Date(2026, 3, 10, hour, 0, 0, 0, time.UTC)
	return []string{"-dir", dir, "-ledger", ledgerFile, "-now", now.Format(time.RFC3339), "-generate=" + uploads, "-days", "1"}
}

// held describes all that a ledger holds.
func held(t *testing.T, path string) string {
	t.Helper()
	s, err := sqliteledger.Open(t.Context(), path, &sqliteledger.Options{ReadOnly: true, Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	log, err := s.Log(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	registers, err := s.Registers(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	units := 0
	for _, err := range s.Find(t.Context(), ledger.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		units++
	}
	return fmt.Sprintln(log.Identity, log.Last, log.Tallies, registers, units)
}

// stops expects the program to fail with one line that says all of this, and to
// leave the tree alone.
func stops(t *testing.T, dir string, args []string, says ...string) {
	t.Helper()
	before, err := describe(filepath.Join(dir, "www"))
	if err != nil {
		t.Fatal(err)
	}
	code, errs := child(t, args...)
	if code != exitStopped || strings.Count(errs, "\n") != 1 {
		t.Errorf("exits with %d: %s", code, errs)
	}
	for _, s := range says {
		if !strings.Contains(errs, s) {
			t.Errorf("the error does not say %q: %s", s, errs)
		}
	}
	after, err := describe(filepath.Join(dir, "www"))
	if err != nil {
		t.Fatal(err)
	}
	if d := difference(after, before); d != "" {
		t.Errorf("the tree has changed:\n%s", d)
	}
}

// TestReadOnlyLedger: a file, or the folder of one, that may not be written.
func TestReadOnlyLedger(t *testing.T) {
	dir, place := anybodys(t), anybodys(t)
	path := filepath.Join(place, "ledger.db")
	if code, errs := child(t, hourOf(dir, path, 3, "20")...); code != exitDone {
		t.Fatalf("exits with %d: %s", code, errs)
	}
	before := held(t, path)
	for _, tt := range []struct {
		name      string
		file, dir os.FileMode
		path      string
		says      string
	}{
		{"file", 0o444, 0o755, path, "read-only"},
		{"file that may not be read", 0, 0o755, path, path},
		{"folder", 0o644, 0o555, path, path},
		{"folder of a new one", 0o644, 0o555, filepath.Join(place, "new.db"), "new.db"},
		{"no such folder", 0o644, 0o755, filepath.Join(place, "none", "new.db"), "none/new.db"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			chmod(t, path, tt.file)
			chmod(t, place, tt.dir)
			if os.Getuid() == 0 {
				for _, p := range []string{place, path} { // so that the child is not the owner
					if err := os.Chown(p, 0, 0); err != nil {
						t.Fatal(err)
					}
				}
			}
			stops(t, dir, hourOf(dir, tt.path, 6, "20"), tt.says)
			chmod(t, place, 0o755)
			chmod(t, path, 0o644)
			if after := held(t, path); after != before {
				t.Error("the ledger has changed")
			}
			if _, err := os.Stat(filepath.Join(place, "new.db")); err == nil {
				t.Error("a ledger was made")
			}
		})
	}
}

// TestReadOnlyTree: a folder that may not be written is found before anything is
// taken in.
func TestReadOnlyTree(t *testing.T) {
	dir := anybodys(t)
	path := filepath.Join(dir, "ledger.db")
	if code, errs := child(t, hourOf(dir, path, 3, "20")...); code != exitDone {
		t.Fatalf("exits with %d: %s", code, errs)
	}
	before := held(t, path)
	private := filepath.Join(dir, "www", ".gaen")
	chmod(t, filepath.Join(private, "tmp"), 0o555)
	defer chmod(t, filepath.Join(private, "tmp"), 0o755)
	stops(t, dir, hourOf(dir, path, 6, "20"), filepath.Join(dir, "www"), "permission")
	if after := held(t, path); after != before {
		t.Error("the ledger has changed")
	}
}

// TestFullDisk fills the file system that the ledger is on, and makes room again.
func TestFullDisk(t *testing.T) {
	dir, place := anybodys(t), anybodys(t)
	if err := syscall.Mount("none", place, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("needs a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(place, 0); err != nil {
			t.Error(err)
		}
	})
	chown(t, place)
	path := filepath.Join(place, "ledger.db")
	if code, errs := child(t, hourOf(dir, path, 3, "20")...); code != exitDone {
		t.Fatalf("exits with %d: %s", code, errs)
	}
	before := held(t, path)
	filler := filepath.Join(place, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	f.Close()
	stops(t, dir, hourOf(dir, path, 6, "20"), path, "no room left", "make room")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if after := held(t, path); after != before {
		t.Error("the ledger has changed")
	}
	if code, errs := child(t, hourOf(dir, path, 6, "20")...); code != exitDone {
		t.Errorf("with room again it exits with %d: %s", code, errs)
	}
}
