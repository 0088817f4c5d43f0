package federationtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

var runClauses = []clientClause{
	{"runs-lose-nothing", "Whatever a server and a store do meanwhile, by Push and Pull every key must come from the one back end to the other, the same as it went, and one tag must always have one content.", runsLoseNothing},
}

// runsLoseNothing makes some runs with the client in both directions.
func runsLoseNothing(x *clientTrial) error {
	seeds := x.opts.Seeds
	seeds = cmp.Or(seeds, 4)
	for seed := range seeds {
		if _, err := runExchange(x.ctx, uint64(seed), x.make, 10, false); err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
	}
	return nil
}

// runsWithdraw makes such runs with a server that knows withdrawals, which the real
// one does not.
func runsWithdraw(x *clientTrial) error {
	seeds := x.opts.Seeds
	seeds = cmp.Or(seeds, 4)
	for seed := range seeds {
		if _, err := runExchange(x.ctx, uint64(2*seed), x.make, 10, true); err != nil {
			return fmt.Errorf("seed %d: %w", 2*seed, err)
		}
	}
	return nil
}

// runFaults are what a server may do in a run from which nothing must be lost.
// Refusals of content are not among them, as they are about keys, nor 410, by which
// the server says that something is lost.
var runFaults = []Verdict{Fail, FailAfter, TimeoutAfter, Half, Partial, Trickle, Blank, NullBody, HTML, Nested, Repeat, Odd, NoTag, LongTag, Quote, NoKeyFound,
	401, 403, 404, 429, 500, 502, 503}

// An exchange is two back ends and a server between them, by one clock.
type exchange struct {
	ctx    context.Context
	rand   *rand.Rand
	seed   uint64
	server *Server
	from   *station
	to     *station
	faults *atomic.Int64 // so far, of server and stores

	mu    sync.Mutex
	now   time.Time
	skew  time.Duration // of the server's clock
	quiet atomic.Bool   // no faults any more

	withdrawing bool

	sent    []keys.DiagnosisKey // what must arrive
	gone    []keys.DiagnosisKey // what was sent and taken back
	refused map[keys.KeyData]bool
}

// A station is one of the back ends.
type station struct {
	ledger *ledger.Ledger
	push   *federation.Push
	pull   *federation.Pull
}

// runStart is shortly before a midnight, of which runs cross several.
var runStart = time.Date(2026, 3, 1, 22, 40, 0, 0, time.UTC)

// runExchange has keys go from one back end to the other, for some rounds with
// faults from a seed and then without, and returns how many faults there were.
func runExchange(ctx context.Context, seed uint64, newClient func(Account) Client, rounds int, withdrawing bool) (faults int64, err error) {
	x := &exchange{ctx: ctx, seed: seed, withdrawing: withdrawing, rand: rand.New(rand.NewPCG(seed, 0x66656474)), now: runStart, faults: &atomic.Int64{}, refused: map[keys.KeyData]bool{}}
	nations := []Nation{NewNation(keys.MustRegion("IE")), NewNation(keys.MustRegion("GI"))}
	nations[1].Withdrawals = withdrawing
	// Every other server is as the real one, and everything it does wrong.
	x.server, err = NewServer(nations, &ServerOptions{Held: true, BatchSize: 1 + x.rand.IntN(40), Clock: x.serverClock, Faithful: seed%2 == 1})
	if err != nil {
		return 0, err
	}
	h := httptest.NewServer(x.server)
	defer h.Close()
	clients := make([]Client, 2)
	for i := range clients {
		clients[i] = newClient(Account{Nation: nations[i], URL: h.URL, Timeout: clientPatience, MaxPage: clientMaxPage})
	}
	if x.from, err = x.station(clients[0], 1); err != nil {
		return 0, err
	}
	if x.to, err = x.station(clients[1], 2); err != nil {
		return 0, err
	}
	return x.run(rounds)
}

func (x *exchange) run(rounds int) (int64, error) {
	gen := keystest.New(x.seed, &keystest.Options{Origins: []keys.Region{x.server.nations[0].Region}, EndOfPeriod: true})
	x.server.SetHook(x.hook())
	x.server.Refuse(func(k keys.KeyData) bool { return x.refused[k] })
	for n := range rounds {
		if err := x.submit(gen, n); err != nil {
			return x.faults.Load(), err
		}
		if err := x.takeBack(); err != nil {
			return x.faults.Load(), err
		}
		if err := x.round(); err != nil {
			return x.faults.Load(), err
		}
	}
	x.quiet.Store(true)
	x.server.SetHook(nil)
	for range 14 {
		if err := x.round(); err != nil {
			return x.faults.Load(), fmt.Errorf("without faults: %w", err)
		}
	}
	return x.faults.Load(), errors.Join(x.arrived(), x.oneContent(), x.atRest())
}

// hook gives a third of the requests a fault.
func (x *exchange) hook() Hook {
	random := Random(x.seed, 0.3, runFaults...)
	return func(ctx context.Context, r Request) Verdict {
		v := random(ctx, r)
		if v != Pass {
			x.faults.Add(1)
		}
		return v
	}
}

// station returns a back end whose store fails once in twenty calls.
func (x *exchange) station(c Client, salt uint64) (*station, error) {
	policy := ledger.DefaultPolicy()
	policy.MinKeys, policy.MinUploads, policy.MinWithdrawnUploads = 0, 0, 0
	store := memledger.New(&memledger.Options{Clock: x.clock})
	healthy, err := ledger.Open(x.ctx, store, &ledger.Options{Policy: &policy})
	if err != nil {
		return nil, err
	}
	s := &station{ledger: healthy.With(ledgertest.Faulty(store, func(_ context.Context, c ledgertest.Call) ledgertest.Verdict {
		r := rand.New(rand.NewPCG(x.seed+salt<<32, uint64(c.N)))
		if x.quiet.Load() || r.Float64() >= 0.05 {
			return ledgertest.Pass
		}
		x.faults.Add(1)
		return []ledgertest.Verdict{ledgertest.Fail, ledgertest.FailAfter}[r.IntN(2)]
	}))}
	rules := federation.Export()
	rules.Withdrawals = x.withdrawing
	if s.push, err = federation.NewPush(s.ledger, "hub", c, rules, &federation.PushOptions{FromBeginning: true, MaxBatch: 15}); err != nil {
		return nil, err
	}
	s.pull, err = federation.NewPull(s.ledger, "hub", c, nil)
	return s, err
}

func (x *exchange) clock() time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.now
}

func (x *exchange) serverClock() time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.now.Add(x.skew)
}

// submit has a phone submit its keys, of which one in thirty is one that the server
// will never take.
func (x *exchange) submit(gen *keystest.Generator, n int) error {
	up := gen.Upload(x.clock())
	// What is about to be too old would be so before it arrives.
	up.Keys = slices.DeleteFunc(up.Keys, func(k keys.DiagnosisKey) bool { return x.clock().Sub(k.End()) > 8*24*time.Hour })
	for i := range up.Keys {
		k := &up.Keys[i]
		asSaid(k)
		k.ConsentToFederate = keys.ConsentGiven
		if x.rand.IntN(30) == 0 {
			x.refused[k.KeyData] = true
			continue
		}
		x.sent = append(x.sent, *k)
	}
	return x.accept(&ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: fmt.Sprint("upload-", n), Keys: up.Keys}}})
}

// takeBack has two keys taken back in every other round, whether they have left yet
// or not.
func (x *exchange) takeBack() error {
	if !x.withdrawing || x.rand.IntN(2) == 0 {
		return nil
	}
	d := &ledger.Delivery{Source: ledger.Own}
	for range min(2, len(x.sent)) {
		i := x.rand.IntN(len(x.sent))
		d.Withdrawals = append(d.Withdrawals, ledger.IDOf(&x.sent[i]))
		x.gone = append(x.gone, x.sent[i])
		x.sent = slices.Delete(x.sent, i, i+1)
	}
	return x.accept(d)
}

// accept has the first back end take a delivery.
func (x *exchange) accept(d *ledger.Delivery) error {
	for range 50 { // phones try again
		_, err := x.from.ledger.Accept(x.ctx, d)
		if err == nil || !errors.Is(err, ledgertest.ErrFault) {
			return err
		}
	}
	return errors.New("the store is never well")
}

// round is what happens in an hour, or in the night for which a machine slept. The
// server's clock goes wrong by some hours, either way.
func (x *exchange) round() error {
	_, err := x.from.ledger.Release(x.ctx, nil)
	if err := tolerated(err); err != nil {
		return err
	}
	_, err = x.from.push.Run(x.ctx)
	if err := tolerated(err); err != nil {
		return err
	}
	fill := x.server.Begin()
	for range 2 { // the first comes in between
		_, err = x.to.pull.Run(x.ctx)
		if err := tolerated(err); err != nil {
			return err
		}
		fill()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.now = x.now.Add(time.Hour)
	if !x.quiet.Load() && x.rand.IntN(8) == 0 {
		x.now = x.now.Add(time.Duration(x.rand.IntN(12)) * time.Hour)
	}
	x.skew = time.Duration(x.rand.IntN(240)-120) * time.Minute
	return nil
}

// tolerated returns an error that is none of those that faults cause.
func tolerated(err error) error {
	for _, fault := range []error{nil, ledgertest.ErrFault, federation.ErrDenied, federation.ErrThrottled, federation.ErrUnavailable} {
		if errors.Is(err, fault) {
			return nil
		}
	}
	return err
}

// arrived returns an error if a key did not arrive as it was sent.
func (x *exchange) arrived() error {
	got := map[keys.KeyData]keys.DiagnosisKey{}
	for rec, err := range x.to.ledger.Find(x.ctx, ledger.Query{Source: "hub"}) {
		if err != nil {
			return err
		}
		if rec.Unit != nil && !rec.Unit.SourceWithdrew {
			k := rec.Unit.Key
			k.ConsentToFederate = keys.ConsentGiven
			got[k.KeyData] = k
		}
	}
	for _, k := range x.gone {
		if _, ok := got[k.KeyData]; ok {
			return errors.New("a key that was taken back is still there")
		}
	}
	lost, changed := 0, 0
	for _, k := range x.sent {
		switch g, ok := got[k.KeyData]; {
		case !ok:
			lost++
		case g != k:
			changed++
		}
	}
	if lost+changed > 0 || len(got) != len(x.sent) {
		return fmt.Errorf("of %d keys %d are lost and %d changed; %d arrived", len(x.sent), lost, changed, len(got))
	}
	return nil
}

// oneContent returns an error if a tag was ever used for two contents.
func (x *exchange) oneContent() error {
	content := map[string]string{}
	for _, up := range x.server.Uploads() {
		if before, ok := content[up.Tag]; ok && before != up.Payload {
			return errors.New("one tag was sent with two contents")
		}
		content[up.Tag] = up.Payload
	}
	return nil
}

// atRest returns an error if back ends that have nothing to say go on asking. Every
// six hours a silent server is read by date; at other times two requests a run do.
func (x *exchange) atRest() error {
	busy := 0
	for range 6 {
		before := len(x.server.Requests())
		if err := x.round(); err != nil {
			return err
		}
		if len(x.server.Requests())-before > 4 {
			busy++
		}
	}
	if busy > 2 {
		return fmt.Errorf("in %d of 6 rounds there were requests about nothing", busy)
	}
	return nil
}
