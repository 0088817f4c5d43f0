package ledgertest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// compareLog holds the cuts against the model's.
func (h *history) compareLog() {
	h.tb.Helper()
	log := h.log()
	h.checkChain(log)
	for i, c := range log.Cuts {
		want := h.model.cuts[i]
		if len(log.Cuts) != len(h.model.cuts) || c.Seq != want.Seq || !c.Time.Equal(want.Time) || c.Last != want.Last || c.Pruned != want.Pruned {
			h.fail("cut %d of %d is %+v, want %+v of %d", i+1, len(log.Cuts), c, want, len(h.model.cuts))
		}
	}
}

// compareWindows holds what reads between all pairs of the last n cuts, and from
// the beginning, against the model.
func (h *history) compareWindows(n int) {
	h.tb.Helper()
	ends := []int64{0}
	for _, c := range h.model.cuts[max(0, len(h.model.cuts)-n):] {
		ends = append(ends, c.Last)
	}
	ends = slices.Compact(ends)
	for i, from := range ends {
		for _, to := range ends[i:] {
			h.compareWindow(from, to)
		}
	}
}

func (h *history) compareWindow(from, to int64) {
	h.tb.Helper()
	want, ok := h.model.read(from, to)
	got, err := h.tryRead(from, to)
	switch {
	case !ok && (!errors.Is(err, ledger.ErrPruned) || len(got) > 0):
		h.fail("(%d, %d] yields %d units and the error %v, want ErrPruned", from, to, len(got), err)
	case ok && (err != nil || !sameUnits(got, want, asRead)):
		h.fail("(%d, %d] yields the error %v and%s\nwant%s", from, to, err, h.show(got...), h.show(want...))
	}
}

// compareAll holds everything that can be observed against the model.
func (h *history) compareAll() {
	h.tb.Helper()
	h.compareLog()
	h.compareWindows(len(h.model.cuts))
	h.compareRecords()
	h.compareStats()
}

func (h *history) compareRecords() {
	h.tb.Helper()
	var aside []ledger.SetAside
	found := 0
	for _, rec := range h.find(ledger.Query{SetAside: true}) {
		aside = append(aside, withoutDetail(rec.SetAside)...)
		if rec.Unit == nil {
			continue
		}
		found++
		want := h.model.find(rec.ID)
		if want == nil || !sameUnit(rec.Unit, want.asUnit(h.model, int64(len(h.model.log))), asFound) {
			h.fail("found%s\nwant%s", h.show(rec.Unit), h.show(want.asUnit(h.model, int64(len(h.model.log)))))
		}
	}
	if found != len(h.model.units) {
		h.fail("%d units are there, want %d", found, len(h.model.units))
	}
	if !sameSetAside(aside, h.model.aside) {
		h.fail("set aside are %+v\nwant %+v", aside, h.model.aside)
	}
	for _, k := range h.pool {
		for _, k := range siblings(k, "DE", "AT", "FR") {
			h.compareTraces(ledger.IDOf(&k))
		}
	}
}

// compareTraces looks at what is known of a unit beside itself.
func (h *history) compareTraces(id ledger.UnitID) {
	h.tb.Helper()
	want := map[ledger.Source]time.Time{}
	for _, k := range h.model.kept {
		if k.id == id {
			want[k.Source] = k.At
		}
	}
	got, until := map[ledger.Source]time.Time{}, time.Time{}
	for _, rec := range h.find(ledger.Query{Unit: &id}) {
		until = rec.Tombstone
		for _, k := range rec.Kept {
			got[k.Source] = k.At
		}
	}
	if !maps.EqualFunc(got, want, time.Time.Equal) {
		h.fail("for %s/%s are kept %v, want %v", id.Origin, h.label(id.KeyData), got, want)
	}
	last := h.model.tombs[id]
	if until.IsZero() != last.IsZero() || !last.IsZero() && !until.After(last) {
		h.fail("the tombstone of %s/%s stays until %s, want after %s", id.Origin, h.label(id.KeyData), until, last)
	}
}

func (h *history) compareStats() {
	h.tb.Helper()
	var sinks []ledger.Sink
	for _, s := range h.sinks {
		sinks = append(sinks, s)
	}
	got, err := h.ledger.Stats(h.ctx, sinks...)
	h.must(err)
	if err := got.Check(); err != nil {
		h.fail("%v", err)
	}
	want := h.model.stats(h.sinks)
	if g, w := printStats(got), printStats(want); !slices.Equal(g, w) {
		h.fail("the books are %q\nwant %q", g, w)
	}
}

// printStats prints the counts that are not zero, in order.
func printStats(s *ledger.Stats) []string {
	lines := []string{fmt.Sprintf("padded %d", s.Padded)}
	add := func(source ledger.Source, what string, n int64) {
		if n != 0 {
			lines = append(lines, fmt.Sprintf("%s %s %d", source, what, n))
		}
	}
	for name, b := range s.Sources {
		add(name, "offered", b.Offered)
		add(name, "accepted", b.Accepted)
		add(name, "revised", b.Revised)
		add(name, "duplicates", b.Duplicates)
		add(name, "withdrawals offered", b.WithdrawalsOffered)
		add(name, "withdrawals taken", b.WithdrawalsTaken)
		add(name, "withdrawals kept", b.WithdrawalsKept)
		add(name, "withdrawals refused", b.WithdrawalsRefused)
		for reason, n := range b.Rejected {
			add(name, "rejected for "+reason, n)
		}
		for sink, terms := range b.Sinks {
			for term, n := range terms {
				add(name, sink+": "+string(term), n)
			}
		}
	}
	slices.Sort(lines)
	return lines
}
