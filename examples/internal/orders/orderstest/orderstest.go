// Package orderstest is what operators get wrong, for those who take their orders: by
// HTTP and on the command line. What it is for the ledger alone is a test of
// storage/ledger.
package orderstest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A Case is an order that is wrong, or only looks so.
type Case struct {
	Name  string
	Order ledger.Order

	Reason ledger.RefusalReason // empty if it is done
	Says   string               // text that the answer has
	Wants  int                  // the number to confirm

	// Unrecorded is set where the ledger keeps no record: then the log of the desk,
	// or the standard error of the command, is all there is.
	Unrecorded bool
}

var de, at = keys.MustRegion("DE"), keys.MustRegion("AT")

// many is how many keys one source has brought: more than may go unconfirmed.
const many = ledger.MaxUnconfirmed + 1

// Fill has a ledger hold what orders can be wrong about, and returns the orders and
// the keys that must be in no answer and no log. Nothing of it is due yet.
func Fill(t testing.TB, l *ledger.Ledger, now time.Time) ([]Case, []keys.DiagnosisKey) {
	t.Helper()
	made := keystest.New(7, nil)
	next := func(n int, origin keys.Region) []keys.DiagnosisKey {
		ks := made.Keys(now.Add(-4*time.Hour), n)[:n]
		for i := range ks {
			ks[i].Origin, ks[i].ConsentToFederate = origin, keys.ConsentGiven
			ks[i].ReportType = keys.Some(keys.ReportConfirmedTest)
		}
		return ks
	}
	accept := func(d *ledger.Delivery, want int) {
		t.Helper()
		if r, err := l.Accept(t.Context(), d); err != nil || r.Accepted != want {
			t.Fatalf("accepted %+v, %v", r, err)
		}
	}
	own, foreign, unknown := next(4, de), next(2, at), next(1, de)[0]
	mine, theirs := &ledger.Delivery{Source: ledger.Own}, &ledger.Delivery{Source: "q"}
	for i := range own {
		mine.Uploads = append(mine.Uploads, ledger.Upload{ID: fmt.Sprintf("upload-%d", i), Keys: own[i : i+1]})
	}
	for i := range many / 7 {
		theirs.Uploads = append(theirs.Uploads, ledger.Upload{ID: fmt.Sprint(i), Keys: next(7, de)})
	}
	accept(mine, len(own))
	accept(theirs, many)
	accept(&ledger.Delivery{Source: "p", Uploads: []ledger.Upload{{ID: "batch", Keys: foreign}}}, len(foreign))
	accept(&ledger.Delivery{Source: "p", Withdrawals: []ledger.UnitID{ledger.IDOf(&foreign[1])}}, 0)
	cases := list(own, foreign, unknown)
	for i := range cases {
		if o := &cases[i].Order; o.By == "" && o.Why == "" {
			o.By, o.Why = "ada", fmt.Sprintf("case %d", i)
		}
	}
	return cases, append(slices.Concat(own, foreign), unknown)
}

func units(ks ...keys.DiagnosisKey) (s ledger.Selection) {
	for i := range ks {
		s.Units = append(s.Units, ledger.IDOf(&ks[i]))
	}
	return s
}

// list returns the orders, some of which follow from those before.
func list(own, foreign []keys.DiagnosisKey, unknown keys.DiagnosisKey) []Case {
	withdraw := func(s ledger.Selection) ledger.Order { return ledger.Order{Action: ledger.OrderWithdraw, Select: s} }
	uploads := func(ids ...string) ledger.Selection { return ledger.Selection{Uploads: ids} }
	confirmed := func(n int, o ledger.Order) ledger.Order { o.Confirm = n; return o }
	hold := func(a ledger.Action, h ledger.Holds) ledger.Order { return ledger.Order{Action: a, Holds: h} }
	signed := func(o ledger.Order, id, by, why string) ledger.Order { o.ID, o.By, o.Why = id, by, why; return o }
	noon := time.Date(2021, 1, 10, 12, 0, 0, 0, time.UTC)
	given := signed(ledger.Order{Action: ledger.OrderRollBack, Select: uploads("upload-0")}, "given", "ada", "wrong sample")
	more := given
	more.ID = "more"
	good := withdraw(units(own[1]))
	const all = many + 2 // but one that is withdrawn, one that is erased, and two of a partner's
	return []Case{
		{Name: "an order", Order: given},
		{Name: "the same order twice", Order: given, Says: `"repeated": true`},
		{Name: "the same order by another id", Order: more, Reason: ledger.RefusedAlready, Says: "Selection.Uploads: everything that it selects was so before"},
		{Name: "another order by the same id", Order: signed(good, "given", "ada", "x"), Reason: ledger.RefusedOther, Says: "Order.ID", Unrecorded: true},
		{Name: "an unknown key", Order: withdraw(units(unknown)), Reason: ledger.RefusedUnknown, Says: "Selection.Units: the ledger has nothing"},
		{Name: "a key that only somebody else brought", Order: withdraw(units(foreign[0])), Says: "withdrawn here alone"},
		{Name: "a key that is withdrawn already", Order: withdraw(units(own[0])), Reason: ledger.RefusedAlready, Says: "Selection.Units: everything"},
		{Name: "to reinstate what no operator withdrew", Order: ledger.Order{Action: ledger.OrderReinstate, Select: units(own[1])}, Reason: ledger.RefusedAlready, Says: "Selection.Units: everything"},
		{Name: "to reinstate what a partner took back", Order: ledger.Order{Action: ledger.OrderReinstate, Select: units(foreign[1])}, Reason: ledger.RefusedNotOurs, Says: "Selection.Units: the operator undoes"},
		{Name: "nothing", Order: withdraw(ledger.Selection{}), Reason: ledger.RefusedInvalid, Says: "Selection.All: nothing is selected"},
		{Name: "from after to", Order: withdraw(ledger.Selection{From: noon.Add(time.Hour), To: noon}), Reason: ledger.RefusedInvalid, Says: "Selection.To: is not after From"},
		{Name: "everything and an origin", Order: withdraw(ledger.Selection{All: true, Origin: de}), Reason: ledger.RefusedInvalid, Says: "Selection.All: every unit, and other fields"},
		{Name: "keys of one origin and another origin", Order: withdraw(ledger.Selection{Units: good.Select.Units, Origin: at}), Reason: ledger.RefusedInvalid, Says: "Selection.Origin: none of the units"},
		{Name: "an upload of another source", Order: ledger.Order{Action: ledger.OrderRollBack, Select: uploads("batch")}, Reason: ledger.RefusedUnknown, Says: "Selection.Uploads: the ledger has nothing"},
		{Name: "10,001 keys", Order: withdraw(units(slices.Repeat(own[1:2], 10_001)...)), Reason: ledger.RefusedInvalid, Says: "Selection.Units: 10001, at most 10000"},
		{Name: "hold an unknown source", Order: hold(ledger.OrderHold, ledger.Holds{Sources: []ledger.Source{"r"}}), Reason: ledger.RefusedUnconfirmed, Says: "Order.Confirm: of 1 of its origins and sources", Wants: 1},
		{Name: "hold an unknown source, confirmed", Order: confirmed(1, hold(ledger.OrderHold, ledger.Holds{Sources: []ledger.Source{"r"}}))},
		{Name: "resume what is not held", Order: hold(ledger.OrderResume, ledger.Holds{Sources: []ledger.Source{"p"}}), Reason: ledger.RefusedAlready, Says: "Order.Holds: everything"},
		{Name: "revise backwards", Order: ledger.Order{Action: ledger.OrderRevise, Select: units(own[1]), ReportType: keys.Some(keys.ReportConfirmedClinicalDiagnosis)}, Reason: ledger.RefusedNotOurs, Says: "Order.ReportType: it only rises"},
		{Name: "erase", Order: ledger.Order{Action: ledger.OrderErase, Select: uploads("upload-3")}},
		{Name: "erase twice", Order: ledger.Order{Action: ledger.OrderErase, Select: uploads("upload-3")}, Reason: ledger.RefusedAlready, Says: "Selection.Uploads: everything"},
		{Name: "without a reason", Order: signed(good, "", "ada", ""), Reason: ledger.RefusedInvalid, Says: "Order.Why: 0 bytes", Unrecorded: true},
		{Name: "of nobody", Order: signed(good, "", "", "x"), Reason: ledger.RefusedInvalid, Says: "Order.By: 0 bytes", Unrecorded: true},
		{Name: "a name with control characters", Order: signed(good, "", "a\x1b[2J", "x"), Reason: ledger.RefusedInvalid, Says: "Order.By: 5 bytes", Unrecorded: true},
		{Name: "a long name", Order: signed(good, "", strings.Repeat("n", 65), "x"), Reason: ledger.RefusedInvalid, Says: "Order.By: 65 bytes", Unrecorded: true},
		{Name: "a reason with control characters", Order: signed(good, "", "ada", "a\r\nb"), Reason: ledger.RefusedInvalid, Says: "Order.Why: 4 bytes", Unrecorded: true},
		{Name: "a long reason", Order: signed(good, "", "ada", strings.Repeat("w", 100_000)), Reason: ledger.RefusedInvalid, Says: "Order.Why: 100000 bytes", Unrecorded: true},
		{Name: "an id with control characters", Order: signed(good, "a\x7f", "ada", "x"), Reason: ledger.RefusedInvalid, Says: "Order.ID: 2 bytes", Unrecorded: true},
		{Name: "a long id", Order: signed(good, strings.Repeat("i", 65), "ada", "x"), Reason: ledger.RefusedInvalid, Says: "Order.ID: 65 bytes", Unrecorded: true},
		{Name: "a key for a reason", Order: signed(good, "", "ada", fmt.Sprintf("%x is wrong", own[1].KeyData[:])), Reason: ledger.RefusedInvalid, Says: "Order.Why: holds what may be a key", Unrecorded: true},
		{Name: "more than 1,000", Order: withdraw(ledger.Selection{Source: "q"}), Reason: ledger.RefusedUnconfirmed, Says: "Order.Confirm: it changes 1001 units", Wants: many},
		{Name: "more than 1,000, by a wrong number", Order: confirmed(1000, withdraw(ledger.Selection{Source: "q"})), Reason: ledger.RefusedUnconfirmed, Says: "Order.Confirm: it changes 1001 units, and 1000 were confirmed", Wants: many},
		{Name: "everything", Order: withdraw(ledger.Selection{All: true}), Reason: ledger.RefusedUnconfirmed, Says: "Order.Confirm: it changes 1003 units and selects every unit", Wants: all},
		{Name: "a range that is everything", Order: withdraw(ledger.Selection{From: noon}), Reason: ledger.RefusedUnconfirmed, Says: "selects every unit", Wants: all},
		{Name: "more than 1,000, by their number", Order: confirmed(many, withdraw(ledger.Selection{Source: "q"}))},
		{Name: "everything, by its number", Order: confirmed(2, withdraw(ledger.Selection{All: true}))},
		{Name: "everything again", Order: withdraw(ledger.Selection{All: true}), Reason: ledger.RefusedAlready, Says: "Order.Select: everything"},
	}
}

// Body returns the order as a request has it.
func (c *Case) Body(t testing.TB) string {
	t.Helper()
	o, s := &c.Order, &c.Order.Select
	selected := map[string]any{}
	put := func(to map[string]any, name string, v any, there bool) {
		if there {
			to[name] = v
		}
	}
	var named []any
	for _, u := range s.Units {
		named = append(named, map[string]any{"origin": u.Origin, "keyData": fmt.Sprintf("%x", u.KeyData[:])})
	}
	put(selected, "units", named, len(named) > 0)
	put(selected, "uploads", s.Uploads, len(s.Uploads) > 0)
	put(selected, "origin", s.Origin, !s.Origin.IsZero())
	put(selected, "source", s.Source, s.Source != "")
	put(selected, "from", s.From, !s.From.IsZero())
	put(selected, "to", s.To, !s.To.IsZero())
	put(selected, "all", true, s.All)
	body := map[string]any{"action": o.Action, "select": selected, "why": o.Why}
	put(body, "holds", o.Holds, len(o.Holds.Sources)+len(o.Holds.Origins) > 0)
	put(body, "reportType", o.ReportType, o.ReportType.Present())
	put(body, "confirm", o.Confirm, o.Confirm != 0)
	put(body, "id", o.ID, o.ID != "")
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Args returns the order as the command line has it, and the file that -keys is to
// name, empty if it names none.
func (c *Case) Args() (args []string, file string) {
	o, s := &c.Order, &c.Order.Select
	args = []string{"-action", string(o.Action), "-by", o.By, "-why", o.Why}
	add := func(name, value string, there bool) {
		if there {
			args = append(args, name, value)
		}
	}
	for _, id := range s.Uploads {
		add("-upload", id, true)
	}
	for _, source := range append(o.Holds.Sources, s.Source) {
		add("-source", string(source), source != "")
	}
	for _, origin := range append(o.Holds.Origins, s.Origin) {
		add("-origin", origin.String(), !origin.IsZero())
	}
	add("-from", s.From.Format(time.RFC3339), !s.From.IsZero())
	add("-to", s.To.Format(time.RFC3339), !s.To.IsZero())
	add("-to-type", "clinical", o.ReportType.Present())
	add("-confirm", strconv.Itoa(o.Confirm), o.Confirm != 0)
	add("-id", o.ID, o.ID != "")
	if s.All {
		args = append(args, "-all")
	}
	var lines strings.Builder
	for _, u := range s.Units {
		fmt.Fprintf(&lines, "%s %x\n", u.Origin, u.KeyData[:])
	}
	return args, lines.String()
}

// Contents is all that a ledger holds but the records of orders, to be compared.
func Contents(t testing.TB, l *ledger.Ledger) map[string]any {
	t.Helper()
	all := map[string]any{}
	for rec, err := range l.Find(t.Context(), ledger.Query{SetAside: true}) {
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("%s %x", rec.ID.Origin, rec.ID.KeyData[:])
		if all[name] = slices.Clone(rec.SetAside); rec.Unit != nil {
			all[name+" unit"] = rec.Unit.Clone()
		}
	}
	registers, err := l.Registers(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range registers {
		if !strings.HasPrefix(r.Name, "order/") {
			all["register "+r.Name] = r
		}
	}
	log, err := l.Log(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	all["tallies"], all["cuts"] = log.Tallies, log.Cuts
	return all
}
