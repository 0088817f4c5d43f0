package federation_test

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/cwa"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/memstore"
)

// claimed is the region of a nation that brings others' keys as its own.
var claimed = keys.MustRegion("ES")

// claimant is a nation at both hubs that uploads as its own what it downloads. What
// it does is drawn apart, so that the same history can be run without it.
type claimant struct {
	*network
	rand   *rand.Rand
	nation federation.Nation
	hubs   []*site
	at     map[*site]federation.Place
	loot   []keys.DiagnosisKey // what it was given, as it was given it
	nth    int
}

func newClaimant(n *network, seed uint64) *claimant {
	return &claimant{
		network: n, rand: rand.New(rand.NewPCG(seed, 13)), at: map[*site]federation.Place{},
		nation: federation.Nation{Name: "es", Region: claimed, Withdrawals: true},
		hubs:   []*site{n.sites["hub1"], n.sites["hub2"]},
	}
}

// act has the claimant read what is new, and do something with what it has.
func (c *claimant) act() {
	for _, hub := range c.hubs {
		c.read(hub)
	}
	if len(c.loot) == 0 {
		return
	}
	for range 1 + c.rand.IntN(3) {
		hub := c.hubs[c.rand.IntN(2)]
		switch c.rand.IntN(6) {
		case 0, 1: // soonest of all, where what it took has not come yet
			c.upload(hub, c.take(c.loot[max(0, len(c.loot)-40):], c.forge))
		case 2:
			c.upload(hub, c.take(c.loot, c.forge))
		case 3:
			c.upload(hub, c.take(c.loot, func(k keys.DiagnosisKey) keys.DiagnosisKey {
				k.Origin, k.ReportType = claimed, keys.Some(keys.ReportRevoked)
				return k
			}))
		case 4:
			c.usurp(hub)
		case 5:
			c.takeBack(hub)
		}
	}
}

// read downloads what a hub has, and keeps what others brought.
func (c *claimant) read(hub *site) {
	for {
		page := must(hub.hub.Download(c.t.Context(), &c.nation, c.at[hub]))
		if page == nil {
			return
		}
		c.at[hub] = page.Next
		for _, k := range page.Keys {
			if k.ReportType != keys.Some(keys.ReportRevoked) {
				c.loot = append(c.loot, k)
			}
		}
	}
}

// take returns some keys, changed.
func (c *claimant) take(from []keys.DiagnosisKey, change func(keys.DiagnosisKey) keys.DiagnosisKey) (all []keys.DiagnosisKey) {
	for range min(len(from), 1+c.rand.IntN(30)) {
		all = append(all, change(from[c.rand.IntN(len(from))]))
	}
	return all
}

// forge makes a key its own, as it is or with other metadata.
func (c *claimant) forge(k keys.DiagnosisKey) keys.DiagnosisKey {
	k.Origin = claimed
	if c.rand.IntN(3) == 0 {
		return k
	}
	k.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(c.rand.IntN(9)))
	k.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(c.rand.IntN(15)))
	k.ReportType = keys.Some([]keys.ReportType{keys.ReportSelfReport, keys.ReportConfirmedTest}[c.rand.IntN(2)])
	k.RollingPeriod -= uint8(c.rand.IntN(int(k.RollingPeriod)))
	return k
}

// upload uploads under a tag that may be another's, or one it has used before.
func (c *claimant) upload(hub *site, all []keys.DiagnosisKey) *ledger.Receipt {
	c.nth += c.rand.IntN(2)
	return must(hub.hub.Upload(c.t.Context(), &c.nation, &federation.Incoming{Tag: fmt.Sprint("tag-", c.nth), Keys: all}))
}

// usurp speaks in another origin's name, of which nothing may come.
func (c *claimant) usurp(hub *site) {
	r := c.upload(hub, c.take(c.loot, func(k keys.DiagnosisKey) keys.DiagnosisKey {
		if c.rand.IntN(2) == 0 {
			k.ReportType = keys.Some(keys.ReportRevoked)
		}
		return k
	}))
	if r.Accepted+r.Revised+r.Duplicates+r.WithdrawalsTaken+r.WithdrawalsKept > 0 {
		c.t.Errorf("in another's name: %d accepted, %d withdrawn", r.Accepted+r.Revised+r.Duplicates, r.WithdrawalsTaken+r.WithdrawalsKept)
	}
}

// takeBack withdraws, with the rights of a gateway, what others brought.
func (c *claimant) takeBack(hub *site) {
	all := c.take(c.loot, func(k keys.DiagnosisKey) keys.DiagnosisKey {
		k.ReportType = keys.Some(keys.ReportRevoked)
		return k
	})
	relay := federation.Nation{Name: "es-relay", Relays: keys.All[keys.Region]()}
	r := must(hub.hub.Upload(c.t.Context(), &relay, &federation.Incoming{Tag: "back", Keys: all}))
	if r.WithdrawalsTaken > 0 {
		c.t.Errorf("who brought nothing withdrew %d keys", r.WithdrawalsTaken)
	}
}

// TestClaimant is invariant 13 through federation. Random histories of the ring are
// run with a nation that claims others' keys and without it. In no ledger does any
// unit of another origin differ; packages of one origin are the same; and in one of
// several origins a key is shown once, whoever claims it.
func TestClaimant(t *testing.T) {
	stayed, spoke := 0, 0
	for i := range (*histories + 1) / 2 { // each is two
		if testing.Short() && i > 1 {
			break
		}
		seed := *firstSeed + uint64(i)
		t.Run("", func(t *testing.T) {
			t.Logf("-federation.histories=1 -federation.seed=%d", seed)
			with, without := newParted(t, seed), newParted(t, seed)
			with.claimant = newClaimant(with.network, seed)
			with.run()
			without.run()
			for _, name := range with.names {
				compareOthers(t, name, with.sites[name].others(), without.sites[name].others())
			}
			for name, p := range with.papers {
				p.compareFiles(t, without.papers[name])
				s, m := p.compareShown(t, without.papers[name], with.withdrawn)
				stayed, spoke = stayed+s, spoke+m
			}
			with.endClaims()
			without.step(time.Hour)
			without.step(time.Hour)
			for name, p := range with.papers {
				if got, want := p.shown("EUR"), without.papers[name].shown("EUR"); !maps.Equal(got, want) {
					t.Errorf("%s: after the operator withdrew the claimant's units %d keys are shown, want the %d there would have been", name, len(got), len(want))
				}
			}
		})
	}
	if !t.Failed() && (stayed == 0 || spoke == 0) {
		t.Errorf("%d keys stayed as the claimant's, %d were shown with its metadata: the histories have too little in them", stayed, spoke)
	}
}

// parted is a ring in which two nations publish, with or without a claimant.
type parted struct {
	*network
	claimant  *claimant
	papers    map[string]*paper
	withdrawn map[ledger.UnitID]ledger.State // by their origins
}

func newParted(t *testing.T, seed uint64) *parted {
	p := &parted{network: newRing(t, seed), papers: map[string]*paper{}, withdrawn: map[ledger.UnitID]ledger.State{}}
	for _, name := range []string{"a", "c"} { // at the first hub, and at the second
		p.papers[name] = newPaper(p.sites[name])
	}
	return p
}

// run runs the history.
func (p *parted) run() {
	var own []ledger.UnitID
	for range 40 {
		s := p.sites[[]string{"a", "b", "c", "g"}[p.rand.IntN(4)]]
		switch what := p.rand.IntN(5); {
		case what < 2:
			own = append(own, s.submit(1+p.rand.IntN(3))...)
		case what == 2 && len(own) > 0:
			for range 1 + p.rand.IntN(5) {
				p.withdraw(own[p.rand.IntN(len(own))], p.withdrawn)
			}
		}
		p.step([]time.Duration{7 * time.Minute, 40 * time.Minute, time.Hour, 3 * time.Hour}[p.rand.IntN(4)])
	}
	for range 3 {
		p.step(time.Hour)
	}
	p.claimant = nil // so that nothing of it is on its way when its units are withdrawn
	for range 9 {
		p.step(time.Hour)
	}
}

func (p *parted) step(d time.Duration) {
	if p.claimant != nil {
		p.claimant.act()
	}
	p.round(d)
	for _, paper := range p.papers {
		paper.publish()
	}
}

// endClaims has the operators of the nations that publish withdraw all units of the
// claimant's origin.
func (p *parted) endClaims() {
	p.t.Helper()
	for name := range p.papers {
		var ids []ledger.UnitID
		for rec, err := range p.sites[name].ledger.Find(p.t.Context(), ledger.Query{Origin: claimed}) {
			if err != nil {
				p.t.Fatal(err)
			}
			ids = append(ids, rec.ID)
		}
		if len(ids) == 0 {
			p.t.Errorf("%s has nothing of the claimant's", name)
			continue
		}
		must(p.sites[name].ledger.Withdraw(p.t.Context(), ids...))
	}
	p.step(time.Hour)
	p.step(time.Hour)
}

// other is a unit of an origin that is not the claimant's, without what is random
// in every ledger: the tags under which it came.
type other struct {
	key      keys.DiagnosisKey
	accepted time.Time
	due      time.Time
	claims   string
	events   string
	flags    [3]bool
}

// others returns the units of all origins but the claimant's. Numbers are those
// that they have among themselves, since the claimant's units have numbers too;
// with each goes its cut.
func (s *site) others() map[ledger.UnitID]other {
	s.t.Helper()
	var units []*ledger.Unit
	var numbers []int64
	for rec, err := range s.ledger.Find(s.t.Context(), ledger.Query{}) {
		if err != nil {
			s.t.Fatal(err)
		}
		if rec.Unit == nil || rec.ID.Origin == claimed {
			continue
		}
		units = append(units, rec.Unit)
		for _, e := range rec.Unit.Events {
			numbers = append(numbers, e.Number)
		}
	}
	slices.Sort(numbers)
	cuts := must(s.ledger.Log(s.t.Context(), 0)).Cuts
	all := map[ledger.UnitID]other{}
	for _, u := range units {
		o := other{key: u.Key, accepted: u.Accepted, due: u.Due, flags: [...]bool{u.SourceWithdrew, u.OperatorWithdrew, u.Erase}}
		for _, c := range u.Claims {
			o.claims += fmt.Sprintln(c.Source, c.Accepted, string(plain([]keys.DiagnosisKey{c.Key})), c.Held, c.Withdrawn)
		}
		for _, e := range u.Events {
			i, _ := slices.BinarySearchFunc(cuts, e.Number, func(c ledger.Cut, n int64) int { return cmp.Compare(c.Last, n) })
			rank, _ := slices.BinarySearch(numbers, e.Number)
			e.Number = int64(rank)
			o.events += fmt.Sprintln(e, cuts[i].Seq, cuts[i].Time)
		}
		all[u.ID()] = o
	}
	return all
}

// compareOthers compares unit by unit.
func compareOthers(t *testing.T, name string, got, want map[ledger.UnitID]other) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Errorf("%s has %d units of other origins than the claimant's, want %d", name, len(got), len(want))
	}
	differs := map[string]int{}
	for id, w := range want {
		g, ok := got[id]
		for what, same := range map[string]bool{
			"presence": ok, "metadata": g.key == w.key, "acceptance": g.accepted.Equal(w.accepted), "due time": g.due.Equal(w.due),
			"claims": g.claims == w.claims, "numbers and states": g.events == w.events, "withdrawal": g.flags == w.flags,
		} {
			if !same {
				differs[what]++
			}
		}
	}
	if len(differs) > 0 {
		t.Errorf("%s: a claimant changed units of other origins: %v", name, differs)
	}
}

// paper is what a nation publishes: the package DE, and one of all origins.
type paper struct {
	*site
	bucket    storage.Bucket
	publisher *distribution.Publisher
}

func newPaper(s *site) *paper {
	p := &paper{site: s, bucket: memstore.New(&memstore.Options{Now: func() time.Time { return s.clock }})}
	id := must(signing.ParseIdentity("262-v1"))
	ring := must(signing.NewRing(must(signing.NewSigner(id, must(signing.GenerateKey()), nil))))
	packages := []distribution.Package{
		{Name: "DE", Select: distribution.FromOrigin(de), Map: distribution.Identity(), FromBeginning: true},
		{Name: "EUR", Select: distribution.FromEverywhere(), Map: distribution.Identity(), FromBeginning: true},
	}
	layout := must(cwa.New(&cwa.Options{HourDigits: 2}))
	p.publisher = must(distribution.New(s.ledger, p.bucket, layout, packages, ring, nil))
	return p
}

func (p *paper) publish() {
	p.t.Helper()
	must(p.publisher.Run(p.t.Context()))
}

// issue is what an archive of an hour says.
type issue struct{ keys, revised []keys.TemporaryExposureKey }

// hours returns the archives of a package's hours by their names, which ascend as
// the hours do.
func (p *paper) hours(pkg string) (names []string, issues map[string]issue) {
	p.t.Helper()
	issues = map[string]issue{}
	for a, err := range p.bucket.List(p.t.Context(), "") {
		if err != nil {
			p.t.Fatal(err)
		}
		if !strings.Contains(a.Name, "/country/"+pkg+"/") || !strings.Contains(a.Name, "/hour/") {
			continue
		}
		r, _, err := p.bucket.Get(p.t.Context(), a.Name)
		if err != nil {
			p.t.Fatal(err)
		}
		text := must(io.ReadAll(r))
		r.Close()
		c := must(must(export.Open(bytes.NewReader(text), int64(len(text)), nil)).Unverified().Content())
		names = append(names, a.Name)
		issues[a.Name] = issue{c.Keys, c.RevisedKeys}
	}
	return names, issues
}

// compareFiles compares the package of one origin, archive by archive.
func (p *paper) compareFiles(t *testing.T, want *paper) {
	t.Helper()
	_, a := p.hours("DE")
	_, b := want.hours("DE")
	if len(a) != len(b) || len(b) == 0 {
		t.Errorf("%s: %d hours of DE, want %d", p.name, len(a), len(b))
	}
	for name, w := range b {
		if g := a[name]; !slices.Equal(g.keys, w.keys) || !slices.Equal(g.revised, w.revised) {
			t.Errorf("%s: %s is another with a claimant", p.name, name)
		}
	}
}

// shown returns what a phone has that has read all hours of a package, and fails
// the test if a key was shown it as new while it had it.
func (p *paper) shown(pkg string) map[keys.KeyData]keys.TemporaryExposureKey {
	p.t.Helper()
	names, issues := p.hours(pkg)
	has := map[keys.KeyData]keys.TemporaryExposureKey{}
	for _, name := range names {
		for _, k := range issues[name].keys {
			if _, twice := has[k.KeyData]; twice {
				p.t.Errorf("%s: a key of %s is shown twice", p.name, pkg)
			}
			has[k.KeyData] = k
		}
		for _, k := range issues[name].revised {
			if has[k.KeyData] = k; k.ReportType == keys.Some(keys.ReportRevoked) {
				delete(has, k.KeyData)
			}
		}
	}
	return has
}

// compareShown holds what a package of all origins shows against what it would show
// without the claimant: no key less; one more only if its origin withdrew it; other
// metadata only if the claimant's unit was released first. It returns how many
// there are of either.
func (p *paper) compareShown(t *testing.T, without *paper, withdrawn map[ledger.UnitID]ledger.State) (stayed, spoke int) {
	t.Helper()
	takenBack := map[keys.KeyData]bool{} // maybe before it came here
	for id := range withdrawn {
		takenBack[id.KeyData] = true
	}
	got, want := p.shown("EUR"), without.shown("EUR")
	for data := range want {
		k, ok := got[data]
		switch {
		case !ok:
			t.Errorf("%s: a claim hides a key", p.name)
		case k == want[data]:
		case !p.firstIsClaimants(data):
			t.Errorf("%s: a key has other metadata, and its origin's was released first", p.name)
		default:
			spoke++
		}
	}
	for data := range got {
		if _, ok := want[data]; ok {
			continue
		}
		stayed++
		if !takenBack[data] {
			t.Errorf("%s: a key is shown that would not be, and its origin has not withdrawn it", p.name)
		}
	}
	return stayed, spoke
}

// units returns all units of a key.
func (p *paper) units(data keys.KeyData) (units []*ledger.Unit) {
	p.t.Helper()
	for _, region := range []keys.Region{de, fr, it, ch, claimed} {
		id := ledger.UnitID{Origin: region, KeyData: data}
		for rec, err := range p.ledger.Find(p.t.Context(), ledger.Query{Unit: &id}) {
			if err != nil {
				p.t.Fatal(err)
			}
			if rec.Unit != nil && rec.Unit.Released() {
				units = append(units, rec.Unit)
			}
		}
	}
	return units
}

// firstIsClaimants reports whether the claimant's unit of a key was released before
// the origin's, or with it and accepted first.
func (p *paper) firstIsClaimants(data keys.KeyData) bool {
	var theirs, its *ledger.Unit
	for _, u := range p.units(data) {
		if u.Key.Origin == claimed {
			its = u
		} else {
			theirs = u
		}
	}
	if its == nil || theirs == nil {
		return false
	}
	a, b := p.cutOf(its.Events[0].Number), p.cutOf(theirs.Events[0].Number)
	return a < b || a == b && !theirs.Own() && !its.Accepted.After(theirs.Accepted)
}

func (p *paper) cutOf(number int64) int64 {
	for _, c := range must(p.ledger.Log(p.t.Context(), 0)).Cuts {
		if c.Last >= number {
			return c.Seq
		}
	}
	return 0
}
