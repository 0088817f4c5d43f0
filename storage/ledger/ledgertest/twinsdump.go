package ledgertest

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/gaenkit/gaen/storage/ledger"
)

// observe returns everything that can be seen of a store, with some ranges and
// queries at random.
func (w *twins) observe(s ledger.Store, r *rand.Rand) (lines []string) {
	log, err := s.Log(w.ctx, r.Int64N(3)-1)
	lines = append(lines, fmt.Sprint("log ", err, log.Replay, log.Now, showCut(log.Last), log.Tallies))
	for _, c := range log.Cuts {
		lines = append(lines, showCut(c))
	}
	for _, prefix := range []string{"", "a", "a/", "z", "\xff"} {
		registers, err := s.Registers(w.ctx, prefix)
		lines = append(lines, fmt.Sprint("registers ", prefix, showRegisters(registers), err))
	}
	for _, q := range someQueries(r) {
		lines = append(lines, w.found(s, q)...)
	}
	last := log.Last.Last
	ranges := [][2]int64{{0, last}, {-5, last + 5}, {last, last}, {last + 3, last + 9}}
	for range 4 {
		from := r.Int64N(last + 1)
		ranges = append(ranges, [2]int64{from, from + r.Int64N(last-from+1)})
	}
	for _, x := range ranges {
		lines = append(lines, fmt.Sprint("range ", x))
		for u, err := range s.Read(w.ctx, x[0], x[1]) {
			if err != nil {
				lines = append(lines, err.Error())
				continue
			}
			lines = append(lines, showUnit(u, false))
		}
	}
	return lines
}

// showRegisters shows all but versions, which stores give as they like.
func showRegisters(registers []ledger.Register) string {
	registers = slices.Clone(registers)
	for i := range registers {
		registers[i].Version = 0
	}
	return fmt.Sprint(registers)
}

// showError shows a conflict without its versions.
func showError(err error) string {
	if c, ok := errors.AsType[*ledger.ConflictError](err); ok {
		return "conflict" + showRegisters([]ledger.Register{c.Have})
	}
	return fmt.Sprint(err)
}

// someQueries are one for everything and some at random.
func someQueries(r *rand.Rand) []ledger.Query {
	queries := []ledger.Query{{}, {SetAside: true}}
	for range 6 {
		q := ledger.Query{SetAside: r.IntN(2) == 0}
		if r.IntN(2) == 0 {
			q.Unit = new(someID(r))
		}
		if r.IntN(3) == 0 {
			q.Upload = pick(r, twinUploads...)
		}
		if r.IntN(3) == 0 {
			q.Source = pick(r, twinSources...)
		}
		if r.IntN(3) == 0 {
			q.Origin = pick(r, twinOrigins...)
		}
		if r.IntN(3) == 0 {
			q.KeyData = someID(r).KeyData
		}
		queries = append(queries, q)
	}
	return queries
}

func (w *twins) found(s ledger.Store, q ledger.Query) []string {
	var lines []string
	for rec, err := range s.Find(w.ctx, q) {
		if err != nil {
			w.fail("Find: %v", err)
		}
		lines = append(lines, showRecord(rec))
	}
	slices.Sort(lines)
	unit := "any"
	if q.Unit != nil {
		unit = showID(*q.Unit)
	}
	return append([]string{fmt.Sprintf("query %s %q %q %s %x %t", unit, q.Upload, q.Source, q.Origin, q.KeyData[:], q.SetAside)}, lines...)
}

func showID(id ledger.UnitID) string { return fmt.Sprintf("%s/%x", id.Origin, id.KeyData[:]) }

func showRecord(rec *ledger.Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s until %s", showID(rec.ID), rec.Tombstone)
	slices.SortFunc(rec.Kept, func(a, b ledger.KeptWithdrawal) int { return cmp.Compare(a.Source, b.Source) })
	fmt.Fprint(&b, rec.Kept)
	for _, a := range rec.SetAside {
		fmt.Fprintf(&b, " aside %s %q %s %s %s %s %s", a.Source, a.Upload, a.At, showID(a.ID), a.Field, a.Reason, a.Detail)
	}
	if rec.Unit != nil {
		b.WriteString(" " + showUnit(rec.Unit, true))
	}
	return b.String()
}

func showUnit(u *ledger.Unit, claims bool) string {
	var b strings.Builder
	key := u.Key
	key.KeyData = [16]byte{}
	fmt.Fprintf(&b, "%s %+v %s %s %q %t %t %t %+v", showID(u.ID()), key, u.Accepted, u.Due, u.Upload,
		u.SourceWithdrew, u.OperatorWithdrew, u.Erase, u.Events)
	for _, c := range u.Claims {
		if claims {
			fmt.Fprintf(&b, " claim %s %x %+v", c.Key.Origin, c.Key.KeyData[:], c)
		}
	}
	for i := range u.Siblings {
		fmt.Fprintf(&b, "\n\twith %s", showUnit(&u.Siblings[i], claims))
	}
	return b.String()
}

// showCut leaves out what is random.
func showCut(c ledger.Cut) string {
	return fmt.Sprint("cut ", c.Seq, c.Time, c.Last, c.Policy, c.Pruned)
}

func compareGroups(a, b ledger.GroupID) int {
	return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

func showWaits(waits []ledger.GroupWait) string {
	waits = slices.Clone(waits)
	slices.SortFunc(waits, func(a, b ledger.GroupWait) int { return compareGroups(a.GroupID, b.GroupID) })
	return fmt.Sprint(waits)
}
