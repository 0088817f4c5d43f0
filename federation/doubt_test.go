package federation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
)

var errNoAudit = fmt.Errorf("%w: no audit", federation.ErrUnavailable)

// A doubter is a server for which nobody vouches at times.
type doubter struct {
	*shelf
	tries map[string]int // of the pages that nobody vouched for
	holds func(tag string) bool
}

func (d *doubter) Download(ctx context.Context, at federation.Place) (*federation.Page, error) {
	page, err := d.shelf.Download(ctx, at)
	if err != nil || page == nil || !d.holds(page.Tag) {
		return page, err
	}
	d.tries[page.Tag]++
	aside := *page
	aside.Keys = nil
	for i := range page.Keys {
		aside.Unreadable = append(aside.Unreadable, ledger.SetAside{ID: ledger.IDOf(&page.Keys[i]), Field: "signature", Reason: "unverified"})
	}
	return nil, &federation.DoubtError{Page: &aside, Err: errNoAudit}
}

// A doubting is a back end that pulls from a server with five pages, nobody vouching
// for the third.
type doubting struct {
	*puller
	doubter *doubter
	all     []keys.DiagnosisKey
	opts    federation.PullOptions
}

func newDoubting(t *testing.T) *doubting {
	p := newPuller(t)
	d := &doubting{puller: p, all: p.foreign(50), opts: federation.PullOptions{Settle: -1, Silence: -1}}
	d.doubter = &doubter{shelf: p.server, tries: map[string]int{}, holds: func(tag string) bool { return tag == "p2" }}
	for i := range 5 {
		p.server.add(p.clock, fmt.Sprint("p", i), d.all[10*i:10*i+10]...)
	}
	return d
}

// process returns the instance in a process that has just begun.
func (d *doubting) process() *federation.Pull {
	d.t.Helper()
	return must(federation.NewPull(d.ledger, "hub", d.doubter, &d.opts))
}

// passed reports whether the page in doubt no longer holds up what follows, and
// checks that nothing else is different.
func (d *doubting) passed() bool {
	d.t.Helper()
	before, within, after := d.has(d.all[:20]), d.has(d.all[20:30]), d.has(d.all[30:])
	if before != 20 || within != 0 || after != 0 && after != 20 {
		d.t.Errorf("has %d keys of before, %d in doubt and %d that follow", before, within, after)
	}
	return after > 0
}

// setAside returns how many keys were set aside as nobody vouched for them.
func (p *puller) setAside() (n int) {
	for rec, err := range p.ledger.Find(p.t.Context(), ledger.Query{SetAside: true}) {
		if err != nil {
			p.t.Fatal(err)
		}
		for _, a := range rec.SetAside {
			if a.Reason == "unverified" {
				n++
			}
		}
	}
	return n
}

// TestDoubt: a page that nobody vouches for is given up after five tries and six
// hours, whether it is one process that tries or each time another.
func TestDoubt(t *testing.T) {
	const hour, milli = time.Hour, time.Millisecond
	for name, c := range map[string]struct {
		after []time.Duration // between tries, all of which but the last are not the last
		anew  bool
	}{
		"one process, patience":     {[]time.Duration{0, hour, 0, hour, hour, hour, hour, hour}, false},
		"processes, patience":       {[]time.Duration{0, hour, 0, hour, hour, hour, hour, hour}, true},
		"one process, tries":        {[]time.Duration{0, 9 * hour, milli, milli, milli}, false},
		"processes, tries":          {[]time.Duration{0, 9 * hour, milli, milli, milli}, true},
		"processes, just not yet":   {[]time.Duration{0, milli, milli, milli, milli, 6*hour - 5*milli, milli}, true},
		"one process, just not yet": {[]time.Duration{0, milli, milli, milli, milli, 6*hour - 5*milli, milli}, false},
	} {
		d := newDoubting(t)
		began := d.clock
		pull := d.process()
		for i, after := range c.after {
			d.clock = d.clock.Add(after)
			if c.anew {
				pull = d.process()
			}
			r, err := pull.Run(t.Context())
			last := i == len(c.after)-1
			if last != (err == nil) || last != d.passed() || !last && !errors.Is(err, federation.ErrUnavailable) {
				t.Fatalf("%s: try %d: %v; passed: %t", name, i+1, err, d.passed())
			}
			if !last && (!strings.Contains(err.Error(), fmt.Sprintf("page p2, try %d:", i+1)) || len(r.GivenUp) > 0) {
				t.Errorf("%s: try %d: %v; given up %v", name, i+1, err, r.GivenUp)
			}
			if !last {
				continue
			}
			want := federation.GivenUp{Page: "p2", Since: began, Time: d.clock, Tries: len(c.after), Keys: 10}
			if len(r.GivenUp) != 1 || !sameGivenUp(r.GivenUp[0], want) || r.Rejected != 10 || d.setAside() != 10 {
				t.Errorf("%s: given up %+v, want %+v; %d rejected, %d set aside", name, r.GivenUp, want, r.Rejected, d.setAside())
			}
			if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "page p2 was given up") || !strings.Contains(r.Warnings[0], "10 keys of it are set aside, and lost unless") {
				t.Errorf("%s: warnings %q", name, r.Warnings)
			}
		}
	}
}

func sameGivenUp(a, b federation.GivenUp) bool {
	same := a.Since.Equal(b.Since) && a.Time.Equal(b.Time)
	a.Since, a.Time, b.Since, b.Time = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	return same && a == b
}

// TestDoubtIsTold by every run for as long as the server keeps its pages, and no
// longer.
func TestDoubtIsTold(t *testing.T) {
	d := newDoubting(t)
	d.opts.Retention = 48 * time.Hour
	d.giveUp() // 8 h ago
	if found := must(d.ledger.Registers(t.Context(), "federation/hub/pull")); strings.Contains(string(found[0].Value), "doubts") {
		t.Errorf("what is given up is still in doubt: %s", found[0].Value)
	}
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{time.Hour, 1}, {39 * time.Hour, 1}, {time.Minute, 0}, {time.Hour, 0}} {
		d.clock = d.clock.Add(c.after)
		if r := must(d.process().Run(t.Context())); len(r.GivenUp) != c.want {
			t.Errorf("after %s more: %v", c.after, r.GivenUp)
		}
	}
}

// giveUp runs until the page in doubt is given up.
func (d *doubting) giveUp() {
	d.t.Helper()
	for range 8 {
		d.process().Run(d.t.Context())
		d.clock = d.clock.Add(2 * time.Hour)
	}
	if !d.passed() {
		d.t.Fatal("nothing is given up")
	}
}

// TestDoubtEnds where somebody vouches after all, and a later one begins anew.
func TestDoubtEnds(t *testing.T) {
	d := newDoubting(t)
	for range 4 {
		d.process().Run(t.Context())
		d.clock = d.clock.Add(6 * time.Hour)
	}
	d.doubter.holds = func(tag string) bool { return tag == "p3" }
	for range 4 {
		r, err := d.process().Run(t.Context())
		if !errors.Is(err, errNoAudit) || len(r.GivenUp) > 0 || d.has(d.all) != 30 {
			t.Fatalf("given up %v; has %d; %v", r.GivenUp, d.has(d.all), err)
		}
		d.clock = d.clock.Add(time.Hour)
	}
	d.doubter.holds = func(string) bool { return false }
	if r := must(d.process().Run(t.Context())); len(r.GivenUp)+len(r.Warnings) > 0 || d.has(d.all) != 50 {
		t.Errorf("has %d of 50; %v, %v", d.has(d.all), r.GivenUp, r.Warnings)
	}
	// What was in doubt and is asked for once more, for another reason, is not the
	// rest of an old doubt.
	d.server.add(d.clock, "p5", d.foreign(1)...)
	d.doubter.holds = func(tag string) bool { return tag == "p5" }
	if _, err := d.process().Run(t.Context()); err == nil || !strings.Contains(err.Error(), ", try 1:") {
		t.Errorf("got %v", err)
	}
}

// TestDoubtOnce: a page that was given up holds nothing up when it is read once more,
// and is not lost if somebody vouches for it by then.
func TestDoubtOnce(t *testing.T) {
	d := newDoubting(t)
	d.giveUp()
	d.opts.Silence = time.Hour
	r, err := d.process().Run(t.Context())
	if err != nil || r.Reread != 5 || len(r.GivenUp) != 1 || len(r.Warnings) != 1 {
		t.Fatalf("read once more: %+v, %v", r, err)
	}
	d.passed()
	d.clock = d.clock.Add(2 * time.Hour)
	d.doubter.holds = func(string) bool { return false }
	if r := must(d.process().Run(t.Context())); r.Reread != 5 || len(r.GivenUp)+len(r.Warnings) > 0 || d.has(d.all) != 50 {
		t.Errorf("has %d of 50: %+v", d.has(d.all), r)
	}
	if r := must(d.process().Run(t.Context())); len(r.GivenUp) > 0 {
		t.Errorf("still told: %v", r.GivenUp)
	}
}

// A script is a server that gives what it is told, wherever it is asked from.
type script []scripted

type scripted struct {
	tag   string
	doubt bool
}

func (s *script) Download(context.Context, federation.Place) (*federation.Page, error) {
	if len(*s) == 0 {
		return nil, nil
	}
	next := (*s)[0]
	*s = (*s)[1:]
	page := &federation.Page{Tag: next.tag, Next: federation.Place{Day: federation.DayOf(epoch), Tag: next.tag}}
	if next.doubt {
		return nil, &federation.DoubtError{Page: page, Err: errNoAudit}
	}
	return page, nil
}

// TestDoubtGoesByPageOrPlace: a page that is met elsewhere, since its day is read once
// more, is in doubt as long as it was, and so is what stands where it stood, if the
// server has other names for its pages each time.
func TestDoubtGoesByPageOrPlace(t *testing.T) {
	for name, c := range map[string]struct {
		runs []script
		want int // tries by the last of them
	}{
		"the page":             {[]script{{{"a", false}, {"x", true}}, {{"x", true}}, {{"b", false}, {"x", true}}, {{"a", false}, {"c", false}, {"x", true}}}, 4},
		"the place":            {[]script{{{"a", false}, {"x", true}}, {{"y", true}}, {{"z", true}}, {{"x", true}}}, 4},
		"the page, by others":  {[]script{{{"a", false}, {"x", true}}, {{"b", false}, {"y", true}}, {{"c", false}, {"x", true}}}, 2},
		"neither":              {[]script{{{"a", false}, {"x", true}}, {{"b", false}, {"y", true}}, {{"c", false}, {"z", true}}}, 1},
		"one that was vouched": {[]script{{{"a", false}, {"x", true}}, {{"b", false}, {"x", false}, {"c", false}, {"x", true}}}, 1},
		"the oldest of many": {append([]script{{{"x", true}}}, func() (all []script) {
			for i := range 10 {
				all = append(all, script{{fmt.Sprint("a", i), false}, {fmt.Sprint("b", i), true}})
			}
			return append(all, script{{"c", false}, {"x", true}})
		}()...), 1},
	} {
		p := newPuller(t)
		for i := range c.runs {
			pull := must(federation.NewPull(p.ledger, "hub", &c.runs[i], &federation.PullOptions{Settle: -1, Silence: -1}))
			_, err := pull.Run(t.Context())
			if last := i == len(c.runs)-1; err == nil || last && !strings.Contains(err.Error(), fmt.Sprintf(", try %d:", c.want)) {
				t.Errorf("%s: run %d: %v, want try %d", name, i+1, err, c.want)
			}
		}
	}
}

// TestDoubtIsForgotten with the page, which the server does not keep for ever.
func TestDoubtIsForgotten(t *testing.T) {
	d := newDoubting(t)
	d.opts.Retention = 48 * time.Hour
	for _, c := range []struct {
		after time.Duration
		want  string
	}{{0, ", try 1:"}, {time.Hour, ", try 2:"}, {47 * time.Hour, ", try 3:"}, {time.Minute, ", try 1:"}} {
		d.clock = d.clock.Add(c.after)
		if _, err := d.process().Run(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("after %s more: %v, want%s", c.after, err, c.want)
		}
	}
}

// TestDoubtOfAll: every page is in doubt, and each is given up in its time.
func TestDoubtOfAll(t *testing.T) {
	d := newDoubting(t)
	d.doubter.holds = func(string) bool { return true }
	for n := range 5 {
		for range 6 {
			d.process().Run(t.Context())
			d.clock = d.clock.Add(2 * time.Hour)
		}
		if got := d.doubter.tries[fmt.Sprint("p", n)]; got < 4 || got > 6 {
			t.Errorf("page %d was tried %d times", n, got)
		}
	}
	d.clock = d.clock.Add(2 * time.Hour)
	r, err := d.process().Run(t.Context())
	if err != nil || len(r.GivenUp) != 5 || d.setAside() != 50 || d.has(d.all) != 0 {
		t.Errorf("%d given up, %d keys set aside; %v", len(r.GivenUp), d.setAside(), err)
	}
}

// TestDoubtIsNotCutShort: a run that is not let finish is no try, nor is one whose
// server could not be asked.
func TestDoubtIsNotCutShort(t *testing.T) {
	d := newDoubting(t)
	d.process().Run(t.Context())
	for range 9 {
		d.clock = d.clock.Add(time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		d.doubter.holds = func(tag string) bool {
			cancel()
			return tag == "p2"
		}
		if _, err := d.process().Run(ctx); err == nil {
			t.Fatal("a run that was cut short says nothing")
		}
	}
	d.doubter.holds = func(tag string) bool { return tag == "p2" }
	d.server.fail = func(federation.Place) error { return federation.ErrUnavailable }
	for range 9 {
		d.process().Run(t.Context())
	}
	d.server.fail = nil
	if _, err := d.process().Run(t.Context()); err == nil || !strings.Contains(err.Error(), ", try 2:") {
		t.Errorf("got %v", err)
	}
}

// TestDoubtAfterAClockJump: patience is not at an end for a clock that was ahead, nor
// endless after it.
func TestDoubtAfterAClockJump(t *testing.T) {
	d := newDoubting(t)
	now := d.clock
	d.clock = now.Add(1000 * time.Hour)
	for range 6 {
		d.process().Run(t.Context())
	}
	d.clock = now
	d.giveUp()
	now = d.clock
	d.clock = now.Add(-1000 * time.Hour)
	d.process().Run(t.Context())
	d.clock = d.clock.Add(14*24*time.Hour + time.Minute)
	if r := must(d.process().Run(t.Context())); len(r.GivenUp) > 0 {
		t.Errorf("still told: %v", r.GivenUp)
	}
}

// TestDoubtFromTheFuture began when the clock was ahead: patience is counted from when
// that was seen.
func TestDoubtFromTheFuture(t *testing.T) {
	d := newDoubting(t)
	now := d.clock
	d.clock = now.Add(20 * time.Hour)
	for range 5 {
		d.process().Run(t.Context())
	}
	d.clock = now
	d.process().Run(t.Context())
	d.clock = now.Add(6 * time.Hour)
	if r, err := d.process().Run(t.Context()); err != nil || len(r.GivenUp) != 1 {
		t.Errorf("given up %v, %v", r.GivenUp, err)
	}
}

// TestDoubtFaults has every call of the store fail once, in each run until the page is
// given up, before its effect and after it. It is given up as early as without, but
// for a try, and never before.
func TestDoubtFaults(t *testing.T) {
	for _, verdict := range []ledgertest.Verdict{ledgertest.Fail, ledgertest.FailAfter} {
		for nth := 1; ; nth++ {
			d := newDoubting(t)
			calls, met := 0, false
			d.fault = func() ledgertest.Verdict {
				if calls++; calls == nth {
					met = true
					return verdict
				}
				return ledgertest.Pass
			}
			began := d.clock
			passed := 0
			for run := 1; run <= 7; run++ {
				d.process().Run(t.Context())
				fault := d.fault
				d.fault = func() ledgertest.Verdict { return ledgertest.Pass }
				if d.has(d.all[30:]) == 20 && passed == 0 {
					passed = run
				}
				d.fault = fault
				d.clock = d.clock.Add(2 * time.Hour)
			}
			if !met {
				if nth < 30 {
					t.Errorf("only %d calls", nth)
				}
				break
			}
			d.fault = func() ledgertest.Verdict { return ledgertest.Pass }
			r := must(d.process().Run(t.Context()))
			if passed < 5 || passed > 6 || len(r.GivenUp) != 1 || r.GivenUp[0].Tries < 5 || r.GivenUp[0].Time.Sub(began) < 6*time.Hour || d.setAside() != 10 || !d.passed() {
				t.Errorf("call %d, %v: passed with run %d; given up %+v; %d set aside", nth, verdict, passed, r.GivenUp, d.setAside())
			}
		}
	}
}

// TestDoubtHistories: processes that end at any call, two at once, a clock that goes
// on by chance. Nothing is given up before its time or without its tries, each page
// that is in doubt for good is given up once, and everything else comes.
func TestDoubtHistories(t *testing.T) {
	for seed := range uint64(40) {
		d := newDoubting(t)
		rnd := rand.New(rand.NewPCG(seed, 11))
		hopeless := map[string]bool{}
		for i := range 5 {
			hopeless[fmt.Sprint("p", i)] = rnd.IntN(3) == 0
		}
		d.doubter.holds = func(tag string) bool { return hopeless[tag] || rnd.IntN(4) == 0 }
		d.fault = func() ledgertest.Verdict {
			return []ledgertest.Verdict{ledgertest.Pass, ledgertest.Pass, ledgertest.Pass, ledgertest.Pass, ledgertest.Pass, ledgertest.Pass, ledgertest.Fail, ledgertest.FailAfter}[rnd.IntN(8)]
		}
		other := false
		d.server.fail = func(federation.Place) error {
			if !other && rnd.IntN(10) == 0 { // another process, at the same time
				other = true
				d.process().Run(t.Context())
				other = false
			}
			return nil
		}
		pull := d.process()
		for range 200 {
			if rnd.IntN(2) == 0 {
				pull = d.process()
			}
			pull.Run(t.Context())
			d.clock = d.clock.Add(time.Duration(rnd.IntN(120)) * time.Minute)
		}
		d.fault = func() ledgertest.Verdict { return ledgertest.Pass }
		d.server.fail = nil
		r, err := d.process().Run(t.Context())
		if err != nil {
			t.Fatalf("seed %d: held up for ever: %v", seed, err)
		}
		given := map[string]bool{}
		for _, g := range r.GivenUp {
			if given[g.Page] || g.Tries < 5 || g.Time.Sub(g.Since) < 6*time.Hour || g.Keys != 10 {
				t.Errorf("seed %d: %+v", seed, g)
			}
			given[g.Page] = true
		}
		for i := range 5 {
			tag := fmt.Sprint("p", i)
			if hopeless[tag] && !given[tag] {
				t.Errorf("seed %d: page %s was not given up: %v", seed, tag, r.GivenUp)
			}
			if has := d.has(d.all[10*i : 10*i+10]); (has == 0) != given[tag] || has%10 != 0 {
				t.Errorf("seed %d: page %s, given up %t: has %d of 10", seed, tag, given[tag], has)
			}
		}
		if d.setAside() != 10*len(given) {
			t.Errorf("seed %d: %d keys set aside, %d pages given up", seed, d.setAside(), len(given))
		}
	}
}

// TestDoubtOfWhatIsReadAgain: a page that was stored, and for which nobody vouches when
// it is read once more, holds nothing up for ever; its keys stay.
func TestDoubtOfWhatIsReadAgain(t *testing.T) {
	for name, c := range map[string]struct {
		opts  federation.PullOptions
		after time.Duration
	}{
		"settling": {federation.PullOptions{Silence: -1}, time.Hour},
		"probing":  {federation.PullOptions{Settle: -1}, 7 * time.Hour},
	} {
		d := newDoubting(t)
		d.opts = c.opts
		d.doubter.holds = func(string) bool { return false }
		must(d.process().Run(t.Context()))
		d.clock = d.clock.Add(c.after)
		d.doubter.holds = func(tag string) bool { return tag == "p2" }
		fails := 0
		for range 6 {
			if _, err := d.process().Run(t.Context()); err != nil {
				fails++
			}
			d.clock = d.clock.Add(2 * time.Hour)
		}
		if fails != 4 || d.has(d.all) != 50 {
			t.Errorf("%s: %d runs failed, has %d of 50", name, fails, d.has(d.all))
		}
	}
}

// TestDoubtIsBounded in its register, whatever tags a server gives, and refused where
// its page could not be stored.
func TestDoubtIsBounded(t *testing.T) {
	d := newDoubting(t)
	d.opts.Patience = 1
	d.doubter.holds = func(string) bool { return true }
	for i := range 60 {
		d.server.add(d.clock, strings.Repeat("<", 1020)+fmt.Sprint(i), d.foreign(1)...)
	}
	for range 65 * 5 {
		if _, err := d.process().Run(t.Context()); err != nil && !errors.Is(err, errNoAudit) {
			t.Fatal(err)
		}
		d.clock = d.clock.Add(time.Second)
	}
	r := must(d.process().Run(t.Context()))
	if len(r.GivenUp) != 30 || d.setAside() != 110 {
		t.Errorf("%d given up, %d keys set aside", len(r.GivenUp), d.setAside())
	}
	found := must(d.ledger.Registers(t.Context(), "federation/hub/pull"))
	if n := len(found[0].Value); n > 48<<10 {
		t.Errorf("a register of %d bytes", n)
	}
	for _, tag := range []string{"", strings.Repeat("x", federation.MaxTag+1), "\xff"} {
		d := newDoubting(t)
		d.server.pages[0].Tag = tag
		d.doubter.holds = func(string) bool { return true }
		for range 9 {
			if r, err := d.process().Run(t.Context()); !errors.Is(err, federation.ErrUnavailable) || errors.Is(err, errNoAudit) || len(r.GivenUp) > 0 {
				t.Errorf("a tag of %d bytes: %v", len(tag), err)
			}
			d.clock = d.clock.Add(6 * time.Hour)
		}
	}
}

// TestDoubtAndOlderVersions: a cursor that was written before there were doubts is
// read as it was.
func TestDoubtAndOlderVersions(t *testing.T) {
	d := newDoubting(t)
	const old = `{"at":{"day":"2026-03-01","tag":"p1"},"settled":{"day":"2026-03-01","tag":"p1"},"found":"2026-03-01T08:00:00Z","heard":"2026-03-01T08:00:00Z","worked":"2026-03-01T08:00:00Z","ended":"2026-03-01T08:00:00Z"}`
	var value map[string]any
	if err := json.Unmarshal([]byte(old), &value); err != nil {
		t.Fatal(err)
	}
	if err := d.ledger.Swap(t.Context(), ledger.NewNonce(), ledger.Swap{Name: "federation/hub/pull", Value: []byte(old)}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.process().Run(t.Context()); err == nil || !strings.Contains(err.Error(), "page p2, try 1:") {
		t.Errorf("got %v", err)
	}
	if places := d.server.asked; len(places) != 1 || places[0].Tag != "p1" {
		t.Errorf("asked for %v", places)
	}
	found := must(d.ledger.Registers(t.Context(), "federation/hub/pull"))
	var now map[string]any
	if err := json.Unmarshal(found[0].Value, &now); err != nil {
		t.Fatal(err)
	}
	delete(now, "doubts")
	if fmt.Sprint(now) != fmt.Sprint(value) {
		t.Errorf("besides the doubt, %v became %v", value, now)
	}
}

// TestDoubtIsOvertaken: of two processes that try at once, one counts.
func TestDoubtIsOvertaken(t *testing.T) {
	d := newDoubting(t)
	d.process().Run(t.Context())
	inside := false
	d.server.fail = func(at federation.Place) error {
		if at.Tag == "p1" && !inside {
			inside = true
			if _, err := d.process().Run(t.Context()); !errors.Is(err, errNoAudit) {
				t.Errorf("the first: %v", err)
			}
		}
		return nil
	}
	if _, err := d.process().Run(t.Context()); !errors.Is(err, federation.ErrOvertaken) {
		t.Errorf("the second: %v", err)
	}
	if _, err := d.process().Run(t.Context()); err == nil || !strings.Contains(err.Error(), ", try 3:") {
		t.Errorf("got %v", err)
	}
}

// TestDoubtAndPauses: what a server asks is heard from a doubt, too, and a page is
// given up all the same.
func TestDoubtAndPauses(t *testing.T) {
	d := newDoubting(t)
	slow := pausing{d.doubter}
	for i := range 6 {
		r, err := must(federation.NewPull(d.ledger, "hub", slow, &d.opts)).Run(t.Context())
		if r.RetryAfter != time.Minute || (err == nil) != (i == 5) {
			t.Errorf("try %d: pause %s, %v", i, r.RetryAfter, err)
		}
		if i == 5 && (!r.More || len(r.GivenUp) != 1) {
			t.Errorf("got %+v", r)
		}
		d.clock = d.clock.Add(6 * time.Hour / 5)
	}
	if !slices.Contains(d.server.asked, federation.Place{Day: federation.DayOf(epoch), Tag: "p1"}) {
		t.Errorf("asked for %v", d.server.asked)
	}
}

type pausing struct{ *doubter }

func (p pausing) Download(ctx context.Context, at federation.Place) (*federation.Page, error) {
	page, err := p.doubter.Download(ctx, at)
	if e, ok := errors.AsType[*federation.DoubtError](err); ok {
		e.Err = later{e.Err, time.Minute}
	}
	return page, err
}
