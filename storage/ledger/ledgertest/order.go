package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

var orderClauses = []clause{
	{
		name:  "order-one-step",
		must:  "an order and its record are one step: whatever call fails, before or after its effect, the same order goes on, and is done once",
		check: checkOrderOneStep,
	},
	{
		name:  "order-steps",
		must:  "an order of many units that was cut off goes on where it stopped, with nothing that came since",
		check: checkOrderSteps,
	},
	{
		name:  "order-two-hands",
		must:  "an order that two processes have in hand is done once",
		check: checkOrderTwoHands,
	},
	{
		name:  "order-moved",
		must:  "the record of an order says what became of units that changed while it was given",
		check: checkOrderMoved,
	},
	{
		name:  "order-immediately",
		must:  "the next cut, and no other, takes withdrawals of an origin that were ordered immediately, and says how few they are",
		check: checkOrderImmediately,
	},
}

// order returns an order in the suite's name.
func order(action ledger.Action, s ledger.Selection) *ledger.Order {
	return &ledger.Order{Action: action, Select: s, By: "ledgertest", Why: "the suite"}
}

// give has an order carried out.
func (tr *trial) give(o *ledger.Order) *ledger.OrderReport {
	tr.tb.Helper()
	r, err := tr.ledger.Order(tr.ctx, o)
	tr.must(err)
	return r
}

// orders returns the records of orders.
func (tr *trial) orders(l *ledger.Ledger) []ledger.OrderRecord {
	tr.tb.Helper()
	records, err := l.Orders(tr.ctx)
	tr.must(err)
	return records
}

// checkOrderOneStep gives orders of which every call fails once.
func checkOrderOneStep(tr *trial) {
	rollBack := order(ledger.OrderRollBack, ledger.Selection{})
	rollBack.Immediately = true
	orders := []*ledger.Order{
		rollBack,
		order(ledger.OrderErase, ledger.Selection{}),
		order(ledger.OrderHold, ledger.Selection{}),
		order(ledger.OrderWithdraw, ledger.Selection{All: true}), // refused
	}
	tr.open(eager())
	tr.accept("other", tr.key("AT"))
	for i, o := range orders {
		for _, v := range []Verdict{Fail, FailAfter} {
			for n := 1; tr.orderWithFault(*o, n, v); n++ {
				if n > 50 {
					tr.fail("order %d makes more than 50 calls", i)
				}
			}
		}
	}
}

// orderWithFault gives an order of which the n-th call fails, and gives it again.
// It reports whether there was such a call.
func (tr *trial) orderWithFault(o ledger.Order, n int, v Verdict) bool {
	tr.tb.Helper()
	ks := tr.keys("DE", 3)
	for i := range 2 {
		ks[i].RollingStartIntervalNumber -= keys.IntervalsPerDay // due, whatever the hour
	}
	waits := &ks[2]
	waits.RollingStartIntervalNumber, waits.RollingPeriod = keys.IntervalAt(tr.clock.Now())-2, 1
	upload := tr.accept(ledger.Own, ks...)
	tr.cut()
	o.ID = upload
	switch o.Action {
	case ledger.OrderHold:
		o.Holds.Sources, o.Confirm = []ledger.Source{ledger.Source(upload)}, 1 // of which the ledger has nothing
	case ledger.OrderRollBack, ledger.OrderErase:
		o.Select.Uploads = []string{upload}
	}

	failed, looks := false, false
	faulty := Faulty(tr.store, func(_ context.Context, c Call) Verdict {
		if c.N == n {
			failed = true
			looks = c.Op == OpRelease // it has no effect to fail after
			return v
		}
		return Pass
	})
	_, err := tr.ledger.With(faulty).Order(tr.ctx, &o)
	if failed && !errors.Is(err, ErrFault) && !(looks && v == FailAfter) {
		tr.fail("the order gives the error %v although its call %d fails", err, n)
	}
	tr.wantTogether(&o, *waits)
	_, again := tr.ledger.Order(tr.ctx, &o)
	_, once := tr.ledger.Order(tr.ctx, &o)
	r, ok := tr.orderOf(o.ID)
	switch {
	case !ok || !r.Done || fmt.Sprint(again) != fmt.Sprint(once):
		tr.fail("after call %d failed, giving the order again gives %v, then %v, and the record %+v", n, again, once, r)
	case r.Refused != "" && again == nil, r.Refused == "" && again != nil, (r.Refused != "") != o.Select.All:
		tr.fail("the order gives %v, and its record says %q", again, r.Refused)
	case r.Select.Uploads == 1 && (r.Effects.Waiting != 1 || r.Effects.Released != 2 || r.Units != 3 || r.Steps != 1):
		tr.fail("the record says %+v", r)
	}
	tr.wantTogether(&o, *waits)
	return failed
}

// orderOf returns the record of an order.
func (tr *trial) orderOf(id string) (ledger.OrderRecord, bool) {
	tr.tb.Helper()
	for _, r := range tr.orders(tr.ledger) {
		if r.ID == id {
			return r, true
		}
	}
	return ledger.OrderRecord{}, false
}

// wantTogether fails if there is a record of an order without what it changes, or
// the reverse.
func (tr *trial) wantTogether(o *ledger.Order, k keys.DiagnosisKey) {
	tr.tb.Helper()
	r, ok := tr.orderOf(o.ID)
	recorded := ok && r.Refused == ""
	holds, err := tr.ledger.Holds(tr.ctx)
	tr.must(err)
	_, wait := tr.unit(k).Pending()
	changed := wait == ledger.WaitNothing || slices.Contains(holds.Sources, ledger.Source(o.ID))
	if changed != recorded {
		tr.fail("to %s is recorded: %t; is done: %t", o.Action, recorded, changed)
	}
}

// manyUnits is more than one step of an order changes.
const manyUnits = 5_100

// manyOf has many keys of a source accepted, and returns the order to withdraw
// them.
func (tr *trial) manyOf(source ledger.Source) *ledger.Order {
	tr.tb.Helper()
	for rest := manyUnits; rest > 0; rest -= 1700 {
		tr.accept(source, tr.keys("FR", 1700)...)
	}
	tr.accept("other", tr.key("AT"))
	o := order(ledger.OrderWithdraw, ledger.Selection{Source: source})
	o.ID, o.Confirm = "many", manyUnits
	return o
}

// onSecond returns a store that calls f before the second Accept.
func (tr *trial) onSecond(f func() Verdict) *FaultyStore {
	accepts := 0
	return Faulty(tr.store, func(_ context.Context, c Call) Verdict {
		if c.Op == OpAccept {
			if accepts++; accepts == 2 {
				return f()
			}
		}
		return Pass
	})
}

func checkOrderSteps(tr *trial) {
	tr.open(eager())
	o := tr.manyOf("p")
	_, err := tr.ledger.With(tr.onSecond(func() Verdict { return Fail })).Order(tr.ctx, o)
	if !errors.Is(err, ErrFault) {
		tr.fail("an order of which a call fails gives the error %v", err)
	}
	r := tr.orders(tr.ledger)[0]
	if r.Done || r.Steps != 1 || r.Effects.Waiting != 5000 || r.Units != manyUnits {
		tr.fail("after the first of two steps the record is %+v", r)
	}
	tr.pass(time.Minute)
	late := tr.keys("FR", 600) // a dozen of them would be in the second step, were they part of it
	tr.accept("p", late...)
	if tr.opts.Reopen != nil {
		tr.store = tr.opts.Reopen(tr.t, tr.store)
		tr.ledger = tr.around(tr.store, eager())
	}
	got := tr.give(o)
	if got.Effects != (ledger.Effects{Waiting: manyUnits, Foreign: manyUnits}) || got.Units != manyUnits || got.Steps != 2 || !got.Done {
		tr.fail("the order that goes on gives %+v", got.OrderRecord)
	}
	if c := tr.cut(); c.New != int64(len(late))+1 {
		tr.fail("after the order %d keys are released, want those that came later and the other source's", c.New)
	}
}

func checkOrderTwoHands(tr *trial) {
	tr.open(eager())
	o := tr.manyOf("p")
	second := *o
	got, err := tr.ledger.With(tr.onSecond(func() Verdict {
		if r := tr.give(&second); r.Effects.Waiting != manyUnits {
			tr.fail("the second hand reports %+v", r.OrderRecord)
		}
		return Pass
	})).Order(tr.ctx, o)
	tr.must(err)
	if got.Effects.Waiting != manyUnits || got.Steps != 2 || !got.Done || len(tr.orders(tr.ledger)) != 1 {
		tr.fail("the first hand reports %+v, of %d records", got.OrderRecord, len(tr.orders(tr.ledger)))
	}
}

// checkOrderMoved has a cut release what an order has been looking at, and a
// source take back another unit.
func checkOrderMoved(tr *trial) {
	tr.open(eager())
	ks := tr.keys("DE", 3)
	up := tr.accept(ledger.Own, ks...)
	o := order(ledger.OrderWithdraw, ledger.Selection{Uploads: []string{up}})
	o.Immediately = true
	o.Confirm = 3
	hooked := false
	faulty := Faulty(tr.store, func(_ context.Context, c Call) Verdict {
		if c.Op == OpAccept && !hooked {
			hooked = true
			tr.cut()
			tr.withdraw(ledger.Own, ks[0])
		}
		return Pass
	})
	got, err := tr.ledger.With(faulty).Order(tr.ctx, o)
	tr.must(err)
	if want := (ledger.Effects{Released: 2, Already: 1, Urgent: 3}); got.Effects != want {
		tr.fail("the order reports %+v, want %+v", got.Effects, want)
	}
	if r := tr.orders(tr.ledger)[0]; r.Effects != got.Effects || r.Units != 3 {
		tr.fail("the record is %+v", r)
	}
}

// checkOrderImmediately withdraws uploads of a ledger that wants two together.
func checkOrderImmediately(tr *trial) {
	p := eager()
	p.MinWithdrawnUploads, p.WithdrawalWait = 4, 2*time.Hour
	tr.open(p)
	var ups []string
	for range 5 {
		ups = append(ups, tr.accept(ledger.Own, tr.keys("DE", 2)...))
	}
	other := tr.accept(ledger.Own, tr.key("AT"))
	tr.cut()
	withdraw := func(upload string, immediately bool) *ledger.OrderReport {
		o := order(ledger.OrderRollBack, ledger.Selection{Uploads: []string{upload}})
		o.Immediately = immediately
		return tr.give(o)
	}
	wantGone := func(gone int64, waited, ordered ledger.Exposed) {
		tr.tb.Helper()
		if r := tr.cut(); r.Gone != gone || r.WaitedOut != waited || r.ByOrder != ordered {
			tr.fail("the cut took %d withdrawals, %+v that waited, %+v by order; want %d, %+v, %+v", r.Gone, r.WaitedOut, r.ByOrder, gone, waited, ordered)
		}
	}
	none := ledger.Exposed{}
	withdraw(ups[0], false)
	withdraw(other, false)
	wantGone(0, none, none)
	r := withdraw(ups[1], true)
	want := []ledger.WithdrawnGroup{{Origin: keys.MustRegion("DE"), Keys: 2, Uploads: 1, Together: 2, Cut: noon.Add(3 * time.Hour), Small: true}}
	if len(r.Groups) != 1 || !r.Groups[0].Cut.Equal(want[0].Cut) || fmt.Sprint(r.Groups) != fmt.Sprint(want) {
		tr.fail("the withdrawals will be told as %+v, want %+v", r.Groups, want)
	}
	wantGone(4, none, ledger.Exposed{Groups: 1, Keys: 4, Uploads: 2}) // and not the other origin's
	withdraw(ups[2], false)
	wantGone(1, ledger.Exposed{Groups: 1, Keys: 1, Uploads: 1}, none) // the other origin's
	again := withdraw(ups[2], true)                                   // what waits already
	if want := (ledger.Effects{Already: 2, Urgent: 2}); again.Effects != want {
		tr.fail("to order immediately what waits gives %+v, want %+v", again.Effects, want)
	}
	wantGone(2, none, ledger.Exposed{Groups: 1, Keys: 2, Uploads: 1})
	withdraw(ups[3], false)
	wantGone(0, none, none)
}
