package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
)

var (
	de = keys.MustRegion("DE")
	at = keys.MustRegion("AT")
)

// order returns an order with somebody and something behind it.
func order(action ledger.Action, s ledger.Selection) *ledger.Order {
	return &ledger.Order{Action: action, Select: s, By: "duty officer", Why: "ticket 42"}
}

// refused returns the refusal of an order that must be refused.
func (s *setup) refused(o *ledger.Order) *ledger.OrderError {
	s.t.Helper()
	_, err := s.Order(s.t.Context(), o)
	refused, ok := errors.AsType[*ledger.OrderError](err)
	if !ok {
		s.t.Fatalf("the order gives the error %v, want one that it is refused", err)
	}
	return refused
}

// give has an order carried out.
func (s *setup) give(o *ledger.Order) *ledger.OrderReport {
	s.t.Helper()
	r, err := s.Order(s.t.Context(), o)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *setup) orders() []ledger.OrderRecord {
	s.t.Helper()
	records, err := s.Orders(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return records
}

// uploads has n own uploads of one key accepted.
func (s *setup) uploads(n int) (ids []string, ks []keys.DiagnosisKey) {
	s.t.Helper()
	for i := range n {
		ks = append(ks, s.key())
		ids = append(ids, fmt.Sprintf("upload-%d", i))
		s.accept(ledger.Own, ids[i], ks[i])
	}
	return ids, ks
}

// TestOrderMakesNoSense gives orders that can mean nothing, or too much.
func TestOrderMakesNoSense(t *testing.T) {
	all := ledger.Selection{All: true}
	for _, tt := range []struct {
		field string
		order ledger.Order
	}{
		{"Order.Action", ledger.Order{Select: all}},
		{"Order.Action", ledger.Order{Action: "Withdraw", Select: all}},
		{"Order.Action", ledger.Order{Action: ledger.Action(strings.Repeat("x", 100_000)), Select: all, Immediately: true}},
		{"Selection.All", ledger.Order{Action: ledger.OrderWithdraw}},
		{"Selection.All", ledger.Order{Action: ledger.OrderWithdraw, Select: ledger.Selection{All: true, Origin: de}}},
		{"Selection.All", ledger.Order{Action: ledger.OrderWithdraw, Select: ledger.Selection{All: true, Uploads: []string{"u"}}}},
		{"Selection.Units", ledger.Order{Action: ledger.OrderWithdraw, Select: ledger.Selection{Units: []ledger.UnitID{{Origin: de}}}}},
		{"Selection.Units", ledger.Order{Action: ledger.OrderWithdraw, Select: ledger.Selection{Units: make([]ledger.UnitID, 10_001)}}},
		{"Selection.Uploads", ledger.Order{Action: ledger.OrderWithdraw, Select: ledger.Selection{Uploads: []string{"u", ""}}}},
		{"Selection.Uploads", ledger.Order{Action: ledger.OrderWithdraw, Select: ledger.Selection{Uploads: make([]string, 10_001)}}},
		{"Selection.Source", ledger.Order{Action: ledger.OrderWithdraw, Select: ledger.Selection{Source: "P"}}},
		{"Selection.Source", ledger.Order{Action: ledger.OrderWithdraw, Select: ledger.Selection{Source: ledger.Operator}}},
		{"Selection.ReportType", ledger.Order{Action: ledger.OrderWithdraw, Select: ledger.Selection{ReportType: keys.Some(keys.ReportType(200))}}},
		{"Selection.TestType", ledger.Order{Action: ledger.OrderWithdraw, Select: ledger.Selection{TestType: keys.Some(keys.TestType(200))}}},
		{"Selection.To", ledger.Order{Action: ledger.OrderWithdraw, Select: ledger.Selection{From: noon, To: noon}}},
		{"Order.Confirm", ledger.Order{Action: ledger.OrderWithdraw, Select: all, Confirm: -1}},
		{"Order.Immediately", ledger.Order{Action: ledger.OrderReinstate, Select: all, Immediately: true}},
		{"Order.ReportType", ledger.Order{Action: ledger.OrderRevise, Select: all}},
		{"Order.ReportType", ledger.Order{Action: ledger.OrderWithdraw, Select: all, ReportType: keys.Some(keys.ReportConfirmedTest)}},
		{"Order.ReportType", ledger.Order{Action: ledger.OrderRevise, Select: all, ReportType: keys.Some(keys.ReportRevoked)}},
		{"Order.ReportType", ledger.Order{Action: ledger.OrderRevise, Select: all, ReportType: keys.Some(keys.ReportSelfReport)}},
		{"Order.Select", ledger.Order{Action: ledger.OrderRollBack, Select: ledger.Selection{Uploads: []string{"u", "v"}}}},
		{"Order.Select", ledger.Order{Action: ledger.OrderRollBack, Select: ledger.Selection{Uploads: []string{"u"}, Source: "p"}}},
		{"Order.Select", ledger.Order{Action: ledger.OrderErase, Select: all}},
		{"Order.Select", ledger.Order{Action: ledger.OrderAdmit, Select: ledger.Selection{Source: "p"}}},
		{"Order.Select", ledger.Order{Action: ledger.OrderAdmit, Select: ledger.Selection{Origin: de}}},
		{"Order.Holds", ledger.Order{Action: ledger.OrderHold}},
		{"Order.Holds", ledger.Order{Action: ledger.OrderWithdraw, Select: all, Holds: ledger.Holds{Origins: []keys.Region{de}}}},
		{"Order.Select", ledger.Order{Action: ledger.OrderHold, Select: all, Holds: ledger.Holds{Origins: []keys.Region{de}}}},
		{"Holds.Sources", ledger.Order{Action: ledger.OrderHold, Holds: ledger.Holds{Sources: []ledger.Source{"operator"}}}},
		{"Holds.Origins", ledger.Order{Action: ledger.OrderResume, Holds: ledger.Holds{Origins: []keys.Region{{}}}}},
		{"Holds", ledger.Order{Action: ledger.OrderHold, Holds: ledger.Holds{Sources: slices.Repeat([]ledger.Source{"p"}, 1001)}}},
	} {
		s := open(t, nil)
		s.accept(ledger.Own, "u", s.key())
		tt.order.By, tt.order.Why = "duty officer", "ticket 42"
		refused := s.refused(&tt.order)
		if refused.Reason != ledger.RefusedInvalid || !strings.Contains(refused.Error(), tt.field+":") || len(refused.Error()) > 200 {
			t.Errorf("%s: got %q: %v", tt.field, refused.Reason, refused)
		}
		if _, err := s.Preview(t.Context(), &tt.order); err == nil || !strings.Contains(err.Error(), tt.field+":") {
			t.Errorf("%s: the preview gives %v", tt.field, err)
		}
		records := s.orders()
		if len(records) != 1 || records[0].Refused != ledger.RefusedInvalid || !strings.Contains(records[0].Detail, tt.field) || tt.order.ID != "" {
			t.Errorf("%s: recorded are %+v", tt.field, records)
		}
	}
}

// TestOrderOfNobody gives orders that cannot be recorded.
func TestOrderOfNobody(t *testing.T) {
	s := open(t, nil)
	k := s.key()
	s.accept(ledger.Own, "u", k)
	for name, change := range map[string]func(o *ledger.Order){
		"nobody":            func(o *ledger.Order) { o.By = "" },
		"a long name":       func(o *ledger.Order) { o.By = strings.Repeat("n", 65) },
		"a name of lines":   func(o *ledger.Order) { o.By = "a\nb" },
		"no reason":         func(o *ledger.Order) { o.Why = "" },
		"a long reason":     func(o *ledger.Order) { o.Why = strings.Repeat("w", 501) },
		"no UTF-8":          func(o *ledger.Order) { o.Why = "\xff" },
		"a key in hex":      func(o *ledger.Order) { o.Why = fmt.Sprintf("key %x is wrong", k.KeyData[:]) },
		"a key in capitals": func(o *ledger.Order) { o.Why = fmt.Sprintf("key=%X", k.KeyData[:]) },
		"a key in base64":   func(o *ledger.Order) { o.Why = "wrong: AAECAwQFBgcICQoLDA0ODw==." },
		"without its end":   func(o *ledger.Order) { o.Why = "(AAECAwQFBgcICQoLDA0ODw)" },
		"a key by":          func(o *ledger.Order) { o.By = "AAECAwQFBgcICQoLDA0ODw==" },
		"an id of spaces":   func(o *ledger.Order) { o.ID = "a b" },
		"a long id":         func(o *ledger.Order) { o.ID = strings.Repeat("i", 65) },
	} {
		o := order(ledger.OrderRollBack, ledger.Selection{Uploads: []string{"u"}})
		o.Confirm = 1
		change(o)
		if _, err := s.Order(t.Context(), o); err == nil || !strings.Contains(err.Error(), "Order.") {
			t.Errorf("%s: got the error %v", name, err)
		}
	}
	if n := len(s.orders()); n != 0 || s.unit(k).Claims[0].Withdrawn {
		t.Errorf("%d orders are recorded, and one is done", n)
	}
	for _, why := range []string{"INC-2021-000123-berlin", "a test that was mixed up, see ticket 42", "internationalisations"} {
		o := order(ledger.OrderHold, ledger.Selection{})
		o.Holds.Origins, o.Why = []keys.Region{de}, why
		if _, err := s.Order(t.Context(), o); err != nil && strings.Contains(err.Error(), "Order.Why") {
			t.Errorf("%q: %v", why, err)
		}
	}
}

// TestOrderRefused gives orders that make sense and may not be carried out.
func TestOrderRefused(t *testing.T) {
	s := open(t, nil)
	ids, ks := s.uploads(3)
	bySource, foreign := s.key(), s.key()
	s.accept(ledger.Own, "s", bySource)
	s.accept("p", "f", foreign)
	s.withdraw(ledger.Own, bySource)
	named := func(ks ...keys.DiagnosisKey) (sel ledger.Selection) {
		for i := range ks {
			sel.Units = append(sel.Units, ledger.IDOf(&ks[i]))
		}
		return sel
	}
	s.give(order(ledger.OrderRollBack, ledger.Selection{Uploads: ids[:1]}))
	before := len(s.orders())
	tests := []struct {
		name    string
		order   *ledger.Order
		reason  ledger.RefusalReason
		effects ledger.Effects
	}{
		{"an unknown key", order(ledger.OrderWithdraw, named(s.key())), ledger.RefusedUnknown, ledger.Effects{Unknown: 1}},
		{"an unknown upload", order(ledger.OrderErase, ledger.Selection{Uploads: []string{"x"}}), ledger.RefusedUnknown, ledger.Effects{Unknown: 1}},
		{"a partner's upload", order(ledger.OrderRollBack, ledger.Selection{Uploads: []string{"f"}}), ledger.RefusedUnknown, ledger.Effects{Unknown: 1}},
		{"an origin without keys", order(ledger.OrderWithdraw, ledger.Selection{Origin: at}), ledger.RefusedUnknown, ledger.Effects{}},
		{"twice", order(ledger.OrderRollBack, ledger.Selection{Uploads: ids[:1]}), ledger.RefusedAlready, ledger.Effects{Already: 1}},
		{"what its source took back", order(ledger.OrderWithdraw, named(bySource)), ledger.RefusedAlready, ledger.Effects{Already: 1}},
		{"reinstate what its source took back", order(ledger.OrderReinstate, named(bySource, ks[1])), ledger.RefusedNotOurs, ledger.Effects{Refused: 1, Already: 1}},
		{"revise what is withdrawn", &ledger.Order{Action: ledger.OrderRevise, Select: named(ks[0]), ReportType: keys.Some(keys.ReportConfirmedTest)}, ledger.RefusedNotOurs, ledger.Effects{Refused: 1}},
		{"revise a partner's", &ledger.Order{Action: ledger.OrderRevise, Select: named(foreign), ReportType: keys.Some(keys.ReportConfirmedTest)}, ledger.RefusedNotOurs, ledger.Effects{Refused: 1}},
		{"revise backwards", &ledger.Order{Action: ledger.OrderRevise, Select: named(ks[1]), ReportType: keys.Some(keys.ReportConfirmedClinicalDiagnosis)}, ledger.RefusedNotOurs, ledger.Effects{Refused: 1}},
		{"revise to the same", &ledger.Order{Action: ledger.OrderRevise, Select: named(ks[1]), ReportType: keys.Some(keys.ReportConfirmedTest)}, ledger.RefusedAlready, ledger.Effects{Already: 1}},
		{"everything", order(ledger.OrderWithdraw, ledger.Selection{All: true}), ledger.RefusedUnconfirmed, ledger.Effects{Waiting: 3, Already: 2, Foreign: 1}},
		{"a range that is everything", order(ledger.OrderWithdraw, ledger.Selection{To: noon.Add(time.Hour)}), ledger.RefusedUnconfirmed, ledger.Effects{Waiting: 3, Already: 2, Foreign: 1}},
		{"another number", &ledger.Order{Action: ledger.OrderWithdraw, Select: ledger.Selection{Source: "p"}, Confirm: 2}, ledger.RefusedUnconfirmed, ledger.Effects{Waiting: 1, Foreign: 1}},
		{"resume what is not held", &ledger.Order{Action: ledger.OrderResume, Holds: ledger.Holds{Origins: []keys.Region{de}}}, ledger.RefusedAlready, ledger.Effects{}},
		{"admit nothing", order(ledger.OrderAdmit, ledger.Selection{Source: "p", Origin: de}), ledger.RefusedAlready, ledger.Effects{Already: 1}},
	}
	for i, tt := range tests {
		tt.order.By, tt.order.Why = "duty officer", fmt.Sprint(i)
		seen, err := s.Preview(t.Context(), tt.order)
		if err != nil {
			t.Errorf("%s: the preview gives %v", tt.name, err)
			continue
		}
		refused := s.refused(tt.order)
		if refused.Reason != tt.reason || refused.Effects != tt.effects {
			t.Errorf("%s: refused as %q with %+v, want %q with %+v", tt.name, refused.Reason, refused.Effects, tt.reason, tt.effects)
		}
		if unconfirmed := tt.reason == ledger.RefusedUnconfirmed; seen.Unconfirmed != unconfirmed || (seen.Refusal == nil) != unconfirmed || seen.Effects != tt.effects {
			t.Errorf("%s: the preview says %+v", tt.name, *seen)
		}
		records := s.orders()
		i := slices.IndexFunc(records, func(r ledger.OrderRecord) bool { return r.Why == tt.order.Why })
		if len(records) != before+1 || i < 0 || records[i].Refused != tt.reason || !records[i].Done || records[i].Effects != tt.effects {
			t.Errorf("%s: the record is missing, or wrong", tt.name)
		}
		before = len(records)
	}
	if s.unit(ks[1]).OperatorWithdrew || s.unit(foreign).OperatorWithdrew {
		t.Error("an order that was refused is done")
	}
}

// TestOrderOfMany: what changes many units wants its number.
func TestOrderOfMany(t *testing.T) {
	s := open(t, nil)
	for i := range 4 {
		var ks []keys.DiagnosisKey
		for range 400 {
			ks = append(ks, s.key())
		}
		s.accept("p", fmt.Sprint(i), ks...)
		s.now = s.now.Add(time.Minute)
	}
	s.accept("q", "u", s.key())
	o := order(ledger.OrderWithdraw, ledger.Selection{Source: "p"})
	if r := s.refused(o); r.Reason != ledger.RefusedUnconfirmed || !strings.Contains(r.Error(), "1600") {
		t.Errorf("refused as %v", r)
	}
	o.Confirm = 1599
	if r := s.refused(o); r.Reason != ledger.RefusedUnconfirmed || !strings.Contains(r.Error(), "1600") || !strings.Contains(r.Error(), "1599") {
		t.Errorf("refused as %v", r)
	}
	few := order(ledger.OrderWithdraw, ledger.Selection{Source: "p", From: noon.Add(time.Minute), To: noon.Add(3 * time.Minute)})
	if r := s.give(few); r.Effects != (ledger.Effects{Waiting: 800, Foreign: 800}) || r.Uploads != 2 {
		t.Errorf("of a range of two minutes: %+v", r.OrderRecord)
	}
	o.Confirm = 800
	if r := s.give(o); r.Effects != (ledger.Effects{Waiting: 800, Already: 800, Foreign: 800}) {
		t.Errorf("of all: %+v", r.OrderRecord)
	}
}

// TestOrderArrived: what comes between preview and order is said, or left out.
func TestOrderArrived(t *testing.T) {
	s := open(t, nil)
	s.accept("q", "other", s.key())
	s.accept("p", "a", s.key(), s.key())
	s.now = s.now.Add(time.Minute)
	o := order(ledger.OrderWithdraw, ledger.Selection{Source: "p"})
	seen, err := s.Preview(t.Context(), o)
	if err != nil || seen.Units != 2 || !seen.Given.Equal(s.now) {
		t.Fatalf("the preview is %+v, %v", seen, err)
	}
	s.now = s.now.Add(time.Minute)
	s.accept("p", "b", s.key())
	o.Confirm, o.Previewed = 2, seen.Given
	if r := s.refused(o); r.Reason != ledger.RefusedUnconfirmed {
		t.Errorf("refused as %v", r)
	}
	o.Confirm = 0
	again, err := s.Preview(t.Context(), o)
	if err != nil || again.Arrived != 1 || again.Units != 3 {
		t.Errorf("the preview is %+v, %v", again, err)
	}
	o.Select.To, o.Confirm = seen.Given, 2
	if r := s.give(o); r.Units != 2 || r.Arrived != 0 {
		t.Errorf("of what was there then: %+v", r.OrderRecord)
	}
}

// TestOrderTwice: an order is done once, whoever repeats it; another of its ID is
// none.
func TestOrderTwice(t *testing.T) {
	s := open(t, nil)
	ids, ks := s.uploads(3)
	o := order(ledger.OrderRollBack, ledger.Selection{Uploads: ids[:1]})
	first := s.give(o)
	if o.ID == "" || first.ID != o.ID || first.Repeated {
		t.Errorf("the order has the id %q, the report %q", o.ID, first.ID)
	}
	s.give(order(ledger.OrderReinstate, ledger.Selection{Units: []ledger.UnitID{ledger.IDOf(&ks[0])}}))
	if r := s.give(o); !r.Repeated || r.Effects != first.Effects || s.unit(ks[0]).Claims[0].Withdrawn {
		t.Errorf("repeated: %+v", r)
	}
	for name, change := range map[string]func(o *ledger.Order){
		"upload":    func(o *ledger.Order) { o.Select.Uploads = ids[1:2] },
		"reason":    func(o *ledger.Order) { o.Why = "another" },
		"who":       func(o *ledger.Order) { o.By = "another" },
		"action":    func(o *ledger.Order) { o.Action = ledger.OrderErase },
		"immediate": func(o *ledger.Order) { o.Immediately = true },
	} {
		other := *o
		change(&other)
		if r := s.refused(&other); r.Reason != ledger.RefusedOther {
			t.Errorf("another %s: %v", name, r)
		}
	}
	if n := len(s.orders()); n != 2 || s.unit(ks[1]).Claims[0].Withdrawn {
		t.Errorf("%d orders are recorded", n)
	}
}

// TestOrderOvertaken: an order of several steps that another process takes to its end
// between two of them is done once, and its record counts every unit once.
func TestOrderOvertaken(t *testing.T) {
	s := open(t, nil)
	const units = 5200 // more than a step
	for i := range units / 400 {
		var ks []keys.DiagnosisKey
		for range 400 {
			ks = append(ks, s.key())
		}
		s.accept("p", fmt.Sprint(i), ks...)
	}
	o := order(ledger.OrderWithdraw, ledger.Selection{Source: "p"})
	o.ID, o.Confirm = "twice", units
	steps, overtaken := 0, false
	slow, err := ledger.Open(t.Context(), ledgertest.Faulty(s.store, func(_ context.Context, c ledgertest.Call) ledgertest.Verdict {
		if c.Op == ledgertest.OpAccept {
			steps++
		}
		if c.Op == ledgertest.OpRegisters && steps > 0 && !overtaken {
			overtaken = true
			same := *o
			s.give(&same)
		}
		return ledgertest.Pass
	}), &ledger.Options{Policy: new(policyOf(s.Ledger))})
	if err != nil {
		t.Fatal(err)
	}
	report, err := slow.Order(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := ledger.Effects{Waiting: units, Foreign: units}
	records := s.orders()
	if !overtaken || !report.Repeated || report.Effects != want || len(records) != 1 || records[0].Effects != want || records[0].Units != units {
		t.Errorf("overtaken %t; got %+v, recorded %+v", overtaken, report.OrderRecord, records)
	}
}

func policyOf(l *ledger.Ledger) ledger.Policy {
	p, _ := l.Policy()
	return p
}

// TestOrderReaches goes by what partners and own sinks are told of each kind of
// unit.
func TestOrderReaches(t *testing.T) {
	s := open(t, nil)
	own, foreign, waits, foreignWaits := s.key(), s.key(), s.key(), s.key()
	s.accept(ledger.Own, "a", own)
	s.accept("p", "b", foreign)
	s.release()
	s.accept(ledger.Own, "c", waits)
	s.accept("p", "d", foreignWaits)
	all := ledger.Selection{}
	for _, k := range []keys.DiagnosisKey{own, foreign, waits, foreignWaits, s.key()} {
		all.Units = append(all.Units, ledger.IDOf(&k))
	}
	o := order(ledger.OrderWithdraw, all)
	if r := s.give(o); r.Effects != (ledger.Effects{Released: 2, Waiting: 2, Foreign: 2, Unknown: 1}) || r.Units != 4 || r.Uploads != 4 {
		t.Errorf("withdrawn: %+v", r.OrderRecord)
	}
	if r := s.release(); r.New != 0 || r.Gone != 2 {
		t.Errorf("the cut after it: %+v", *r)
	}
	last := func(k keys.DiagnosisKey) ledger.Event { e := s.unit(k).Events; return e[len(e)-1] }
	if e := last(own); e.Own != ledger.Withdrawn || e.Partners != ledger.Withdrawn {
		t.Errorf("of an own unit: %+v", e)
	}
	if e := last(foreign); e.Own != ledger.Withdrawn || e.Partners != ledger.Active {
		t.Errorf("of a foreign unit: %+v", e)
	}
	back := order(ledger.OrderReinstate, all)
	if r := s.give(back); r.Effects != (ledger.Effects{Released: 2, Waiting: 2, Foreign: 2, Untold: 1, Unknown: 1}) {
		t.Errorf("reinstated: %+v", r.OrderRecord)
	}
	if r := s.give(order(ledger.OrderWithdraw, all)); r.Effects != (ledger.Effects{Cancelled: 2, Waiting: 2, Foreign: 2, Unknown: 1}) {
		t.Errorf("withdrawn again before a cut: %+v", r.OrderRecord)
	}
	if r := s.release(); r.New+r.Changed+r.Gone != 0 {
		t.Errorf("a cut after an order and its opposite: %+v", *r)
	}
}

// TestOrderRevise takes a report type further, as its source could.
func TestOrderRevise(t *testing.T) {
	s := open(t, nil)
	released, waits := s.key(), s.key()
	released.ReportType, waits.ReportType = keys.Some(keys.ReportSelfReport), keys.Some(keys.ReportSelfReport)
	s.accept(ledger.Own, "a", released)
	s.release()
	s.accept(ledger.Own, "b", waits)
	o := order(ledger.OrderRevise, ledger.Selection{ReportType: released.ReportType})
	o.ReportType, o.Confirm = keys.Some(keys.ReportConfirmedClinicalDiagnosis), 2
	if r := s.give(o); r.Effects != (ledger.Effects{Released: 1, Waiting: 1}) {
		t.Errorf("revised: %+v", r.OrderRecord)
	}
	if r := s.release(); r.New != 1 || r.Changed != 1 {
		t.Errorf("the cut after it: %+v", *r)
	}
	if r := s.accept(ledger.Own, "a", released); outcome(r) != "duplicate" {
		t.Errorf("said once more as before it is %s", outcome(r))
	}
	if got := s.unit(released).Key.ReportType; got != o.ReportType {
		t.Errorf("the unit says %v", got)
	}
	next := released
	next.ReportType = keys.Some(keys.ReportConfirmedTest)
	if r := s.accept(ledger.Own, "a", next); outcome(r) != "revised" {
		t.Errorf("the source's own revision after it is %s", outcome(r))
	}
}

// TestOrderHold pauses a source, and loses nothing.
func TestOrderHold(t *testing.T) {
	s := open(t, nil)
	hold := order(ledger.OrderHold, ledger.Selection{})
	hold.Holds.Sources, hold.Confirm = []ledger.Source{"p"}, 1 // before it brings anything
	if r := s.give(hold); !r.Done || r.Steps != 1 {
		t.Errorf("held: %+v", r.OrderRecord)
	}
	s.accept("p", "u", s.key())
	if r := s.release(); r.New != 0 {
		t.Errorf("a cut takes what is held: %+v", *r)
	}
	again := order(ledger.OrderHold, ledger.Selection{})
	again.Holds.Sources = []ledger.Source{"p", "p"}
	if r := s.refused(again); r.Reason != ledger.RefusedAlready {
		t.Errorf("held again: %v", r)
	}
	resume := order(ledger.OrderResume, ledger.Selection{})
	resume.Holds.Sources = []ledger.Source{"p", "q"}
	s.give(resume)
	if r := s.release(); r.New != 1 {
		t.Errorf("the cut after it takes %+v", *r)
	}
}

// TestOrderAdmit admits what came beyond a quota.
func TestOrderAdmit(t *testing.T) {
	p := ledger.DefaultPolicy()
	p.Quota = 2
	s := open(t, &ledger.Options{Policy: &p})
	s.accept("p", "u", s.key(), s.key(), s.key())
	s.accept("q", "u", s.key())
	if r := s.release(); r.New != 3 {
		t.Fatalf("the cut takes %+v", *r)
	}
	r := s.give(order(ledger.OrderAdmit, ledger.Selection{Source: "p", Origin: de}))
	if r.Effects != (ledger.Effects{Waiting: 1, Already: 2, Foreign: 1}) {
		t.Errorf("admitted: %+v", r.OrderRecord)
	}
	if r := s.release(); r.New != 1 {
		t.Errorf("the cut after it takes %+v", *r)
	}
}

// TestOrderErase erases an upload of which some keys were set aside, and one of
// which all were.
func TestOrderErase(t *testing.T) {
	s := open(t, nil)
	bad := s.key()
	bad.RollingPeriod = 0
	s.accept(ledger.Own, "some", s.key(), bad)
	s.accept(ledger.Own, "all", bad)
	s.accept(ledger.Own, "other", s.key())
	if r := s.give(order(ledger.OrderErase, ledger.Selection{Uploads: []string{"some"}})); r.Effects != (ledger.Effects{Waiting: 1}) {
		t.Errorf("erased: %+v", r.OrderRecord)
	}
	if r := s.give(order(ledger.OrderErase, ledger.Selection{Uploads: []string{"all"}})); r.Effects != (ledger.Effects{}) || !r.Done {
		t.Errorf("erased: %+v", r.OrderRecord)
	}
	for _, rec := range s.find(ledger.Query{SetAside: true}) {
		if len(rec.SetAside) > 0 {
			t.Error("something is still set aside")
		}
	}
	if r, err := s.Prune(t.Context()); err != nil || r.Removed != 1 {
		t.Errorf("pruned: %+v, %v", r, err)
	}
}

// TestPreviewChangesNothing compares what a ledger holds before and after.
func TestPreviewChangesNothing(t *testing.T) {
	s := open(t, nil)
	ids, _ := s.uploads(3)
	s.release()
	o := order(ledger.OrderRollBack, ledger.Selection{Uploads: ids[:1]})
	o.Immediately = true
	s.now = s.now.Add(time.Hour)
	before, err := s.Log(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := s.Preview(t.Context(), o)
	if err != nil || seen.Effects != (ledger.Effects{Released: 1, Urgent: 1}) || len(seen.Groups) != 1 {
		t.Fatalf("the preview is %+v, %v", seen, err)
	}
	after, err := s.Log(t.Context(), 0)
	if err != nil || fmt.Sprint(before) != fmt.Sprint(after) || len(s.orders()) != 0 || o.ID != "" {
		t.Errorf("after a preview the log is %v, was %v; %v", after, before, err)
	}
	for _, rec := range s.find(ledger.Query{}) {
		if rec.Unit.OperatorWithdrew || rec.Unit.Claims[0].Withdrawn {
			t.Error("a preview withdraws")
		}
	}
}

// TestRecordsHoldNoKeys looks for key data, and for the names of uploads, in what
// orders leave and print.
func TestRecordsHoldNoKeys(t *testing.T) {
	s := open(t, nil)
	ids, ks := s.uploads(3)
	o := order(ledger.OrderWithdraw, ledger.Selection{Units: []ledger.UnitID{ledger.IDOf(&ks[0]), ledger.IDOf(&ks[1])}})
	report := s.give(o)
	refused := s.refused(order(ledger.OrderWithdraw, o.Select))
	s.give(order(ledger.OrderErase, ledger.Selection{Uploads: ids[2:]}))
	registers, err := s.Registers(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, r := range registers {
		text.WriteString(r.Name + " " + string(r.Value) + "\n")
	}
	fmt.Fprintf(&text, "%v %+v %s %v %+v", *report, s.orders(), report.Refusal, refused, *refused)
	for _, k := range ks {
		if form := keystest.Leak(text.String(), k.KeyData); form != "" {
			t.Errorf("key data is there in %s", form)
		}
	}
	if strings.Contains(text.String(), ids[2]) {
		t.Error("the name of an upload that was erased is in the record")
	}
}

// TestOrdersPruned: records stay for as long as they are to, and go.
func TestOrdersPruned(t *testing.T) {
	s := open(t, nil)
	give := func() {
		o := order(ledger.OrderHold, ledger.Selection{})
		o.Holds.Sources, o.Confirm = []ledger.Source{ledger.Source(fmt.Sprintf("p%d", s.now.Unix()))}, 1
		s.give(o)
	}
	give()
	first := s.now
	s.now = s.now.Add(time.Hour)
	give()
	s.now = first.Add(ledger.OrderAge)
	for _, want := range []int{0, 1, 0} {
		if r, err := s.Prune(t.Context()); err != nil || r.Orders != want {
			t.Errorf("pruned %+v, %v; want %d orders", r, err, want)
		}
		if want == 0 {
			s.now = s.now.Add(time.Second)
		}
	}
	if got := s.orders(); len(got) != 1 || !got[0].Given.Equal(first.Add(time.Hour)) {
		t.Errorf("left are %+v", got)
	}
}

// TestWithdrawalsAreGrouped plays days of orders by the default policy, and holds
// every cut to the rule: no fewer uploads than the minimum, unless the wait ran out
// or an operator ordered it, and the report counts those.
func TestWithdrawalsAreGrouped(t *testing.T) {
	for seed := range uint64(6) {
		p := ledger.DefaultPolicy()
		p.MinKeys, p.MinUploads = 0, 0
		s := open(t, &ledger.Options{Policy: &p})
		r := rand.New(rand.NewPCG(seed, 6))
		ids, ks := s.uploads(60)
		at := map[string]time.Time{} // when each was withdrawn
		urgent := map[string]bool{}
		s.release()
		told := map[string]bool{}
		for range 40 {
			for range r.IntN(4) {
				i := r.IntN(len(ids))
				if !at[ids[i]].IsZero() {
					continue
				}
				o := order(ledger.OrderRollBack, ledger.Selection{Uploads: ids[i : i+1]})
				o.Immediately = r.IntN(8) == 0
				at[ids[i]] = s.now
				if s.give(o); o.Immediately {
					urgent[ids[i]] = true
				}
			}
			report := s.release()
			var gone []string
			late, ordered := false, false
			for i, id := range ids {
				u := s.unit(ks[i])
				if told[id] || u.Events[len(u.Events)-1].Own != ledger.Withdrawn {
					if wait := report.Cut.Time.Sub(at[id]); !at[id].IsZero() && !told[id] && (wait >= 3*time.Hour || urgent[id]) {
						t.Fatalf("seed %d: a withdrawal waits for %s; ordered immediately: %t", seed, wait, urgent[id])
					}
					continue
				}
				told[id] = true
				gone = append(gone, id)
				late = late || report.Cut.Time.Sub(at[id]) >= 2*time.Hour
				ordered = ordered || urgent[id]
			}
			few := len(gone) > 0 && len(gone) < p.MinWithdrawnUploads
			if few && !late && !ordered {
				t.Fatalf("seed %d: a cut tells %d withdrawals for no reason", seed, len(gone))
			}
			if counted := report.WaitedOut.Uploads + report.ByOrder.Uploads; few && counted != len(gone) || !few && counted != 0 {
				t.Fatalf("seed %d: a cut tells %d withdrawals and counts %+v, %+v", seed, len(gone), report.WaitedOut, report.ByOrder)
			}
			if stats, err := s.Stats(t.Context()); err != nil || stats.Check() != nil {
				t.Fatalf("seed %d: %v, %v", seed, err, stats.Check())
			}
		}
	}
}
