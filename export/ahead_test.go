package export_test

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gaenkit/gaen/export"
)

// manyProcessors has what is read read ahead, whatever machine this is.
func manyProcessors(t *testing.T, n int) {
	t.Helper()
	was := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(was) })
}

// When a range is over, however it ended, nobody reads the file any more, and the
// goroutine that read ahead is gone.
func TestNobodyReadsAfterwards(t *testing.T) {
	manyProcessors(t, 2)
	c := sorted(content(20_000))
	archive := mustWrite(t, c, oneSigner(t), nil)
	bin, sig := entry(t, archive, "export.bin"), entry(t, archive, "export.sig")
	archive = stored(t, bin, sig)
	var slow atomic.Bool
	var reading atomic.Int64
	r := &readerAt{data: archive, read: func(int64) error {
		reading.Add(1)
		if slow.Load() {
			time.Sleep(5 * time.Millisecond)
		}
		reading.Add(-1)
		return nil
	}}
	a, err := export.Open(r, int64(len(archive)), nil)
	if err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	slow.Store(true)
	for _, abandonAt := range []int{1, 1100, 2500} { // in one of the first blocks
		n := 0
		for range a.Unverified().Keys() {
			if n++; n == abandonAt {
				break
			}
		}
		if got := reading.Load(); got != 0 {
			t.Errorf("abandoned at %d: %d reads go on", abandonAt, got)
		}
		was := r.n.Load()
		func() {
			defer func() { recover() }()
			n = 0
			for range a.Unverified().Keys() {
				if n++; n == abandonAt {
					panic("in the loop")
				}
			}
		}()
		if got := reading.Load(); got != 0 || r.n.Load() == was {
			t.Errorf("a panic at %d: %d reads go on", abandonAt, got)
		}
	}
	for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

// Whether blocks are read ahead makes no difference to what is read.
func TestWithOneProcessorAndTwo(t *testing.T) {
	c := sorted(content(20_000))
	archive := mustWrite(t, c, oneSigner(t), nil)
	for _, n := range []int{1, 2} {
		manyProcessors(t, n)
		for _, opts := range []*export.ReadOptions{nil, hold} {
			a := mustOpen(t, archive, opts)
			if got, errs := collect(a.Unverified().Keys()); !slices.Equal(got, c.Keys) || len(errs) > 0 {
				t.Errorf("%d processors: got %d keys, %v, want %d", n, len(got), errs, len(c.Keys))
			}
		}
		for cut := 1; cut < len(archive); cut += len(archive) / 7 {
			if _, err := export.Open(&readerAt{data: archive[:cut]}, int64(cut), nil); kindOf(err) == "" || kindOf(err) == export.KindIO {
				t.Errorf("%d processors, %d of %d bytes: got %v, want an error about the file", n, cut, len(archive), err)
			}
		}
	}
}
