package federationtest

import (
	"context"
	"errors"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// TestRuns has our client go through thousands of faults.
func TestRuns(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 8
	}
	var faults atomic.Int64
	t.Run("seeds", func(t *testing.T) {
		for seed := range seeds {
			n, err := runExchange(t.Context(), uint64(1000+seed), func(a Account) Client { return ours(t, a) }, 24, seed%4 == 0)
			if faults.Add(n); err != nil {
				t.Errorf("seed %d: %v", 1000+seed, err)
			}
		}
	})
	t.Logf("%d faults", faults.Load())
	if n := faults.Load(); n < int64(50*seeds) {
		t.Errorf("only %d faults in %d runs", n, seeds)
	}
}

// puller is a back end that pulls from a server, with a clock of its own.
type puller struct {
	t      *testing.T
	clock  atomic.Pointer[time.Time]
	server *Server
	ledger *ledger.Ledger
	pull   *federation.Pull
	given  uint64 // seed of the keys given last
}

// pullStart is shortly before midnight.
var pullStart = time.Date(2026, 3, 1, 23, 58, 0, 0, time.UTC)

func newPuller(t *testing.T, faithful bool) *puller {
	t.Helper()
	p := &puller{t: t}
	p.set(pullStart)
	var err error
	nations := newNations()
	if p.server, err = NewServer(nations, &ServerOptions{Held: true, Clock: p.now, Faithful: faithful}); err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(p.server)
	t.Cleanup(h.Close)
	if p.ledger, err = ledger.Open(t.Context(), memledger.New(&memledger.Options{Clock: p.now}), nil); err != nil {
		t.Fatal(err)
	}
	c := ours(t, Account{Nation: nations[0], URL: h.URL, Timeout: clientPatience, MaxPage: clientMaxPage})
	if p.pull, err = federation.NewPull(p.ledger, "hub", c, nil); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *puller) now() time.Time        { return *p.clock.Load() }
func (p *puller) set(now time.Time)     { p.clock.Store(&now) }
func (p *puller) after(d time.Duration) { p.set(p.now().Add(d)) }

// run pulls, and returns how many keys came.
func (p *puller) run() int {
	p.t.Helper()
	r, err := p.pull.Run(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return r.Accepted
}

// give has the server hand out n new keys, of the days before the test.
func (p *puller) give(n int) {
	p.t.Helper()
	p.given++
	all := keystest.New(p.given, &keystest.Options{EndOfPeriod: true}).Keys(pullStart.Add(-3*time.Hour), n)[:n]
	for i := range all {
		asSaid(&all[i])
		all[i].Origin = gi
	}
	p.server.put(1, all)
}

// TestMidnight has keys come around midnight, from a server whose day is another
// than the caller's.
func TestMidnight(t *testing.T) {
	p := newPuller(t, true)
	total := 0
	for range 6 { // a minute apart, from 23:58 on
		p.give(3)
		total += p.run()
		p.after(time.Minute)
	}
	if total != 18 {
		t.Errorf("%d keys came, want 18", total)
	}
}

// TestClockJumps has the server's pages be of days that are to come or long over.
func TestClockJumps(t *testing.T) {
	p := newPuller(t, true)
	start, total := p.now(), 0
	for _, jump := range []time.Duration{0, 40 * time.Hour, -60 * time.Hour, 24 * time.Hour, -24 * time.Hour} {
		p.set(start.Add(jump))
		p.give(3)
		p.set(start.Add(time.Hour))
		total += p.run()
	}
	if total != 15 {
		t.Errorf("%d keys came, want 15", total)
	}
}

// TestForgottenTags has the server lose its tags, which the real one does not say.
func TestForgottenTags(t *testing.T) {
	for name, faithful := range map[string]bool{"204 for ever": true, "by date": false} {
		t.Run(name, func(t *testing.T) {
			p := newPuller(t, faithful)
			p.give(3)
			total := p.run()
			p.server.Forget()
			p.give(3)
			for range 3 {
				p.after(7 * time.Hour)
				total += p.run()
			}
			if total != 6 {
				t.Errorf("%d keys came, want 6", total)
			}
		})
	}
}

// TestGone has the server say that it no longer keeps what was asked for, every
// time: a run must end, with that error.
func TestGone(t *testing.T) {
	p := newPuller(t, false)
	p.server.SetHook(Always(410))
	if _, err := p.pull.Run(t.Context()); !errors.Is(err, federation.ErrGone) {
		t.Errorf("the error is %v", err)
	}
	if n := len(p.server.Requests()); n > 20 {
		t.Errorf("%d requests", n)
	}
	p.server.SetHook(nil)
	p.give(3)
	if n := p.run(); n != 3 {
		t.Errorf("%d keys came, want 3", n)
	}
}

// TestRace has a run come in between a batch and its keys.
func TestRace(t *testing.T) {
	p := newPuller(t, true)
	s, nations := p.server, p.server.nations
	s.mu.Lock()
	for _, e := range []exposure{strangeKey(), strangeKey()} {
		e.RollingStartNumber = int64(keys.IntervalAt(p.now().Add(-48*time.Hour))) / 144 * 144
		e.Origin, e.Regions = nations[1].Region.String(), nil
		s.rows = append(s.rows, &row{exposure: e, nation: 1})
	}
	s.mu.Unlock()
	fill := s.Begin()
	if n := p.run(); n != 0 {
		t.Fatalf("%d keys came before they were there", n)
	}
	fill()
	if n := p.run(); n != 0 {
		t.Fatalf("%d keys came at once", n)
	}
	p.after(time.Hour)
	if n := p.run(); n != 2 {
		t.Errorf("%d keys came in the end, want 2", n)
	}
}

// TestLoop has the server give the same page after itself, for ever.
func TestLoop(t *testing.T) {
	p := newPuller(t, false)
	p.give(3)
	p.run()
	p.server.SetHook(func(ctx context.Context, r Request) Verdict { return Repeat })
	before := len(p.server.Requests())
	p.run()
	if n := len(p.server.Requests()) - before; n > 2 {
		t.Errorf("%d requests for one page", n)
	}
}
