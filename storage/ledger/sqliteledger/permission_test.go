//go:build linux

package sqliteledger_test

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
)

// nobody is a user that owns nothing of ours.
const nobody = 65534

// TestPermissions opens ledgers as a user who may not do everything.
func TestPermissions(t *testing.T) {
	tests := []struct {
		name      string
		file, dir os.FileMode
		opts      *sqliteledger.Options
		want      error // nil for any
	}{
		{"file that may only be read", 0o444, 0o777, nil, sqliteledger.ErrReadOnly},
		{"file that may not be read", 0o000, 0o777, nil, nil},
		{"directory that may not be written", 0o666, 0o555, nil, nil},
		{"file that may only be read, to read", 0o444, 0o777, &sqliteledger.Options{ReadOnly: true}, errNone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := sharedDir(t)
			path := filepath.Join(dir, "ledger.db")
			s := open(t, path, nil)
			newWriter(t, s).accept(1)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			chmod(t, path, tt.file)
			chmod(t, dir, tt.dir)
			defer chmod(t, dir, 0o777)
			err := asNobody(t, func() error {
				s, err := sqliteledger.Open(t.Context(), path, tt.opts)
				if err != nil {
					return err
				}
				defer s.Close()
				for _, err := range s.Find(t.Context(), ledger.Query{}) {
					return cmp.Or(err, errNone)
				}
				return errors.New("there is nothing in it")
			})
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if tt.want != errNone && (errors.Is(err, errNone) || !strings.HasPrefix(err.Error(), "sqliteledger: open "+path)) {
				t.Errorf("got %v, want an error that names the path", err)
			}
		})
	}
}

// errNone stands for no error.
var errNone = errors.New("no error")

// sharedDir returns a directory that other users reach.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sqliteledger")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	chmod(t, dir, 0o777)
	return dir
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// asNobody calls f on a thread that has no rights to files but those of
// everybody, if this process has more: nothing is refused to root. The thread
// ends with f.
func asNobody(t *testing.T, f func() error) error {
	t.Helper()
	if os.Getuid() != 0 {
		return f()
	}
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		if err := syscall.Setfsuid(nobody); err != nil {
			result <- err
			return
		}
		result <- f()
	}()
	return <-result
}
