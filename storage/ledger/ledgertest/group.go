package ledgertest

import (
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

var groupClauses = []clause{
	{
		name:  "threshold",
		must:  "own units of an origin go when they reach both the keys and the uploads of the threshold",
		check: checkThreshold,
	},
	{
		name:  "threshold-uploads",
		must:  "uploads are counted once each, a key that several brought with the first",
		check: checkThresholdUploads,
	},
	{
		name:  "threshold-origins",
		must:  "groups are by origin: one does not help another over the threshold, nor do foreign units own ones",
		check: checkThresholdOrigins,
	},
	{
		name:  "longest-wait",
		must:  "a group goes, whatever its size, at the longest wait after the first cut that passed it over",
		check: checkLongestWait,
	},
	{
		name:  "longest-wait-again",
		must:  "the wait of a group begins anew after a cut has taken it",
		check: checkLongestWaitAgain,
	},
	{
		name:  "foreign-not-grouped",
		must:  "what came by federation goes with the next cut, however little it is, unless the policy has a threshold for it",
		check: checkForeignNotGrouped,
	},
	{
		name:  "foreign-threshold",
		must:  "by a policy with a threshold for it, new foreign units of an origin go when they reach it, or have waited; withdrawals and changes do not wait",
		check: checkForeignThreshold,
	},
	{
		name:  "hold-origin",
		must:  "no cut takes new units or changes of an origin on hold; after that the next does",
		check: checkHoldOrigin,
	},
	{
		name:  "hold-source",
		must:  "a hold on a source holds units that only sources on hold brought",
		check: checkHoldSource,
	},
	{
		name:  "hold-withdrawal",
		must:  "a hold never delays a withdrawal",
		check: checkHoldWithdrawal,
	},
	{
		name:  "quota",
		must:  "what a source brings of an origin beyond its quota of the day is held, until another claim on it was within a quota",
		check: checkQuota,
	},
}

// grouped is a policy with a threshold of 6 keys and 3 uploads or 5 hours.
func grouped() ledger.Policy {
	p := ledger.DefaultPolicy()
	p.MinKeys, p.MinUploads, p.LongestWait = 6, 3, 5*time.Hour
	p.MinWithdrawnUploads, p.WithdrawalWait = 2, 2*time.Hour
	return p
}

// wantNew makes the next cut and fails unless it releases n keys.
func (tr *trial) wantNew(n int64) *ledger.ReleaseReport {
	tr.tb.Helper()
	r := tr.cut()
	if r.New != n {
		tr.fail("the cut of %s released %d keys, want %d; waiting: %+v", r.Cut.Time.Format("15:04"), r.New, n, r.Waiting)
	}
	return r
}

func checkThreshold(tr *trial) {
	tr.open(grouped())
	tr.accept(ledger.Own, tr.keys("DE", 6)...)
	tr.accept(ledger.Own, tr.keys("DE", 1)...)
	r := tr.wantNew(0) // 7 keys of 2 uploads
	want := ledger.Group{GroupID: ledger.GroupID{Origin: keys.MustRegion("DE"), Own: true, Wait: ledger.WaitNew}, Keys: 7, Uploads: 2}
	if len(r.Waiting) != 1 || r.Waiting[0].Group != want || !r.Waiting[0].Since.Equal(r.Cut.Time) || !r.Waiting[0].Until.Equal(r.Cut.Time.Add(5*time.Hour)) {
		tr.fail("waiting are %+v, want %+v", r.Waiting, want)
	}
	tr.accept(ledger.Own, tr.keys("DE", 1)...)
	tr.wantNew(8)
	for range 5 {
		tr.accept(ledger.Own, tr.key("DE"))
	}
	tr.wantNew(0) // 5 keys of 5 uploads
	tr.accept(ledger.Own, tr.key("DE"))
	tr.wantNew(6)
}

func checkThresholdUploads(tr *trial) {
	tr.open(grouped())
	ks := tr.keys("DE", 6)
	tr.accept(ledger.Own, ks...)
	for range 3 { // the same keys again, in other uploads: no more uploads than one
		tr.deliver(ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{tr.upload(ks...)}})
	}
	if r := tr.wantNew(0); len(r.Waiting) != 1 || r.Waiting[0].Uploads != 1 || r.Waiting[0].Keys != 6 {
		tr.fail("waiting are %+v, want 6 keys of 1 upload", r.Waiting)
	}
}

func checkThresholdOrigins(tr *trial) {
	tr.open(grouped())
	for range 3 {
		tr.accept(ledger.Own, tr.keys("DE", 1)...)
		tr.accept(ledger.Own, tr.keys("AT", 1)...)
		tr.accept("p", tr.keys("DE", 2)...)
	}
	if r := tr.wantNew(6); len(r.Waiting) != 2 {
		tr.fail("waiting are %+v, want own keys of two origins", r.Waiting)
	}
}

func checkLongestWait(tr *trial) {
	tr.open(grouped())
	k := tr.key("DE")
	k.RollingStartIntervalNumber, k.RollingPeriod = keys.IntervalAt(noon.Truncate(24*time.Hour)), 69 // due at 13:30
	tr.accept(ledger.Own, k)
	tr.wantNew(0)
	r := tr.wantNew(0) // 14:00, the first cut that passes it over
	for i := range 4 {
		if len(r.Waiting) != 1 || !r.Waiting[0].Since.Equal(noon.Add(2*time.Hour)) {
			tr.fail("the cut of %s passes over %+v", r.Cut.Time, r.Waiting)
		}
		if i == 2 {
			tr.accept(ledger.Own, tr.key("DE")) // goes along
		}
		r = tr.wantNew(0)
	}
	tr.wantNew(2) // 19:00
}

func checkLongestWaitAgain(tr *trial) {
	p := grouped()
	p.LongestWait = 2 * time.Hour
	tr.open(p)
	for range 3 {
		tr.accept(ledger.Own, tr.key("DE"))
		tr.wantNew(0)
		tr.wantNew(0)
		tr.wantNew(1)
	}
}

func checkForeignNotGrouped(tr *trial) {
	tr.open(grouped())
	k := tr.key("AT")
	tr.accept("p", k)
	tr.wantNew(1)
	tr.withdraw("p", k)
	if r := tr.cut(); r.Gone != 1 {
		tr.fail("the withdrawal of a foreign unit did not go with the next cut: %+v", *r)
	}
}

func checkForeignThreshold(tr *trial) {
	p := grouped()
	p.MinForeignKeys, p.ForeignWait = 4, 2*time.Hour
	tr.open(p)
	at := tr.keys("AT", 3)
	tr.accept("p", at...)
	tr.accept("p", tr.keys("FR", 3)...) // of another origin
	tr.accept(ledger.Own, tr.key("AT")) // nor do own units help foreign ones
	if r := tr.wantNew(0); len(r.Waiting) != 3 {
		tr.fail("waiting are %+v, want foreign keys of two origins and an own one", r.Waiting)
	}
	tr.accept("q", tr.key("AT")) // but another source does
	if r := tr.wantNew(4); len(r.Waiting) != 2 {
		tr.fail("waiting are %+v, want foreign keys of one origin and an own one", r.Waiting)
	}
	tr.accept("q", at[0]) // a change
	tr.withdraw("p", at[1])
	if r := tr.wantNew(3); r.Changed != 1 || r.Gone != 1 { // FR, which was passed over for two hours
		tr.fail("a change and a withdrawal of foreign units did not go with the next cut: %+v", *r)
	}
}

// hold holds, or resumes.
func (tr *trial) hold(h ledger.Holds) {
	tr.tb.Helper()
	tr.must(tr.ledger.Hold(tr.ctx, h))
}

func (tr *trial) resume(h ledger.Holds) {
	tr.tb.Helper()
	tr.must(tr.ledger.Resume(tr.ctx, h))
}

func checkHoldOrigin(tr *trial) {
	tr.open(eager())
	hold := ledger.Holds{Origins: []keys.Region{keys.MustRegion("DE")}}
	old := tr.key("DE")
	tr.accept("p", old)
	tr.wantNew(1)
	tr.hold(hold)
	tr.accept("p", tr.key("DE"), tr.key("AT"))
	tr.accept("q", old) // a change
	if r := tr.wantNew(1); r.Changed != 0 {
		tr.fail("a change of an origin on hold was taken")
	}
	tr.resume(hold)
	if r := tr.wantNew(1); r.Changed != 1 {
		tr.fail("after the hold %d changes were taken, want 1", r.Changed)
	}
}

func checkHoldSource(tr *trial) {
	tr.open(eager())
	held, both, other := tr.key("AT"), tr.key("AT"), tr.key("AT")
	tr.hold(ledger.Holds{Sources: []ledger.Source{"p", "r"}})
	tr.accept("p", held, both)
	tr.accept("r", held)
	tr.accept("q", both, other)
	tr.wantNew(2)
	if u := tr.unit(held); u.Released() {
		tr.fail("a unit of sources on hold was released:%s", tr.show(u))
	}
	tr.resume(ledger.Holds{Sources: []ledger.Source{"r"}})
	tr.wantNew(1)
}

func checkHoldWithdrawal(tr *trial) {
	tr.open(eager())
	own, foreign := tr.key("DE"), tr.key("AT")
	tr.accept(ledger.Own, own)
	tr.accept("p", foreign)
	tr.wantNew(2)
	tr.hold(ledger.Holds{Origins: []keys.Region{own.Origin, foreign.Origin}, Sources: []ledger.Source{"p", ledger.Own}})
	tr.withdraw(ledger.Own, own)
	tr.withdraw("p", foreign)
	if r := tr.cut(); r.Gone != 2 {
		tr.fail("a hold delayed %d withdrawals", 2-r.Gone)
	}
}

func checkQuota(tr *trial) {
	p := eager()
	p.Quota = 4
	tr.open(p)
	ks := tr.keys("AT", 6)
	r := tr.deliver(ledger.Delivery{Source: "p", Uploads: []ledger.Upload{tr.upload(ks[:3]...), tr.upload(ks[3:]...)}})
	if want := (ledger.Pair{Source: "p", Origin: keys.MustRegion("AT")}); r.Accepted != 6 || !slices.Equal(r.OverQuota, []ledger.Pair{want}) {
		tr.fail("the receipt is %+v, want 6 accepted and the alarm of %+v", *r, want)
	}
	tr.accept("p", tr.key("DE")) // another pair, with a quota of its own
	tr.wantNew(5)
	if u := tr.unit(ks[5]); !u.Held() || u.Released() || !u.Claims[0].Held {
		tr.fail("what came beyond the quota is not held:%s", tr.show(u))
	}
	tr.accept("q", ks[4]) // within q's quota
	tr.wantNew(1)
	tr.clock.set(noon.Add(24 * time.Hour)) // another day
	tr.accept("p", tr.key("AT"))
	tr.wantNew(1)
}
