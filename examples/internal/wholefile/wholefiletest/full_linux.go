// Package wholefiletest has tests write to a disk that is full.
package wholefiletest

import (
	"os/signal"
	"syscall"
	"testing"
)

// Full runs f while the files of this process can grow to so many bytes and no
// further. No other test may write meanwhile.
func Full(t *testing.T, bytes uint64, f func()) {
	t.Helper()
	var had syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &had); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ) // so that it is an error
	defer signal.Reset(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: had.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &had); err != nil {
			t.Fatal(err)
		}
	}()
	f()
}
