//go:build unix

package filestore

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage"
)

// TestLockIsWaitedForUntilContextEnds, within a process and between two, which
// two buckets of one folder are to flock.
func TestLockIsWaitedForUntilContextEnds(t *testing.T) {
	dir := t.TempDir()
	one, two := open(t, dir), open(t, dir)
	put(t, one, "a", "content", nil)
	for name, waiting := range map[string]*Bucket{"same process": one, "other process": two} {
		t.Run(name, func(t *testing.T) {
			err := one.lock.do(t.Context(), func() error {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				defer cancel()
				if _, err := storage.Put(ctx, waiting, "a", strings.NewReader("new"), nil); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Put: got %v", err)
				}
				if err := storage.Delete(ctx, waiting, "a"); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Delete: got %v", err)
				}
				if got := read(t, waiting, "a"); got != "content" {
					t.Errorf("Get, which needs no lock: got %q", got)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			put(t, waiting, "a", "content", nil)
		})
	}
}

func TestLockIsExclusive(t *testing.T) {
	dir := t.TempDir()
	lockers := []*locker{open(t, dir).lock, open(t, dir).lock}
	var inside, most atomic.Int32 // the race detector does not know flock
	done := make(chan error)
	for i := range 8 {
		go func() {
			var err error
			for n := 0; n < 50 && err == nil; n++ {
				err = lockers[i%2].do(t.Context(), func() error {
					if n := inside.Add(1); n > 1 {
						most.Store(n)
					}
					runtime.Gosched()
					inside.Add(-1)
					return nil
				})
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := most.Load(); n != 0 {
		t.Errorf("%d were inside at once", n)
	}
}
