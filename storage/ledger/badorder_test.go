package ledger_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// contents is all that a ledger holds but the records of orders.
type contents struct {
	units     map[ledger.UnitID]*ledger.Unit
	setAside  map[ledger.UnitID][]ledger.SetAside
	registers []ledger.Register
	log       ledger.Log
}

func (s *setup) contents() (c contents) {
	s.t.Helper()
	c.units, c.setAside = map[ledger.UnitID]*ledger.Unit{}, map[ledger.UnitID][]ledger.SetAside{}
	for _, rec := range s.find(ledger.Query{SetAside: true}) {
		if rec.Unit != nil {
			c.units[rec.ID] = rec.Unit.Clone()
		}
		c.setAside[rec.ID] = slices.Clone(rec.SetAside)
	}
	registers, err := s.Registers(s.t.Context(), "")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range registers {
		if !strings.HasPrefix(r.Name, "order/") {
			c.registers = append(c.registers, r)
		}
	}
	log, err := s.Log(s.t.Context(), 0)
	if err != nil {
		s.t.Fatal(err)
	}
	c.log = *log
	return c
}

// badOrders is a ledger in which operators have been at work, and what there is in
// it to be ordered wrongly.
type badOrders struct {
	*setup
	uploads                       []string
	own, good, withdrawn, foreign keys.DiagnosisKey
	takenBack                     keys.DiagnosisKey // by the partner that brought it
	erased                        string            // an upload
	given                         *ledger.Order     // and done
}

func newBadOrders(t *testing.T) *badOrders {
	b := &badOrders{setup: open(t, nil)}
	ids, ks := b.setup.uploads(4)
	b.uploads, b.own, b.good, b.withdrawn, b.erased = ids, ks[0], ks[1], ks[2], ids[3]
	b.foreign, b.takenBack = b.key(), b.key()
	b.foreign.Origin, b.takenBack.Origin = at, at
	b.accept("p", "batch", b.foreign, b.takenBack)
	var many []keys.DiagnosisKey
	for range ledger.MaxUnconfirmed + 1 {
		many = append(many, b.key())
	}
	b.accept("q", "many", many...)
	b.release()
	b.setup.withdraw("p", b.takenBack)
	b.given = order(ledger.OrderRollBack, ledger.Selection{Uploads: ids[2:3]})
	b.given.ID = "given"
	b.give(b.given)
	b.give(order(ledger.OrderErase, ledger.Selection{Uploads: []string{b.erased}}))
	b.give(&ledger.Order{Action: ledger.OrderHold, Holds: ledger.Holds{Origins: []keys.Region{at}}, By: "ada", Why: "in doubt"})
	return b
}

// units selects keys by name.
func units(ks ...keys.DiagnosisKey) (s ledger.Selection) {
	for i := range ks {
		s.Units = append(s.Units, ledger.IDOf(&ks[i]))
	}
	return s
}

// TestBadOrders is what operators get wrong. Each is refused, by a class of error that
// programs can test and a text that names the field, or asks for a confirmation; it
// has changed nothing but the record of it, which keeps no key data. There is no
// record of what could not say who orders what and why, and of a second order by an
// ID that is another's: that the caller must log.
//
// What is listed as done is what only looks wrong.
func TestBadOrders(t *testing.T) {
	type selection = ledger.Selection
	const done = ledger.RefusalReason("")
	withdraw := func(s selection) *ledger.Order { return order(ledger.OrderWithdraw, s) }
	confirmed := func(n int, o *ledger.Order) *ledger.Order { o.Confirm = n; return o }
	hold := func(a ledger.Action, h ledger.Holds) *ledger.Order { return &ledger.Order{Action: a, Holds: h} }
	revise := func(s selection, to keys.ReportType) *ledger.Order {
		return &ledger.Order{Action: ledger.OrderRevise, Select: s, ReportType: keys.Some(to)}
	}
	const everything = ledger.MaxUnconfirmed + 4 // of 1,007 units three are withdrawn or erased
	for _, tt := range []struct {
		name     string
		order    func(b *badOrders) *ledger.Order
		reason   ledger.RefusalReason
		says     string // text that the error, or a note of what is done, must have
		wants    int    // the number to confirm
		unheard  bool   // there is no record
		repeated bool
	}{
		{name: "an unknown key", order: func(b *badOrders) *ledger.Order { return withdraw(units(b.key())) },
			reason: ledger.RefusedUnknown, says: "Selection.Units: the ledger has nothing"},
		{name: "a key of another origin", order: func(b *badOrders) *ledger.Order {
			k := b.foreign
			k.Origin = de
			return withdraw(units(k))
		}, reason: ledger.RefusedUnknown, says: "Selection.Units: the ledger has nothing"},
		{name: "a key that only somebody else brought", order: func(b *badOrders) *ledger.Order { return withdraw(units(b.foreign)) },
			reason: done, says: "1 units only others brought: they are withdrawn here alone"},
		{name: "the same order twice", order: func(b *badOrders) *ledger.Order { o := *b.given; return &o },
			reason: done, repeated: true},
		{name: "the same order by another id", order: func(b *badOrders) *ledger.Order { o := *b.given; o.ID = "more"; return &o },
			reason: ledger.RefusedAlready, says: "Selection.Uploads: everything that it selects was so before"},
		{name: "another order by the same id", order: func(b *badOrders) *ledger.Order {
			o := withdraw(units(b.good))
			o.ID = b.given.ID
			return o
		}, reason: ledger.RefusedOther, says: "Order.ID: another order", unheard: true},
		{name: "a key that is withdrawn already", order: func(b *badOrders) *ledger.Order { return withdraw(units(b.withdrawn)) },
			reason: ledger.RefusedAlready, says: "Selection.Units: everything"},
		{name: "a key that its source has taken back", order: func(b *badOrders) *ledger.Order { return withdraw(units(b.takenBack)) },
			reason: ledger.RefusedAlready, says: "Selection.Units: everything"},
		{name: "to reinstate what no operator withdrew", order: func(b *badOrders) *ledger.Order { return order(ledger.OrderReinstate, units(b.good)) },
			reason: ledger.RefusedAlready, says: "Selection.Units: everything"},
		{name: "to reinstate what a partner took back", order: func(b *badOrders) *ledger.Order { return order(ledger.OrderReinstate, units(b.takenBack)) },
			reason: ledger.RefusedNotOurs, says: "Selection.Units: the operator undoes what an operator did"},
		{name: "to reinstate what was erased", order: func(b *badOrders) *ledger.Order {
			return order(ledger.OrderReinstate, selection{Uploads: []string{b.erased}})
		}, reason: ledger.RefusedNotOurs, says: "Selection.Uploads: the operator undoes"},
		{name: "everything", order: func(*badOrders) *ledger.Order { return withdraw(selection{All: true}) },
			reason: ledger.RefusedUnconfirmed, says: "Order.Confirm: it changes 1004 units and selects every unit", wants: everything},
		{name: "a range that is everything", order: func(*badOrders) *ledger.Order { return withdraw(selection{To: noon.AddDate(1, 0, 0)}) },
			reason: ledger.RefusedUnconfirmed, says: "Order.Confirm: it changes 1004 units and selects every unit", wants: everything},
		{name: "more than 1,000", order: func(*badOrders) *ledger.Order { return withdraw(selection{Source: "q"}) },
			reason: ledger.RefusedUnconfirmed, says: "Order.Confirm: it changes 1001 units: confirm", wants: 1001},
		{name: "more than 1,000, by a wrong number", order: func(*badOrders) *ledger.Order { return confirmed(1000, withdraw(selection{Source: "q"})) },
			reason: ledger.RefusedUnconfirmed, says: "Order.Confirm: it changes 1001 units, and 1000 were confirmed", wants: 1001},
		{name: "few, by a wrong number", order: func(b *badOrders) *ledger.Order { return confirmed(2, withdraw(units(b.good))) },
			reason: ledger.RefusedUnconfirmed, says: "Order.Confirm: it changes 1 units, and 2 were confirmed", wants: 1},
		{name: "more than 1,000, by their number", order: func(*badOrders) *ledger.Order { return confirmed(1001, withdraw(selection{Source: "q"})) },
			reason: done},
		{name: "everything, by its number", order: func(*badOrders) *ledger.Order { return confirmed(everything, withdraw(selection{All: true})) },
			reason: done},
		{name: "nothing", order: func(*badOrders) *ledger.Order { return withdraw(selection{}) },
			reason: ledger.RefusedInvalid, says: "Selection.All: nothing is selected"},
		{name: "an empty range", order: func(*badOrders) *ledger.Order {
			return withdraw(selection{Source: "q", From: noon.AddDate(0, 0, -2), To: noon.AddDate(0, 0, -1)})
		}, reason: ledger.RefusedUnknown, says: "Order.Select: the ledger has nothing"},
		{name: "from after to", order: func(*badOrders) *ledger.Order { return withdraw(selection{From: noon.Add(time.Hour), To: noon}) },
			reason: ledger.RefusedInvalid, says: "Selection.To: is not after From"},
		{name: "everything and an origin", order: func(*badOrders) *ledger.Order { return withdraw(selection{All: true, Origin: de}) },
			reason: ledger.RefusedInvalid, says: "Selection.All: every unit, and other fields"},
		{name: "keys of one origin and another origin", order: func(b *badOrders) *ledger.Order {
			s := units(b.good)
			s.Origin = at
			return withdraw(s)
		}, reason: ledger.RefusedInvalid, says: "Selection.Origin: none of the units"},
		{name: "an upload and a source that is not its", order: func(b *badOrders) *ledger.Order {
			return withdraw(selection{Uploads: b.uploads[:1], Source: "p"})
		}, reason: ledger.RefusedUnknown, says: "Selection.Uploads: the ledger has nothing"},
		{name: "an upload of another source", order: func(*badOrders) *ledger.Order {
			return order(ledger.OrderRollBack, selection{Uploads: []string{"batch"}})
		}, reason: ledger.RefusedUnknown, says: "Selection.Uploads: the ledger has nothing"},
		{name: "10,001 keys", order: func(b *badOrders) *ledger.Order {
			return withdraw(units(slices.Repeat([]keys.DiagnosisKey{b.good}, 10_001)...))
		},
			reason: ledger.RefusedInvalid, says: "Selection.Units: 10001, at most 10000"},
		{name: "10,001 uploads", order: func(b *badOrders) *ledger.Order {
			return withdraw(selection{Uploads: slices.Repeat([]string{"u"}, 10_001)})
		}, reason: ledger.RefusedInvalid, says: "Selection.Uploads: 10001, at most 10000"},
		{name: "an upload of control characters", order: func(*badOrders) *ledger.Order { return withdraw(selection{Uploads: []string{"a\nb"}}) },
			reason: ledger.RefusedInvalid, says: "Selection.Uploads: one is not"},
		{name: "hold an unknown source", order: func(*badOrders) *ledger.Order {
			return hold(ledger.OrderHold, ledger.Holds{Sources: []ledger.Source{"p", "r"}})
		}, reason: ledger.RefusedUnconfirmed, says: "Order.Confirm: of 1 of its origins and sources the ledger has nothing: confirm", wants: 1},
		{name: "hold an unknown origin and source, by a wrong number", order: func(*badOrders) *ledger.Order {
			return confirmed(1, hold(ledger.OrderHold, ledger.Holds{Sources: []ledger.Source{"r", "r"}, Origins: []keys.Region{keys.MustRegion("FR")}}))
		}, reason: ledger.RefusedUnconfirmed, says: "Order.Confirm: of 2 of its origins and sources the ledger has nothing, and 1 were confirmed", wants: 2},
		{name: "hold an unknown source, confirmed", order: func(*badOrders) *ledger.Order {
			return confirmed(1, hold(ledger.OrderHold, ledger.Holds{Sources: []ledger.Source{"r"}}))
		}, reason: done},
		{name: "hold a known source, confirmed", order: func(*badOrders) *ledger.Order {
			return confirmed(1, hold(ledger.OrderHold, ledger.Holds{Sources: []ledger.Source{"p"}}))
		}, reason: ledger.RefusedUnconfirmed, says: "of 0 of its", wants: 0},
		{name: "hold what is held", order: func(*badOrders) *ledger.Order {
			return hold(ledger.OrderHold, ledger.Holds{Origins: []keys.Region{at}})
		}, reason: ledger.RefusedAlready, says: "Order.Holds: everything"},
		{name: "hold the operator", order: func(*badOrders) *ledger.Order {
			return hold(ledger.OrderHold, ledger.Holds{Sources: []ledger.Source{ledger.Operator}})
		}, reason: ledger.RefusedInvalid, says: "Holds.Sources: one is no name"},
		{name: "resume what is not held", order: func(*badOrders) *ledger.Order {
			return hold(ledger.OrderResume, ledger.Holds{Sources: []ledger.Source{"p"}})
		}, reason: ledger.RefusedAlready, says: "Order.Holds: everything"},
		{name: "resume, confirmed", order: func(*badOrders) *ledger.Order {
			return confirmed(1, hold(ledger.OrderResume, ledger.Holds{Origins: []keys.Region{at}}))
		}, reason: ledger.RefusedInvalid, says: "Order.Confirm: to resume needs none"},
		{name: "revise backwards", order: func(b *badOrders) *ledger.Order { return revise(units(b.good), keys.ReportConfirmedClinicalDiagnosis) },
			reason: ledger.RefusedNotOurs, says: "Order.ReportType: it only rises"},
		{name: "revise others' keys", order: func(b *badOrders) *ledger.Order { return revise(units(b.foreign), keys.ReportConfirmedTest) },
			reason: ledger.RefusedNotOurs, says: "Order.ReportType: it only rises"},
		{name: "revise to what is a withdrawal", order: func(b *badOrders) *ledger.Order { return revise(units(b.good), keys.ReportRevoked) },
			reason: ledger.RefusedInvalid, says: "Order.ReportType: no allowed transition"},
		{name: "erase twice", order: func(b *badOrders) *ledger.Order {
			return order(ledger.OrderErase, selection{Uploads: []string{b.erased}})
		},
			reason: ledger.RefusedAlready, says: "Selection.Uploads: everything"},
		{name: "erase twice, when it is gone", order: func(b *badOrders) *ledger.Order {
			b.release()
			if r, err := b.Prune(b.t.Context()); err != nil || r.Removed != 1 {
				b.t.Fatalf("pruned: %+v, %v", r, err)
			}
			return order(ledger.OrderErase, selection{Uploads: []string{b.erased}})
		}, reason: ledger.RefusedUnknown, says: "Selection.Uploads: the ledger has nothing"},
		{name: "erase two uploads", order: func(b *badOrders) *ledger.Order { return order(ledger.OrderErase, selection{Uploads: b.uploads[:2]}) },
			reason: ledger.RefusedInvalid, says: "Order.Select: to erase takes one upload"},
		{name: "of nobody", order: func(b *badOrders) *ledger.Order { o := withdraw(units(b.good)); o.By = "-"; return o },
			reason: ledger.RefusedInvalid, says: "Order.By: 0 bytes, want 1 to 64", unheard: true},
		{name: "without a reason", order: func(b *badOrders) *ledger.Order { o := withdraw(units(b.good)); o.Why = "-"; return o },
			reason: ledger.RefusedInvalid, says: "Order.Why: 0 bytes, want 1 to 500", unheard: true},
		{name: "a name with control characters", order: func(b *badOrders) *ledger.Order { o := withdraw(units(b.good)); o.By = "a\x1b[2J"; return o },
			reason: ledger.RefusedInvalid, says: "Order.By: 5 bytes, want 1 to 64 printable", unheard: true},
		{name: "a reason with control characters", order: func(b *badOrders) *ledger.Order { o := withdraw(units(b.good)); o.Why = "a\r\nb"; return o },
			reason: ledger.RefusedInvalid, says: "Order.Why: 4 bytes, want 1 to 500 printable", unheard: true},
		{name: "an id with control characters", order: func(b *badOrders) *ledger.Order { o := withdraw(units(b.good)); o.ID = "a\x00"; return o },
			reason: ledger.RefusedInvalid, says: "Order.ID: 2 bytes, want 1 to 64", unheard: true},
		{name: "a long name", order: func(b *badOrders) *ledger.Order {
			o := withdraw(units(b.good))
			o.By = strings.Repeat("n", 1<<20)
			return o
		},
			reason: ledger.RefusedInvalid, says: "Order.By: 1048576 bytes", unheard: true},
		{name: "a long reason", order: func(b *badOrders) *ledger.Order {
			o := withdraw(units(b.good))
			o.Why = strings.Repeat("w", 501)
			return o
		},
			reason: ledger.RefusedInvalid, says: "Order.Why: 501 bytes", unheard: true},
		{name: "a long id", order: func(b *badOrders) *ledger.Order {
			o := withdraw(units(b.good))
			o.ID = strings.Repeat("i", 65)
			return o
		},
			reason: ledger.RefusedInvalid, says: "Order.ID: 65 bytes", unheard: true},
		{name: "a key for a name", order: func(b *badOrders) *ledger.Order {
			o := withdraw(units(b.good))
			o.By = fmt.Sprintf("%x", b.good.KeyData[:])
			return o
		}, reason: ledger.RefusedInvalid, says: "Order.By: holds what may be a key", unheard: true},
		{name: "a key for a reason", order: func(b *badOrders) *ledger.Order {
			o := withdraw(units(b.good))
			o.Why = fmt.Sprintf("%x is wrong", b.good.KeyData[:])
			return o
		}, reason: ledger.RefusedInvalid, says: "Order.Why: holds what may be a key", unheard: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBadOrders(t)
			o := tt.order(b)
			for field, usual := range map[*string]string{&o.By: "duty officer", &o.Why: "ticket 42"} {
				if *field == "" {
					*field = usual
				} else if *field == "-" {
					*field = ""
				}
			}
			before, records := b.contents(), b.orders()
			report, err := b.Order(t.Context(), o)
			if tt.reason == done {
				if err != nil || report.Repeated != tt.repeated || !strings.Contains(strings.Join(report.Notes, "; "), tt.says) {
					t.Errorf("got %+v, %v; want it done, with the note %q", report, err, tt.says)
				}
				return
			}
			refused, ok := err.(*ledger.OrderError)
			if !ok || refused.Reason != tt.reason || !strings.Contains(refused.Error(), tt.says) || refused.Wants() != tt.wants || len(refused.Error()) > 300 {
				t.Errorf("got %v, want it refused as %q, with %q and the number %d", err, tt.reason, tt.says, tt.wants)
			}
			if !reflect.DeepEqual(b.contents(), before) {
				t.Error("the ledger is not as it was")
			}
			all := b.orders()
			added := slices.DeleteFunc(slices.Clone(all), func(r ledger.OrderRecord) bool {
				return slices.ContainsFunc(records, func(had ledger.OrderRecord) bool { return had.ID == r.ID })
			})
			text := fmt.Sprintf("%v %+v", err, all)
			switch {
			case tt.unheard && len(all) != len(records):
				t.Errorf("recorded is %+v", added)
			case tt.unheard:
			case len(added) != 1 || added[0].Refused != tt.reason || added[0].By != o.By || added[0].Why != o.Why || !added[0].Done || added[0].Given.IsZero():
				t.Errorf("recorded is %+v", added)
			}
			for _, k := range []keys.DiagnosisKey{b.good, b.own, b.withdrawn, b.foreign, b.takenBack} {
				if form := keystest.Leak(text, k.KeyData); form != "" {
					t.Errorf("key data is there in %s", form)
				}
			}
		})
	}
}
