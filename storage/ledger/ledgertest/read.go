package ledgertest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

var readClauses = []clause{
	{
		name:  "read-range",
		must:  "Read yields every unit with a number in (from, to], each once, in the order of their first number in the range",
		check: checkReadRange,
	},
	{
		name:  "read-bounds",
		must:  "an empty range yields nothing, and one beyond the log what there is",
		check: checkReadBounds,
	},
	{
		name:  "read-after-to",
		must:  "events after to are left out, and siblings without an event up to to",
		check: checkReadAfterTo,
	},
	{
		name:  "read-siblings",
		must:  "the unit released first is yielded with the others of its key data, in the order of their first cut, own before others and then by acceptance",
		check: checkReadSiblings,
	},
	{
		name:  "read-one-origin",
		must:  "what an origin's unit says of itself is not overwritten by another origin's claim on the key data",
		check: checkReadOneOrigin,
	},
	{
		name:  "read-constant",
		must:  "a range once read yields the same for ever, whatever comes later",
		check: checkReadConstant,
	},
	{
		name:  "read-moment",
		must:  "what is yielded is the state of one moment",
		check: checkReadMoment,
	},
	{
		name:  "read-abandoned",
		must:  "a reader may stop early, read again, and write while it reads",
		check: checkReadAbandoned,
	},
	{
		name:  "cancelled",
		must:  "with a context that is done, every method returns an error and changes nothing",
		check: checkCancelled,
	},
}

// wantRead fails unless a range yields the units of these keys, in this order.
func (tr *trial) wantRead(from, to int64, want ...keys.DiagnosisKey) []*ledger.Unit {
	tr.tb.Helper()
	units := tr.read(from, to)
	if !slices.EqualFunc(units, want, func(u *ledger.Unit, k keys.DiagnosisKey) bool { return u.ID() == ledger.IDOf(&k) }) {
		var named []string
		for _, k := range want {
			named = append(named, k.Origin.String()+"/"+tr.label(k.KeyData))
		}
		tr.fail("(%d, %d] yields%s\nwant %q", from, to, tr.show(units...), named)
	}
	return units
}

// ordered returns n keys of an origin in canonical order.
func (tr *trial) ordered(origin string, n int) []keys.DiagnosisKey {
	ks := tr.keys(origin, n)
	slices.SortFunc(ks, func(a, b keys.DiagnosisKey) int { return a.Compare(&b) })
	return ks
}

func checkReadRange(tr *trial) {
	tr.open(eager())
	a, b := tr.ordered("DE", 4), tr.ordered("DE", 2)
	tr.accept(ledger.Own, a...)
	tr.cut() // 1 to 4
	tr.withdraw(ledger.Own, a[2], a[0])
	tr.cut() // 5, 6
	tr.accept("p", b...)
	tr.cut() // 7, 8
	tr.wantRead(0, 4, a...)
	tr.wantRead(1, 3, a[1], a[2])
	tr.wantRead(4, 6, a[0], a[2])
	tr.wantRead(2, 5, a[2], a[3], a[0])
	tr.wantRead(0, 8, slices.Concat(a, b)...)
	tr.wantRead(5, 8, a[2], b[0], b[1])
	for _, u := range tr.read(4, 6) {
		if len(u.Events) != 2 || !sameUnit(u, tr.unit(u.Key), asRead) {
			tr.fail("(4, 6] yields%s\nwant the whole unit up to there%s", tr.show(u), tr.show(tr.unit(u.Key)))
		}
	}
}

func checkReadBounds(tr *trial) {
	tr.open(eager())
	tr.wantRead(0, 0)
	tr.wantRead(0, 100)
	ks := tr.ordered("DE", 2)
	tr.accept(ledger.Own, ks...)
	tr.wantRead(0, 100) // accepted, and not released
	tr.cut()
	tr.wantRead(0, 0)
	tr.wantRead(1, 1)
	tr.wantRead(2, 1)
	tr.wantRead(2, 100)
	tr.wantRead(1, 100, ks[1])
	tr.wantRead(1, 1<<62, ks[1])
}

func checkReadAfterTo(tr *trial) {
	tr.open(eager())
	k := tr.key("DE")
	sibling := k
	sibling.Origin = keys.MustRegion("AT")
	tr.accept(ledger.Own, k)
	tr.cut() // 1
	tr.withdraw(ledger.Own, k)
	tr.cut() // 2
	tr.accept("p", sibling)
	tr.cut() // 3
	tr.accept("q", sibling)
	tr.cut() // 4
	for to, want := range map[int64][2]int{1: {1, 0}, 2: {2, 0}, 3: {2, 1}, 4: {2, 2}} {
		u := tr.wantRead(0, to, k)[0]
		events, siblings := len(u.Events), 0
		if len(u.Siblings) > 0 {
			siblings = len(u.Siblings[0].Events)
		}
		if want != [2]int{events, siblings} {
			tr.fail("(0, %d] yields%s\nwant %v events of the unit and its sibling", to, tr.show(u), want)
		}
	}
}

// siblings returns k as claimed by other origins.
func siblings(k keys.DiagnosisKey, origins ...string) []keys.DiagnosisKey {
	var ks []keys.DiagnosisKey
	for _, o := range origins {
		k.Origin = keys.MustRegion(o)
		ks = append(ks, k)
	}
	return ks
}

// wantSiblings fails unless a unit is that of the first key, with the others.
func (tr *trial) wantSiblings(u *ledger.Unit, want ...keys.DiagnosisKey) {
	tr.tb.Helper()
	got := []ledger.UnitID{u.ID()}
	for i := range u.Siblings {
		got = append(got, u.Siblings[i].ID())
	}
	if !slices.Equal(got, ids(want)) {
		var named []string
		for _, k := range want {
			named = append(named, k.Origin.String())
		}
		tr.fail("got%s\nwant the origins %q in this order", tr.show(u), named)
	}
}

func checkReadSiblings(tr *trial) {
	tr.open(eager())
	k := siblings(tr.key("DE"), "BE", "NL", "AT", "DE", "FR", "CH")
	tr.accept("p", k[1]) // first accepted of the first cut
	tr.pass(time.Second)
	tr.accept("p", k[0])
	tr.pass(time.Second)
	tr.accept(ledger.Own, k[3]) // and own
	tr.cut()
	tr.accept("p", k[5], k[2]) // at the same moment: by origin
	tr.cut()
	tr.accept(ledger.Own, k[0]) // has become own since
	tr.accept("p", k[4])
	tr.cut()
	want := []keys.DiagnosisKey{k[3], k[1], k[0], k[2], k[5], k[4]}
	for from := range int64(6) {
		units := tr.wantRead(from, tr.end(), k[3])
		tr.wantSiblings(units[0], want...)
	}
	tr.wantSiblings(tr.read(0, 3)[0], want[:3]...)
	tr.wantSiblings(tr.read(0, 4)[0], want[:4]...)
}

func checkReadOneOrigin(tr *trial) {
	tr.open(eager())
	k := tr.key("DE")
	tr.accept(ledger.Own, k)
	tr.cut()
	before := tr.unit(k)
	other := k
	other.Origin = keys.MustRegion("AT")
	other.RollingStartIntervalNumber -= 144
	other.RollingPeriod, other.ReportType = 10, keys.Some(test)
	other.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(1))
	tr.accept("p", other)
	tr.cut()
	if after := tr.unit(k); !sameUnit(after, before, asFound) {
		tr.fail("the unit was%s\nand is%s", tr.show(before), tr.show(after))
	}
	u := tr.wantRead(0, 2, k)[0]
	if u.Key != k || len(u.Siblings) != 1 || u.Siblings[0].Key != other {
		tr.fail("got%s", tr.show(u))
	}
}

func checkReadConstant(tr *trial) {
	tr.open(eager())
	type window struct{ from, to int64 }
	seen := map[window][]*ledger.Unit{}
	check := func() {
		cuts := tr.log().Cuts
		for i := range cuts {
			for j := range i + 1 {
				w := window{0, cuts[i].Last}
				if j > 0 {
					w.from = cuts[j-1].Last
				}
				units := tr.read(w.from, w.to)
				if seen[w] == nil {
					seen[w] = units
				}
				if !sameUnits(units, seen[w], asWindow) {
					tr.fail("(%d, %d] yielded%s\nand yields%s", w.from, w.to, tr.show(seen[w]...), tr.show(units...))
				}
			}
		}
	}
	tr.eventful(func() { tr.cut(); check() })
	tr.clock.set(noon.Add(40 * 24 * time.Hour))
	_, err := tr.ledger.Release(tr.ctx, &ledger.ReleaseOptions{AllowGap: true})
	tr.must(err)
	_, err = tr.ledger.Prune(tr.ctx)
	tr.must(err)
	for w, units := range seen {
		if _, err := tr.tryRead(w.from, w.to); len(units) > 0 && !errors.Is(err, ledger.ErrPruned) {
			tr.fail("after everything was pruned, (%d, %d] gives the error %v", w.from, w.to, err)
		}
	}
}

// eventful lets everything happen that can happen to a key and its siblings.
func (tr *trial) eventful(between func()) {
	tr.tb.Helper()
	k := siblings(tr.key("DE"), "DE", "AT", "FR")
	others := tr.keys("AT", 3)
	type step func() (*ledger.OperatorReceipt, error)
	steps := []step{
		func() (*ledger.OperatorReceipt, error) {
			tr.accept("p", k[1], others[0])
			tr.pass(time.Second)
			tr.accept("q", k[2])
			return nil, nil
		},
		func() (*ledger.OperatorReceipt, error) { tr.accept(ledger.Own, k[0]); return nil, nil },
		func() (*ledger.OperatorReceipt, error) { tr.accept("q", k[1]); return nil, nil },
		func() (*ledger.OperatorReceipt, error) { tr.accept(ledger.Own, k[2]); return nil, nil },
		func() (*ledger.OperatorReceipt, error) {
			revised := k[0]
			revised.ReportType = keys.Some(test)
			tr.deliver(ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{tr.upload(revised)}})
			return nil, nil
		},
		func() (*ledger.OperatorReceipt, error) { return tr.ledger.Withdraw(tr.ctx, ids(k)...) },
		func() (*ledger.OperatorReceipt, error) { return tr.ledger.Reinstate(tr.ctx, ids(k[1:])...) },
		func() (*ledger.OperatorReceipt, error) { tr.withdraw("q", k[2]); return nil, nil },
	}
	for _, s := range steps {
		_, err := s()
		tr.must(err)
		between()
	}
}

func checkReadMoment(tr *trial) {
	tr.open(eager())
	ks := tr.ordered("DE", 30)
	tr.accept(ledger.Own, ks...)
	tr.cut()
	want := tr.read(0, 100)
	var got []*ledger.Unit
	for u, err := range tr.store.Read(tr.ctx, 0, 100) {
		tr.must(err)
		if got = append(got, u.Clone()); len(got) == 1 {
			tr.withdraw(ledger.Own, ks[10:]...)
			tr.accept("p", siblings(ks[29], "AT")...)
			tr.cut()
		}
	}
	if !sameUnits(got, want, asRead) {
		tr.fail("a cut made during a read shows in it: got%s\nwant%s", tr.show(got...), tr.show(want...))
	}
}

func checkReadAbandoned(tr *trial) {
	tr.open(eager())
	tr.accept(ledger.Own, tr.keys("DE", 20)...)
	tr.cut()
	seq := tr.store.Read(tr.ctx, 0, 20)
	for range 50 { // more than any pool of connections has
		for _, err := range seq {
			tr.must(err)
			break
		}
		for _, err := range tr.store.Find(tr.ctx, ledger.Query{}) {
			tr.must(err)
			break
		}
	}
	n := 0
	for _, err := range seq {
		tr.must(err)
		if n++; n%7 == 0 {
			tr.accept(ledger.Own, tr.key("DE"))
		}
	}
	if n != 20 {
		tr.fail("after it was abandoned and written beside, the read yields %d units, want 20", n)
	}
}

func checkCancelled(tr *trial) {
	tr.open(eager())
	tr.accept(ledger.Own, tr.key("DE"))
	tr.pass(time.Hour)
	before := tr.dump()
	ctx, cancel := context.WithCancel(tr.ctx)
	cancel()
	c := tr.everything()
	release := &ledger.Release{
		Begin:  func(*ledger.Start) (time.Time, ledger.Holds, error) { return noon, ledger.Holds{}, nil },
		Choose: func([]ledger.Group) (*ledger.Choice, error) { return &ledger.Choice{}, nil },
	}
	calls := map[string]func() error{
		"Accept": func() error {
			return tr.store.Accept(ctx, &ledger.Intake{Decide: func(*ledger.Standing) (*ledger.Changes, error) { return c, nil }})
		},
		"Release":   func() error { _, err := tr.store.Release(ctx, release); return err },
		"Log":       func() error { _, err := tr.store.Log(ctx, 0); return err },
		"Registers": func() error { _, err := tr.store.Registers(ctx, ""); return err },
		"Swap":      func() error { return tr.store.Swap(ctx, ledger.Nonce{}, []ledger.Swap{{Name: "r"}}) },
		"Remove":    func() error { _, err := tr.store.Remove(ctx, removal(1000, 9, 9)); return err },
		"Read": func() (first error) {
			for _, err := range tr.store.Read(ctx, 0, 9) {
				return err
			}
			return nil
		},
		"Find": func() (first error) {
			for _, err := range tr.store.Find(ctx, ledger.Query{}) {
				return err
			}
			return nil
		},
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, context.Canceled) {
			tr.fail("%s: got %v, want context.Canceled", name, err)
		}
	}
	tr.wantDump(before, "calls that were cancelled")
}
