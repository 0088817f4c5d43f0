package ledgertest

import (
	"errors"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A sink is a consumer that has been given everything up to a number.
type sink struct {
	name string
	only keys.Region // zero for all origins
	sent int64
}

// Name implements [ledger.Sink].
func (s sink) Name() string { return s.name }

// Term implements [ledger.Sink].
func (s sink) Term(u *ledger.Unit) ledger.Term {
	switch {
	case s.only != (keys.Region{}) && u.Key.Origin != s.only:
		return ledger.TermNotForSink
	case u.Events[0].Number <= s.sent:
		return ledger.TermSent
	case u.Events[len(u.Events)-1].Own == ledger.Withdrawn:
		return ledger.TermWithdrawn
	}
	return ledger.TermDue
}

// order carries out an operator's order in the ledger, and compares receipts.
func (h *history) order(want ledger.OperatorReceipt, known bool, order func() (*ledger.OperatorReceipt, error)) {
	h.tb.Helper()
	got, err := order()
	if known == (err != nil) {
		h.fail("the order gives the error %v; want one: %t", err, !known)
	}
	if known && *got != want {
		h.fail("the receipt is %+v, want %+v", *got, want)
	}
}

func (h *history) stepOperator() {
	list := h.someIDs()
	h.note("the operator withdraws %s", h.nameIDs(list))
	h.order(h.model.withdraw(list), true, func() (*ledger.OperatorReceipt, error) { return h.ledger.Withdraw(h.ctx, list...) })
}

func (h *history) stepReinstate() {
	list := h.someIDs()
	for _, u := range h.model.units {
		if u.gone() && h.rand.IntN(2) == 0 {
			list = append(list, u.id)
		}
	}
	h.note("the operator reinstates %s", h.nameIDs(list))
	h.order(h.model.reinstate(list), true, func() (*ledger.OperatorReceipt, error) { return h.ledger.Reinstate(h.ctx, list...) })
}

// someUpload returns an own upload, or one that is not known.
func (h *history) someUpload() string {
	if len(h.uploads) == 0 || h.rand.IntN(10) == 0 {
		return "unknown"
	}
	return h.uploads[max(0, len(h.uploads)-1-h.rand.IntN(15))]
}

func (h *history) stepRollBack() {
	upload := h.someUpload()
	h.note("the operator rolls back %s", upload)
	want, known := h.model.rollBack(upload)
	h.order(want, known, func() (*ledger.OperatorReceipt, error) { return h.ledger.RollBack(h.ctx, upload) })
}

func (h *history) stepErase() {
	upload := h.someUpload()
	h.note("the operator erases %s", upload)
	want, known := h.model.eraseUpload(upload)
	h.order(want, known, func() (*ledger.OperatorReceipt, error) { return h.ledger.Erase(h.ctx, upload) })
}

func (h *history) someHolds() (hold ledger.Holds) {
	if h.rand.IntN(2) == 0 {
		hold.Origins = []keys.Region{keys.MustRegion(pick(h.rand, "DE", "AT"))}
	} else {
		hold.Sources = []ledger.Source{pick(h.rand, historySources...), pick(h.rand, historySources...)}
	}
	return hold
}

func (h *history) stepHold() {
	hold := h.someHolds()
	h.note("hold %v %v", hold.Origins, hold.Sources)
	h.hold(hold)
	h.model.holds.Origins = append(h.model.holds.Origins, hold.Origins...)
	h.model.holds.Sources = append(h.model.holds.Sources, hold.Sources...)
}

func (h *history) stepResume() {
	hold := h.someHolds()
	if h.rand.IntN(3) == 0 {
		hold = h.model.holds
	}
	h.note("resume %v %v", hold.Origins, hold.Sources)
	h.resume(hold)
	h.model.holds = ledger.Holds{
		Origins: slices.DeleteFunc(slices.Clone(h.model.holds.Origins), func(o keys.Region) bool { return slices.Contains(hold.Origins, o) }),
		Sources: slices.DeleteFunc(slices.Clone(h.model.holds.Sources), func(s ledger.Source) bool { return slices.Contains(hold.Sources, s) }),
	}
}

func (h *history) stepJump() {
	jump := pick(h.rand, -5*time.Hour, -40*time.Minute, 7*time.Hour, 25*time.Hour, 30*time.Hour, 90*time.Minute+time.Microsecond)
	h.note("the clock jumps by %s", jump)
	h.pass(jump)
}

// stepFloor has a consumer move on, appear or go.
func (h *history) stepFloor() {
	name := pick(h.rand, "a", "b")
	register := ledger.Swap{Name: ledger.FloorRegister(name)}
	for _, r := range h.registers(register.Name) {
		register.Version = r.Version
	}
	f := ledger.Floor{Time: h.clock.Now()}
	if n := len(h.model.cuts); n > 0 {
		c := h.model.cuts[max(0, n-1-h.rand.IntN(4))]
		f = ledger.Floor{Number: c.Last, Time: c.Time}
	}
	register.Value = f.Value()
	h.model.floors[name] = f
	if h.rand.IntN(3) == 0 {
		register.Delete = true
		delete(h.model.floors, name)
	}
	h.note("consumer %s has read up to %d, or is gone: %t", name, f.Number, register.Delete)
	h.swap(register)
	h.sinks[0].sent = max(h.sinks[0].sent, f.Number)
	if h.rand.IntN(2) == 0 {
		h.sinks[1].sent = max(h.sinks[1].sent, f.Number)
	}
}

func (h *history) stepPrune() {
	h.note("prune")
	var sinks []ledger.Sink
	for _, s := range h.sinks {
		sinks = append(sinks, s)
	}
	got, err := h.ledger.Prune(h.ctx, sinks...)
	if h.tooFar(h.clock.Now().Truncate(h.model.policy.Grid)) {
		if !errors.Is(err, ledger.ErrTime) {
			h.fail("pruning too long after the last cut gives %+v and the error %v", got, err)
		}
		h.compareLog()
		return
	}
	h.must(err)
	removed, expired := h.model.prune(h.clock.Now(), h.sinks)
	if got.Removed != removed || !slices.Equal(got.Expired, expired) {
		h.fail("pruning gives %+v, want %d removed and %q expired", *got, removed, expired)
	}
	h.compareLog()
	h.compareWindows(6)
}
