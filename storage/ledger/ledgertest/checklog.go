package ledgertest

import (
	"testing"

	"github.com/gaenkit/gaen/storage/ledger"
)

var logClause = clause{
	name: "log",
	must: "each cut follows the one before, and has each of its numbers once",
}

// CheckLog fails the test unless the log of a ledger is sound, that nobody else
// writes to meanwhile: the cuts follow one another, and each number of those that are
// not pruned is there once. It returns the log.
func CheckLog(t *testing.T, s ledger.Store) *ledger.Log {
	t.Helper()
	tr := &trial{tb: t, ctx: t.Context(), clause: logClause, store: s}
	return tr.checkLog()
}

func (tr *trial) checkLog() *ledger.Log {
	tr.tb.Helper()
	log := tr.log()
	tr.checkChain(log)
	tr.checkNumbers(log)
	return log
}

// checkNumbers fails unless every number of a cut that is not pruned is there once.
func (tr *trial) checkNumbers(log *ledger.Log) {
	tr.tb.Helper()
	before := ledger.Cut{}
	for _, c := range log.Cuts {
		if want := c.Last - before.Last; !c.Pruned && want > 0 {
			if got := tr.numbersIn(before.Last, c.Last); got != want {
				tr.fail("cut %d has %d numbers, and %d of them are there", c.Seq, want, got)
			}
		}
		before = c
	}
}

// numbersIn returns how many numbers of (from, to] units have.
func (tr *trial) numbersIn(from, to int64) int64 {
	tr.tb.Helper()
	seen := map[int64]bool{}
	for u, err := range tr.store.Read(tr.ctx, from, to) {
		tr.must(err)
		for _, x := range append([]ledger.Unit{*u}, u.Siblings...) {
			for _, e := range x.Events {
				if e.Number > from {
					seen[e.Number] = true
				}
			}
		}
	}
	return int64(len(seen))
}
