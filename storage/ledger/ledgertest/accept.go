package ledgertest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

var acceptClauses = []clause{
	{
		name:  "accept-swaps",
		must:  "Accept stores what Decide returns together with the swaps",
		check: checkAcceptSwaps,
	},
	{
		name:  "accept-conflict",
		must:  "a conflict stores nothing",
		check: checkAcceptConflict,
	},
	{
		name:  "accept-error",
		must:  "Decide's error is returned as it is, and nothing is stored",
		check: checkAcceptError,
	},
	{
		name:  "accept-conflict-first",
		must:  "a conflict comes before any error of Decide's",
		check: checkAcceptConflictFirst,
	},
	{
		name:  "accept-partial",
		must:  "a delivery that is to be whole is stored and counted only if all of it is taken, and its swaps with it; else the error says what would have become of each part",
		check: checkAcceptPartial,
	},
	{
		name:  "accept-lost-answer",
		must:  "a delivery whose answer was lost is recognised by its nonce, and not stored again",
		check: checkAcceptLostAnswer,
	},
	{
		name:  "accept-standing",
		must:  "Decide is shown the records in the order of Units, with the ledger's time, and those registers and tallies that were asked for",
		check: checkAcceptStanding,
	},
	{
		name:  "accept-earlier",
		must:  "Decide sees what earlier steps stored",
		check: checkAcceptEarlier,
	},
	{
		name:  "accept-private",
		must:  "Decide may change what it is given; only what it returns is stored, and as it is then",
		check: checkAcceptPrivate,
	},
	{
		name:  "accept-whole",
		must:  "every field of a unit is kept",
		check: checkAcceptWhole,
	},
}

var keepClauses = []clause{
	{
		name:  "kept-withdrawals",
		must:  "kept withdrawals are kept by unit and source, and can be lifted one by one",
		check: checkKept,
	},
	{
		name:  "kept-applies",
		must:  "a withdrawal that comes before its key is kept, and applies when its source brings the key",
		check: checkKeptApplies,
	},
	{
		name:  "set-aside",
		must:  "keys that were not taken are kept with source, upload, time, field, reason and detail, also if they have no identity",
		check: checkSetAside,
	},
	{
		name:  "set-aside-erased",
		must:  "of own uploads that are erased nothing stays set aside; those of other sources with the same name stay",
		check: checkSetAsideErased,
	},
	{
		name:  "tallies",
		must:  "tallies are added in the step that they count, and only then",
		check: checkTallies,
	},
}

// decide has a store carry out an intake of units without swaps.
func (tr *trial) decide(units []ledger.UnitID, decide func(*ledger.Standing) (*ledger.Changes, error)) {
	tr.tb.Helper()
	tr.must(tr.store.Accept(tr.ctx, &ledger.Intake{Units: units, Decide: decide}))
}

// plant stores units as they are.
func (tr *trial) plant(units ...*ledger.Unit) {
	tr.tb.Helper()
	var of []ledger.UnitID
	for _, u := range units {
		of = append(of, u.ID())
	}
	tr.decide(of, func(*ledger.Standing) (*ledger.Changes, error) { return &ledger.Changes{Units: units}, nil })
}

// unitOf returns an own unit that is due now.
func (tr *trial) unitOf(k keys.DiagnosisKey) *ledger.Unit {
	now := tr.clock.Now()
	return &ledger.Unit{
		Key: k, Accepted: now, Due: now, Upload: "upload",
		Claims: []ledger.Claim{{Source: ledger.Own, Upload: "upload", Accepted: now, Key: k}},
	}
}

func checkAcceptSwaps(tr *trial) {
	tr.openStore()
	u := tr.unitOf(tr.key("DE"))
	nonce := ledger.NewNonce()
	tr.must(tr.store.Accept(tr.ctx, &ledger.Intake{
		Units: []ledger.UnitID{u.ID()},
		Swaps: []ledger.Swap{{Name: "cursor", Value: []byte("1")}, {Name: "other", Value: []byte("2")}},
		Nonce: nonce,
		Decide: func(*ledger.Standing) (*ledger.Changes, error) {
			return &ledger.Changes{Units: []*ledger.Unit{u}, Tallies: ledger.Tallies{"n": 2}}, nil
		},
	}))
	if got := tr.unit(u.Key); got == nil || !sameUnit(got, u, asFound) {
		tr.fail("the unit is not there")
	}
	if r := tr.register("cursor"); string(r.Value) != "1" || r.Nonce != nonce {
		tr.fail("the cursor is %+v", r)
	}
	if r := tr.register("other"); string(r.Value) != "2" || r.Nonce != nonce {
		tr.fail("the other register is %+v", r)
	}
	if got := tr.log().Tallies["n"]; got != 2 {
		tr.fail("the tally is %d, want 2", got)
	}
}

// everything returns changes of every kind.
func (tr *trial) everything() *ledger.Changes {
	u, v := tr.unitOf(tr.key("DE")), tr.key("AT")
	return &ledger.Changes{
		Units:    []*ledger.Unit{u},
		Kept:     []ledger.KeptChange{{ID: ledger.IDOf(&v), Kept: ledger.KeptWithdrawal{Source: "p", At: noon}}},
		SetAside: []ledger.SetAside{{Source: "p", Upload: "u", At: noon, ID: ledger.IDOf(&v)}},
		Tallies:  ledger.Tallies{"n": 1},
	}
}

// wantNothing fails if any of everything, or more than the registers that are
// named, is there.
func (tr *trial) wantNothing(c *ledger.Changes, registers ...string) {
	tr.tb.Helper()
	if n := len(tr.find(ledger.Query{SetAside: true})); n > 0 {
		tr.fail("%d records are there", n)
	}
	if n := len(tr.find(ledger.Query{Unit: &c.Kept[0].ID})); n > 0 {
		tr.fail("the kept withdrawal is there")
	}
	if got := tr.log().Tallies["n"]; got != 0 {
		tr.fail("the tally is %d", got)
	}
	var names []string
	for _, r := range tr.registers("") {
		names = append(names, r.Name)
	}
	if !slices.Equal(names, registers) {
		tr.fail("the registers are %q, want %q", names, registers)
	}
}

func checkAcceptConflict(tr *trial) {
	tr.openStore()
	tr.swap(ledger.Swap{Name: "cursor", Value: []byte("1")})
	have := tr.register("cursor")
	c := tr.everything()
	err := tr.store.Accept(tr.ctx, &ledger.Intake{
		Units:  []ledger.UnitID{c.Units[0].ID(), c.Kept[0].ID},
		Swaps:  []ledger.Swap{{Name: "before", Value: []byte("x")}, {Name: "cursor", Version: have.Version + 1, Value: []byte("2")}},
		Decide: func(*ledger.Standing) (*ledger.Changes, error) { return c, nil },
	})
	conflict, ok := errors.AsType[*ledger.ConflictError](err)
	if !ok || conflict.Have.Name != "cursor" || conflict.Have.Version != have.Version || conflict.Want != have.Version+1 {
		tr.fail("got %v, want the conflict with version %d of the cursor", err, have.Version)
	}
	tr.wantNothing(c, "cursor")
}

func checkAcceptError(tr *trial) {
	tr.openStore()
	c := tr.everything()
	oops := errors.New("oops")
	err := tr.store.Accept(tr.ctx, &ledger.Intake{
		Units:  []ledger.UnitID{c.Units[0].ID(), c.Kept[0].ID},
		Swaps:  []ledger.Swap{{Name: "cursor", Value: []byte("1")}},
		Decide: func(*ledger.Standing) (*ledger.Changes, error) { return c, oops },
	})
	if err != oops {
		tr.fail("got the error %v, want %v itself", err, oops)
	}
	tr.wantNothing(c)
}

func checkAcceptConflictFirst(tr *trial) {
	tr.openStore()
	nonce := ledger.NewNonce()
	tr.must(tr.store.Swap(tr.ctx, nonce, []ledger.Swap{{Name: "cursor", Value: []byte("1")}}))
	err := tr.store.Accept(tr.ctx, &ledger.Intake{
		Swaps:  []ledger.Swap{{Name: "cursor", Value: []byte("1")}},
		Nonce:  nonce,
		Decide: func(*ledger.Standing) (*ledger.Changes, error) { return nil, errors.New("known already") },
	})
	if conflict, ok := errors.AsType[*ledger.ConflictError](err); !ok || conflict.Have.Nonce != nonce {
		tr.fail("got %v, want the conflict by which the writer recognises itself", err)
	}
}

func checkAcceptPartial(tr *trial) {
	tr.open(eager())
	known, fresh, bad, gone, others, unknown := tr.key("DE"), tr.key("DE"), tr.key("DE"), tr.key("DE"), tr.key("DE"), tr.key("DE")
	tr.accept("p", known, gone)
	tr.accept("q", others)
	bad.RollingPeriod = 0
	before := tr.log().Tallies
	d := ledger.Delivery{
		Source: "p", Whole: true,
		Uploads:     []ledger.Upload{tr.upload(known, fresh), tr.upload(bad, fresh)},
		Withdrawals: ids([]keys.DiagnosisKey{gone, gone, others, unknown}),
		Unreadable:  []ledger.SetAside{{Upload: "u", Field: keys.FieldKeyData, Reason: keys.ReasonLength}},
		Swaps:       []ledger.Swap{{Name: "cursor", Value: []byte("1")}},
	}
	_, err := tr.ledger.Accept(tr.ctx, &d)
	partial, ok := errors.AsType[*ledger.PartialError](err)
	if !ok {
		tr.fail("got %v, want what would have become of each part", err)
	}
	got := fmt.Sprint(words(partial.Keys), words(partial.Withdrawals), partial.Unreadable)
	if want := "[known taken rolling_period/range known] [taken known report_type/not-allowed taken] 1"; got != want {
		tr.fail("the fates are %s, want %s", got, want)
	}
	if after := tr.log().Tallies; fmt.Sprint(after) != fmt.Sprint(before) || len(tr.registers("cursor")) > 0 || tr.unit(fresh) != nil || tr.unit(gone).SourceWithdrew {
		tr.fail("something was stored")
	}

	d.Uploads, d.Withdrawals, d.Unreadable = []ledger.Upload{tr.upload(fresh)}, ids([]keys.DiagnosisKey{gone, unknown}), nil
	for _, again := range []bool{false, true} {
		if r := tr.deliver(d); r.Repeated != again || !again && (r.Accepted != 1 || r.WithdrawalsTaken != 1 || r.WithdrawalsKept != 1) {
			tr.fail("got %+v", *r)
		}
		d.Nonce = tr.register("cursor").Nonce
	}
	if tr.unit(fresh) == nil || !tr.unit(gone).SourceWithdrew {
		tr.fail("what is all to be taken was not")
	}

	gone.ReportType = keys.Some(keys.ReportConfirmedTest)
	_, err = tr.ledger.Accept(tr.ctx, &ledger.Delivery{Source: "p", Whole: true, Uploads: []ledger.Upload{tr.upload(gone)}})
	partial, ok = errors.AsType[*ledger.PartialError](err)
	if !ok || fmt.Sprint(words(partial.Keys)) != "[key_data/withdrawn]" {
		tr.fail("a revision of what was withdrawn is answered with %v", err)
	}
}

// words returns what fates say, in a word each.
func words(fates []ledger.Fate) (all []string) {
	for _, f := range fates {
		switch {
		case f.Refused != nil:
			all = append(all, string(f.Refused.Field)+"/"+string(f.Refused.Reason))
		case f.Known:
			all = append(all, "known")
		default:
			all = append(all, "taken")
		}
	}
	return all
}

func checkAcceptLostAnswer(tr *trial) {
	tr.open(eager())
	d := ledger.Delivery{
		Source:  "p",
		Uploads: []ledger.Upload{tr.upload(tr.keys("DE", 3)...)},
		Swaps:   []ledger.Swap{{Name: "cursor/p", Value: []byte("1")}},
	}
	first, err := tr.ledger.Accept(tr.ctx, &d)
	tr.must(err)
	before := tr.log().Tallies
	again, err := tr.ledger.Accept(tr.ctx, &d)
	tr.must(err)
	if first.Repeated || first.Accepted != 3 || !again.Repeated || again.Offered != 0 {
		tr.fail("the receipts are %+v and %+v", *first, *again)
	}
	if after := tr.log().Tallies; fmt.Sprint(after) != fmt.Sprint(before) {
		tr.fail("the tallies were %v and are %v", before, after)
	}
	d.Nonce = ledger.NewNonce() // another writer
	if _, err := tr.ledger.Accept(tr.ctx, &d); err == nil {
		tr.fail("another writer's delivery with the same cursor was accepted")
	}
}

func checkAcceptStanding(tr *trial) {
	tr.openStore()
	k := tr.keys("DE", 3)
	tr.plant(tr.unitOf(k[1]))
	tr.swap(ledger.Swap{Name: "asked", Value: []byte("1")}, ledger.Swap{Name: "not-asked", Value: []byte("1")})
	tr.decide(nil, func(*ledger.Standing) (*ledger.Changes, error) {
		return &ledger.Changes{Tallies: ledger.Tallies{"asked": 3, "not-asked": 4}}, nil
	})
	tr.clock.set(noon.Add(time.Minute + 1234567*time.Nanosecond))
	asked := time.Time{}
	var s *ledger.Standing
	tr.must(tr.store.Accept(tr.ctx, &ledger.Intake{
		Units:     ids([]keys.DiagnosisKey{k[2], k[1], k[0]}),
		Registers: []string{"asked", "absent"},
		Tallies:   func(now time.Time) []string { asked = now; return []string{"asked", "absent"} },
		Decide:    func(got *ledger.Standing) (*ledger.Changes, error) { s = got; return &ledger.Changes{}, nil },
	}))
	if want := noon.Add(time.Minute + 1234567*time.Nanosecond).Truncate(time.Microsecond); !s.Now.Equal(want) || !asked.Equal(s.Now) {
		tr.fail("the time is %s, that of the tallies %s, want %s", s.Now, asked, want)
	}
	for i, want := range []keys.DiagnosisKey{k[2], k[1], k[0]} {
		if len(s.Records) != 3 || s.Records[i].ID != ledger.IDOf(&want) {
			tr.fail("%d records, or number %d is not that of its unit", len(s.Records), i)
		}
	}
	for i, known := range []bool{false, true, false} {
		rec := s.Records[i]
		if (rec.Unit != nil) != known || len(rec.Kept) != 0 || !rec.Tombstone.IsZero() {
			tr.fail("record %d is %+v", i, rec)
		}
	}
	_, absent := s.Registers["absent"]
	if string(s.Registers["asked"].Value) != "1" || absent || s.Registers["absent"].Version != 0 {
		tr.fail("the registers are %+v", s.Registers)
	}
	if s.Tallies["asked"] != 3 || s.Tallies["absent"] != 0 {
		tr.fail("the tallies are %v", s.Tallies)
	}
}

func checkAcceptEarlier(tr *trial) {
	tr.open(eager())
	k := tr.key("DE")
	tr.accept(ledger.Own, k)
	r := tr.deliver(ledger.Delivery{Source: "p", Uploads: []ledger.Upload{tr.upload(k, k)}})
	if r.Accepted != 1 || r.Duplicates != 1 {
		tr.fail("a new claim and its repetition give %+v", *r)
	}
	tr.cut()
	seen := []int{}
	tr.decide(ids([]keys.DiagnosisKey{k}), func(s *ledger.Standing) (*ledger.Changes, error) {
		seen = append(seen, len(s.Records[0].Unit.Claims), len(s.Records[0].Unit.Events))
		return &ledger.Changes{}, nil
	})
	if !slices.Equal(seen, []int{2, 1}) {
		tr.fail("the unit has %v claims and events, want 2 and 1", seen)
	}
}

func checkAcceptPrivate(tr *trial) {
	tr.openStore()
	u := tr.unitOf(tr.key("DE"))
	want := u.Clone()
	tr.plant(u)
	u.Upload, u.Claims[0].Upload = "changed", "changed" // after it was stored
	tr.decide([]ledger.UnitID{u.ID()}, func(s *ledger.Standing) (*ledger.Changes, error) {
		got := s.Records[0].Unit
		got.Upload, got.Claims[0].Upload = "changed", "changed" // and not returned
		return &ledger.Changes{}, nil
	})
	tr.unit(u.Key).Claims[0].Upload = "changed" // as found
	if got := tr.unit(u.Key); !sameUnit(got, want, asFound) {
		tr.fail("the unit has changed:\n%s", tr.show(got, want))
	}
}
