package federation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
)

// shelf is a server that gives out pages in order, as the real one does: the page
// after a tag, or the first of a day; nothing after a tag that it does not know.
type shelf struct {
	pages []*federation.Page
	days  []federation.Day
	asked []federation.Place
	fail  func(at federation.Place) error
}

func (s *shelf) add(day time.Time, tag string, all ...keys.DiagnosisKey) *federation.Page {
	p := &federation.Page{Tag: tag, Keys: all, Next: federation.Place{Day: federation.DayOf(day), Tag: tag}}
	s.pages, s.days = append(s.pages, p), append(s.days, federation.DayOf(day))
	return p
}

func (s *shelf) Download(_ context.Context, at federation.Place) (*federation.Page, error) {
	s.asked = append(s.asked, at)
	if s.fail != nil {
		if err := s.fail(at); err != nil {
			return nil, err
		}
	}
	i := slices.IndexFunc(s.days, func(d federation.Day) bool { return d >= at.Day })
	if at.Tag != "" {
		i = slices.IndexFunc(s.pages, func(p *federation.Page) bool { return p.Tag == at.Tag }) + 1
		if i == 0 {
			return nil, nil
		}
	}
	if i < 0 || i >= len(s.pages) {
		return nil, nil
	}
	return s.pages[i], nil
}

// puller is a back end that pulls from a shelf.
type puller struct {
	*site
	server *shelf
	opts   *federation.PullOptions
}

func newPuller(t *testing.T) *puller {
	return &puller{site: newNetwork(t, 7).nation("de", de), server: &shelf{}}
}

func (p *puller) run() *federation.PullReport {
	p.t.Helper()
	report, err := p.try()
	if err != nil {
		p.t.Fatal(err)
	}
	return report
}

func (p *puller) try() (*federation.PullReport, error) {
	p.t.Helper()
	return must(federation.NewPull(p.ledger, "hub", p.server, p.opts)).Run(p.t.Context())
}

// foreign returns n keys of another country.
func (p *puller) foreign(n int) []keys.DiagnosisKey {
	var all []keys.DiagnosisKey
	for len(all) < n {
		for _, k := range p.gen.Upload(p.clock).Keys {
			k.Origin, k.ConsentToFederate = fr, keys.ConsentUnstated
			all = append(all, k)
		}
	}
	return all[:n]
}

func (p *puller) has(all []keys.DiagnosisKey) (n int) {
	for i := range all {
		id := ledger.IDOf(&all[i])
		for rec, err := range p.ledger.Find(p.t.Context(), ledger.Query{Unit: &id}) {
			if err != nil {
				p.t.Fatal(err)
			}
			if rec.Unit != nil {
				n++
			}
		}
	}
	return n
}

func TestPullGoesOnWhereItWas(t *testing.T) {
	p := newPuller(t)
	all := p.foreign(30)
	p.server.add(p.clock, "a", all[:10]...)
	p.server.add(p.clock, "b") // all of it our own: empty, and no reason to stop
	p.server.add(p.clock, "c", all[10:20]...)
	r := p.run()
	if r.Pages != 3 || r.Accepted != 20 || r.More {
		t.Errorf("got %+v", r)
	}
	if want := federation.DayOf(p.clock.Add(-14 * 24 * time.Hour)); p.server.asked[0] != (federation.Place{Day: want}) {
		t.Errorf("a new instance asks for %+v first, want %s", p.server.asked[0], want)
	}
	p.server.asked = nil
	p.server.add(p.clock, "d", all[20:]...)
	if r := p.run(); r.Pages != 1 || r.Accepted != 10 || p.server.asked[0].Tag != "c" {
		t.Errorf("got %+v after asking for %v", r, p.server.asked)
	}
}

// TestPullReadsAgain: the real server gives a page out before it is filled, and a
// client that goes on never sees its keys (spec/interop, "The race that loses keys").
func TestPullReadsAgain(t *testing.T) {
	p := newPuller(t)
	all := p.foreign(40)
	p.server.add(p.clock, "a", all[:10]...)
	b := p.server.add(p.clock, "b")
	p.server.add(p.clock, "c", all[20:30]...)
	p.run()
	b.Keys = all[10:20]
	p.clock = p.clock.Add(29 * time.Minute)
	if r := p.run(); r.Pages != 0 || p.has(all[10:20]) != 0 {
		t.Errorf("read again before the settle time: %+v", r)
	}
	p.clock = p.clock.Add(time.Minute)
	if r := p.run(); r.Reread != 3 || r.Accepted != 10 || r.Duplicates != 20 {
		t.Errorf("got %+v, want 3 pages read again", r)
	}
	if got := p.has(all[:30]); got != 30 {
		t.Errorf("has %d of 30", got)
	}
	p.clock = p.clock.Add(time.Hour)
	if r := p.run(); r.Pages != 0 {
		t.Errorf("read again once more: %+v", r)
	}
}

// TestPullReadsAgainUnderLimits does so with one page a run.
func TestPullReadsAgainUnderLimits(t *testing.T) {
	p := newPuller(t)
	p.opts = &federation.PullOptions{MaxPages: 1}
	all := p.foreign(80)
	for i := range 8 {
		p.server.add(p.clock, fmt.Sprint("page-", i))
	}
	for range 4 {
		if r := p.run(); !r.More {
			t.Error("a limit ended the run, and it does not say so")
		}
	}
	for i, page := range p.server.pages {
		page.Keys = all[10*i : 10*i+10]
	}
	for range 16 {
		p.clock = p.clock.Add(31 * time.Minute)
		p.run()
	}
	if got := p.has(all); got != 80 {
		t.Errorf("has %d of 80", got)
	}
}

func TestPullNeverReadsAgainWherePagesAreWhole(t *testing.T) {
	p := newPuller(t)
	p.opts = &federation.PullOptions{Settle: -1}
	p.server.add(p.clock, "a", p.foreign(3)...)
	p.run()
	p.clock = p.clock.Add(3 * time.Hour)
	if r := p.run(); r.Pages != 0 {
		t.Errorf("got %+v", r)
	}
}

// TestPullFindsOutAboutUnknownTags: a server that lost its database says "nothing
// new" for ever.
func TestPullFindsOutAboutUnknownTags(t *testing.T) {
	p := newPuller(t)
	p.opts = &federation.PullOptions{Settle: -1}
	all := p.foreign(30)
	p.server.add(p.clock, "a", all[:10]...)
	p.run()
	p.server.pages, p.server.days = nil, nil // and now it is another one
	p.server.add(p.clock, "x", all[10:20]...)
	p.server.add(p.clock, "y", all[20:]...)
	if r := p.run(); r.Pages != 0 {
		t.Fatalf("got %+v", r)
	}
	p.clock = p.clock.Add(6 * time.Hour)
	r := p.run()
	if !r.Resynchronised || len(r.Warnings) == 0 || r.Accepted != 20 {
		t.Errorf("got %+v, want it to go on by date", r)
	}
	p.server.asked = nil
	p.server.add(p.clock, "z", p.foreign(5)...)
	if r := p.run(); r.Accepted != 5 || p.server.asked[0].Tag != "y" {
		t.Errorf("got %+v after asking for %v", r, p.server.asked)
	}
}

// TestPullFindsOutWhenItReadsAgain: that pages which were there are gone tells at
// once.
func TestPullFindsOutWhenItReadsAgain(t *testing.T) {
	p := newPuller(t)
	all := p.foreign(30)
	p.server.add(p.clock, "a", all[:10]...)
	p.server.add(p.clock, "b", all[10:20]...)
	p.run()
	p.clock = p.clock.Add(40 * time.Minute)
	p.run()
	p.server.add(p.clock, "c", all[:5]...)
	p.run()
	p.server.pages, p.server.days = nil, nil
	p.server.add(p.clock, "x", all[20:]...)
	p.clock = p.clock.Add(40 * time.Minute)
	if r := p.run(); !r.Resynchronised || r.Accepted != 10 {
		t.Errorf("got %+v, want it to go on by date at once", r)
	}
}

func TestPullBelievesHonestSilence(t *testing.T) {
	p := newPuller(t)
	p.server.add(p.clock, "a", p.foreign(5)...)
	p.run()
	for range 4 {
		p.clock = p.clock.Add(5 * time.Hour)
		if r := p.run(); r.Resynchronised || r.Accepted != 0 {
			t.Errorf("got %+v", r)
		}
	}
	p.clock = p.clock.Add(24 * time.Hour)
	if r := p.run(); !strings.Contains(strings.Join(r.Warnings, ";"), "no new page for") {
		t.Errorf("nothing came for two days, and it does not warn: %v", r.Warnings)
	}
}

func TestPullBoundsLoops(t *testing.T) {
	p := newPuller(t)
	p.server.add(p.clock, "a", p.foreign(5)...)
	again := p.server.add(p.clock, "b", p.foreign(5)...)
	again.Next.Tag = "a" // so that what follows is b again
	r := p.run()
	if r.Pages > 4 || len(r.Warnings) == 0 {
		t.Errorf("got %+v, want it to stop and say so", r)
	}
}

func TestPullSkipsWhatIsGone(t *testing.T) {
	p := newPuller(t)
	all := p.foreign(5)
	p.server.add(p.clock.Add(-48*time.Hour), "a", all...)
	kept := federation.DayOf(p.clock.Add(-72 * time.Hour))
	p.server.fail = func(at federation.Place) error {
		if at.Day < kept {
			return fmt.Errorf("%w: too old", federation.ErrGone)
		}
		return nil
	}
	if r := p.run(); r.Accepted != 5 || len(r.Warnings) == 0 {
		t.Errorf("got %+v", r)
	}
}

// TestPullMissesNothingOnQuietDays: days that the server no longer keeps are only
// worth a warning if nobody has looked since.
func TestPullMissesNothingOnQuietDays(t *testing.T) {
	p := newPuller(t)
	p.opts = &federation.PullOptions{Settle: -1, Silence: -1, History: 48 * time.Hour, Retention: 48 * time.Hour, Stale: 1000 * time.Hour}
	all := p.foreign(10)
	p.server.add(p.clock, "a", all[:5]...)
	p.server.fail = func(at federation.Place) error {
		if at.Day < federation.DayOf(p.clock)-2 {
			return fmt.Errorf("%w: too old", federation.ErrGone)
		}
		return nil
	}
	for range 5 * 24 { // quiet ones
		if r := p.run(); len(r.Warnings) > 0 {
			t.Fatalf("on %s: %v", p.clock, r.Warnings)
		}
		p.clock = p.clock.Add(time.Hour)
	}
	for range 4 { // while nobody looks
		p.clock = p.clock.Add(24 * time.Hour)
	}
	p.server.add(p.clock, "b", all[5:]...)
	if r := p.run(); r.Pages != 1 || !strings.Contains(fmt.Sprint(r.Warnings), "no longer has what followed on 2026-03-06") {
		t.Errorf("got %+v", r)
	}
}

// TestPullIsNotStuckAtWhatIsGone: what was to be read once more, or to be searched
// for a tag, is no longer kept, and what is new comes all the same.
func TestPullIsNotStuckAtWhatIsGone(t *testing.T) {
	p := newPuller(t)
	all := p.foreign(20)
	p.server.add(p.clock, "a", all[:5]...)
	p.server.add(p.clock, "b", all[5:10]...)
	p.run()
	p.server.fail = func(at federation.Place) error {
		if at.Tag == "" && at.Day < federation.DayOf(p.clock) || at.Tag == "a" {
			return fmt.Errorf("%w: too old", federation.ErrGone)
		}
		return nil
	}
	p.server.add(p.clock, "c", all[10:15]...)
	p.clock = p.clock.Add(time.Hour)
	if r := p.run(); r.Accepted != 5 || len(r.Warnings) == 0 {
		t.Errorf("got %+v", r)
	}
	p.clock = p.clock.Add(7 * time.Hour)
	if r := p.run(); r.Resynchronised {
		t.Errorf("got %+v", r)
	}
	p.server.add(p.clock, "d", all[15:]...)
	if r := p.run(); r.Accepted != 5 {
		t.Errorf("got %+v", r)
	}
}

func TestPullWarnsBeforeItIsTooLate(t *testing.T) {
	p := newPuller(t)
	p.opts = &federation.PullOptions{Retention: 72 * time.Hour}
	p.run()
	p.server.fail = func(federation.Place) error { return federation.ErrUnavailable }
	p.clock = p.clock.Add(30 * time.Hour)
	if r, err := p.try(); !errors.Is(err, federation.ErrUnavailable) || len(r.Warnings) > 0 {
		t.Errorf("got %v, %v", r.Warnings, err)
	}
	p.clock = p.clock.Add(10 * time.Hour)
	if r, err := p.try(); err == nil || !strings.Contains(fmt.Sprint(r.Warnings), "keeps its pages for 72h") {
		t.Errorf("got %v, %v", r.Warnings, err)
	}
}

func TestPullJudgesEachKeyAlone(t *testing.T) {
	p := newPuller(t)
	p.opts = &federation.PullOptions{
		Reject:   federation.Reject{Origins: keys.Only(de), TestTypes: keys.Only(keys.TestRapidSelfReported)},
		Defaults: federation.Defaults{TransmissionRiskLevel: federation.Always(keys.TransmissionRiskLevel(7)), DaysSinceOnset: federation.DefaultTo(keys.DaysSinceOnset(0))},
	}
	all := p.foreign(10)
	for i := range all {
		all[i].DaysSinceOnsetOfSymptoms = keys.Optional[keys.DaysSinceOnset]{}
	}
	all[0].Origin = de                            // rejected by the instance
	all[1].TestType = keys.TestRapidSelfReported  // likewise
	all[2].RollingPeriod = 145                    // by the rules of the format
	all[3].RollingStartIntervalNumber -= 144 * 20 // too old
	all[4].DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(3))
	page := p.server.add(p.clock, "a", all...)
	page.Unreadable = []ledger.SetAside{{Field: keys.FieldKeyData, Reason: keys.ReasonLength, Detail: "15 bytes, want 16"}}
	r := p.run()
	if r.Accepted != 6 || r.Rejected != 5 {
		t.Fatalf("got %+v", r)
	}
	for region, want := range map[keys.Region]map[string]int{
		de: {"origin/not-allowed": 1},
		fr: {"test_type/not-allowed": 1, "rolling_period/range": 1, "rolling_start_interval_number/too-old": 1},
		{}: {"key_data/length": 1},
	} {
		if got := r.Origins[region]; got == nil || fmt.Sprint(got.Rejected) != fmt.Sprint(want) {
			t.Errorf("origin %v: got %+v, want %v", region, got, want)
		}
	}
	if got := r.Origins[fr].Offered; got != 9 {
		t.Errorf("FR offered %d, want 9", got)
	}
	for i, onset := range map[int]keys.DaysSinceOnset{4: 3, 5: 0} {
		id := ledger.IDOf(&all[i])
		for rec, err := range p.ledger.Find(t.Context(), ledger.Query{Unit: &id}) {
			if k := rec.Unit.Key; err != nil || k.TransmissionRiskLevel != keys.Some(keys.TransmissionRiskLevel(7)) || k.DaysSinceOnsetOfSymptoms != keys.Some(onset) {
				t.Errorf("key %d is kept with %v, %v, %v", i, k.TransmissionRiskLevel, k.DaysSinceOnsetOfSymptoms, err)
			}
		}
	}
}

func TestPullTakesWithdrawals(t *testing.T) {
	p := newPuller(t)
	all := p.foreign(3)
	p.server.add(p.clock, "a", all...)
	p.run()
	gone := all[0]
	gone.ReportType = keys.Some(keys.ReportRevoked)
	never := p.foreign(1)[0]
	never.ReportType = keys.Some(keys.ReportRevoked)
	p.server.add(p.clock, "b", gone, never)
	if r := p.run(); r.WithdrawalsTaken != 1 || r.WithdrawalsKept != 1 || r.Accepted != 0 {
		t.Errorf("got %+v", r)
	}
}

// TestPullTagsBecomeNames: tags come from outside.
func TestPullTagsBecomeNames(t *testing.T) {
	p := newPuller(t)
	for i, tag := range []string{"../../etc/passwd", "a\r\nHost: x", strings.Repeat("ä", 300), "\x00", "http://x/y?z", "sha256-0", "plain-1.json"} {
		p.server.add(p.clock, tag, p.foreign(1)...)
		p.run()
		p.server.asked = nil
		p.run()
		if p.server.asked[0].Tag != tag {
			t.Errorf("tag %d came back as %q", i, p.server.asked[0].Tag)
		}
	}
	ids := map[string]bool{}
	for rec, err := range p.ledger.Find(t.Context(), ledger.Query{Source: "hub"}) {
		if err != nil {
			t.Fatal(err)
		}
		id := rec.Unit.Claims[0].Upload
		ids[id] = true
		if strings.ContainsAny(id, "/\\:?\r\n\x00") || len(id) > 100 {
			t.Errorf("an upload is kept as %q", id)
		}
	}
	if len(ids) != 7 || !ids["plain-1.json"] || ids["sha256-0"] {
		t.Errorf("7 tags became the uploads %v", ids)
	}
}

func TestPullRefusesPagesWithoutTag(t *testing.T) {
	p := newPuller(t)
	for _, tag := range []string{"", strings.Repeat("x", federation.MaxTag+1)} {
		p.server.pages, p.server.days = nil, nil
		p.server.add(p.clock, tag, p.foreign(1)...)
		if _, err := p.try(); !errors.Is(err, federation.ErrUnavailable) {
			t.Errorf("a page with a tag of %d bytes: got %v", len(tag), err)
		}
	}
}

// TestPullFaults has every call of the store fail once, before its effect and
// after it. The next run ends with every key, and reads each page at most once
// more than it would have.
func TestPullFaults(t *testing.T) {
	for _, verdict := range []ledgertest.Verdict{ledgertest.Fail, ledgertest.FailAfter} {
		for nth := 1; ; nth++ {
			p := newPuller(t)
			all := p.foreign(30)
			for i := range 3 {
				p.server.add(p.clock, fmt.Sprint("p", i), all[10*i:10*i+10]...)
			}
			calls, met := 0, false
			p.fault = func() ledgertest.Verdict {
				if calls++; calls == nth {
					met = true
					return verdict
				}
				return ledgertest.Pass
			}
			p.try()
			if !met {
				if nth < 8 {
					t.Errorf("only %d calls", nth)
				}
				break
			}
			r := p.run()
			if got := p.has(all); got != 30 {
				t.Errorf("call %d, %v: has %d of 30", nth, verdict, got)
			}
			if r.Pages+len(p.server.asked) > 12 {
				t.Errorf("call %d: asked %d times", nth, len(p.server.asked))
			}
		}
	}
}

// TestPullsAtOnce: two processes run the same instance.
func TestPullsAtOnce(t *testing.T) {
	p := newPuller(t)
	all := p.foreign(20)
	p.server.add(p.clock, "a", all[:10]...)
	p.server.add(p.clock, "b", all[10:]...)
	other := &puller{site: p.site, server: &shelf{pages: p.server.pages, days: p.server.days}}
	done := false
	p.server.fail = func(at federation.Place) error {
		if at.Tag == "a" && !done {
			done = true
			other.run()
		}
		return nil
	}
	if _, err := p.try(); !errors.Is(err, federation.ErrOvertaken) {
		t.Errorf("got %v", err)
	}
	if got := p.has(all); got != 20 {
		t.Errorf("has %d of 20", got)
	}
}

func TestNewPullChecks(t *testing.T) {
	p := newPuller(t)
	for name, c := range map[string]struct {
		name ledger.Source
		opts federation.PullOptions
	}{
		"own":              {"own", federation.PullOptions{}},
		"operator":         {"operator", federation.PullOptions{}},
		"a-z":              {"Hub A", federation.PullOptions{}},
		"History":          {"hub", federation.PullOptions{History: -1}},
		"Retention":        {"hub", federation.PullOptions{Retention: -1}},
		"Stale":            {"hub", federation.PullOptions{Stale: -1}},
		"MaxPages":         {"hub", federation.PullOptions{MaxPages: -1}},
		"Budget":           {"hub", federation.PullOptions{Budget: -1}},
		"TransmissionRisk": {"hub", federation.PullOptions{Defaults: federation.Defaults{TransmissionRiskLevel: federation.Always(keys.TransmissionRiskLevel(9))}}},
		"DaysSinceOnset":   {"hub", federation.PullOptions{Defaults: federation.Defaults{DaysSinceOnset: federation.Always(keys.DaysSinceOnset(50))}}},
	} {
		if _, err := federation.NewPull(p.ledger, c.name, p.server, &c.opts); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
