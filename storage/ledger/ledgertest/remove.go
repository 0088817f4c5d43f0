package ledgertest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

var removeClauses = []clause{
	{
		name:  "remove-age",
		must:  "units whose period ended before Ended are removed, whatever they wait for, others are not",
		check: checkRemoveAge,
	},
	{
		name:  "remove-floor",
		must:  "no unit with a number after the floor is removed, nor one with a sibling that has one",
		check: checkRemoveFloor,
	},
	{
		name:  "remove-marks",
		must:  "exactly the cuts that numbered a unit that was removed, or a sibling of it, are marked as pruned, and ranges with numbers of them give ErrPruned before the first unit",
		check: checkRemoveMarks,
	},
	{
		name:  "remove-each",
		must:  "Each sees every unit that goes once, and what Tallies then returns is added",
		check: checkRemoveEach,
	},
	{
		name:  "remove-limit",
		must:  "Remove takes no more than its limit, and says how many",
		check: checkRemoveLimit,
	},
	{
		name:  "remove-tombstones",
		must:  "a tombstone stays until its time, hides the key data, and is of that origin alone",
		check: checkRemoveTombstones,
	},
	{
		name:  "remove-rest",
		must:  "keys set aside and kept withdrawals from before Ended go, later ones stay",
		check: checkRemoveRest,
	},
	{
		name:  "remove-forget",
		must:  "counters that are to be forgotten are removed, others stay",
		check: checkRemoveForget,
	},
	{
		name:  "erase",
		must:  "an erased upload is withdrawn at once, removed when it waits for nothing and nobody reads it any more, and refused afterwards",
		check: checkErase,
	},
	{
		name:  "erase-spares",
		must:  "erasing an upload spares what another own upload brought",
		check: checkEraseSpares,
	},
}

// removal returns a removal of units that ended before a number of days ago.
func removal(limit int, floor int64, days int) *ledger.Removal {
	return &ledger.Removal{
		Now: noon, Ended: noon.Add(time.Duration(-days) * 24 * time.Hour), Floor: floor, Limit: limit,
		Each:    func(*ledger.Unit) time.Time { return time.Time{} },
		Tallies: func() ledger.Tallies { return nil },
		Again:   func() {},
	}
}

// remove carries out a removal and fails unless it removes n units.
func (tr *trial) remove(r *ledger.Removal, n int) {
	tr.tb.Helper()
	got, err := tr.store.Remove(tr.ctx, r)
	tr.must(err)
	if got != n {
		tr.fail("%d units were removed, want %d", got, n)
	}
}

// aged returns n keys whose periods ended 0, 1, 2, ... days ago at midnight.
func (tr *trial) aged(origin string, n int) []keys.DiagnosisKey {
	ks := tr.keys(origin, n)
	for i := range ks {
		ks[i].RollingStartIntervalNumber -= keys.Interval(144 * i)
	}
	return ks
}

func checkRemoveAge(tr *trial) {
	tr.open(eager())
	ks := tr.aged("DE", 6)
	tr.accept(ledger.Own, ks...)
	tr.hold(ledger.Holds{Origins: []keys.Region{ks[0].Origin}}) // they wait
	tr.cut()
	r := removal(1000, 0, 0)
	r.Ended = ks[3].End() // not before itself
	tr.remove(r, 2)
	for i, k := range ks {
		if got, want := tr.unit(k) != nil, i < 4; got != want {
			tr.fail("the unit that ended %d days ago is there: %t, want %t", i, got, want)
		}
	}
	tr.remove(r, 0)
}

func checkRemoveFloor(tr *trial) {
	tr.open(eager())
	ks := tr.keys("DE", 3)
	young := siblings(ks[2], "AT")[0]
	for i := range ks {
		ks[i].RollingStartIntervalNumber -= 144 * 2
	}
	a, b, c := ks[0], ks[1], ks[2]
	tr.accept(ledger.Own, ks...)
	tr.cut() // 1, 2, 3
	tr.withdraw(ledger.Own, b)
	tr.cut() // 4
	tr.accept("p", young)
	tr.cut()                        // 5
	tr.remove(removal(9, 0, -9), 0) // everything is old enough
	tr.remove(removal(9, 3, 1), 1)
	if tr.unit(a) != nil {
		tr.fail("the unit without a number after the floor is there")
	}
	tr.remove(removal(9, 4, 1), 1)
	if tr.unit(b) != nil || tr.unit(c) == nil {
		tr.fail("with floor 4: b is there: %t, c with a sibling at 5: %t", tr.unit(b) != nil, tr.unit(c) != nil)
	}
	tr.remove(removal(9, 5, 1), 1)
	if tr.unit(c) != nil || tr.unit(young) == nil {
		tr.fail("with floor 5: c is there: %t, its younger sibling: %t", tr.unit(c) != nil, tr.unit(young) != nil)
	}
}

func checkRemoveMarks(tr *trial) {
	tr.open(eager())
	old, young := tr.aged("DE", 3), tr.aged("AT", 1)
	fresh := siblings(old[2], "FR")[0]
	fresh.RollingStartIntervalNumber = young[0].RollingStartIntervalNumber
	tr.accept(ledger.Own, tr.key("DE"), tr.key("DE"))
	tr.cut() // to 2
	tr.accept(ledger.Own, old[2], tr.key("DE"))
	tr.cut() // to 4: pruned
	tr.accept(ledger.Own, young...)
	tr.cut() // to 5
	tr.withdraw(ledger.Own, old[2])
	tr.cut() // to 6: pruned
	tr.cut() // to 6, empty
	tr.accept("p", fresh)
	tr.cut() // to 7: pruned, as the sibling can no longer be read
	tr.accept(ledger.Own, tr.key("DE"))
	tr.cut()                       // to 8
	tr.remove(removal(9, 8, 1), 1) // old[2]
	var pruned []int64
	for _, c := range tr.log().Cuts {
		if c.Pruned {
			pruned = append(pruned, c.Seq)
		}
	}
	if want := []int64{2, 4, 6}; !slices.Equal(pruned, want) {
		tr.fail("the cuts %v are marked as pruned, want %v", pruned, want)
	}
	tr.checkChain(tr.log())
	for from := range int64(9) {
		for to := from; to <= 9; to++ {
			units, err := tr.tryRead(from, to)
			want := from < 4 && to > 2 || from < 6 && to > 5 || from < 7 && to > 6
			if from == to {
				want = false
			}
			if errors.Is(err, ledger.ErrPruned) != want || want && len(units) > 0 || !want && err != nil {
				tr.fail("(%d, %d] yields %d units and the error %v, want ErrPruned: %t", from, to, len(units), err, want)
			}
		}
	}
}

func checkRemoveEach(tr *trial) {
	tr.open(eager())
	ks := tr.aged("DE", 5)
	tr.accept(ledger.Own, ks...)
	tr.accept("p", ks[4])
	tr.cut()
	want := map[ledger.UnitID]*ledger.Unit{}
	for _, k := range ks[2:] {
		want[ledger.IDOf(&k)] = tr.unit(k)
	}
	var seen []*ledger.Unit
	r := removal(1000, tr.end(), 2)
	r.Again = func() { seen = nil }
	r.Each = func(u *ledger.Unit) time.Time { seen = append(seen, u.Clone()); return time.Time{} }
	r.Tallies = func() ledger.Tallies { return ledger.Tallies{"removed": int64(len(seen))} }
	tr.remove(r, 3)
	for _, u := range seen {
		w := want[u.ID()]
		delete(want, u.ID())
		if w == nil || !sameUnit(u, w, asFound) {
			tr.fail("Each was shown%s\nwant%s", tr.show(u), tr.show(w))
		}
	}
	if got := tr.log().Tallies["removed"]; len(seen) != 3 || got != 3 {
		tr.fail("Each was called %d times and %d were counted, want 3", len(seen), got)
	}
}

func checkRemoveLimit(tr *trial) {
	tr.open(eager())
	tr.accept(ledger.Own, tr.keys("DE", 10)...)
	for _, want := range []int{4, 4, 2, 0} {
		tr.remove(removal(4, 0, -1), want)
	}
	if n := len(tr.find(ledger.Query{})); n != 0 {
		tr.fail("%d units are left", n)
	}
}

// tombstone returns until when a key is refused.
func (tr *trial) tombstone(k keys.DiagnosisKey) time.Time {
	tr.tb.Helper()
	var until time.Time
	tr.decide(ids([]keys.DiagnosisKey{k}), func(s *ledger.Standing) (*ledger.Changes, error) {
		until = s.Records[0].Tombstone
		return &ledger.Changes{}, nil
	})
	id := ledger.IDOf(&k)
	var found time.Time
	for _, rec := range tr.find(ledger.Query{Unit: &id}) {
		found = rec.Tombstone
	}
	if !found.Equal(until) {
		tr.fail("Decide is shown the tombstone %s, and Find finds %s", until, found)
	}
	return until
}

func checkRemoveTombstones(tr *trial) {
	tr.open(eager())
	k := siblings(tr.key("DE"), "DE", "AT")
	other := tr.key("DE")
	tr.accept(ledger.Own, k[0], other)
	until := noon.Add(3 * 24 * time.Hour)
	r := removal(9, 0, -1)
	r.Each = func(u *ledger.Unit) time.Time {
		if u.ID() == ledger.IDOf(&k[0]) {
			return until
		}
		return time.Time{}
	}
	tr.remove(r, 2)
	if got := tr.tombstone(k[0]); !got.Equal(until) {
		tr.fail("the tombstone stays until %s, want %s", got, until)
	}
	for _, free := range []keys.DiagnosisKey{k[1], other} {
		if got := tr.tombstone(free); !got.IsZero() {
			tr.fail("%s/%s has a tombstone", free.Origin, tr.label(free.KeyData))
		}
	}
	r.Now = until.Add(-time.Microsecond)
	tr.remove(r, 0)
	if tr.tombstone(k[0]).IsZero() {
		tr.fail("the tombstone went before its time")
	}
	r.Now = until
	tr.remove(r, 0)
	if !tr.tombstone(k[0]).IsZero() {
		tr.fail("the tombstone stays after its time")
	}
}

func checkRemoveRest(tr *trial) {
	tr.openStore()
	before, after := noon.Add(-time.Microsecond), noon
	k := tr.keys("DE", 2)
	tr.decide(ids(k), func(*ledger.Standing) (*ledger.Changes, error) {
		return &ledger.Changes{
			SetAside: []ledger.SetAside{
				{Source: "p", Upload: "old", At: before, ID: ledger.IDOf(&k[0])},
				{Source: "p", Upload: "young", At: after, ID: ledger.IDOf(&k[0])},
			},
			Kept: []ledger.KeptChange{
				{ID: ledger.IDOf(&k[0]), Kept: ledger.KeptWithdrawal{Source: "p", At: before}},
				{ID: ledger.IDOf(&k[0]), Kept: ledger.KeptWithdrawal{Source: "q", At: after}},
				{ID: ledger.IDOf(&k[1]), Kept: ledger.KeptWithdrawal{Source: "p", At: before}},
			},
		}, nil
	})
	tr.remove(removal(9, 0, 0), 0)
	if got := tr.setAside(ledger.Query{SetAside: true}); len(got) != 1 || got[0].Upload != "young" {
		tr.fail("set aside are %+v", got)
	}
	if got := fmt.Sprint(len(tr.kept(ledger.IDOf(&k[0]))), len(tr.kept(ledger.IDOf(&k[1])))); got != "1 0" || tr.kept(ledger.IDOf(&k[0]))["q"].IsZero() {
		tr.fail("kept withdrawals of the two units are %s, want 1 0", got)
	}
}

func checkRemoveForget(tr *trial) {
	tr.openStore()
	tr.decide(nil, func(*ledger.Standing) (*ledger.Changes, error) {
		return &ledger.Changes{Tallies: ledger.Tallies{"day/1": 1, "day/10": 1, "b": 1}}, nil
	})
	r := removal(9, 0, 0)
	r.Forget = []string{"day/1", "absent"}
	tr.remove(r, 0)
	if got := tr.log().Tallies; len(got) != 2 || got["day/10"] != 1 || got["b"] != 1 {
		tr.fail("the counters left are %v, want day/10 and b", got)
	}
}

// prune prunes by the ledger's own rules and fails unless it removes n units.
func (tr *trial) prune(n int) {
	tr.tb.Helper()
	r, err := tr.ledger.Prune(tr.ctx)
	tr.must(err)
	if r.Removed != n {
		tr.fail("pruning removed %d units, want %d", r.Removed, n)
	}
}

func checkErase(tr *trial) {
	tr.open(eager())
	released, waiting, bad := tr.key("DE"), tr.key("DE"), tr.key("DE")
	bad.RollingPeriod = 0
	first := tr.accept(ledger.Own, released)
	tr.deliver(ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: first, Keys: []keys.DiagnosisKey{bad}}}})
	tr.cut() // 1
	tr.deliver(ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: first, Keys: []keys.DiagnosisKey{waiting}}}})
	tr.swap(ledger.Swap{Name: ledger.FloorRegister("c"), Value: ledger.Floor{Number: 1, Time: noon}.Value()})
	r, err := tr.ledger.Erase(tr.ctx, first)
	tr.must(err)
	if r.Done != 2 || len(tr.setAside(ledger.Query{SetAside: true})) != 0 {
		tr.fail("erasing gives %+v, and %d keys stay set aside", *r, len(tr.setAside(ledger.Query{SetAside: true})))
	}
	tr.prune(1) // the one that nobody had; the other waits to be withdrawn
	if c := tr.cut(); c.New != 0 || c.Gone != 1 {
		tr.fail("the cut after erasing is %+v", *c)
	}
	tr.prune(0) // the consumer has yet to read the withdrawal
	tr.swap(ledger.Swap{Name: ledger.FloorRegister("c"), Version: tr.register(ledger.FloorRegister("c")).Version, Value: ledger.Floor{Number: 2, Time: noon}.Value()})
	tr.prune(1)
	if r := tr.withdraw("p", released); r.WithdrawalsTaken != 1 {
		tr.fail("the withdrawal of what was erased gives %+v, want it taken", *r)
	}
	for _, k := range []keys.DiagnosisKey{released, waiting} {
		for _, s := range []ledger.Source{ledger.Own, "p"} {
			r := tr.deliver(ledger.Delivery{Source: s, Uploads: []ledger.Upload{tr.upload(k)}})
			if len(r.Rejected) != 1 || r.Rejected[0].Reason != ledger.ReasonWithdrawn {
				tr.fail("an erased key that comes back gives %+v", *r)
			}
		}
	}
}

func checkEraseSpares(tr *trial) {
	tr.open(eager())
	k := tr.key("DE")
	first := tr.accept(ledger.Own, k)
	again := tr.upload(k)
	tr.deliver(ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{again}})
	tr.wantNew(1)
	r, err := tr.ledger.Erase(tr.ctx, first)
	tr.must(err)
	if r.Spared != 1 || r.Done != 0 {
		tr.fail("erasing gives %+v", *r)
	}
	tr.prune(0)
	if c := tr.cut(); c.Gone+c.Changed != 0 {
		tr.fail("the cut after erasing is %+v", *c)
	}
	if u := tr.unit(k); u.Upload != again.ID || len(u.Claims) != 1 || tr.found(ledger.Query{Upload: first, SetAside: true}) != "" {
		tr.fail("the erased upload has left a trace:%s", tr.show(u))
	}
}
