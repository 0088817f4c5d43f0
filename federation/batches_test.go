package federation

import (
	"math"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// TestDivideCutFitsItsRegister: a cut has no limit of withdrawals and changes, and
// what cannot be recorded would keep all batches after it from being made.
func TestDivideCutFitsItsRegister(t *testing.T) {
	for _, numbered := range []int64{1, 249_999, 250_000, 250_001, 1_000_000, 1 << 40} {
		after := ledger.Position{Cut: math.MaxInt64 - 1, Number: 1<<60 - numbered}
		c := divideCut(after, ledger.Cut{Seq: math.MaxInt64, Time: time.Unix(1<<33, 999_999_999), Last: 1 << 60}, 100)
		if first, last := c.Bounds[0], c.Bounds[len(c.Bounds)-1]; first != after.Number || last != 1<<60 {
			t.Errorf("%d numbers are divided from %d to %d", numbered, first, last)
		}
		for i, n := range c.Bounds[1:] {
			if size := n - c.Bounds[i]; size < 1 || size > 100 && numbered <= 250_000 {
				t.Errorf("%d numbers: batch %d has %d", numbered, i, size)
			}
		}
		swap, err := swapTo(batchesRegister(math.MaxInt64), 0, c)
		if err != nil || len(swap.Value) > ledger.MaxRegister {
			t.Errorf("%d numbers: a register of %d bytes, %v", numbered, len(swap.Value), err)
		}
	}
}
