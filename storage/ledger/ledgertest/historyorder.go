package ledgertest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

var orderActions = []ledger.Action{
	ledger.OrderWithdraw, ledger.OrderWithdraw, ledger.OrderReinstate, ledger.OrderRollBack,
	ledger.OrderErase, ledger.OrderRevise, ledger.OrderAdmit,
}

// someOrder returns an order about units.
func (h *history) someOrder() *ledger.Order {
	o := &ledger.Order{Action: pick(h.rand, orderActions...), By: "ledgertest", Why: fmt.Sprintf("step %d", len(h.steps))}
	switch o.Action {
	case ledger.OrderRollBack, ledger.OrderErase:
		o.Select.Uploads = []string{h.someUpload()}
	case ledger.OrderAdmit:
		o.Select = ledger.Selection{Source: pick(h.rand, historySources...), Origin: keys.MustRegion(pick(h.rand, "DE", "AT"))}
	case ledger.OrderRevise:
		o.Select, o.ReportType = h.someSelection(), keys.Some(pick(h.rand, clinical, test))
	default:
		o.Select = h.someSelection()
	}
	o.Immediately = o.Action != ledger.OrderRevise && o.Action != ledger.OrderAdmit && o.Action != ledger.OrderReinstate && h.rand.IntN(3) == 0
	return o
}

// someSelection returns one that describes few units, or all, by one field or
// several.
func (h *history) someSelection() (s ledger.Selection) {
	now := h.clock.Now()
	switch h.rand.IntN(10) {
	case 0, 1, 2:
		for _, id := range h.someIDs() {
			if !id.Origin.IsZero() {
				s.Units = append(s.Units, id)
			}
		}
		if len(s.Units) == 0 {
			s.All = true
		}
	case 3, 4:
		s.Uploads = []string{h.someUpload(), h.someUpload()}
	case 5:
		s.Source = pick(h.rand, historySources...)
	case 6:
		s.Origin = keys.MustRegion(pick(h.rand, "AT", "FR", "NL"))
	case 7:
		s.From = now.Add(-time.Duration(h.rand.IntN(90)) * time.Minute)
	case 8:
		s.TestType, s.ReportType = keys.Some(pick(h.rand, keys.TestRapid, keys.TestUnstated)), keys.Some(clinical)
	case 9:
		s.All = true
	}
	if s.All {
		return s
	}
	if h.rand.IntN(6) == 0 {
		s.To = now.Add(-time.Duration(h.rand.IntN(120)) * time.Minute)
		if !s.From.IsZero() && !s.From.Before(s.To) {
			s.From = s.To.Add(-time.Hour)
		}
	}
	if h.rand.IntN(8) == 0 {
		s.ReportType = keys.Some(pick(h.rand, self, clinical, test))
	}
	return s
}

// stepOrder previews an order and gives it, and compares both with the model.
func (h *history) stepOrder() {
	o := h.someOrder()
	if o.Immediately || h.rand.IntN(2) == 0 {
		h.pass(time.Duration(h.rand.IntN(40)) * time.Minute)
	}
	seen, err := h.ledger.Preview(h.ctx, o)
	if err != nil {
		h.fail("the preview of %s gives the error %v", o.Action, err)
	}
	if seen.Unconfirmed || h.rand.IntN(4) == 0 {
		o.Confirm = pick(h.rand, 0, seen.Effects.Changes(), seen.Effects.Changes(), seen.Effects.Changes()+1)
	}
	if h.rand.IntN(12) > 0 && o.Select.All {
		o.Confirm = 0 // all of it only now and then
	}
	h.note("%s of %s %q %s %s from %s to %s, all %t, to %v; immediately %t, confirmed %d", o.Action, h.nameIDs(o.Select.Units), o.Select.Uploads,
		o.Select.Source, o.Select.Origin, o.Select.From.Format("15:04"), o.Select.To.Format("15:04"), o.Select.All, o.ReportType, o.Immediately, o.Confirm)
	want := h.model.give(o, h.clock.Now())
	got, err := h.ledger.Order(h.ctx, o)
	refused, _ := errors.AsType[*ledger.OrderError](err)
	switch {
	case err != nil && refused == nil:
		h.fail("the order gives the error %v", err)
	case refused != nil && (refused.Reason != want.refused || refused.Effects != want.effects):
		h.fail("the order is refused: %v, with %+v; want %q with %+v", err, refused.Effects, want.refused, want.effects)
	case refused != nil:
		h.record(o, want)
		return
	}
	if want.refused != "" || got.Effects != want.effects || got.Units != want.units || !got.Done {
		h.fail("the order gives %+v\nwant refused %q, %d units, %+v", got.OrderRecord, want.refused, want.units, want.effects)
	}
	if seen.Effects != got.Effects || seen.Units != got.Units || fmt.Sprint(seen.Groups) != fmt.Sprint(got.Groups) {
		h.fail("the preview says %+v %+v\nand the order %+v %+v", seen.OrderRecord, seen.Groups, got.OrderRecord, got.Groups)
	}
	// What an erased upload leaves to another is told with that from then on.
	if got.Effects.Spared == 0 && fmt.Sprint(got.Groups) != fmt.Sprint(want.groups) {
		h.fail("withdrawals go in the groups %+v\nwant %+v", got.Groups, want.groups)
	}
	h.record(o, want)
}

// record expects a record of an order.
func (h *history) record(o *ledger.Order, want modelOrder) {
	h.orders = append(h.orders, ledger.OrderRecord{Why: o.Why, Action: o.Action, Refused: want.refused, Effects: want.effects})
}

// compareOrders compares the records of orders. Those of clocks that jump back are
// in another order, and so are sorted.
func (h *history) compareOrders() {
	h.tb.Helper()
	records, err := h.ledger.Orders(h.ctx)
	h.must(err)
	line := func(r ledger.OrderRecord) string {
		return fmt.Sprintf("%s: %s %q %+v", r.Why, r.Action, r.Refused, r.Effects)
	}
	var got, want []string
	for _, r := range records {
		got = append(got, line(r))
	}
	for _, r := range h.orders {
		want = append(want, line(r))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		h.fail("recorded are %d orders\n%q\nwant %d\n%q", len(got), got, len(want), want)
	}
}
