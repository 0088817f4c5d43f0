//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"errors"
	"os"
	"syscall"
)

// nonBlock makes opening a pipe not wait for somebody to write into it.
const nonBlock = syscall.O_NONBLOCK

// tryLockFile takes the exclusive lock on f, and returns false if another
// process has it.
func tryLockFile(f *os.File) (bool, error) {
	switch err := flock(f, syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return false, nil
	default:
		return err == nil, err
	}
}

func unlockFile(f *os.File) error { return flock(f, syscall.LOCK_UN) }

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return os.NewSyscallError("flock", err)
		}
	}
}
