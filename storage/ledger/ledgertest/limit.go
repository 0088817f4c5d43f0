package ledgertest

import (
	"maps"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

var limitClauses = []clause{
	{
		name:  "limit-cut",
		must:  "over the limit of a cut smaller groups go first, within a group by canonical order, and the rest waits for the next cut, with a warning",
		check: checkLimitCut,
	},
	{
		name:  "limit-withdrawals",
		must:  "withdrawals and changes count towards the limits, but never wait for room",
		check: checkLimitWithdrawals,
	},
	{
		name:  "limit-day",
		must:  "the cuts of a day, midnight's being the last, take no more new keys than its limit leaves room for",
		check: checkLimitDay,
	},
}

var paddingClauses = []clause{
	{
		name:  "padding",
		must:  "every own upload has its echoes, equally many, the same but for the key data; they count towards the threshold, are numbered among the others and counted apart",
		check: checkPadding,
	},
	{
		name:  "padding-room",
		must:  "where a cut has no room for all, fewer units go, each with all its echoes",
		check: checkPaddingRoom,
	},
}

var withdrawalClauses = []clause{
	{
		name:  "withdrawal-groups",
		must:  "withdrawals of own released units go when enough uploads are concerned or the longest wait is over",
		check: checkWithdrawalGroups,
	},
	{
		name:  "withdrawal-before-number",
		must:  "a unit that is withdrawn before it has a number never gets one",
		check: checkWithdrawalBeforeNumber,
	},
	{
		name:  "withdrawal-cancels",
		must:  "a withdrawal and its reinstatement between two cuts cancel",
		check: checkWithdrawalCancels,
	},
	{
		name:  "withdrawal-by-others",
		must:  "a withdrawal is taken only from a source that itself brought the key with that origin",
		check: checkWithdrawalByOthers,
	},
	{
		name:  "partners-only-rise",
		must:  "the state for partners only rises",
		check: checkPartnersOnlyRise,
	},
	{
		name:  "roll-back",
		must:  "rolling back an upload spares what another good own upload brought",
		check: checkRollBack,
	},
}

func checkLimitCut(tr *trial) {
	p := eager()
	p.MaxCut = 10
	tr.open(p)
	big, small, middle := tr.mixed(0), tr.keys("AT", 2), tr.keys("FR", 3)
	for i := range 9 {
		k := tr.key("DE")
		k.RollingPeriod = uint8(100 + (i*5)%9) // in another order than accepted
		big = append(big, k)
	}
	tr.accept("p", big...)
	tr.accept(ledger.Own, middle...)
	tr.accept("p", small...)
	r := tr.wantNew(10)
	if len(r.Warnings) != 1 || len(r.Waiting) != 1 || r.Waiting[0].Keys != 4 {
		tr.fail("warnings %q, waiting %+v; want one of each, of 4 keys", r.Warnings, r.Waiting)
	}
	slices.SortFunc(big, func(a, b keys.DiagnosisKey) int { return a.Compare(&b) })
	for i, k := range slices.Concat(small, middle, big) {
		if got, want := tr.unit(k).Released(), i < 10; got != want {
			tr.fail("of small, middle and big group, number %d was released: %t, want %t", i, got, want)
		}
	}
	tr.wantNew(4)
	tr.numbered()
}

func checkLimitWithdrawals(tr *trial) {
	p := eager()
	p.MaxCut = 5
	tr.open(p)
	ks := tr.keys("DE", 5)
	tr.accept(ledger.Own, ks...)
	tr.wantNew(5)
	tr.withdraw(ledger.Own, ks...)
	tr.accept(ledger.Own, tr.key("DE"))
	if r := tr.wantNew(0); r.Gone != 5 {
		tr.fail("%d withdrawals were taken, want 5", r.Gone)
	}
	tr.wantNew(1)
}

func checkLimitDay(tr *trial) {
	p := eager()
	p.MaxDay = 8
	tr.open(p)
	ks := tr.keys("DE", 7)
	tr.clock.set(noon.Add(10*time.Hour + 30*time.Minute))
	tr.accept(ledger.Own, ks[:5]...)
	tr.wantNew(5) // 23:00
	tr.accept(ledger.Own, tr.keys("AT", 4)...)
	tr.withdraw(ledger.Own, ks[0])
	if r := tr.wantNew(2); r.Gone != 1 || len(r.Warnings) != 1 { // 00:00 is of the day that ends
		tr.fail("at midnight: %+v", *r)
	}
	tr.accept(ledger.Own, ks[5:]...)
	tr.wantNew(4) // 01:00: two that were left over, two new
}

func checkPadding(tr *trial) {
	p := grouped() // 6 keys and 3 uploads
	p.Padding.Echoes = 1
	tr.open(p)
	ups := []ledger.Upload{tr.upload(tr.mixedOf("DE", 3)...), tr.upload(tr.mixedOf("DE", 1)...)}
	tr.deliver(ledger.Delivery{Source: ledger.Own, Uploads: ups})
	r := tr.wantNew(8) // once more makes 8 keys of 4 uploads
	if r.Padded != 4 || tr.log().Tallies["padded"] != 4 {
		tr.fail("padded are %d, by the tally %d, want 4", r.Padded, tr.log().Tallies["padded"])
	}
	tr.numbered()
	real, padding := map[keys.DiagnosisKey]int{}, map[keys.DiagnosisKey]int{}
	uploads := map[string]int{}
	for _, u := range tr.read(0, 8) {
		k := u.Key
		k.KeyData = keys.KeyData{}
		uploads[u.Upload]++
		if k.Provenance == keys.Real {
			real[k]++
			continue
		}
		if k.ConsentToFederate != keys.ConsentRefused || k.Provenance != keys.Padding {
			tr.fail("an echo has consent %s and is %s", k.ConsentToFederate, k.Provenance)
		}
		k.ConsentToFederate, k.Provenance = keys.ConsentGiven, keys.Real
		padding[k]++
	}
	for k, n := range real {
		if padding[k] != n {
			tr.fail("%d keys alike have %d echoes, want as many", n, padding[k])
		}
	}
	if got := slices.Sorted(maps.Values(uploads)); !slices.Equal(got, []int{1, 1, 3, 3}) {
		tr.fail("uploads and their echoes have %v keys, want those of 3 and of 1 twice", got)
	}
	tr.wantCanonical(0, 8)
}

// mixedOf returns keys of one origin that differ in the rest.
func (tr *trial) mixedOf(origin string, n int) []keys.DiagnosisKey {
	ks := tr.mixed(n)
	for i := range ks {
		ks[i].Origin = keys.MustRegion(origin)
	}
	return ks
}

// wantCanonical fails unless what has the numbers of one cut is in canonical
// order.
func (tr *trial) wantCanonical(from, to int64) {
	tr.tb.Helper()
	units := tr.read(from, to)
	if !slices.IsSortedFunc(units, func(a, b *ledger.Unit) int { return a.Key.Compare(&b.Key) }) {
		tr.fail("the units of (%d, %d] are not in canonical order:%s", from, to, tr.show(units...))
	}
}

func checkPaddingRoom(tr *trial) {
	p := grouped()
	p.Padding.Echoes, p.MaxCut = 2, 7
	tr.open(p)
	tr.deliver(ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{tr.upload(tr.keys("DE", 2)...), tr.upload(tr.keys("DE", 1)...)}})
	r := tr.wantNew(6) // three times 3 are too many
	if r.Padded != 4 || len(r.Waiting) != 1 || r.Waiting[0].Keys != 1 {
		tr.fail("the cut is %+v", *r)
	}
	if r := tr.wantNew(3); r.Padded != 2 { // whatever its size
		tr.fail("the next cut is %+v", *r)
	}
}

func checkWithdrawalGroups(tr *trial) {
	p := grouped() // 2 uploads or 2 hours
	p.MinKeys, p.MinUploads = 0, 0
	tr.open(p)
	a, b, c := tr.keys("DE", 3), tr.keys("DE", 1), tr.keys("DE", 1)
	for _, ks := range [][]keys.DiagnosisKey{a, b, c} {
		tr.accept(ledger.Own, ks...)
	}
	tr.wantNew(5)
	gone := func(want int64) {
		tr.tb.Helper()
		if r := tr.cut(); r.Gone != want {
			tr.fail("the cut of %s took %d withdrawals, want %d; waiting: %+v", r.Cut.Time.Format("15:04"), r.Gone, want, r.Waiting)
		}
	}
	tr.withdraw(ledger.Own, a...)
	gone(0) // three keys of one upload
	tr.withdraw(ledger.Own, b...)
	gone(4)
	tr.withdraw(ledger.Own, c...)
	gone(0)
	gone(0)
	gone(1) // two hours after the first that passed it over
}

func checkWithdrawalBeforeNumber(tr *trial) {
	tr.open(eager())
	own, foreign, named := tr.key("DE"), tr.key("AT"), tr.key("DE")
	tr.accept(ledger.Own, own, named)
	tr.accept("p", foreign)
	tr.withdraw(ledger.Own, own)
	tr.withdraw("p", foreign)
	_, err := tr.ledger.Withdraw(tr.ctx, ledger.IDOf(&named))
	tr.must(err)
	for range 2 {
		if r := tr.wantNew(0); r.Gone != 0 {
			tr.fail("%d withdrawals of units that nobody has were numbered", r.Gone)
		}
	}
	if got := tr.end(); got != 0 {
		tr.fail("the log ends with %d", got)
	}
}

func checkWithdrawalCancels(tr *trial) {
	tr.open(eager())
	k := tr.key("DE")
	up := tr.accept(ledger.Own, k)
	tr.wantNew(1)
	for _, undo := range []func() (*ledger.OperatorReceipt, error){
		func() (*ledger.OperatorReceipt, error) { return tr.ledger.Withdraw(tr.ctx, ledger.IDOf(&k)) },
		func() (*ledger.OperatorReceipt, error) { return tr.ledger.RollBack(tr.ctx, up) },
	} {
		r, err := undo()
		tr.must(err)
		if r.Done != 1 {
			tr.fail("the withdrawal gives %+v", *r)
		}
		r, err = tr.ledger.Reinstate(tr.ctx, ledger.IDOf(&k))
		tr.must(err)
		if r.Done != 1 {
			tr.fail("the reinstatement gives %+v", *r)
		}
		tr.cut()
		tr.wantEvents(k, event(active, active, clinical, "own"))
	}
}

func checkWithdrawalByOthers(tr *trial) {
	tr.open(eager())
	k := tr.key("DE")
	elsewhere := k
	elsewhere.Origin = keys.MustRegion("AT")
	tr.accept(ledger.Own, k)
	tr.accept("p", elsewhere) // the same key data, of another origin
	tr.wantNew(2)
	if r := tr.withdraw("p", k); r.WithdrawalsTaken != 0 || r.WithdrawalsKept != 1 {
		tr.fail("the withdrawal of what another source brought gives %+v", *r)
	}
	tr.cut()
	tr.wantEvents(k, event(active, active, clinical, "own"))
	tr.wantEvents(elsewhere, event(active, active, clinical, "p"))
	if r := tr.withdraw("p", elsewhere); r.WithdrawalsTaken != 1 {
		tr.fail("the withdrawal by the source that brought the key gives %+v", *r)
	}
	tr.cut()
	tr.wantEvents(k, event(active, active, clinical, "own"))
	tr.wantEvents(elsewhere, event(active, active, clinical, "p"), event(withdrawn, withdrawn, clinical, "p"))
}

func checkPartnersOnlyRise(tr *trial) {
	tr.open(eager())
	k, foreign := tr.key("DE"), tr.key("AT")
	tr.accept(ledger.Own, k)
	tr.accept("p", foreign)
	tr.wantNew(2)
	both := ids([]keys.DiagnosisKey{k, foreign})
	for i := range 3 {
		_, err := tr.ledger.Withdraw(tr.ctx, both...)
		tr.must(err)
		tr.cut()
		_, err = tr.ledger.Reinstate(tr.ctx, both...)
		tr.must(err)
		tr.cut()
		if i == 1 {
			tr.withdraw("p", foreign)
			tr.cut()
		}
	}
	for _, k := range []keys.DiagnosisKey{k, foreign} {
		u := tr.unit(k)
		if !slices.IsSortedFunc(u.Events, func(a, b ledger.Event) int { return int(a.Partners) - int(b.Partners) }) || len(u.Events) < 5 {
			tr.fail("the states for partners fell:%s", tr.show(u))
		}
	}
}

func checkRollBack(tr *trial) {
	tr.open(eager())
	both, one := tr.key("DE"), tr.key("DE")
	first := tr.accept(ledger.Own, both, one)
	tr.deliver(ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{tr.upload(both)}})
	tr.accept("p", one) // a partner's claim spares nothing
	tr.wantNew(2)
	r, err := tr.ledger.RollBack(tr.ctx, first)
	tr.must(err)
	if want := (ledger.OperatorReceipt{Done: 1, Spared: 1}); *r != want {
		tr.fail("rolling back gives %+v, want %+v", *r, want)
	}
	tr.cut()
	tr.wantEvents(both, event(active, active, clinical, "own"))
	tr.wantEvents(one, event(active, active, clinical, "own,p"), event(withdrawn, withdrawn, clinical, "own,p"))
}
