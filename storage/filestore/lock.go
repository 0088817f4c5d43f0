package filestore

import (
	"context"
	"os"
	"time"
)

// locker lets one goroutine of one process change the tree at a time: a
// channel among goroutines, flock among processes. flock alone would not do,
// as it belongs to the open file, which goroutines share.
type locker struct {
	held chan struct{}
	f    *os.File
}

// How long to wait between attempts when another process has the lock. flock
// can wait by itself, but not until a context ends.
const (
	minLockWait = 250 * time.Microsecond
	maxLockWait = 16 * time.Millisecond
)

func newLocker(f *os.File) *locker {
	return &locker{held: make(chan struct{}, 1), f: f}
}

// do calls f under the lock, or returns ctx's error if that ends before.
func (l *locker) do(ctx context.Context, f func() error) error {
	select {
	case l.held <- struct{}{}:
		defer func() { <-l.held }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := l.lockFile(ctx); err != nil {
		return err
	}
	defer unlockFile(l.f)
	if err := ctx.Err(); err != nil {
		return err
	}
	return f()
}

func (l *locker) lockFile(ctx context.Context) error {
	for wait := minLockWait; ; wait = min(2*wait, maxLockWait) {
		if ok, err := tryLockFile(l.f); ok || err != nil {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// probe finds out whether the lock works here. That another process has it
// is good enough.
func (l *locker) probe() error {
	ok, err := tryLockFile(l.f)
	if ok {
		return unlockFile(l.f)
	}
	return err
}

func (l *locker) close() error { return l.f.Close() }
