package federation_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

var ruleChanges = flag.Int("federation.changes", 1000, "changes of rules, with a cut each")

// server is the far side of a push: it keeps what it is sent, and answers as it is
// told to.
type server struct {
	batches []*federation.Batch // stored
	tried   []*federation.Batch
	answer  func(b *federation.Batch) (*federation.Answer, error)
	origins keys.Set[keys.Region]
}

func (s *server) Upload(_ context.Context, b *federation.Batch) (*federation.Answer, error) {
	b = &federation.Batch{Tag: b.Tag, Time: b.Time, Keys: slices.Clone(b.Keys)}
	s.tried = append(s.tried, b)
	a, err := &federation.Answer{Inserted: len(b.Keys)}, error(nil)
	if s.answer != nil {
		a, err = s.answer(b)
	}
	if err == nil && len(a.Known)+len(a.Refused) == 0 {
		s.batches = append(s.batches, b)
	}
	return a, err
}

func (s *server) Origins() keys.Set[keys.Region] { return s.origins }

// keys returns how often each key was stored.
func (s *server) keys() map[ledger.UnitID]int {
	n := map[ledger.UnitID]int{}
	for _, b := range s.batches {
		for i := range b.Keys {
			n[ledger.IDOf(&b.Keys[i])]++
		}
	}
	return n
}

// tags returns the tags that were tried, in order.
func (s *server) tags() (tags []string) {
	for _, b := range s.tried {
		tags = append(tags, b.Tag)
	}
	return tags
}

// pusher is a back end that pushes to a server.
type pusher struct {
	*site
	server *server
	rules  federation.Rules
	opts   *federation.PushOptions
}

func newPusher(t *testing.T) *pusher {
	p := &pusher{site: newNetwork(t, 8).nation("de", de), server: &server{origins: keys.All[keys.Region]()},
		rules: federation.Export(), opts: &federation.PushOptions{FromBeginning: true, MaxBatch: 10}}
	p.rules.Withdrawals = true
	return p
}

func (p *pusher) try() (*federation.PushReport, error) {
	p.t.Helper()
	return must(federation.NewPush(p.ledger, "hub", p.server, p.rules, p.opts)).Run(p.t.Context())
}

func (p *pusher) run() *federation.PushReport {
	p.t.Helper()
	r, err := p.try()
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// cut makes the next cut.
func (p *pusher) cut() {
	p.t.Helper()
	p.clock = p.clock.Add(time.Hour)
	if r := must(p.ledger.Release(p.t.Context(), nil)); r == nil {
		p.t.Fatal("no cut")
	}
}

// expect holds what the server has against units, each of which it must have once.
func (p *pusher) expect(units []ledger.UnitID) {
	p.t.Helper()
	got := p.server.keys()
	for _, u := range units {
		if got[u] != 1 {
			p.t.Errorf("a key was stored %d times", got[u])
		}
	}
	if len(got) != len(units) {
		p.t.Errorf("%d keys were stored, want %d", len(got), len(units))
	}
}

func TestPushSendsOnce(t *testing.T) {
	p := newPusher(t)
	first := p.submit(3)
	p.cut()
	if r := p.run(); r.Keys != len(first) || r.New != len(first) || r.Ranges != 1 {
		t.Errorf("got %+v", r)
	}
	if r := p.run(); r.Batches != 0 {
		t.Errorf("sent again: %+v", r)
	}
	second := p.submit(1)
	p.cut()
	p.cut() // with nothing
	p.run()
	p.expect(slices.Concat(first, second))
	for _, b := range p.server.batches {
		if len(b.Keys) > 10 || len(b.Tag) != 36 {
			t.Errorf("batch %q of %d keys", b.Tag, len(b.Keys))
		}
	}
}

// TestPushSaysWhetherThereIsMore: a limit ended the run.
func TestPushSaysWhetherThereIsMore(t *testing.T) {
	p := newPusher(t)
	if r := p.run(); r.More {
		t.Error("there is more, before anything")
	}
	units := p.submit(3)
	p.cut()
	p.opts.MaxBatch, p.opts.MaxBatches = 1, 2
	runs := 0
	for more := true; more; runs++ {
		more = p.run().More
	}
	if want := len(units)/2 + 1; runs != want {
		t.Errorf("%d runs, want %d", runs, want)
	}
	p.expect(units)
	p.submit(1)
	p.cut()
	p.opts.Budget = 1
	if r := p.run(); !r.More || r.Batches > 1 {
		t.Errorf("without time: got %+v", r)
	}
}

// TestPushForgetsRules: what ranges went by does not pile up in registers.
func TestPushForgetsRules(t *testing.T) {
	p := newPusher(t)
	for i := range *ruleChanges {
		if i%20 == 0 {
			p.submit(1)
		}
		p.rules.Defaults.DaysSinceOnset = federation.DefaultTo(keys.DaysSinceOnset(i % 15))
		p.rules.Interest = keys.Only(de, must(keys.ParseRegion(fmt.Sprintf("%c%c", 'A'+i/26%26, 'A'+i%26))))
		p.cut()
		p.run()
	}
	registers := must(p.ledger.Registers(t.Context(), "federation/"))
	total := 0
	for _, r := range registers {
		total += len(r.Value)
	}
	if len(registers) > 40 || total > 64<<10 {
		t.Errorf("%d rules later there are %d registers of %d bytes together", *ruleChanges, len(registers), total)
	}
}

// TestPushCountsWhatIsNotNew: a server says how much of a batch was new to it, or
// nothing.
func TestPushCountsWhatIsNotNew(t *testing.T) {
	for _, c := range []struct{ inserted, isNew, notNew int }{{-1, 0, 0}, {0, 0, 10}, {7, 7, 3}, {10, 10, 0}} {
		p := newPusher(t)
		for n := 0; n < 10; {
			n += len(p.submit(1))
		}
		p.cut()
		p.opts.MaxBatches = 1
		p.server.answer = func(*federation.Batch) (*federation.Answer, error) {
			return &federation.Answer{Inserted: c.inserted}, nil
		}
		if r := p.run(); r.Keys != 10 || r.New != c.isNew || r.NotNew != c.notNew {
			t.Errorf("inserted %d of %d: %d new and %d not, want %d and %d", c.inserted, r.Keys, r.New, r.NotNew, c.isNew, c.notNew)
		}
	}
}

// TestPushLeavesAlone: whatever the error means, the server is not asked again in the
// run, and in the next with what it did not take in smaller parts.
func TestPushLeavesAlone(t *testing.T) {
	for _, class := range []error{federation.ErrThrottled, federation.ErrUnavailable, federation.ErrRefused} {
		p := newPusher(t)
		units := p.submit(2)
		p.cut()
		p.server.answer = func(*federation.Batch) (*federation.Answer, error) {
			return nil, later{class, 90 * time.Second}
		}
		r, err := p.try()
		if r.RetryAfter != 90*time.Second || len(p.server.tried) != 1 {
			t.Errorf("%v: asked %d times, and it reports %s", class, len(p.server.tried), r.RetryAfter)
		}
		if err == nil && !r.More {
			t.Errorf("%v: it says that there is no more", class)
		}
		first := p.server.tried[0]
		p.server.answer = nil
		p.run()
		if smaller := len(p.server.tried[1].Keys) < len(first.Keys); smaller != (class == federation.ErrRefused) {
			t.Errorf("%v: %d keys, then %d", class, len(first.Keys), len(p.server.tried[1].Keys))
		}
		p.expect(units)
	}
}

func TestPushBeginsNow(t *testing.T) {
	p := newPusher(t)
	p.opts.FromBeginning = false
	p.submit(2)
	p.cut()
	p.run()
	later := p.submit(1)
	p.cut()
	p.run()
	p.expect(later)
}

// TestPushIsToldWhatIsItsOwn: a server is not sent what it brought.
func TestPushSparesWhoBrought(t *testing.T) {
	p := newPusher(t)
	p.rules = federation.Relay()
	bring := func(source ledger.Source, n int) (units []ledger.UnitID) {
		up := p.gen.Upload(p.clock)
		for i := range up.Keys {
			up.Keys[i].Origin, up.Keys[i].ConsentToFederate = fr, keys.ConsentUnstated
			units = append(units, ledger.IDOf(&up.Keys[i]))
		}
		p.nth++
		must(p.ledger.Accept(t.Context(), &ledger.Delivery{Source: source, Uploads: []ledger.Upload{{ID: fmt.Sprint("u", p.nth), Keys: up.Keys}}}))
		return units
	}
	bring("hub", 1)
	others := bring("hub-b", 1)
	own := p.submit(1)
	p.cut()
	r := p.run()
	p.expect(slices.Concat(others, own))
	if r.LeftOut["brought-by-partner"] == 0 {
		t.Errorf("left out %v", r.LeftOut)
	}
	p.rules = federation.Export() // and a gateway that is none relays nothing more
	bring("hub-b", 1)
	p.cut()
	if r := p.run(); r.Keys != 0 || r.LeftOut["source"] == 0 {
		t.Errorf("got %+v", r)
	}
}

// TestPushSendsEveryOrigin: a key that two origins claim is two units, whichever was
// released first.
func TestPushSendsEveryOrigin(t *testing.T) {
	p := newPusher(t)
	p.rules = federation.Relay()
	k := p.gen.Upload(p.clock).Keys[0]
	var units []ledger.UnitID
	for i, origin := range []keys.Region{it, fr} {
		k.Origin, k.ConsentToFederate = origin, keys.ConsentUnstated
		units = append(units, ledger.IDOf(&k))
		must(p.ledger.Accept(t.Context(), &ledger.Delivery{Source: "hub-b", Uploads: []ledger.Upload{{ID: fmt.Sprint("u", i), Keys: []keys.DiagnosisKey{k}}}}))
		p.cut()
	}
	p.run()
	p.expect(units)
}

func TestPushLeavesOut(t *testing.T) {
	p := newPusher(t)
	up := p.gen.Upload(p.clock).Keys[:6]
	for i := range up {
		up[i].ConsentToFederate, up[i].ReportType, up[i].TestType = keys.ConsentGiven, keys.Some(keys.ReportConfirmedTest), keys.TestLab
		up[i].VisitedCountries = must(keys.RegionsOf(it))
	}
	up[0].ConsentToFederate = keys.ConsentRefused
	up[1].ReportType = keys.Some(keys.ReportSelfReport)
	up[2].TestType = keys.TestRapidSelfReported
	up[3].VisitedCountries = keys.Regions{}
	must(p.ledger.Accept(t.Context(), &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: "u", Keys: up}}}))
	p.cut()
	p.rules.ReportTypes = keys.Only(keys.ReportConfirmedTest)
	p.rules.TestTypes = keys.Only(keys.TestLab)
	p.rules.Interest = keys.Only(it)
	p.rules.Defaults.TransmissionRiskLevel = federation.Always(keys.TransmissionRiskLevel(0))
	r := p.run()
	p.expect([]ledger.UnitID{ledger.IDOf(&up[4]), ledger.IDOf(&up[5])})
	if want := map[string]int{"no-consent": 1, "report-type": 1, "test-type": 1, "interest": 1}; fmt.Sprint(r.LeftOut) != fmt.Sprint(want) {
		t.Errorf("left out %v, want %v", r.LeftOut, want)
	}
	for _, k := range p.server.batches[0].Keys {
		if k.TransmissionRiskLevel != keys.Some(keys.TransmissionRiskLevel(0)) {
			t.Errorf("sent with risk %v", k.TransmissionRiskLevel)
		}
	}
}

// TestPushOnlyWhatCredentialsAllow: a server that derives the origin from the
// credentials would file others' keys under it.
func TestPushOnlyWhatCredentialsAllow(t *testing.T) {
	p := newPusher(t)
	p.rules = federation.Relay()
	p.server.origins = keys.Only(de)
	k := p.gen.Upload(p.clock).Keys[0]
	k.Origin, k.ConsentToFederate = fr, keys.ConsentGiven
	must(p.ledger.Accept(t.Context(), &ledger.Delivery{Source: "hub-b", Uploads: []ledger.Upload{{ID: "u", Keys: []keys.DiagnosisKey{k}}}}))
	own := p.submit(1)
	p.cut()
	if r := p.run(); r.LeftOut["credentials"] != 1 {
		t.Errorf("left out %v", r.LeftOut)
	}
	p.expect(own)
}

func TestPushWithdrawals(t *testing.T) {
	for _, takes := range []bool{true, false} {
		p := newPusher(t)
		p.rules.Withdrawals = takes
		units := p.submit(2)
		p.cut()
		p.run()
		unsent := p.submit(1)
		must(p.ledger.Withdraw(t.Context(), units[0], unsent[0]))
		p.cut()
		r := p.run()
		if takes && (r.Withdrawals != 1 || r.Untold != 0) || !takes && (r.Withdrawals != 0 || r.Untold != 1) {
			t.Errorf("takes %t: got %+v", takes, r)
		}
		for _, b := range p.server.batches {
			for i := range b.Keys {
				if u := ledger.IDOf(&b.Keys[i]); u == unsent[0] {
					t.Error("a key that was withdrawn before it left has left")
				}
			}
		}
	}
}

// TestPushHalves: a batch is refused whole for one key (lesson D2).
func TestPushHalves(t *testing.T) {
	p := newPusher(t)
	units := p.submit(3)
	p.cut()
	bad := units[7]
	p.server.answer = func(b *federation.Batch) (*federation.Answer, error) {
		if slices.ContainsFunc(b.Keys, func(k keys.DiagnosisKey) bool { return ledger.IDOf(&k) == bad }) {
			return nil, fmt.Errorf("%w: 400", federation.ErrRefused)
		}
		return &federation.Answer{Inserted: -1}, nil
	}
	r := p.run()
	p.expect(slices.DeleteFunc(units, func(u ledger.UnitID) bool { return u == bad }))
	if r.Refused[de] != 1 || r.New != 0 {
		t.Errorf("got %+v", r)
	}
	if r := p.run(); r.Batches != 0 {
		t.Errorf("sent again: %+v", r)
	}
	must(p.ledger.Withdraw(t.Context(), bad)) // it never had it
	p.cut()
	if r := p.run(); r.Batches != 0 {
		t.Errorf("told of the withdrawal of a key that it refused")
	}
	p.checkSink(map[ledger.Term]int64{ledger.TermSent: int64(len(p.server.keys())), ledger.TermNotForSink: 1})
}

// TestPushIsNotStoredInPart: the European gateway's 207 means that nothing was
// stored; three of six clients lost keys over it (lesson E1).
func TestPushIsNotStoredInPart(t *testing.T) {
	p := newPusher(t)
	units := p.submit(2)
	p.cut()
	known, bad := units[3], units[12]
	p.server.answer = func(b *federation.Batch) (*federation.Answer, error) {
		a := &federation.Answer{Inserted: -1}
		for i := range b.Keys {
			switch ledger.IDOf(&b.Keys[i]) {
			case known:
				a.Known = append(a.Known, i)
			case bad:
				a.Refused = append(a.Refused, i)
			}
		}
		return a, nil
	}
	r := p.run()
	if r.Known != 1 || r.Refused[de] != 1 {
		t.Errorf("got %+v", r)
	}
	p.expect(slices.DeleteFunc(slices.Clone(units), func(u ledger.UnitID) bool { return u == bad || u == known }))
	p.checkSink(map[ledger.Term]int64{ledger.TermSent: int64(len(units) - 1), ledger.TermNotForSink: 1})
}

func TestPushDoesNotTrustTheAnswer(t *testing.T) {
	p := newPusher(t)
	units := p.submit(1)
	p.cut()
	for name, answer := range map[string]func(keys int) *federation.Answer{
		"before the first":             func(int) *federation.Answer { return &federation.Answer{Known: []int{-1}} },
		"known, just after the last":   func(n int) *federation.Answer { return &federation.Answer{Known: []int{n}} },
		"refused, just after the last": func(n int) *federation.Answer { return &federation.Answer{Refused: []int{n}} },
		"far after it":                 func(int) *federation.Answer { return &federation.Answer{Refused: []int{99}} },
	} {
		p.server.answer = func(b *federation.Batch) (*federation.Answer, error) { return answer(len(b.Keys)), nil }
		if _, err := p.try(); !errors.Is(err, federation.ErrUnavailable) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	p.server.answer = nil
	p.run()
	p.expect(units)
}

// refuses has the server refuse whatever holds one of these units.
func (p *pusher) refuses(units ...ledger.UnitID) {
	p.server.answer = func(b *federation.Batch) (*federation.Answer, error) {
		if slices.ContainsFunc(b.Keys, func(k keys.DiagnosisKey) bool { return slices.Contains(units, ledger.IDOf(&k)) }) {
			return nil, fmt.Errorf("%w: 400", federation.ErrRefused)
		}
		return &federation.Answer{Inserted: len(b.Keys)}, nil
	}
}

// TestPushStopsWhereAllIsRefused: then it is not about keys, and none is to be lost
// over it, however few they are. The European gateway answers an upload that is signed
// by a certificate that it does not know as it answers one with a key that is too old,
// and a gateway that fails at a single key may be one that fails at all.
func TestPushStopsWhereAllIsRefused(t *testing.T) {
	one := func(b *federation.Batch) (*federation.Answer, error) {
		if len(b.Keys) > 1 {
			return nil, federation.ErrUnavailable
		}
		return &federation.Answer{Refused: []int{0}, Inserted: -1}, nil
	}
	all := func(*federation.Batch) (*federation.Answer, error) { return nil, federation.ErrRefused }
	for _, tt := range []struct {
		name     string
		uploads  int
		answer   func(*federation.Batch) (*federation.Answer, error)
		maxBatch int
		batches  int // in a run
	}{
		{name: "more than may be refused", uploads: 100, answer: all, maxBatch: 1000},
		{name: "an upload", uploads: 1, answer: all, maxBatch: 1000},
		{name: "an upload, over runs that a limit ends", uploads: 1, answer: all, maxBatch: 1000, batches: 2},
		{name: "a batch for each key", uploads: 1, answer: all, maxBatch: 1},
		{name: "one by one, by their places", uploads: 1, answer: one, maxBatch: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPusher(t)
			p.opts = &federation.PushOptions{FromBeginning: true, MaxBatch: tt.maxBatch, MaxBatches: tt.batches}
			units := p.submit(tt.uploads)
			p.cut()
			p.server.answer = tt.answer
			for range 3 {
				report, err := p.try()
				for err == nil && report.More && report.RetryAfter == 0 {
					report, err = p.try()
				}
				if !errors.Is(err, federation.ErrRefused) || len(report.Refused) > 0 || report.RetryAfter == 0 {
					t.Fatalf("%v is set aside, left alone for %s: %v", report.Refused, report.RetryAfter, err)
				}
				units = append(units, p.submit(1)...)
				p.cut()
			}
			p.checkSink(map[ledger.Term]int64{ledger.TermDue: int64(len(units))})
			p.server.answer = nil
			for p.run().More {
			}
			p.expect(units)
			p.checkSink(map[ledger.Term]int64{ledger.TermSent: int64(len(units))})
		})
	}
}

// TestPushGoesOnBesideBadKeys: bad keys that stand alone in their range are refused again
// and again, until the server takes another beside them. They delay none.
func TestPushGoesOnBesideBadKeys(t *testing.T) {
	p := newPusher(t)
	bad := p.submit(1)
	p.refuses(bad...)
	p.cut()
	for range 3 {
		if _, err := p.try(); !errors.Is(err, federation.ErrRefused) {
			t.Fatalf("got %v", err)
		}
		p.cut()
	}
	good := p.submit(1)
	p.cut()
	if r := p.run(); r.Refused[de] != len(bad) || r.Keys != len(good) || len(r.Warnings) != 1 {
		t.Errorf("got %+v", r)
	}
	p.expect(good)
	p.checkSink(map[ledger.Term]int64{ledger.TermSent: int64(len(good)), ledger.TermNotForSink: int64(len(bad))})
	p.cut()
	if r := p.run(); r.Batches != 0 {
		t.Errorf("sent again: %+v", r)
	}
}

// TestPushTakesBackInOneStep: where a run of which nothing was taken ends, whatever
// fails, nothing is lost and nothing sent twice.
func TestPushTakesBackInOneStep(t *testing.T) {
	for nth := range 40 {
		for _, verdict := range []ledgertest.Verdict{ledgertest.Fail, ledgertest.FailAfter} {
			p := newPusher(t)
			units := p.submit(1)
			p.cut()
			p.server.answer = func(*federation.Batch) (*federation.Answer, error) { return nil, federation.ErrRefused }
			calls := 0
			p.fault = func() ledgertest.Verdict {
				if calls++; calls == nth {
					return verdict
				}
				return ledgertest.Pass
			}
			p.try()
			p.fault = func() ledgertest.Verdict { return ledgertest.Pass }
			p.try()
			units = append(units, p.submit(1)...)
			p.cut()
			p.server.answer = nil
			if r := p.run(); len(r.Refused) > 0 {
				t.Errorf("call %d: %v is set aside", nth, r.Refused)
			}
			p.expect(units)
		}
	}
}

// TestPushDoesNotHalveForOtherReasons: credentials and load say nothing of keys.
func TestPushDoesNotHalveForOtherReasons(t *testing.T) {
	for _, class := range []error{federation.ErrDenied, federation.ErrThrottled, federation.ErrUnavailable} {
		p := newPusher(t)
		units := p.submit(2)
		p.cut()
		p.server.answer = func(*federation.Batch) (*federation.Answer, error) { return nil, class }
		for range 3 {
			if _, err := p.try(); !errors.Is(err, class) {
				t.Errorf("got %v, want %v", err, class)
			}
		}
		if tags := slices.Compact(p.server.tags()); len(tags) != 1 || len(p.server.tried[0].Keys) != 10 {
			t.Errorf("%v: tried as %v", class, tags)
		}
		p.server.answer = nil
		p.run()
		p.expect(units)
	}
}

// TestPushRepeatsTheSame: whatever changes between the tries (limits, rules, the
// ledger's keys), what was recorded is sent under its tags (invariant 6).
func TestPushRepeatsTheSame(t *testing.T) {
	p := newPusher(t)
	units := p.submit(4)
	p.cut()
	lost := true
	p.server.answer = func(*federation.Batch) (*federation.Answer, error) {
		if lost = !lost; lost {
			return &federation.Answer{}, nil
		}
		return nil, federation.ErrUnavailable // it has it, and the answer is lost
	}
	for i := range 40 {
		p.try()
		p.opts = &federation.PushOptions{FromBeginning: i%2 == 0, MaxBatch: 3 + i, MaxRange: 1, MaxBatches: 1 + i%4}
		p.rules.Defaults.TransmissionRiskLevel = federation.Always(keys.TransmissionRiskLevel(i % 8))
		p.rules.Interest = keys.Only(fr)
		must(p.ledger.Withdraw(t.Context(), units[i%len(units)]))
		p.cut()
	}
	content := map[string]string{}
	for _, b := range p.server.tried {
		c := fmt.Sprintf("%x", plain(b.Keys))
		if before, ok := content[b.Tag]; ok && before != c {
			t.Errorf("tag %s was sent with two contents", b.Tag)
		}
		content[b.Tag] = c
	}
	byContent := map[string]string{}
	for tag, c := range content {
		if other, ok := byContent[c]; ok {
			t.Errorf("one content was sent under %s and %s", tag, other)
		}
		byContent[c] = tag
	}
	got := p.server.keys()
	for _, u := range units {
		if got[u] == 0 {
			t.Error("a key was never stored")
		}
	}
}

// TestPushFaults has every call of the store and on the wire fail once, before its
// effect and after it.
func TestPushFaults(t *testing.T) {
	for _, verdict := range []ledgertest.Verdict{ledgertest.Fail, ledgertest.FailAfter} {
		for nth := 1; ; nth++ {
			p := newPusher(t)
			units := p.submit(2)
			p.cut()
			calls, met := 0, false
			p.fault = func() ledgertest.Verdict {
				if calls++; calls == nth {
					met = true
					return verdict
				}
				return ledgertest.Pass
			}
			p.try()
			p.fault = func() ledgertest.Verdict { return ledgertest.Pass }
			for range 2 {
				p.run()
			}
			got := p.server.keys()
			for _, u := range units {
				if got[u] == 0 {
					t.Errorf("call %d, %v: a key is missing", nth, verdict)
				}
			}
			tags := map[ledger.UnitID]string{}
			for _, b := range p.server.tried {
				for i := range b.Keys {
					u := ledger.IDOf(&b.Keys[i])
					if tag, ok := tags[u]; ok && tag != b.Tag {
						t.Errorf("call %d, %v: a key was sent under two tags", nth, verdict)
					}
					tags[u] = b.Tag
				}
			}
			if !met {
				if nth < 15 {
					t.Errorf("only %d calls", nth)
				}
				break
			}
		}
	}
}

// TestPushesAtOnce: two processes push the same instance.
func TestPushesAtOnce(t *testing.T) {
	for nth := 1; nth < 30; nth++ {
		p := newPusher(t)
		units := p.submit(2)
		p.cut()
		calls := 0
		p.fault = func() ledgertest.Verdict {
			if calls++; calls == nth {
				p.run()
			}
			return ledgertest.Pass
		}
		if _, err := p.try(); err != nil && !errors.Is(err, federation.ErrOvertaken) {
			t.Errorf("call %d: %v", nth, err)
		}
		p.run()
		content := map[string]int{}
		for _, b := range p.server.tried {
			content[b.Tag] = len(b.Keys)
		}
		total := 0
		for _, n := range content {
			total += n
		}
		if total != len(units) {
			t.Errorf("call %d: %d keys under %d tags, want %d", nth, total, len(content), len(units))
		}
	}
}

func TestPushExpires(t *testing.T) {
	p := newPusher(t)
	p.submit(2)
	p.cut()
	p.server.answer = func(*federation.Batch) (*federation.Answer, error) { return nil, federation.ErrUnavailable }
	p.try()
	for range 16 { // a partner that is dead for longer than the prune age blocks nothing
		p.clock = p.clock.Add(24 * time.Hour)
		must(p.ledger.Release(t.Context(), nil))
	}
	if r := must(p.ledger.Prune(t.Context())); r.Removed == 0 || len(r.Expired) != 1 {
		t.Fatalf("got %+v", r)
	}
	p.server.answer = nil
	later := p.submit(1)
	p.cut()
	r := p.run()
	if len(r.Warnings) == 0 {
		t.Errorf("keys were lost, and it says nothing: %+v", r)
	}
	p.expect(later)
	if r := p.run(); len(r.Warnings) > 0 {
		t.Errorf("says it again: %v", r.Warnings)
	}
}

// TestPushHoldsTheFloor: what is still to be sent is not pruned.
func TestPushHoldsTheFloor(t *testing.T) {
	p := newPusher(t)
	p.run() // the instance begins
	units := p.submit(2)
	p.cut()
	p.clock = p.clock.Add(13 * 24 * time.Hour)
	must(p.ledger.Release(t.Context(), &ledger.ReleaseOptions{AllowGap: true}))
	must(p.ledger.Prune(t.Context()))
	p.run()
	p.expect(units)
}

// day has keys submitted that ended so many days ago, and makes the cut of the next
// day.
func (p *pusher) day(ages ...int) (units []ledger.UnitID) {
	p.t.Helper()
	all := p.gen.Keys(p.clock.Add(-3*time.Hour), len(ages))[:len(ages)]
	for i := range all {
		all[i] = aged(all[i], p.clock, ages[i])
		all[i].ConsentToFederate = keys.ConsentGiven
		units = append(units, ledger.IDOf(&all[i]))
	}
	p.nth++
	r := must(p.ledger.Accept(p.t.Context(), &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: fmt.Sprint("day-", p.nth), Keys: all}}}))
	if len(r.Rejected) > 0 {
		p.t.Fatal(r.Rejected[0].Field, r.Rejected[0].Reason)
	}
	p.clock = p.clock.Add(24 * time.Hour)
	must(p.ledger.Release(p.t.Context(), nil))
	return units
}

func unavailable(*federation.Batch) (*federation.Answer, error) {
	return nil, federation.ErrUnavailable
}

// TestPushHoldsTheFloorAfterQuiet: when nothing was released for longer than the
// prune age, what is released next is kept until it was sent. One old key that is
// pruned would take the whole cut with it.
func TestPushHoldsTheFloorAfterQuiet(t *testing.T) {
	p := newPusher(t)
	p.day(1)
	p.run()
	for range 16 {
		p.clock = p.clock.Add(24 * time.Hour)
		must(p.ledger.Release(t.Context(), nil))
		p.run()
	}
	p.server.batches, p.server.answer = nil, unavailable
	units := p.day(14, 1, 1)
	p.try()
	p.clock = p.clock.Add(24 * time.Hour)
	must(p.ledger.Release(t.Context(), nil))
	if r := must(p.ledger.Prune(t.Context())); len(r.Expired) > 0 {
		t.Errorf("%v ran a moment ago, and is taken for dead", r.Expired)
	}
	p.server.answer = nil
	p.run()
	p.expect(units)
}

// TestPushForgetsNothingThatIsLeft: what is old, and not sent, is not forgotten, as long
// as the ledger has it.
func TestPushForgetsNothingThatIsLeft(t *testing.T) {
	p := newPusher(t)
	units := p.submit(1)
	p.cut()
	p.opts.MaxBatch, p.opts.MaxBatches = 1, 1
	p.run()
	p.clock = p.clock.Add(16 * 24 * time.Hour)
	must(p.ledger.Release(t.Context(), &ledger.ReleaseOptions{AllowGap: true}))
	for range units {
		p.run()
	}
	p.expect(units)
}

// TestPushSendsNothingElse: a range that is not what was recorded is an error, and
// nothing of it is sent.
func TestPushSendsNothingElse(t *testing.T) {
	p := newPusher(t)
	p.submit(1)
	p.cut()
	p.silent()
	r := must(p.ledger.Registers(t.Context(), "federation/hub/range/"))[0]
	value := regexp.MustCompile(`"total":\d+`).ReplaceAll(r.Value, []byte(`"total":1000`))
	must(0, p.ledger.Swap(t.Context(), ledger.NewNonce(), ledger.Swap{Name: r.Name, Version: r.Version, Value: value}))
	if _, err := p.try(); err == nil || !strings.Contains(err.Error(), "was recorded with 1000") || len(p.server.batches) > 0 {
		t.Errorf("%d batches are sent, and the error is %v", len(p.server.batches), err)
	}
}

// TestPushKeepsWhatIsYoung: a partner that is dead for longer than the prune age
// loses what is older, and nothing else.
func TestPushKeepsWhatIsYoung(t *testing.T) {
	p := newPusher(t)
	p.run()
	p.server.answer = unavailable
	var units []ledger.UnitID
	for day := range 20 {
		today := p.day(14, 1)
		if day > 6 {
			units = append(units, today...)
		}
		p.try()
		must(p.ledger.Prune(t.Context()))
	}
	p.server.answer = nil
	p.run()
	got := p.server.keys()
	for i, u := range units {
		if got[u] != 1 {
			t.Errorf("key %d of %d was stored %d times", i, len(units), got[u])
		}
	}
	if len(got) == 40 {
		t.Error("a dead partner keeps everything from being pruned")
	}
}

// TestPushSendsWhatIsLeft: an instance that did not run for longer than the prune
// age sends the cuts that are still whole, and gives up the others. The ledger may
// be pruned while it runs.
func TestPushSendsWhatIsLeft(t *testing.T) {
	for nth := range 20 {
		p := newPusher(t)
		p.run()
		var whole []ledger.UnitID
		for day := range 20 {
			if day%2 == 0 {
				p.day(14, 1)
				continue
			}
			units := p.day(1)
			if day > 7 {
				whole = append(whole, units...)
			}
		}
		if nth == 0 {
			must(p.ledger.Prune(t.Context()))
		}
		calls := 0
		p.fault = func() ledgertest.Verdict {
			if calls++; calls == nth {
				p.healthy(func() { must(p.ledger.Prune(t.Context())) })
			}
			return ledgertest.Pass
		}
		r := p.run()
		p.fault = func() ledgertest.Verdict { return ledgertest.Pass }
		sent := p.server.keys()
		if nth == 0 {
			for _, u := range whole {
				if sent[u] != 1 {
					t.Errorf("a key of a cut that is whole was stored %d times", sent[u])
				}
			}
		}
		if len(sent) < 30 && len(r.Warnings) == 0 {
			t.Errorf("pruned at call %d: %d keys of 30 were sent, and it says nothing", nth, len(sent))
		}
		state := must(must(federation.NewPush(p.ledger, "hub", p.server, p.rules, p.opts)).Sink(t.Context()))
		stats := must(p.ledger.Stats(t.Context(), state))
		if got := stats.Sources[ledger.Own].Sinks["hub"][ledger.TermSent]; got > int64(len(sent)) {
			t.Errorf("pruned at call %d: the books say that %d keys were sent, and %d were", nth, got, len(sent))
		}
	}
}

// TestPushGoesOnAfterARefusedWithdrawal: the server has the key, and takes no
// withdrawal. A run that ends after it does not keep the next from going on.
func TestPushGoesOnAfterARefusedWithdrawal(t *testing.T) {
	p := newPusher(t)
	units := p.submit(1)
	p.cut()
	p.run()
	more := p.submit(3)
	must(p.ledger.Withdraw(t.Context(), units[0]))
	p.cut()
	p.server.answer = func(b *federation.Batch) (*federation.Answer, error) {
		for _, k := range b.Keys {
			if k.ReportType == keys.Some(keys.ReportRevoked) {
				return nil, federation.ErrRefused
			}
		}
		return &federation.Answer{Inserted: -1}, nil
	}
	p.opts.MaxBatches = 1
	for i := range 40 {
		if _, err := p.try(); err != nil {
			t.Fatalf("run %d: %v", i, err)
		}
	}
	got := p.server.keys()
	for _, u := range more {
		if got[u] != 1 {
			t.Errorf("stored %d times", got[u])
		}
	}
}

// TestPushWithdrawsWhatWasTakenOnce: a server that took a key and refused its
// revision is told of its withdrawal.
func TestPushWithdrawsWhatWasTakenOnce(t *testing.T) {
	p := newPusher(t)
	up := p.gen.Upload(p.clock)
	up.Keys = up.Keys[:1]
	k := &up.Keys[0]
	k.ConsentToFederate, k.ReportType = keys.ConsentGiven, keys.Some(keys.ReportSelfReport)
	must(p.ledger.Accept(t.Context(), &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: "a", Keys: up.Keys}}}))
	p.cut()
	p.cut()
	p.cut()
	p.run()
	k.ReportType = keys.Some(keys.ReportConfirmedTest)
	must(p.ledger.Accept(t.Context(), &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: "a", Keys: up.Keys}}}))
	beside := p.submit(1)
	p.cut()
	p.refuses(ledger.IDOf(k))
	if r := p.run(); r.Refused[de] != 1 {
		t.Fatalf("%+v", r)
	}
	p.server.answer = nil
	must(p.ledger.Withdraw(t.Context(), ledger.IDOf(k)))
	p.cut()
	if r := p.run(); r.Withdrawals != 1 {
		t.Errorf("the server has the key, and is not told of its withdrawal: %+v", r)
	}
	p.checkSink(map[ledger.Term]int64{ledger.TermSent: 1 + int64(len(beside))})
}

// TestPushIsNotStuckAtOthersWithdrawals: the credentials were exchanged for some that
// carry one origin alone. A withdrawal of a key of another is counted, and keeps
// nothing else from being sent.
func TestPushIsNotStuckAtOthersWithdrawals(t *testing.T) {
	p := newPusher(t)
	p.rules = federation.Relay()
	p.rules.Withdrawals = true
	k := p.gen.Upload(p.clock).Keys[0]
	k.Origin, k.ConsentToFederate = fr, keys.ConsentUnstated
	must(p.ledger.Accept(t.Context(), &ledger.Delivery{Source: "hub-b", Uploads: []ledger.Upload{{ID: "u", Keys: []keys.DiagnosisKey{k}}}}))
	p.cut()
	p.cut()
	p.cut()
	if r := p.run(); r.Keys != 1 {
		t.Fatalf("%+v", r)
	}
	p.server.origins = keys.Only(de)
	p.server.answer = func(b *federation.Batch) (*federation.Answer, error) {
		for _, k := range b.Keys {
			if k.Origin != de {
				return nil, federation.ErrDenied
			}
		}
		return &federation.Answer{}, nil
	}
	own := p.submit(1)
	must(p.ledger.Accept(t.Context(), &ledger.Delivery{Source: "hub-b", Withdrawals: []ledger.UnitID{ledger.IDOf(&k)}}))
	p.cut()
	r, err := p.try()
	if err != nil || r.Keys != len(own) || r.Untold != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestPushRepeatsWhatWasRecorded: the answer was lost, and before the next try a key
// was revised and the rules were changed. It is sent as it was, under its tag.
func TestPushRepeatsWhatWasRecorded(t *testing.T) {
	p := newPusher(t)
	k := p.gen.Keys(p.clock.Add(-3*time.Hour), 1)[0]
	k.ConsentToFederate, k.ReportType = keys.ConsentGiven, keys.Some(keys.ReportSelfReport)
	bring := func() {
		must(p.ledger.Accept(t.Context(), &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: "u", Keys: []keys.DiagnosisKey{k}}}}))
		p.cut()
	}
	bring()
	p.server.answer = unavailable
	p.try()
	k.ReportType = keys.Some(keys.ReportConfirmedTest)
	bring()
	p.rules.Defaults.TransmissionRiskLevel = federation.Always(keys.TransmissionRiskLevel(0))
	p.server.answer = nil
	p.run()
	tried := p.server.tried
	if len(tried) != 3 || tried[0].Tag != tried[1].Tag || tried[1].Tag == tried[2].Tag {
		t.Fatalf("sent under the tags %v", p.server.tags())
	}
	if first, again := plain(tried[0].Keys), plain(tried[1].Keys); !slices.Equal(first, again) {
		t.Error("the repeat has other content")
	}
	if got := tried[2].Keys[0].ReportType; got != k.ReportType {
		t.Errorf("the revision is sent as %v", got)
	}
}

// TestPushSaysARevisionOnce: that another source brings the key afterwards changes
// nothing of what a partner is told.
func TestPushSaysARevisionOnce(t *testing.T) {
	p := newPusher(t)
	k := p.gen.Keys(p.clock.Add(-3*time.Hour), 1)[0]
	k.ConsentToFederate = keys.ConsentGiven
	for i, report := range []keys.ReportType{keys.ReportSelfReport, keys.ReportConfirmedTest, keys.ReportConfirmedTest} {
		k.ReportType = keys.Some(report)
		source := ledger.Own
		if i == 2 {
			source = "hub-b"
		}
		r := must(p.ledger.Accept(t.Context(), &ledger.Delivery{Source: source, Uploads: []ledger.Upload{{ID: "u", Keys: []keys.DiagnosisKey{k}}}}))
		if r.Accepted+r.Revised != 1 {
			t.Fatalf("got %+v", r)
		}
		p.cut()
		if r := p.run(); r.Keys != min(1, 2-i) {
			t.Errorf("after claim %d: got %+v", i, r)
		}
	}
}

// TestPushRemembersThroughClockJumps: a clock that jumps ahead for a moment makes no
// cut, and has nothing forgotten of which a withdrawal may be owed.
func TestPushRemembersThroughClockJumps(t *testing.T) {
	p := newPusher(t)
	units := p.submit(1)
	p.cut()
	p.run()
	p.clock = p.clock.Add(40 * 24 * time.Hour)
	p.run()
	p.clock = p.clock.Add(-40 * 24 * time.Hour)
	must(p.ledger.Withdraw(t.Context(), units[0]))
	p.cut()
	if r := p.run(); r.Withdrawals != 1 {
		t.Errorf("got %+v, want one withdrawal", r)
	}
}

func TestPushKnowsItsLedger(t *testing.T) {
	p := newPusher(t)
	p.submit(1)
	p.cut()
	p.run()
	other := newPusher(t)
	other.submit(1)
	other.cut()
	registers := must(p.ledger.Registers(t.Context(), "federation/"))
	for _, r := range registers {
		if err := other.ledger.Swap(t.Context(), ledger.NewNonce(), ledger.Swap{Name: r.Name, Value: r.Value}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := other.try(); !errors.Is(err, ledger.ErrOtherLedger) || len(other.server.tried) > 0 {
		t.Errorf("got %v", err)
	}
}

// TestPushSendsNoPadding: what is made up is not sent, whatever else is said of it.
func TestPushSendsNoPadding(t *testing.T) {
	p := newPusher(t)
	phone := keys.FromPhone()
	phone.AllowPadding = true
	l := must(ledger.Open(t.Context(), p.store, &ledger.Options{FromPhone: &phone}))
	up := p.gen.Upload(p.clock).Keys[:2]
	for i := range up {
		up[i].ConsentToFederate = keys.ConsentGiven
	}
	up[0].Provenance = keys.Padding
	if r := must(l.Accept(t.Context(), &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: "u", Keys: up}}})); r.Accepted != 2 {
		t.Fatalf("accepted %+v", r)
	}
	p.cut()
	r := p.run()
	p.expect([]ledger.UnitID{ledger.IDOf(&up[1])})
	if want := map[string]int{"padding": 1}; fmt.Sprint(r.LeftOut) != fmt.Sprint(want) {
		t.Errorf("left out %v, want %v", r.LeftOut, want)
	}
}

func TestPushRefusesToUnmaskPadding(t *testing.T) {
	p := newPusher(t)
	p.policy.Padding = ledger.Padding{Echoes: 2}
	p.store = memledger.New(&memledger.Options{Clock: func() time.Time { return p.clock }})
	p.open()
	if _, err := federation.NewPush(p.ledger, "hub", p.server, federation.Export(), nil); err == nil || !strings.Contains(err.Error(), "AlongsideExport") {
		t.Errorf("got %v", err)
	}
	relayed := federation.Relay()
	relayed.Sources = keys.Only[ledger.Source]("hub-b")
	if _, err := federation.NewPush(p.ledger, "hub", p.server, relayed, nil); err != nil {
		t.Errorf("got %v", err)
	}
	p.policy.Padding.AlongsideExport = true
	p.store = memledger.New(&memledger.Options{Clock: func() time.Time { return p.clock }})
	p.open()
	units := p.submit(2)
	p.cut()
	p.run()
	p.expect(units) // and no echo (invariant 8)
}

func TestPushGoesOverWholeCuts(t *testing.T) {
	p := newPusher(t)
	p.opts = &federation.PushOptions{FromBeginning: true, MaxBatch: 1000, MaxRange: 40}
	var units []ledger.UnitID
	for range 5 {
		units = append(units, p.submit(2)...)
		p.cut()
	}
	r := p.run()
	p.expect(units)
	if r.Ranges < 3 || r.Ranges > 5 {
		t.Errorf("%d ranges of at most 40 numbers or one cut", r.Ranges)
	}
}

// checkSink holds what the books say of the push against what they should.
func (p *pusher) checkSink(want map[ledger.Term]int64) {
	p.t.Helper()
	sink := must(must(federation.NewPush(p.ledger, "hub", p.server, p.rules, p.opts)).Sink(p.t.Context()))
	stats := must(p.ledger.Stats(p.t.Context(), sink))
	if err := stats.Check(); err != nil {
		p.t.Error(err)
	}
	got := map[ledger.Term]int64{}
	for term, n := range stats.Sources[ledger.Own].Sinks["hub"] {
		if n != 0 {
			got[term] = n
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		p.t.Errorf("the books say %v, want %v", got, want)
	}
}

func TestPushSink(t *testing.T) {
	p := newPusher(t)
	sent := p.submit(1)
	p.cut()
	p.run()
	due := p.submit(1)
	early := p.submit(1)
	p.cut()
	must(p.ledger.Withdraw(t.Context(), early...))
	p.cut()
	p.checkSink(map[ledger.Term]int64{ledger.TermSent: int64(len(sent)), ledger.TermDue: int64(len(due)), ledger.TermWithdrawn: int64(len(early))})
	p.server.answer = func(*federation.Batch) (*federation.Answer, error) { return nil, federation.ErrUnavailable }
	p.try()
	p.checkSink(map[ledger.Term]int64{ledger.TermSent: int64(len(sent)), ledger.TermDue: int64(len(due)), ledger.TermWithdrawn: int64(len(early))})
	p.server.answer = nil
	p.run()
	p.checkSink(map[ledger.Term]int64{ledger.TermSent: int64(len(sent) + len(due)), ledger.TermWithdrawn: int64(len(early))})
}

func TestNewPushChecks(t *testing.T) {
	p := newPusher(t)
	for name, change := range map[string]func(name *ledger.Source, r *federation.Rules, o *federation.PushOptions, s *server){
		"not the name of a server": func(n *ledger.Source, _ *federation.Rules, _ *federation.PushOptions, _ *server) { *n = ledger.Own },
		"Sources": func(_ *ledger.Source, r *federation.Rules, _ *federation.PushOptions, _ *server) {
			r.Sources = keys.Set[ledger.Source]{}
		},
		"Origins": func(_ *ledger.Source, r *federation.Rules, _ *federation.PushOptions, _ *server) {
			r.Origins = keys.Set[keys.Region]{}
		},
		"Interest": func(_ *ledger.Source, r *federation.Rules, _ *federation.PushOptions, _ *server) {
			r.Interest = keys.Set[keys.Region]{}
		},
		"ReportTypes": func(_ *ledger.Source, r *federation.Rules, _ *federation.PushOptions, _ *server) {
			r.ReportTypes = keys.Set[keys.ReportType]{}
		},
		"TestTypes": func(_ *ledger.Source, r *federation.Rules, _ *federation.PushOptions, _ *server) {
			r.TestTypes = keys.Set[keys.TestType]{}
		},
		"TransmissionRisk": func(_ *ledger.Source, r *federation.Rules, _ *federation.PushOptions, _ *server) {
			r.Defaults.TransmissionRiskLevel = federation.DefaultTo(keys.TransmissionRiskLevel(9))
		},
		"MaxBatch":   func(_ *ledger.Source, _ *federation.Rules, o *federation.PushOptions, _ *server) { o.MaxBatch = 5001 },
		"MaxBatches": func(_ *ledger.Source, _ *federation.Rules, o *federation.PushOptions, _ *server) { o.MaxBatches = -1 },
		"Budget":     func(_ *ledger.Source, _ *federation.Rules, o *federation.PushOptions, _ *server) { o.Budget = -1 },
		"MaxRange":   func(_ *ledger.Source, _ *federation.Rules, o *federation.PushOptions, _ *server) { o.MaxRange = -1 },
		"credentials for no origin": func(_ *ledger.Source, _ *federation.Rules, _ *federation.PushOptions, s *server) {
			s.origins = keys.Set[keys.Region]{}
		},
	} {
		source, rules, opts, s := ledger.Source("hub"), federation.Export(), federation.PushOptions{}, server{origins: keys.All[keys.Region]()}
		change(&source, &rules, &opts, &s)
		if _, err := federation.NewPush(p.ledger, source, &s, rules, &opts); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestPushSlowerThanItForgets: a range that takes days to be sent says what it was
// recorded with to its end, also of keys that ranges told of which are old by then.
func TestPushSlowerThanItForgets(t *testing.T) {
	p := newPusher(t)
	units := p.submit(1)
	p.cut()
	p.run()
	told := units[0] // the youngest
	for _, u := range units {
		if p.families(u.KeyData)[0].Key.End().After(p.families(told.KeyData)[0].Key.End()) {
			told = u
		}
	}
	p.clock = p.clock.Add(13 * 24 * time.Hour)
	more := p.submit(20)
	must(p.ledger.Withdraw(t.Context(), told))
	p.clock = p.clock.Add(time.Hour)
	must(p.ledger.Release(t.Context(), &ledger.ReleaseOptions{AllowGap: true}))
	p.opts.MaxBatches = 1
	for range 30 { // batches are few, and far between
		p.run()
		p.clock = p.clock.Add(6 * time.Hour)
		must(p.ledger.Release(t.Context(), nil))
		must(p.ledger.Prune(t.Context()))
	}
	got := p.server.keys()
	if got[told] != 2 {
		t.Errorf("the server was told %d times of a key that was withdrawn, want 2", got[told])
	}
	for _, u := range more {
		if got[u] != 1 {
			t.Errorf("a key was stored %d times", got[u])
		}
	}
}
