package privacy_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/cwa"
	"github.com/gaenkit/gaen/distribution/deltaset"
	"github.com/gaenkit/gaen/distribution/nhs"
	"github.com/gaenkit/gaen/distribution/privacy"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// TestClean has nothing planted: a nation of a thousand uploads a day by the default
// policy, in the default layout, raises no alarm.
func TestClean(t *testing.T) {
	n := newNation(t, nil)
	n.traffic(30, 60)
	r := n.ofLedger(nil)
	only(t, r)
	if o := r.Origins[0]; len(r.Origins) != 1 || o.Reached != 30 || o.Keys < 20_000 || r.Cuts != 30 {
		t.Errorf("reads %d cuts and %+v", r.Cuts, r.Origins)
	}
	tree := n.ofTree(nil)
	only(t, tree)
	if tree.Files != 2*(30+2) || tree.Smallest == nil || tree.Smallest.Keys < 140 {
		t.Errorf("%d files, smallest %+v", tree.Files, tree.Smallest)
	}
}

// TestCleanLayouts is the same in all layouts at once, which tell the grid of cuts
// differently.
func TestCleanLayouts(t *testing.T) {
	n := newNation(t, func(n *nation) {
		british, err := nhs.New("DE", metadataSigner(n), nil)
		n.check(err)
		deltas, err := deltaset.New(nil)
		n.check(err)
		n.outputs = append(n.outputs,
			privacy.Output{Layout: british, Packages: []distribution.Package{{Name: "DE", Select: distribution.FromEverywhere(), Map: distribution.NHS(), FromBeginning: true}}},
			privacy.Output{Layout: deltas, Packages: packages(distribution.Identity())})
	})
	n.traffic(6, 60)
	only(t, n.ofLedger(nil))
	r := n.ofTree(nil)
	only(t, r)
	if !strings.Contains(strings.Join(r.Blind, "\n"), "snapshots, which were not read") {
		t.Errorf("is silent about snapshots: %q", r.Blind)
	}
}

// fullDays has nothing wait for the embargo.
func fullDays(n *nation) { n.gen = keystest.New(7, &keystest.Options{EndOfPeriod: true}) }

func TestLoneUpload(t *testing.T) {
	n := newNation(t, fullDays)
	n.traffic(8, 60)
	only(t, n.ofLedger(nil))
	n.accept(ledger.Own, n.upload(13, 5))
	n.pass(26 * time.Hour)

	r := n.ofLedger(nil)
	only(t, r, privacy.RuleLone, privacy.RuleWaitedOut)
	f := findingOf(r, privacy.RuleLone)
	if f.Measured != 1 || f.Limit != 0.05 || f.Times != 1 || f.Severity != privacy.Warning || f.Where != "cwa DE" {
		t.Errorf("finds %+v", f)
	}
	if f = findingOf(r, privacy.RuleWaitedOut); f.Measured != 1 || f.Limit != 12 || f.Times != 1 || !strings.Contains(f.Detail, "13 keys of 1 uploads") {
		t.Errorf("finds %+v", f)
	}
	tree := n.ofTree(nil)
	only(t, tree, privacy.RuleSmallSet)
	if tree.Smallest.Keys != 13 {
		t.Errorf("smallest set: %+v", tree.Smallest)
	}
}

// TestLoneInCompany is an upload among others that is alone with its onset date, and
// at exactly the limit nothing is found.
func TestLoneInCompany(t *testing.T) {
	for _, test := range []struct {
		name   string
		others int
		want   []privacy.Rule
	}{
		{"one of 21", 20, nil},
		{"one of 20 is exactly 5 %", 19, nil},
		{"one of 19", 18, []privacy.Rule{privacy.RuleLone}},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := newNation(t, nil)
			n.accept(ledger.Own, n.upload(13, 9))
			for range test.others {
				n.accept(ledger.Own, n.upload(13, 4))
			}
			n.pass(time.Hour)
			r := n.ofLedger(nil)
			only(t, r, test.want...)
			if !n.ofLedger(&privacy.Options{LoneShare: new(0.0)}).Has(privacy.RuleLone) {
				t.Error("a limit of 0 is taken for none")
			}
			if c := r.Cohorts[0]; c.Uploads != test.others+1 || c.Alone != 1 || c.Windows != 1 {
				t.Errorf("cohorts: %+v", c)
			}
		})
	}
}

// TestCohortsAsTold: what archives do not say singles nobody out, two origins are
// two cohorts, and whoever is alone in one of two is alone.
func TestCohortsAsTold(t *testing.T) {
	n := newNation(t, func(n *nation) {
		n.outputs = append(n.outputs, privacy.Output{Layout: newCWA(n, &cwa.Options{Path: cwa.Path{Prefix: "coded"}}), Packages: packages(distribution.CWA(0))})
	})
	for onset := range 14 {
		n.accept(ledger.Own, n.upload(13, onset))
	}
	n.pass(time.Hour)
	r := n.ofLedger(nil)
	if told, coded := r.Cohorts[0], r.Cohorts[2]; told.Alone != 14 || coded.Alone != 0 || coded.Uploads != 14 {
		t.Errorf("told %+v, coded %+v", told, coded)
	}

	n = newNation(t, nil)
	for i := range 24 {
		up := n.upload(13, -1)
		for j := range up.Keys {
			if i == 0 {
				up.Keys[j].Origin = fr
			}
		}
		n.accept(ledger.Own, up)
	}
	n.pass(26 * time.Hour)
	if c := n.ofLedger(nil).Cohorts; c[0].Alone != 0 || c[0].Uploads != 23 || c[1].Alone != 1 || c[1].Uploads != 24 {
		t.Errorf("two origins: %+v", c)
	}
}

// TestThresholds: groups of exactly what the policy asks for are no finding.
func TestThresholds(t *testing.T) {
	for _, test := range []struct {
		name          string
		uploads, keys int
		want          []privacy.Rule
		tree          []privacy.Rule
	}{
		{"140 keys of 14 uploads", 14, 10, nil, nil},
		{"144 keys of 12 uploads", 12, 12, nil, nil},
		{"143 keys of 11 uploads", 11, 13, []privacy.Rule{privacy.RuleWaitedOut, privacy.RuleThreshold}, nil},
		{"132 keys of 12 uploads", 12, 11, []privacy.Rule{privacy.RuleWaitedOut, privacy.RuleThreshold}, []privacy.Rule{privacy.RuleSmallSet}},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := newNation(t, nil)
			for range test.uploads {
				n.accept(ledger.Own, n.upload(test.keys, 4))
			}
			n.pass(26 * time.Hour)
			only(t, n.ofLedger(nil), test.want...)
			only(t, n.ofTree(nil), test.tree...)
		})
	}
	t.Run("139 keys are too few for a tree", func(t *testing.T) {
		n := newNation(t, nil)
		for range 14 {
			n.accept(ledger.Own, n.upload(10, 4))
		}
		n.pass(4 * time.Hour)
		only(t, n.ofTree(&privacy.Options{MinKeys: 140}))
		only(t, n.ofTree(&privacy.Options{MinKeys: 141}), privacy.RuleSmallSet)
	})
}

// TestThresholdNeverReached is a small nation by the default policy: two uploads a
// day, whose groups go because they have waited, and never because they are large.
func TestThresholdNeverReached(t *testing.T) {
	n := newNation(t, nil)
	for range 6 {
		n.accept(ledger.Own, n.upload(13, -1))
		n.pass(12 * time.Hour)
	}
	r := n.ofLedger(nil)
	f := findingOf(r, privacy.RuleThreshold)
	if f == nil {
		t.Fatalf("not found in\n%s", textOf(r))
	}
	if !strings.Contains(f.Detail, "13.0 keys an upload and 140 keys: 11 uploads, and the policy asks for 12") || f.Limit != 12 || f.Measured >= 12 {
		t.Errorf("finds %+v", f)
	}
	if o := r.Origins[0]; o.Needed != 12 || o.PerUpload != 13 || o.Reached != 0 || o.Groups == 0 {
		t.Errorf("origin: %+v", o)
	}
	// One group that does reach it takes that finding away, and no other.
	for range 20 {
		n.accept(ledger.Own, n.upload(13, -1))
	}
	n.pass(time.Hour)
	if r := n.ofLedger(nil); r.Has(privacy.RuleThreshold) || !r.Has(privacy.RuleWaitedOut) {
		t.Errorf("after a large group:\n%s", textOf(r))
	}
	// Of less than the longest wait nothing can be said.
	young := newNation(t, nil)
	young.accept(ledger.Own, young.upload(13, -1), young.upload(13, -1))
	young.pass(25 * time.Hour)
	only(t, young.ofLedger(&privacy.Options{Since: young.clock.Add(-2 * time.Hour)}), privacy.RuleWaitedOut)
	only(t, young.ofLedger(nil), privacy.RuleWaitedOut, privacy.RuleThreshold)
}

// TestWorst: of what is found several times the worst is told, whichever was first.
func TestWorst(t *testing.T) {
	for _, sizes := range [][]int{{3, 1, 2}, {1, 3, 2}, {2, 3, 1}} {
		n := newNation(t, nil)
		var ends []time.Time
		for _, size := range sizes {
			for range size {
				n.accept(ledger.Own, n.upload(13, -1))
			}
			n.pass(25 * time.Hour)
			ends = append(ends, n.clock)
			n.pass(time.Hour)
		}
		f := findingOf(n.ofLedger(nil), privacy.RuleWaitedOut)
		if f == nil || f.Times != 3 || f.Measured != 1 || !f.First.Equal(ends[0]) || !f.Last.Equal(ends[2]) || !f.Worst.End.Equal(ends[slices.Index(sizes, 1)]) {
			t.Errorf("%v: finds %+v", sizes, f)
		}
		if s := f.String(); !strings.Contains(s, "3 times, from "+ends[0].Format(time.RFC3339)) {
			t.Errorf("says %s", s)
		}
	}
}

// TestPadding: echoes do not stand out, whatever uploads they are of; what is made up
// otherwise does.
func TestPadding(t *testing.T) {
	padded := func(n *nation) { n.policy.Padding.Echoes = 11 }
	n := newNation(t, padded)
	for range 5 {
		n.accept(ledger.Own, n.generated(de))
		n.pass(time.Hour)
	}
	r := n.ofLedger(nil)
	if r.Has(privacy.RulePadding) || r.Origins[0].Padded == 0 || r.Origins[0].Padded != r.Origins[0].Keys/12*11 {
		t.Errorf("echoes:\n%s", textOf(r))
	}

	for _, test := range []struct {
		name string
		make func(u *ledger.Unit, i int)
	}{
		{"risk 0", func(u *ledger.Unit, _ int) { u.Key.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(0)) }},
		{"no onset", func(u *ledger.Unit, _ int) {
			u.Key.DaysSinceOnsetOfSymptoms = keys.Optional[keys.DaysSinceOnset]{}
		}},
		{"all of one day", func(u *ledger.Unit, _ int) {
			u.Key.RollingStartIntervalNumber = keys.StartOfDay(keys.IntervalAt(dawn).Day() - 2)
		}},
		{"one key of many", func(u *ledger.Unit, i int) {
			if i == 0 {
				u.Key.RollingPeriod = 143
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := newNation(t, func(n *nation) {
				padded(n)
				n.store = otherPadding{n.store, test.make}
			})
			n.accept(ledger.Own, n.upload(13, 4))
			n.pass(time.Hour)
			f := findingOf(n.ofLedger(nil), privacy.RulePadding)
			if f == nil || f.Severity != privacy.Warning || f.Measured <= 0 || f.Measured > 1 {
				t.Errorf("finds %+v", f)
			}
		})
	}
}

// otherPadding is a store whose padding is not what the ledger makes up.
type otherPadding struct {
	ledger.Store
	make func(*ledger.Unit, int)
}

func (s otherPadding) Release(ctx context.Context, r *ledger.Release) (ledger.Cut, error) {
	other := *r
	other.Pad = func(units []*ledger.Unit) []*ledger.Unit {
		echoes := r.Pad(units)
		for i, e := range echoes {
			s.make(e, i)
		}
		return echoes
	}
	return s.Store.Release(ctx, &other)
}

// TestFiner: a grid of a quarter of an hour shows in a ledger's cuts, in a tree's
// files of a quarter, and where only whole hours are published, that begin at
// different minutes.
func TestFiner(t *testing.T) {
	fine := func(n *nation) { n.policy.Grid, n.policy.FineGrid = 15*time.Minute, true }
	t.Run("ledger", func(t *testing.T) {
		n := newNation(t, fine)
		n.traffic(3, 80)
		r := n.ofLedger(nil)
		f := findingOf(r, privacy.RuleFiner)
		if f == nil || f.Measured != 15 || f.Limit != 60 || f.Times != 11 {
			t.Errorf("finds %+v", f)
		}
		if r := n.ofLedger(&privacy.Options{Finest: 15 * time.Minute}); r.Has(privacy.RuleFiner) {
			t.Error("finds 15 min finer than 15 min")
		}
		only(t, n.ofTree(nil)) // whole hours of one layout tell nothing of it
	})
	t.Run("files of a quarter", func(t *testing.T) {
		n := newNation(t, func(n *nation) {
			fine(n)
			l, err := deltaset.New(&deltaset.Options{Interval: 15 * time.Minute})
			n.check(err)
			n.outputs = append(n.outputs, privacy.Output{Layout: l, Packages: packages(distribution.Identity())})
		})
		n.traffic(4, 160)
		r := n.ofTree(nil)
		only(t, r, privacy.RuleFiner)
		short := false
		for i := range r.Findings {
			f := &r.Findings[i]
			short = short || f.Where == "deltaset DE interval" && f.Measured == 15 && strings.Contains(f.Detail, "files of 15m0s")
		}
		if !short {
			t.Errorf("says nothing of short files:\n%s", textOf(r))
		}
	})
	offset := func(n *nation) {
		n.outputs = append(n.outputs, privacy.Output{Layout: newCWA(n, &cwa.Options{Path: cwa.Path{Prefix: "late"}, Offset: 15 * time.Minute}), Packages: packages(distribution.Identity())})
	}
	t.Run("hours that begin at other minutes", func(t *testing.T) {
		n := newNation(t, func(n *nation) { fine(n); offset(n) })
		n.traffic(4, 160)
		r := n.ofTree(nil)
		only(t, r, privacy.RuleFiner)
		if f := findingOf(r, privacy.RuleFiner); !strings.Contains(f.Detail, "in 2 windows of another layout") {
			t.Errorf("finds %+v", f)
		}
		common := false
		r = n.ofTree(&privacy.Options{MinKeys: 1 << 20})
		for i := range r.Findings {
			common = common || r.Findings[i].Where == "cwa DE hour and cwa DE hour"
		}
		if !common {
			t.Errorf("says nothing of what two hours have in common:\n%s", textOf(r))
		}
	})
	t.Run("hours that begin at other minutes on a grid of an hour", func(t *testing.T) {
		n := newNation(t, offset)
		n.traffic(4, 60)
		only(t, n.ofTree(nil))
	})
}

// TestSmallDifference: packages that differ by a few keys, and a day that has two
// hours of which one is small.
func TestSmallDifference(t *testing.T) {
	n := newNation(t, nil)
	n.traffic(1, 60)
	n.accept("hub", ledger.Upload{ID: "batch", Keys: n.foreign(5)})
	n.pass(time.Hour)
	n.traffic(3, 60)
	r := n.ofTree(nil)
	if r.Smallest.Keys != 5 {
		t.Errorf("smallest set: %+v", r.Smallest)
	}
	var between *privacy.Finding
	for i := range r.Findings {
		switch f := &r.Findings[i]; f.Where {
		case "cwa EUR day without cwa DE day":
			between = f
		}
	}
	if between == nil || between.Severity != privacy.Notice || between.Measured != 5 {
		t.Errorf("between packages: %+v in\n%s", between, textOf(r))
	}
	if r := n.ofLedger(nil); len(r.Origins) != 2 || r.Origins[1].Own || r.Origins[1].Keys != 5 || r.Has(privacy.RuleWaitedOut) {
		t.Errorf("what came by federation: %+v", r.Origins)
	}
}

// foreign returns keys of another origin.
func (n *nation) foreign(count int) []keys.DiagnosisKey {
	var all []keys.DiagnosisKey
	for len(all) < count {
		up := n.upload(min(13, count-len(all)), 4)
		for i := range up.Keys {
			up.Keys[i].Origin = fr
		}
		all = append(all, up.Keys...)
	}
	return all
}

// TestWithdrawals: those of one upload are told when they have waited, which is
// known; those of five are as many as the policy asks for, and what a partner takes
// back, or somebody corrects, is no withdrawal of ours.
func TestWithdrawals(t *testing.T) {
	n := newNation(t, fullDays)
	var lots []ledger.Upload
	for range 6 {
		lots = append(lots, n.upload(13, 4))
	}
	n.accept(ledger.Own, lots...)
	foreign := n.foreign(200)
	n.accept("hub", ledger.Upload{ID: "batch", Keys: foreign})
	n.traffic(1, 60)
	n.withdraw(lots[1:]...)
	_, err := n.ledger.Accept(t.Context(), &ledger.Delivery{Source: "hub", Withdrawals: []ledger.UnitID{ledger.IDOf(&foreign[0])}})
	n.check(err)
	n.pass(time.Hour)
	only(t, n.ofLedger(nil))
	n.withdraw(lots[0])
	n.pass(4 * time.Hour)
	r := n.ofLedger(nil)
	only(t, r, privacy.RuleWithdrawals)
	if f := findingOf(r, privacy.RuleWithdrawals); f.Severity != privacy.Notice || f.Measured != 1 || f.Limit != 5 || r.Warnings() != 0 {
		t.Errorf("finds %+v", f)
	}
}

// TestWithdrawnTheSameDay: a day that has as revoked what an hour of it has as new is
// not smaller for it.
func TestWithdrawnTheSameDay(t *testing.T) {
	n := newNation(t, func(n *nation) {
		fullDays(n)
		n.policy.MinWithdrawnUploads = 1
	})
	lot := n.upload(13, 4)
	n.accept(ledger.Own, lot)
	n.traffic(1, 60)
	n.withdraw(lot)
	n.traffic(3, 60)
	only(t, n.ofLedger(nil))
	only(t, n.ofTree(nil))
}

// withdraw takes uploads back.
func (n *nation) withdraw(uploads ...ledger.Upload) {
	n.t.Helper()
	var ids []ledger.UnitID
	for _, u := range uploads {
		for i := range u.Keys {
			ids = append(ids, ledger.IDOf(&u.Keys[i]))
		}
	}
	_, err := n.ledger.Withdraw(n.t.Context(), ids...)
	n.check(err)
}

// TestSince reads a ledger from a time on, and what it has forgotten is said.
func TestSince(t *testing.T) {
	n := newNation(t, nil)
	n.traffic(6, 60)
	r := n.ofLedger(&privacy.Options{Since: dawn.Add(4 * time.Hour)})
	if r.Cuts != 2 || !r.From.Equal(dawn.Add(4*time.Hour)) || r.Pruned != 0 {
		t.Errorf("reads %d cuts from %s", r.Cuts, r.From)
	}
}

func TestOptions(t *testing.T) {
	n := newNation(t, nil)
	for _, test := range []struct {
		opts privacy.Options
		want string
	}{
		{privacy.Options{LoneShare: new(-0.1)}, "Options.LoneShare"},
		{privacy.Options{LoneShare: new(1.1)}, "Options.LoneShare"},
		{privacy.Options{Finest: -1}, "Options.Finest"},
		{privacy.Options{MinKeys: -1}, "Options.MinKeys"},
	} {
		_, err := privacy.OfLedger(t.Context(), n.ledger, nil, &test.opts)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want one that names %s", test.opts, err, test.want)
		}
		if _, err = privacy.OfTree(t.Context(), nil, &test.opts); err == nil {
			t.Errorf("%+v: taken for a tree", test.opts)
		}
	}
	n.accept(ledger.Own, n.upload(13, 4), n.upload(13, 4), n.upload(13, 5))
	n.pass(26 * time.Hour)
	if r := n.ofLedger(&privacy.Options{LoneShare: new(1.0)}); r.Has(privacy.RuleLone) {
		t.Error("all may be alone, and one is found")
	}
}

func newCWA(n *nation, opts *cwa.Options) distribution.Layout {
	l, err := cwa.New(opts)
	n.check(err)
	return l
}

// TestEmpty reports of nothing.
func TestEmpty(t *testing.T) {
	n := newNation(t, nil)
	only(t, n.ofLedger(nil))
	r, err := privacy.OfTree(t.Context(), nil, nil)
	if err != nil || r.Smallest != nil || len(r.Findings) != 0 {
		t.Errorf("%v: %+v", err, r)
	}
	n.pass(26 * time.Hour)
	only(t, n.ofLedger(nil))
	if r := n.ofTree(nil); r.Smallest != nil || fmt.Sprint(r.Findings) != "[]" {
		t.Errorf("of empty files: %+v", r)
	}
}
