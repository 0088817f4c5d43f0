package ledgertest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

var releaseClauses = []clause{
	{
		name:  "cut-time",
		must:  "the time of a cut is the last point of the grid not after the ledger's clock",
		check: checkCutTime,
	},
	{
		name:  "cut-once",
		must:  "a time not after the last cut makes no cut, also when the clock has gone back",
		check: checkCutOnce,
	},
	{
		name:  "cut-ahead",
		must:  "no cut is made after the ledger's clock, off the grid, or more than 24 hours after the last unless that is allowed",
		check: checkCutAhead,
	},
	{
		name:  "cut-empty",
		must:  "a cut is recorded also when it takes nothing",
		check: checkCutEmpty,
	},
	{
		name:  "cut-chain",
		must:  "each cut follows the one before by sequence and hash, and two histories differ from where they part",
		check: checkCutChain,
	},
	{
		name:  "cut-error",
		must:  "errors of Begin and Choose are returned as they are, and nothing is stored",
		check: checkCutError,
	},
	{
		name:  "due",
		must:  "a cut takes what is due before its time, not what is due at it",
		check: checkDue,
	},
	{
		name:  "numbers-dense",
		must:  "numbers are consecutive from 1, over all cuts and kinds of events",
		check: checkNumbersDense,
	},
	{
		name:  "numbers-canonical",
		must:  "within a cut numbers follow the canonical order, whatever the order of acceptance",
		check: checkNumbersCanonical,
	},
	{
		name:  "states",
		must:  "an event has the states, the report type and the sources of the unit at its cut",
		check: checkStates,
	},
	{
		name:  "changes-immediate",
		must:  "revisions, reinstatements and further sources of released units go with the next cut",
		check: checkChangesImmediate,
	},
}

func checkCutTime(tr *trial) {
	p := eager()
	p.Grid, p.FineGrid = 15*time.Minute, true
	tr.open(p)
	for _, at := range []struct{ after, want time.Duration }{
		{after: 7 * time.Minute, want: 0},
		{after: 15 * time.Minute, want: 15 * time.Minute},
		{after: 59*time.Minute + 59*time.Second, want: 45 * time.Minute},
	} {
		tr.clock.set(noon.Add(at.after))
		report, err := tr.ledger.Release(tr.ctx, nil)
		tr.must(err)
		if report == nil || !report.Cut.Time.Equal(noon.Add(at.want)) || !tr.log().Last.Time.Equal(noon.Add(at.want)) {
			tr.fail("at %s the cut is %+v, want the time %s", tr.clock.Now(), report, noon.Add(at.want))
		}
	}
}

// noCut asks for a cut that may not be made.
func (tr *trial) noCut(opts *ledger.ReleaseOptions, want error) {
	tr.tb.Helper()
	before := tr.log().Last
	report, err := tr.ledger.Release(tr.ctx, opts)
	if report != nil || !errors.Is(err, want) {
		tr.fail("at %s got the cut %+v and the error %v, want %v", tr.clock.Now(), report, err, want)
	}
	if after := tr.log().Last; after != before {
		tr.fail("the last cut was %+v and is %+v", before, after)
	}
}

func checkCutOnce(tr *trial) {
	tr.open(eager())
	tr.cut()
	tr.accept(ledger.Own, tr.key("DE"))
	tr.noCut(nil, nil)
	tr.pass(59 * time.Minute)
	tr.noCut(nil, nil)
	tr.pass(-5 * time.Hour)
	tr.noCut(nil, nil)
	tr.clock.set(noon.Add(3 * time.Hour))
	tr.noCut(&ledger.ReleaseOptions{At: noon.Add(time.Hour)}, nil)
	if r := tr.cut(); r.New != 1 {
		tr.fail("the next cut took %d keys, want 1", r.New)
	}
}

func checkCutAhead(tr *trial) {
	tr.open(eager())
	tr.cut() // 13:00
	tr.noCut(&ledger.ReleaseOptions{At: noon.Add(2 * time.Hour)}, ledger.ErrTime)
	tr.clock.set(noon.Add(24 * time.Hour))
	tr.noCut(&ledger.ReleaseOptions{At: noon.Add(90 * time.Minute)}, ledger.ErrTime)
	tr.clock.set(noon.Add(26 * time.Hour))
	tr.noCut(nil, ledger.ErrTime)
	report, err := tr.ledger.Release(tr.ctx, &ledger.ReleaseOptions{At: noon.Add(25 * time.Hour)})
	if err != nil || report == nil {
		tr.fail("24 hours after the last cut got %v", err)
	}
	tr.clock.set(noon.Add(72 * time.Hour))
	if report, err := tr.ledger.Release(tr.ctx, &ledger.ReleaseOptions{AllowGap: true}); err != nil || !report.Cut.Time.Equal(noon.Add(72*time.Hour)) {
		tr.fail("with AllowGap got %v", err)
	}
}

func checkCutEmpty(tr *trial) {
	tr.open(eager())
	for i := range 3 {
		if r := tr.cut(); r.New+r.Changed+r.Gone != 0 || r.Cut.Last != 0 || r.Cut.Seq != int64(i+1) {
			tr.fail("an empty cut is %+v", *r)
		}
	}
	tr.accept(ledger.Own, tr.keys("DE", 2)...)
	tr.cut()
	tr.cut()
	var last []int64
	for _, c := range tr.log().Cuts {
		last = append(last, c.Last)
	}
	if !slices.Equal(last, []int64{0, 0, 0, 2, 2}) {
		tr.fail("the cuts end with %v", last)
	}
}

// checkChain fails unless the cuts follow one another.
func (tr *trial) checkChain(log *ledger.Log) {
	tr.tb.Helper()
	before := ledger.Cut{}
	for _, c := range log.Cuts {
		if !c.Follows(log.Identity, before) || c.Nonce == (ledger.Nonce{}) || c.Last < before.Last || !c.Time.After(before.Time) {
			tr.fail("%+v does not follow %+v", c, before)
		}
		before = c
	}
	if log.Last != before {
		tr.fail("the last cut is %+v, want %+v", log.Last, before)
	}
}

func checkCutChain(tr *trial) {
	tr.open(eager())
	hashes := map[ledger.Hash]bool{{}: true}
	_, version := tr.ledger.Policy()
	for range 5 {
		tr.accept(ledger.Own, tr.key("DE"))
		c := tr.cut().Cut
		if hashes[c.Hash] || c.Policy != version || c.Time.Location() != time.UTC {
			tr.fail("the cut is %+v, after %d others", c, len(hashes)-1)
		}
		hashes[c.Hash] = true
		if err := tr.ledger.Check(tr.ctx, c.Position()); err != nil {
			tr.fail("the place of the cut that was returned: %v", err)
		}
	}
	log := tr.log()
	tr.checkChain(log)
	for after := int64(-1); after <= 7; after++ {
		part, err := tr.store.Log(tr.ctx, after)
		tr.must(err)
		if want := log.Cuts[min(max(after, 0), 5):]; !slices.Equal(part.Cuts, want) || part.Last != log.Last {
			tr.fail("after cut %d the log has %d cuts, want %d, and ends with %+v", after, len(part.Cuts), len(want), part.Last)
		}
	}
}

func checkCutError(tr *trial) {
	tr.open(eager())
	tr.accept(ledger.Own, tr.keys("DE", 3)...)
	tr.pass(time.Hour)
	oops := errors.New("oops")
	begin := func(*ledger.Start) (time.Time, ledger.Holds, error) { return noon.Add(time.Hour), ledger.Holds{}, nil }
	for name, r := range map[string]*ledger.Release{
		"Begin": {
			Begin:  func(*ledger.Start) (time.Time, ledger.Holds, error) { return noon.Add(time.Hour), ledger.Holds{}, oops },
			Choose: func([]ledger.Group) (*ledger.Choice, error) { return &ledger.Choice{}, nil },
		},
		"Choose": {
			Begin: begin,
			Choose: func(groups []ledger.Group) (*ledger.Choice, error) {
				c := &ledger.Choice{Tallies: ledger.Tallies{"n": 1}}
				for _, g := range groups {
					c.Take = append(c.Take, ledger.Take{GroupID: g.GroupID, Keys: g.Keys})
				}
				return c, oops
			},
		},
	} {
		if _, err := tr.store.Release(tr.ctx, r); err != oops {
			tr.fail("%s: got the error %v, want %v itself", name, err, oops)
		}
	}
	log := tr.log()
	if log.Last.Seq != 0 || log.Tallies["n"] != 0 || len(tr.read(0, 9)) != 0 {
		tr.fail("there is a cut %+v, tallies %v", log.Last, log.Tallies)
	}
}

func checkDue(tr *trial) {
	tr.open(eager())
	now := tr.key("DE") // of today, in use until 11:20: due at 13:20
	now.RollingStartIntervalNumber, now.RollingPeriod = keys.IntervalAt(noon.Truncate(24*time.Hour)), 68
	sharp := now // until 12:00: due at 14:00 sharp
	sharp.KeyData, sharp.RollingPeriod = tr.random.KeyData(), 72
	tr.pass(time.Second)
	tr.accept(ledger.Own, now, sharp)
	want := [][]keys.DiagnosisKey{{}, {now}, {sharp}} // at 13:00, 14:00, 15:00
	for i, ks := range want {
		r := tr.cut()
		if r.New != int64(len(ks)) {
			tr.fail("the cut of %s took %d keys, want %d", r.Cut.Time, r.New, len(ks))
		}
		for _, k := range ks {
			if u := tr.unit(k); len(u.Events) != 1 || u.Events[0].Number != int64(i) {
				tr.fail("the key that is due then was not taken:%s", tr.show(u))
			}
		}
	}
	late := tr.key("DE") // accepted exactly at the time of the next cut
	tr.clock.set(noon.Add(4 * time.Hour))
	tr.accept(ledger.Own, late)
	if r, err := tr.ledger.Release(tr.ctx, nil); err != nil || r.New != 0 {
		tr.fail("a key accepted at the time of the cut was taken: %+v, %v", r, err)
	}
}

// numbered returns the units of all events, by number, and fails if the numbers
// have a gap or a repetition.
func (tr *trial) numbered() []ledger.UnitID {
	tr.tb.Helper()
	of := map[int64]ledger.UnitID{}
	count := 0
	for _, rec := range tr.find(ledger.Query{}) {
		for i, e := range rec.Unit.Events {
			if i > 0 && e.Number <= rec.Unit.Events[i-1].Number {
				tr.fail("the events of a unit are out of order:%s", tr.show(rec.Unit))
			}
			of[e.Number] = rec.ID
			count++
		}
	}
	end := tr.end()
	list := make([]ledger.UnitID, end)
	for n := int64(1); n <= end; n++ {
		id, ok := of[n]
		if !ok {
			tr.fail("nothing has number %d of %d", n, end)
		}
		list[n-1] = id
	}
	if int64(count) != end {
		tr.fail("%d events have %d numbers", count, end)
	}
	return list
}

func checkNumbersDense(tr *trial) {
	tr.open(eager())
	var all []keys.DiagnosisKey
	for range 4 {
		ks := tr.keys("DE", 5)
		tr.accept(ledger.Own, ks...)
		tr.accept("p", tr.keys("AT", 3)...)
		if len(all) > 0 {
			tr.withdraw(ledger.Own, all[:2]...)
		}
		tr.cut()
		all = ks
	}
	tr.numbered()
	if got, want := tr.end(), int64(4*8+3*2); got != want {
		tr.fail("the log ends with %d, want %d", got, want)
	}
}

// mixed returns keys of several origins, days, periods, types and risks.
func (tr *trial) mixed(n int) []keys.DiagnosisKey {
	r := rand.New(rand.NewPCG(1, 2))
	ks := make([]keys.DiagnosisKey, n)
	for i := range ks {
		k := tr.key([]string{"DE", "AT", "GB-EAW"}[r.IntN(3)])
		k.RollingStartIntervalNumber -= keys.Interval(144 * r.IntN(3))
		k.RollingPeriod = uint8(100 + r.IntN(2))
		k.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(3 + r.IntN(2)))
		k.ReportType = keys.Some(keys.ReportType(1 + r.IntN(2)))
		ks[i] = k
	}
	return ks
}

func checkNumbersCanonical(tr *trial) {
	ks := tr.mixed(40)
	ordered := slices.Clone(ks)
	slices.SortFunc(ordered, func(a, b keys.DiagnosisKey) int { return a.Compare(&b) })
	want := ids(ordered)
	for i := range 4 {
		rand.New(rand.NewPCG(3, uint64(i))).Shuffle(len(ks), func(i, j int) { ks[i], ks[j] = ks[j], ks[i] })
		tr.clock.set(noon)
		tr.open(eager())
		for part := range slices.Chunk(ks, 7) {
			tr.pass(time.Second)
			tr.accept(ledger.Own, part...)
		}
		tr.cut()
		if got := tr.numbered(); !slices.Equal(got, want) {
			tr.fail("order %d of acceptance gives other numbers than the canonical order", i)
		}
	}
	// Withdrawals stand among the others.
	tr.withdraw(ledger.Own, ordered[:20]...)
	more := tr.mixed(20)
	tr.accept(ledger.Own, more...)
	tr.cut()
	both := slices.Concat(ordered[:20], more)
	slices.SortFunc(both, func(a, b keys.DiagnosisKey) int { return a.Compare(&b) })
	if got := tr.numbered()[40:]; !slices.Equal(got, ids(both)) {
		tr.fail("withdrawals and new keys of one cut are not in canonical order together")
	}
}

// wantEvents fails unless the unit of k has these events, but for the numbers.
func (tr *trial) wantEvents(k keys.DiagnosisKey, want ...ledger.Event) {
	tr.tb.Helper()
	got := tr.unit(k)
	events := slices.Clone(got.Events)
	for i := range events {
		events[i].Number = 0
	}
	if !slices.Equal(events, want) {
		tr.fail("got %s\nwant %s", tr.show(got), fmt.Sprintf("%+v", want))
	}
}

// event returns an event without a number.
func event(own, partners ledger.State, t keys.ReportType, sources ledger.Sources) ledger.Event {
	return ledger.Event{Own: own, Partners: partners, ReportType: keys.Some(t), Sources: sources}
}

const (
	active    = ledger.Active
	withdrawn = ledger.Withdrawn
	clinical  = keys.ReportConfirmedClinicalDiagnosis
	test      = keys.ReportConfirmedTest
	self      = keys.ReportSelfReport
)

func checkStates(tr *trial) {
	tr.open(eager())
	k, foreign := tr.key("DE"), tr.key("AT")
	tr.accept("q", k)
	tr.accept(ledger.Own, k)
	tr.accept("p", foreign)
	tr.cut()
	tr.wantEvents(k, event(active, active, clinical, "own,q"))
	tr.wantEvents(foreign, event(active, active, clinical, "p"))

	_, err := tr.ledger.Withdraw(tr.ctx, ids([]keys.DiagnosisKey{k, foreign})...)
	tr.must(err)
	tr.cut()
	tr.wantEvents(k, event(active, active, clinical, "own,q"), event(withdrawn, withdrawn, clinical, "own,q"))
	tr.wantEvents(foreign, event(active, active, clinical, "p"), event(withdrawn, active, clinical, "p"))

	_, err = tr.ledger.Reinstate(tr.ctx, ids([]keys.DiagnosisKey{k, foreign})...)
	tr.must(err)
	tr.cut()
	tr.wantEvents(k, event(active, active, clinical, "own,q"), event(withdrawn, withdrawn, clinical, "own,q"),
		event(active, withdrawn, clinical, "own,q")) // what partners were told is not undone
	tr.wantEvents(foreign, event(active, active, clinical, "p"), event(withdrawn, active, clinical, "p"),
		event(active, active, clinical, "p"))
}

func checkChangesImmediate(tr *trial) {
	p := ledger.DefaultPolicy() // thresholds that nothing here reaches
	p.LongestWait = time.Hour
	tr.open(p)
	k := tr.key("DE")
	tr.accept(ledger.Own, k)
	tr.cut()
	tr.cut() // the longest wait is over
	revised := k
	revised.ReportType = keys.Some(test)
	if r := tr.deliver(ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{tr.upload(revised)}}); r.Revised != 1 {
		tr.fail("a revision gives the receipt %+v", *r)
	}
	if r := tr.cut(); r.Changed != 1 {
		tr.fail("the cut after a revision is %+v", *r)
	}
	tr.accept("p", revised)
	if r := tr.cut(); r.Changed != 1 {
		tr.fail("the cut after another source brought the key is %+v", *r)
	}
	tr.wantEvents(k, event(active, active, clinical, "own"), event(active, active, test, "own"), event(active, active, test, "own,p"))
	if r := tr.cut(); r.Changed != 0 || !bytes.Equal(r.Cut.Hash[:], tr.log().Last.Hash[:]) {
		tr.fail("the cut after that, with nothing new, is %+v", *r)
	}
}
