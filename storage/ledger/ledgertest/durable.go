package ledgertest

import (
	"errors"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

var durabilityClauses = []clause{
	{
		name:  "reopen",
		must:  "what a method has answered is there after the store is closed and opened again",
		needs: reopen,
		check: checkReopen,
	},
	{
		name:  "copy",
		must:  "a ledger that went back, or went on differently from a copy, is noticed by whoever followed the original",
		needs: copied,
		check: checkCopy,
	},
	{
		name:  "other-ledger",
		must:  "another ledger is noticed by whoever followed this one",
		check: checkOtherLedger,
	},
	{
		name:  "second",
		must:  "what one process has been answered, another sees",
		needs: second,
		check: checkSecond,
	},
	{
		name:  "clock-jumps",
		must:  "a clock that jumps back and forth loses nothing: cuts and numbers only rise, and every key is released once",
		check: checkClockJumps,
	},
}

// inhabit fills a ledger with something of every kind, and returns a key that it
// refuses.
func (tr *trial) inhabit() keys.DiagnosisKey {
	tr.tb.Helper()
	tr.eventful(func() { tr.cut() })
	k := tr.key("DE")
	tr.withdraw("p", k)
	bad := tr.key("AT")
	bad.RollingPeriod = 0
	up := tr.upload(bad, tr.key("DE"))
	tr.deliver(ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{up}, Swaps: []ledger.Swap{{Name: "cursor", Value: []byte{0, 1, 0xff}}}})
	gone := tr.key("DE")
	erased := tr.accept(ledger.Own, gone)
	_, err := tr.ledger.Erase(tr.ctx, erased)
	tr.must(err)
	tr.prune(1)
	tr.hold(ledger.Holds{Origins: []keys.Region{keys.MustRegion("FR")}})
	return gone
}

func checkReopen(tr *trial) {
	p := grouped()
	p.MinWithdrawnUploads = 0
	tr.open(p)
	refused, waits := tr.inhabit(), tr.key("NL")
	tr.accept(ledger.Own, waits)
	tr.cut() // passes it over
	version := tr.register("cursor").Version
	tr.swap(ledger.Swap{Name: "cursor", Version: version, Delete: true})
	before := tr.dump()
	tr.store = tr.opts.Reopen(tr.t, tr.store)
	tr.wantDump(before, "closing and opening")
	tr.ledger = tr.around(tr.store, p)
	if tr.tombstone(refused).IsZero() {
		tr.fail("after opening again, a key that was erased is no longer refused")
	}
	tr.swap(ledger.Swap{Name: "cursor"})
	if tr.register("cursor").Version == version {
		tr.fail("after opening again, version %d is used for another value", version)
	}
	for i := range 5 { // the longest wait of 5 hours goes on where it was
		tr.cut()
		if got, want := tr.unit(waits).Released(), i == 4; got != want {
			tr.fail("%d hours after it was passed over, a key is released: %t, want %t", i+1, got, want)
		}
	}
	tr.numbered()
}

func checkCopy(tr *trial) {
	tr.open(eager())
	original := tr.store
	tr.accept(ledger.Own, tr.key("DE"))
	shared := tr.cut().Cut
	before := tr.dump()
	other := tr.opts.Copy(tr.t, original)
	tr.store = other
	tr.wantDump(before, "copying")

	tr.store = original
	tr.accept(ledger.Own, tr.key("DE"))
	next := tr.cut().Cut // the original goes on
	restored := tr.around(other, eager())
	tr.wantCheck(restored, ledger.Position{}, nil)
	tr.wantCheck(restored, shared.Position(), nil)
	tr.wantCheck(restored, next.Position(), ledger.ErrWentBack)
	if _, err := restored.Release(tr.ctx, nil); err != nil { // and the copy, differently
		tr.fail("a cut of the copy: %v", err)
	}
	tr.wantCheck(restored, next.Position(), ledger.ErrOtherLedger)
	tr.wantCheck(tr.ledger, next.Position(), nil)
}

func (tr *trial) wantCheck(l *ledger.Ledger, p ledger.Position, want error) {
	tr.tb.Helper()
	if err := l.Check(tr.ctx, p); !errors.Is(err, want) {
		tr.fail("checking cut %d gives %v, want %v", p.Cut, err, want)
	}
}

func checkOtherLedger(tr *trial) {
	tr.open(eager())
	k := tr.key("DE")
	tr.accept(ledger.Own, k)
	place := tr.cut().Cut.Position()
	tr.clock.set(noon)
	tr.open(eager()) // another, of the very same history
	tr.wantCheck(tr.ledger, place, ledger.ErrWentBack)
	tr.accept(ledger.Own, k)
	tr.cut()
	tr.wantCheck(tr.ledger, place, ledger.ErrOtherLedger)
	tr.wantCheck(tr.ledger, tr.log().Last.Position(), nil)
}

func checkSecond(tr *trial) {
	tr.open(eager())
	first, other := tr.store, tr.opts.Second(tr.t, tr.store)
	for _, turn := range []struct{ writes, reads ledger.Store }{{first, other}, {other, first}, {first, other}} {
		tr.store, tr.ledger = turn.writes, tr.around(turn.writes, eager())
		tr.accept(ledger.Own, tr.keys("DE", 2)...)
		tr.cut()
		tr.withdraw("p", tr.key("AT"))
		_, err := tr.ledger.Prune(tr.ctx)
		tr.must(err)
		before := tr.dump()
		tr.store = turn.reads
		tr.wantDump(before, "looking from another process")
	}
	tr.numbered()
}

func checkClockJumps(tr *trial) {
	tr.open(eager())
	jumps := []time.Duration{time.Hour, -3 * time.Hour, 20 * time.Hour, -19 * time.Hour, time.Minute, 18 * time.Hour, -time.Hour, 5 * time.Hour}
	var all []keys.DiagnosisKey
	for range 4 {
		for _, jump := range jumps {
			tr.pass(jump)
			ks := tr.keys("DE", 2)
			for i := range ks {
				ks[i].RollingStartIntervalNumber -= 144 // ended in any case
			}
			tr.accept(ledger.Own, ks...)
			all = append(all, ks...)
			_, err := tr.ledger.Release(tr.ctx, nil)
			tr.must(err)
			tr.checkChain(tr.log())
		}
	}
	tr.pass(12 * time.Hour)
	tr.cut()
	if got := tr.numbered(); len(got) != len(all) {
		tr.fail("%d keys were accepted and %d have numbers", len(all), len(got))
	}
}
