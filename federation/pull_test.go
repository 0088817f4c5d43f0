package federation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
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
	blank func(at federation.Place) bool // whether it says "nothing new", whatever there is
	keeps bool                           // the day of a place is the one that was asked for, as in the real protocol
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
	if i < 0 || i >= len(s.pages) || s.blank != nil && s.blank(at) {
		return nil, nil
	}
	page := *s.pages[i]
	if s.keeps {
		page.Next.Day = at.Day
	}
	return &page, nil
}

// rename has the server keep its pages and know none of the tags it gave.
func (s *shelf) rename() {
	for _, p := range s.pages {
		p.Tag += "-new"
		p.Next.Tag = p.Tag
	}
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
	p.clock = p.clock.Add(2 * time.Minute)
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

// TestPullKeepsWhatIsToBeReadAgain: "nothing new" after a page that had another
// after it says nothing of what was to be read once more.
func TestPullKeepsWhatIsToBeReadAgain(t *testing.T) {
	// once is false silence for the first time that a place with a tag is asked for.
	once := func(tags ...string) func(federation.Place) bool {
		return func(at federation.Place) bool {
			i := slices.Index(tags, at.Tag)
			if i >= 0 {
				tags = slices.Delete(slices.Clone(tags), i, i+1)
			}
			return i >= 0
		}
	}
	afterTags := func(at federation.Place) bool { return at.Tag != "" }
	for name, c := range map[string]struct {
		blank func(federation.Place) bool // during one run
		inRun bool                        // it is read again in that very run
		limit int
		old   time.Duration // since the day of the pages
		keeps bool
		gone  bool // days before that
	}{
		"for a run, to all questions":                 {blank: func(federation.Place) bool { return true }},
		"to all with a tag, with one page a run":      {blank: afterTags, limit: 1},
		"once":                                        {blank: once("b"), inRun: true},
		"once, with a page a run":                     {blank: once("b"), limit: 1},
		"once, after a page that was read again":      {blank: once("c"), inRun: true},
		"once, about old pages":                       {blank: once("b"), inRun: true, old: 72 * time.Hour},
		"once, about old pages and the day asked for": {blank: once("b"), inRun: true, old: 72 * time.Hour, keeps: true},
		"once, with no pages from before":             {blank: once("b"), inRun: true, gone: true},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPuller(t)
			p.server.keeps = c.keeps
			p.opts = &federation.PullOptions{Silence: -1} // which would find all again, but later
			all := p.foreign(20)
			for _, tag := range []string{"a", "b"} {
				p.server.add(p.clock.Add(-c.old), tag)
			}
			p.run()
			p.clock = p.clock.Add(40 * time.Minute)
			p.run() // these are settled
			for i, tag := range []string{"c", "d"} {
				p.server.add(p.clock.Add(-c.old), tag, all[10*i:10*i+5]...)
			}
			p.run()
			for i, page := range p.server.pages[2:] {
				page.Keys = all[10*i : 10*i+10]
			}
			if first := p.server.days[0]; c.gone {
				p.server.fail = func(at federation.Place) error {
					if at.Day < first {
						return federation.ErrGone
					}
					return nil
				}
			}
			p.opts.MaxPages = c.limit
			p.clock = p.clock.Add(40 * time.Minute)
			p.server.blank = c.blank
			p.run()
			if c.inRun && p.has(all) != 20 {
				t.Errorf("has %d of 20", p.has(all))
			}
			p.server.blank = nil
			for range 12 {
				p.run()
			}
			if got := p.has(all); got != 20 {
				t.Errorf("has %d of 20", got)
			}
			if r := p.run(); r.Pages != 0 {
				t.Errorf("it never ends: %+v", r)
			}
		})
	}
}

// TestPullSearchesAgain: what was found by date can be lost again, and is searched
// anew; so is what came after a loss that was final.
func TestPullSearchesAgain(t *testing.T) {
	p := newPuller(t)
	all := p.foreign(60)
	p.server.add(p.clock, "a")
	p.run()
	p.server.rename()
	p.clock = p.clock.Add(40 * time.Minute)
	if r := p.run(); !r.Resynchronised {
		t.Fatalf("got %+v", r)
	}
	for i := range 6 {
		page := p.server.add(p.clock, fmt.Sprint("p", i))
		p.run()
		page.Keys = all[10*i : 10*i+10]
		p.clock = p.clock.Add(40 * time.Minute)
		asked := false
		p.server.blank = func(at federation.Place) bool { // once a run
			first := at.Tag != "" && !asked
			asked = asked || first
			return first
		}
		if r := p.run(); len(r.Warnings) > 0 {
			t.Errorf("it gives up: %v", r.Warnings)
		}
		p.server.blank = nil
		if got := p.has(all); got != 10*i+10 {
			t.Errorf("has %d of %d", got, 10*i+10)
		}
	}
}

// TestPullEndsWhatIsToBeReadAgain: the server says that it no longer has it, by
// giving other pages, or a page after itself.
func TestPullEndsWhatIsToBeReadAgain(t *testing.T) {
	for name, change := range map[string]func(*shelf){
		"other tags": (*shelf).rename,
		"a loop": func(s *shelf) {
			s.rename()
			s.pages[2].Next.Tag = s.pages[1].Tag
		},
		"part of it gone": func(s *shelf) {
			s.fail = func(at federation.Place) error {
				if at.Tag != "" || at.Day < s.days[0] {
					return federation.ErrGone
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPuller(t)
			for _, tag := range []string{"a", "b", "c"} {
				p.server.add(p.clock, tag, p.foreign(2)...)
				p.run()
				p.clock = p.clock.Add(20 * time.Minute)
			}
			change(p.server)
			warned := false
			for range 8 {
				r, _ := p.try()
				warned = warned || strings.Contains(fmt.Sprint(r.Warnings), "could not be read once more")
				p.clock = p.clock.Add(20 * time.Minute)
			}
			if !warned {
				t.Error("it does not say so")
			}
			p.server.asked = nil
			if p.try(); len(p.server.asked) > 3 { // a loop is met once
				t.Errorf("it still asks %v", p.server.asked)
			}
		})
	}
}

// TestPullReadsAgainWhatItFoundByDate: those pages are new to it, and can fill.
func TestPullReadsAgainWhatItFoundByDate(t *testing.T) {
	p := newPuller(t)
	all := p.foreign(30)
	p.server.add(p.clock, "a", all[:10]...)
	p.run()
	p.server.rename()
	late := p.server.add(p.clock, "b")
	for range 9 { // before silence is looked into
		p.clock = p.clock.Add(20 * time.Minute)
		if r := p.run(); r.Resynchronised {
			late.Keys = all[10:]
		}
	}
	if got := p.has(all); got != 30 {
		t.Errorf("has %d of 30", got)
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
	p.server.add(p.clock, "a", p.foreign(3)...)
	p.run() // before that was known of the server
	p.opts = &federation.PullOptions{Settle: -1}
	p.server.add(p.clock, "b", p.foreign(3)...)
	if r := p.run(); r.Reread != 0 {
		t.Errorf("got %+v", r)
	}
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

// TestPullCannotFindOut: a server that gives nothing by date is not asked again
// before the next silence.
func TestPullCannotFindOut(t *testing.T) {
	p := newPuller(t)
	p.opts = &federation.PullOptions{Settle: -1}
	p.server.add(p.clock, "a", p.foreign(3)...)
	p.run()
	p.server.fail = func(at federation.Place) error {
		if at.Tag == "" {
			return federation.ErrGone
		}
		return nil
	}
	p.clock = p.clock.Add(6 * time.Hour)
	for i := range 3 {
		p.server.asked = nil
		p.run()
		if byDate := slices.ContainsFunc(p.server.asked, func(at federation.Place) bool { return at.Tag == "" }); byDate != (i == 0) {
			t.Errorf("run %d asks for %v", i, p.server.asked)
		}
	}
}

func TestPullNeverFindsOutWhereItIsNotTo(t *testing.T) {
	p := newPuller(t)
	p.opts = &federation.PullOptions{Settle: -1, Silence: -1}
	p.server.add(p.clock, "a", p.foreign(3)...)
	p.run()
	p.server.asked = nil
	p.clock = p.clock.Add(72 * time.Hour)
	p.run()
	if len(p.server.asked) != 1 {
		t.Errorf("asks for %v", p.server.asked)
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

// TestPullFindsOutWhileCatchingUp: the server loses its tags while an instance is
// days behind. What it had not read is from before the last page that it did.
func TestPullFindsOutWhileCatchingUp(t *testing.T) {
	for name, c := range map[string]struct {
		keeps  bool
		ahead  federation.Day // of the days of its pages is the server's word for them
		settle time.Duration
		limit  int
	}{
		"days of pages":                   {settle: -1},
		"the day asked for":               {settle: -1, keeps: true},
		"the day asked for, page by page": {settle: -1, keeps: true, limit: 1},
		"another calendar":                {settle: -1, ahead: 2},
		"days of next month":              {settle: -1, ahead: 30},
		"pages that fill":                 {},
		"pages that fill, page by page":   {limit: 1, keeps: true},
	} {
		t.Run(name, func(t *testing.T) {
			for pages := 1; pages <= 6; pages++ {
				p := newPuller(t)
				p.server.keeps = c.keeps
				all := p.foreign(60)
				for i := range 6 {
					page := p.server.add(p.clock.Add(time.Duration(i-5)*24*time.Hour), fmt.Sprint("p", i), all[10*i:10*i+10]...)
					page.Next.Day += c.ahead
				}
				p.opts = &federation.PullOptions{MaxPages: pages, Settle: c.settle}
				p.run()
				p.server.rename()
				p.opts.MaxPages = c.limit
				p.clock = p.clock.Add(7 * time.Hour)
				found := false
				for range 30 {
					r := p.run()
					found = found || r.Resynchronised
				}
				if got := p.has(all); got != 60 || !found {
					t.Errorf("lost after %d of 6 pages, it has %d of 60 keys", pages, got)
				}
				p.clock = p.clock.Add(time.Hour)
				for range 30 {
					p.run()
				}
				if r := p.run(); r.Pages != 0 {
					t.Errorf("it never ends: %+v", r)
				}
			}
		})
	}
}

// TestPullLooksNoFurtherBackThanItMust: whether a tag is known is soon found out
// where it is, and what no new instance would read is not searched.
func TestPullLooksNoFurtherBackThanItMust(t *testing.T) {
	p := newPuller(t)
	p.server.keeps = true
	p.opts = &federation.PullOptions{Settle: -1}
	days := func(d int) federation.Day { return federation.DayOf(p.clock.Add(-time.Duration(d) * 24 * time.Hour)) }
	for i := range 40 {
		p.server.add(p.clock, fmt.Sprint("p", i), p.foreign(1)...)
		p.run()
		p.clock = p.clock.Add(24 * time.Hour)
	}
	p.server.asked = nil
	p.run()
	for _, at := range p.server.asked {
		if at.Tag == "" && at.Day < days(2) {
			t.Errorf("a known tag is looked for from %s on, long before the last page", at.Day)
		}
	}
	if len(p.server.asked) < 2 {
		t.Error("nothing was looked for")
	}
	p.server.rename()
	p.server.asked = nil
	p.clock = p.clock.Add(24 * time.Hour)
	if r := p.run(); !r.Resynchronised {
		t.Errorf("got %+v", r)
	}
	first := days(0)
	for _, at := range p.server.asked {
		if at.Tag == "" {
			first = min(first, at.Day)
		}
	}
	if first != days(15) {
		t.Errorf("a lost tag is looked for from %s on, want %s", first, days(15))
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

// later is an error of a server that names a time.
type later struct {
	error
	in time.Duration
}

func (e later) RetryIn() time.Duration { return e.in }

func (e later) Unwrap() error { return e.error }

func TestRetryAfter(t *testing.T) {
	told := later{federation.ErrThrottled, time.Minute}
	for _, c := range []struct {
		name string
		err  error
		want time.Duration
	}{
		{"nil", nil, 0},
		{"another error", federation.ErrThrottled, 0},
		{"not said", later{federation.ErrThrottled, 0}, 0},
		{"in the past", later{federation.ErrThrottled, -1}, 0},
		{"told", told, time.Minute},
		{"wrapped", fmt.Errorf("pull: %w", told), time.Minute},
		{"joined", errors.Join(errors.New("x"), told), time.Minute},
	} {
		if got, ok := federation.RetryAfter(c.err); got != c.want || ok != (c.want > 0) {
			t.Errorf("%s: got %s, %t, want %s", c.name, got, ok, c.want)
		}
	}
}

// TestPullLeavesAlone: whatever the error means, the server is not asked again.
func TestPullLeavesAlone(t *testing.T) {
	for _, class := range []error{federation.ErrThrottled, federation.ErrUnavailable, federation.ErrGone} {
		p := newPuller(t)
		p.server.fail = func(federation.Place) error { return later{class, 90 * time.Second} }
		r, err := p.try()
		if r.RetryAfter != 90*time.Second || len(p.server.asked) != 1 {
			t.Errorf("%v: asked %d times, and it reports %s", class, len(p.server.asked), r.RetryAfter)
		}
		if err == nil && !r.More {
			t.Errorf("%v: it says that there is no more", class)
		}
	}
}

// TestPullBoundsLoopsOfWhatItReadsAgain bounds those, too: it goes round once from
// where it was, once by date, and once in search of the last tag.
func TestPullBoundsLoopsOfWhatItReadsAgain(t *testing.T) {
	p := newPuller(t)
	for _, tag := range []string{"a", "b", "c"} {
		p.server.add(p.clock, tag)
	}
	p.run()
	p.server.pages[1].Next.Tag = "a"
	p.clock = p.clock.Add(time.Hour)
	if r := p.run(); r.Pages > 9 || len(r.Warnings) == 0 {
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
	if r := p.run(); len(r.Warnings) > 0 {
		t.Errorf("asks again for what is gone: got %+v", r)
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
	for range 4 { // that there was nothing new is no reason
		p.clock = p.clock.Add(24 * time.Hour)
		if r := p.run(); len(r.Warnings) > 0 {
			t.Errorf("got %v", r.Warnings)
		}
	}
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
	for rec, err := range p.ledger.Find(t.Context(), ledger.Query{Source: "hub", SetAside: true}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range rec.SetAside {
			if a.Upload != "a" {
				t.Errorf("%s is set aside as of the upload %q, want that of its page", a.Field, a.Upload)
			}
		}
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

// TestPullRemembersNoPages: where no page is read once more, none is remembered.
func TestPullRemembersNoPages(t *testing.T) {
	p := newPuller(t)
	p.opts = &federation.PullOptions{Settle: -1}
	var sizes []int
	for i := range 20 {
		p.server.add(p.clock, fmt.Sprint("page-", 100+i), p.foreign(1)...)
		p.clock = p.clock.Add(time.Minute)
		p.run()
		registers := must(p.ledger.Registers(t.Context(), "federation/hub/"))
		sizes = append(sizes, len(registers[0].Value))
	}
	if sizes[19] > sizes[0]+50 {
		t.Errorf("the cursor has %d bytes after one page and %d after 20", sizes[0], sizes[19])
	}
}

// TestPullThatIsBehindIsNoSilence: runs that never come to the end, and fetch a page
// each, are no reason to say that nothing is fetched.
func TestPullThatIsBehindIsNoSilence(t *testing.T) {
	p := newPuller(t)
	p.opts = &federation.PullOptions{Settle: -1, MaxPages: 1, Stale: 1000 * time.Hour}
	for i := range 10 {
		for j := range 2 {
			p.server.add(p.clock, fmt.Sprint(i, "-", j), p.foreign(1)...)
		}
		if r := p.run(); !r.More || r.Pages != 1 || len(r.Warnings) > 0 {
			t.Errorf("day %d: %d pages, more: %t, warnings %q", i, r.Pages, r.More, r.Warnings)
		}
		p.clock = p.clock.Add(24 * time.Hour)
	}
}

// TestPullTagsBecomeNames: tags come from outside.
func TestPullTagsBecomeNames(t *testing.T) {
	p := newPuller(t)
	for i, tag := range []string{"../../etc/passwd", "a\r\nHost: x", strings.Repeat("ä", 300), "\x00", "http://x/y?z", "sha256-0", "plain-1.json", strings.Repeat("t", 100), strings.Repeat("t", 101)} {
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
	if len(ids) != 9 || !ids[strings.Repeat("t", 100)] || !ids["plain-1.json"] || ids["sha256-0"] {
		t.Errorf("9 tags became the uploads %v", ids)
	}
}

func TestPullRefusesPagesWithoutTag(t *testing.T) {
	p := newPuller(t)
	for _, tag := range []string{"", strings.Repeat("x", federation.MaxTag+1), "\xff"} {
		p.server.pages, p.server.days = nil, nil
		p.server.add(p.clock, tag, p.foreign(1)...)
		if _, err := p.try(); !errors.Is(err, federation.ErrUnavailable) {
			t.Errorf("a page with a tag of %d bytes: got %v", len(tag), err)
		}
	}
}

// TestPullAfterAClockJump: what a clock that jumped ahead left in the register does
// not keep pages from being read once more, nor silence from being looked into, when
// it has come back.
func TestPullAfterAClockJump(t *testing.T) {
	for _, jump := range []time.Duration{10 * 24 * time.Hour, 365 * 24 * time.Hour} {
		p := newPuller(t)
		all := p.foreign(20)
		p.server.add(p.clock, "a", all[:5]...)
		now := p.clock
		p.clock = now.Add(jump)
		p.run()
		p.clock = now.Add(time.Minute)
		b := p.server.add(p.clock, "b")
		p.run()
		b.Keys = all[5:10]
		p.clock = now.Add(2 * time.Hour)
		p.run()
		if got := p.has(all[5:10]); got != 5 {
			t.Errorf("%s: page b was not read again: %d", jump, got)
		}
		p.clock = now.Add(10 * time.Hour)
		p.server.pages, p.server.days = nil, nil
		p.server.add(p.clock, "x", all[10:]...)
		p.run()
		if got := p.has(all[10:]); got != 10 {
			t.Errorf("%s: silence was not looked into: %d", jump, got)
		}
	}
}

// TestPullGoesOnWithinTheDay: a tag is gone, and later pages of its day are not.
func TestPullGoesOnWithinTheDay(t *testing.T) {
	p := newPuller(t)
	p.opts = &federation.PullOptions{Settle: -1}
	all := p.foreign(20)
	p.server.add(p.clock, "a", all[:5]...)
	p.run()
	p.server.add(p.clock, "b", all[5:10]...) // gone too
	p.server.add(p.clock, "c", all[10:15]...)
	p.server.pages, p.server.days = p.server.pages[2:], p.server.days[2:]
	p.server.fail = func(at federation.Place) error {
		if at.Tag == "a" {
			return federation.ErrGone
		}
		return nil
	}
	p.clock = p.clock.Add(24 * time.Hour)
	p.run()
	if got := p.has(all[10:15]); got != 5 {
		t.Errorf("what the server still had of the day was skipped: %d", got)
	}
}

// TestPullPassesADayThatEndsInNothing: what follows the last page of a day is gone,
// which it is again when the day was read once more.
func TestPullPassesADayThatEndsInNothing(t *testing.T) {
	p := newPuller(t)
	p.opts = &federation.PullOptions{Settle: -1}
	all := p.foreign(10)
	p.server.add(p.clock.Add(-24*time.Hour), "x", all[:5]...)
	p.server.add(p.clock, "y", all[5:]...)
	p.server.fail = func(at federation.Place) error {
		if at.Tag == "x" {
			return federation.ErrGone
		}
		return nil
	}
	if r := p.run(); p.has(all) != 10 || r.Pages > 3 {
		t.Errorf("has %d of 10: %+v", p.has(all), r)
	}
}

// TestPullRegisterIsBounded whatever tags a server gives: what needs escapes is six
// times as long in it.
func TestPullRegisterIsBounded(t *testing.T) {
	p := newPuller(t)
	for i := range 60 {
		p.server.add(p.clock, strings.Repeat("<", 1020)+fmt.Sprint(i), p.foreign(1)...)
		p.clock = p.clock.Add(time.Minute)
		if _, err := p.try(); err != nil {
			t.Fatalf("page %d: %v", i, err)
		}
	}
}

// TestPullStoresAPageGivenAgain after itself, which may hold more by then (lesson E3).
func TestPullStoresAPageGivenAgain(t *testing.T) {
	p := newPuller(t)
	all := p.foreign(15)
	p.server.add(p.clock, "a", all[:5]...)
	p.server.add(p.clock, "a", all[5:10]...)
	if r := p.run(); r.Accepted != 10 || len(r.Warnings) == 0 || r.Pages != 2 {
		t.Errorf("got %+v", r)
	}
	p.server.pages[1].Keys = all[5:]
	if r := p.run(); r.Accepted != 5 || len(r.Warnings) == 0 || r.Pages != 1 {
		t.Errorf("got %+v", r)
	}
}

// TestPullTakesWithdrawalsOfWhatIsRejectedNow: they are of keys that came before.
func TestPullTakesWithdrawalsOfWhatIsRejectedNow(t *testing.T) {
	p := newPuller(t)
	all := p.foreign(3)
	p.server.add(p.clock, "a", all...)
	p.run()
	p.opts = &federation.PullOptions{Reject: federation.Reject{Origins: keys.Only(fr)}}
	gone := all[0]
	gone.ReportType = keys.Some(keys.ReportRevoked)
	p.server.add(p.clock, "b", gone)
	if r := p.run(); r.WithdrawalsTaken != 1 {
		t.Errorf("got %+v", r)
	}
	p.opts.Reject.ReportTypes = keys.Only(keys.ReportRevoked)
	p.server.add(p.clock, "c", gone)
	if r := p.run(); r.WithdrawalsTaken != 0 || r.Rejected != 1 {
		t.Errorf("withdrawals are rejected by name: got %+v", r)
	}
}

// TestPullBoundsReadingAgain: pages that were to be read once more go round now, and
// what is new comes all the same.
func TestPullBoundsReadingAgain(t *testing.T) {
	p := newPuller(t)
	p.opts = &federation.PullOptions{MaxPages: 100}
	all := p.foreign(20)
	a := p.server.add(p.clock, "a", all[:5]...)
	p.run()
	p.clock = p.clock.Add(10 * time.Minute)
	b := p.server.add(p.clock, "b", all[5:10]...)
	p.run()
	p.clock = p.clock.Add(time.Hour)
	p.server.add(p.clock, "c", all[10:]...)
	p.server.pages = []*federation.Page{a, a, b, p.server.pages[2]}
	p.server.days = slices.Repeat(p.server.days[:1], 4)
	if r := p.run(); r.Accepted != 10 || r.Pages > 10 {
		t.Errorf("got %+v", r)
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

// TestPullReadsAgainAfterALongRun: for how long a page can still fill counts from when
// it was given, however long the run lasts that it is of.
func TestPullReadsAgainAfterALongRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuller(t)
		p.opts = &federation.PullOptions{Budget: 2 * time.Hour}
		all := p.foreign(20)
		p.server.add(p.clock, "a", all[:10]...)
		p.server.add(p.clock, "b", all[10:15]...)
		late := p.server.add(p.clock, "c")
		p.server.fail = func(federation.Place) error { // a slow server
			p.clock = p.clock.Add(20 * time.Minute)
			time.Sleep(20 * time.Minute)
			return nil
		}
		p.run()
		p.server.fail = nil
		p.run() // a moment after the last page came
		late.Keys = all[15:]
		p.clock = p.clock.Add(31 * time.Minute)
		p.run()
		if got := p.has(all); got != len(all) {
			t.Errorf("it has %d keys of %d", got, len(all))
		}
	})
}
