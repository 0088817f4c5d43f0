package ledgertest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

var invariantClauses = []clause{
	{
		name:  "order-of-uploads",
		must:  "permuting the uploads between two cuts changes nothing that is read",
		check: checkOrderOfUploads,
	},
	{
		name:  "others-do-not-touch",
		must:  "no other origin, and no source that has not itself brought the key with that origin, delays, weakens, withdraws or resurrects a unit",
		check: checkOthersDoNotTouch,
	},
	{
		name:  "books-balance",
		must:  "after every step each key that was offered is in exactly one term of the books",
		check: checkBooksBalance,
	},
	{
		name:  "like-memory",
		must:  "whatever steps a store is made to take, whether rules would or not, it gives what a store in memory gives",
		check: checkLikeMemory,
	},
	{
		name:  "random-histories",
		must:  "whatever happens in whatever order, receipts, cuts, ranges, records and books are those of the design",
		check: checkRandomHistories,
	},
}

func checkRandomHistories(tr *trial) {
	tr.histories(func(h *history) {
		for range 4 {
			h.run(20)
			h.compareRecords()
			h.compareStats()
		}
		h.compareAll()
		h.compareOrders()
	})
}

func checkBooksBalance(tr *trial) {
	for seed := range uint64(1 + tr.opts.histories()/25) {
		h := tr.newHistory(1<<32 + seed)
		for range 40 {
			h.run(1)
			h.compareStats()
		}
	}
}

// checkOrderOfUploads has the same uploads accepted in several orders and
// compares what is read of three cuts: what may leave, so neither times of
// acceptance nor names of uploads.
func checkOrderOfUploads(tr *trial) {
	p := eager()
	p.MaxCut = 25
	batches := [][]ledger.Delivery{tr.deliveries(), tr.deliveries()}
	var want string
	for order := range uint64(6) {
		r := rand.New(rand.NewPCG(order, 14))
		tr.clock.set(noon)
		tr.open(p)
		for _, batch := range batches {
			for _, i := range r.Perm(len(batch)) {
				tr.pass(time.Second)
				d := batch[i]
				d.Uploads = slices.Clone(d.Uploads)
				r.Shuffle(len(d.Uploads), func(a, b int) { d.Uploads[a], d.Uploads[b] = d.Uploads[b], d.Uploads[a] })
				tr.deliver(d)
			}
			tr.cut()
		}
		tr.cut() // what there was no room for
		got := tr.leaving()
		if order == 0 {
			want = got
		}
		if got != want {
			tr.fail("in order %d what is read becomes\n%s\ninstead of\n%s", order, got, want)
		}
	}
}

// deliveries returns what own phones and partners bring between two cuts. No
// two say different things of one key, since of those the first is taken.
func (tr *trial) deliveries() []ledger.Delivery {
	var list []ledger.Delivery
	for range 4 {
		ks := tr.mixedOf("DE", 3)
		list = append(list,
			ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{tr.upload(ks...), tr.upload(ks[0]), tr.upload(tr.mixedOf("DE", 2)...)}},
			ledger.Delivery{Source: "p", Uploads: []ledger.Upload{tr.upload(siblings(ks[1], "AT")...), tr.upload(tr.mixedOf("AT", 2)...)}})
	}
	return list
}

// leaving prints the log as far as any of it may leave.
func (tr *trial) leaving() string {
	tr.tb.Helper()
	var b strings.Builder
	before := int64(0)
	for _, c := range tr.log().Cuts {
		for _, u := range tr.read(before, c.Last) {
			fmt.Fprintf(&b, "\t%s %+v %v", tr.label(u.Key.KeyData), u.Key, u.Events)
			for i := range u.Siblings {
				fmt.Fprintf(&b, " with %+v %v", u.Siblings[i].Key, u.Siblings[i].Events)
			}
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "\tto %d at %s\n", c.Last, c.Time)
		before = c.Last
	}
	return b.String()
}

// checkOthersDoNotTouch runs two ledgers side by side: in one the same happens
// to the units of an origin as in the other, and a lot besides.
func checkOthersDoNotTouch(tr *trial) {
	for seed := range uint64(1 + tr.opts.histories()/16) {
		w := &world{trial: tr, rand: rand.New(rand.NewPCG(seed, 13))}
		w.clock.set(noon)
		for range 2 {
			w.open(grouped())
			w.ledgers = append(w.ledgers, w.ledger)
			w.stores = append(w.stores, w.store)
		}
		for range 60 {
			w.step()
			w.meddle()
			w.pass(time.Duration(w.rand.IntN(15)) * time.Minute)
		}
		w.compare()
	}
}

// A world is two ledgers, the second with meddlers in it.
type world struct {
	*trial
	rand    *rand.Rand
	ledgers []*ledger.Ledger
	stores  []ledger.Store
	victims []keys.DiagnosisKey
}

// both does the same in both ledgers.
func (w *world) both(f func(l *ledger.Ledger) error) {
	w.tb.Helper()
	for _, l := range w.ledgers {
		w.must(f(l))
	}
}

func (w *world) give(l *ledger.Ledger, d ledger.Delivery) error {
	_, err := l.Accept(w.ctx, &d)
	return err
}

// step does something to units of the origin DE, in both ledgers.
func (w *world) step() {
	w.tb.Helper()
	source := pick(w.rand, ledger.Own, ledger.Own, "p")
	switch n := w.rand.IntN(10); {
	case n < 5 || len(w.victims) == 0:
		up := w.upload(w.keys("DE", 1+w.rand.IntN(3))...)
		w.victims = append(w.victims, up.Keys...)
		w.both(func(l *ledger.Ledger) error {
			return w.give(l, ledger.Delivery{Source: source, Uploads: []ledger.Upload{up}})
		})
	case n < 6:
		k := pick(w.rand, w.victims...)
		k.ReportType = keys.Some(test)
		up := w.upload(k)
		w.both(func(l *ledger.Ledger) error {
			return w.give(l, ledger.Delivery{Source: source, Uploads: []ledger.Upload{up}})
		})
	case n < 7:
		of := ids([]keys.DiagnosisKey{pick(w.rand, w.victims...)})
		w.both(func(l *ledger.Ledger) error { return w.give(l, ledger.Delivery{Source: source, Withdrawals: of}) })
	case n < 8:
		id := ids([]keys.DiagnosisKey{pick(w.rand, w.victims...)})[0]
		order := pick(w.rand, (*ledger.Ledger).Withdraw, (*ledger.Ledger).Reinstate)
		w.both(func(l *ledger.Ledger) error { _, err := order(l, w.ctx, id); return err })
	default:
		w.clock.set(w.clock.Now().Truncate(time.Hour).Add(time.Hour))
		w.both(func(l *ledger.Ledger) error { _, err := l.Release(w.ctx, nil); return err })
	}
}

// meddle has others speak of the same keys, in the second ledger: the same key
// data from other origins, otherwise stated, and withdrawals by sources that
// never brought the keys.
func (w *world) meddle() {
	w.tb.Helper()
	for range w.rand.IntN(4) {
		k := pick(w.rand, w.victims...)
		if w.rand.IntN(4) == 0 {
			k = w.key("DE") // before anybody has it
		}
		d := ledger.Delivery{Source: pick(w.rand, ledger.Source("x"), "y")}
		elsewhere := siblings(k, pick(w.rand, "AT", "FR", "DE-BY"))[0]
		switch w.rand.IntN(4) {
		case 0:
			d.Withdrawals = ids([]keys.DiagnosisKey{k})
		case 1:
			d.Withdrawals = ids([]keys.DiagnosisKey{elsewhere})
		case 2:
			d.Source = pick(w.rand, d.Source, ledger.Own, "p")
			fallthrough
		default:
			elsewhere.RollingPeriod = uint8(1 + w.rand.IntN(144))
			elsewhere.RollingStartIntervalNumber -= keys.Interval(w.rand.IntN(300))
			elsewhere.ReportType = keys.Some(pick(w.rand, self, clinical, test))
			elsewhere.ConsentToFederate = pick(w.rand, keys.ConsentGiven, keys.ConsentRefused)
			d.Uploads = []ledger.Upload{w.upload(elsewhere)}
		}
		w.must(w.give(w.ledgers[1], d))
	}
}

// compare fails unless the units of the origin are the same in both ledgers, and
// were changed by the same cuts.
func (w *world) compare() {
	w.tb.Helper()
	var lines [2]string
	for _, k := range w.victims {
		for i, s := range w.stores {
			w.store = s
			u := w.unit(k)
			cuts := w.log().Cuts
			for n, e := range u.Events {
				u.Events[n].Number = cuts[slices.IndexFunc(cuts, func(c ledger.Cut) bool { return e.Number <= c.Last })].Seq
			}
			lines[i] = w.show(u)
		}
		if lines[0] != lines[1] {
			w.fail("the unit, its numbers being those of the cuts, is%s\nand where others meddle%s", lines[0], lines[1])
		}
	}
}
