package ringtest_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/storage/ledger"
)

var (
	duration = flag.Duration("duration", 5*time.Second, "how long there is fire")
	seed     = flag.Uint64("seed", 1, "seed of what happens")
	rate     = flag.Float64("rate", 20, "submissions in a second")
	every    = flag.Duration("every", 300*time.Millisecond, "how often something is done to the deployment, on average")
	patience = flag.Duration("patience", time.Minute, "for how long it may come to rest, and a quarter of -duration")
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// How much faster the clock goes. A ledger keeps keys for 14 days after they end,
// and all must be there in the end; a short run has little time to wait for those
// that must wait.
const (
	quick = 1800
	slow  = 240
)

// evening is when runs begin: what is published of a day is told from its end on.
const evening = 20 * time.Hour

// speed returns how much faster the clock goes.
func speed() int {
	if *duration <= time.Minute {
		return quick
	}
	return slow
}

// TestUnderFire has all ledgers in PostgreSQL, which crashes now and then.
func TestUnderFire(t *testing.T) {
	// What was answered survives the server's crash, if not the machine's.
	settings := pgtest.Settings{"fsync": "off", "full_page_writes": "off"}
	postgres, err := pgtest.Start(settings)
	pgtest.Need(t, err)
	t.Cleanup(postgres.Stop)
	newRing(t, *seed, speed(), postgres, settings).burn()
}

// TestUnderFireInFiles has each ledger in a file of SQLite, to which there is no
// way to be cut.
func TestUnderFireInFiles(t *testing.T) {
	if testing.Short() || *duration < 10*time.Second {
		t.Skip("takes as long again as TestUnderFire: -duration 10s or more")
	}
	newRing(t, *seed, speed(), nil, nil).burn()
}

// burn has it all happen, and looks at what is left.
func (r *ring) burn() {
	r.t.Logf("-duration %s -seed %d -rate %g -every %s", *duration, r.seed, *rate, *every)
	for _, p := range r.programs() {
		p.run()
	}
	r.awaitAll()
	m := r.measure()
	x := &chaos{ring: r, phones: newPhones(r)}
	x.rage(r.length())
	r.calm()
	begun := time.Now()
	if err := r.rest(r.t.Context(), *patience+r.length()/4); err != nil {
		r.t.Errorf("seed %d: %v", r.seed, err)
	}
	r.t.Logf("at rest after %s", time.Since(begun).Round(100*time.Millisecond))
	r.endWindow()
	m.stop()
	r.end()
	r.examine()
	x.tell()
	m.tell(r.t)
}

// length is how long there is fire.
func (r *ring) length() time.Duration {
	if testing.Short() {
		return min(*duration, 4*time.Second)
	}
	return *duration
}

// awaitAll waits until every program serves.
func (r *ring) awaitAll() {
	r.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for _, p := range r.programs() {
		for {
			_, hub := p.where("serving")
			_, nation := p.where("submission")
			if hub || nation {
				break
			}
			if time.Now().After(deadline) {
				p.mu.Lock()
				r.t.Fatalf("%s does not serve:\n%s", p.name, strings.Join(p.tail, "\n"))
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// chaos is what is done to a ring.
type chaos struct {
	*ring
	phones *phones

	crashes, rotations, withdrawals, reconfigurations int
}

// rage submits, withdraws, kills and changes for so long.
func (x *chaos) rage(d time.Duration) {
	ctx, cancel := context.WithTimeout(x.t.Context(), d)
	defer cancel()
	x.fire.on.Store(true)
	var wg sync.WaitGroup
	wg.Go(func() { x.phones.submit(ctx, *rate) })
	wg.Go(func() { x.withdraw(ctx) })
	for x.pause(ctx) {
		x.strike()
	}
	x.fire.on.Store(false)
	wg.Wait()
}

// pause waits for a random time, and reports whether it goes on.
func (x *chaos) pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Duration(x.rand.Int64N(2 * int64(*every)))):
		return true
	}
}

// withdraw takes keys back: one of twenty uploads', where they were submitted or,
// less often, in another nation.
func (x *chaos) withdraw(ctx context.Context) {
	ticker := time.NewTicker(time.Duration(20 * float64(time.Second) / *rate))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		n, other := x.nations[x.fire.draw(len(x.nations))], x.nations[x.fire.draw(len(x.nations))]
		take := n.withdraw
		if x.fire.draw(3) == 0 {
			take = func() (bool, error) { return n.withdrawLocally(other) }
		}
		done, err := take()
		if err != nil {
			x.t.Error(err)
		}
		if done {
			x.withdrawals++
		}
	}
}

// strike does one thing to the deployment.
func (x *chaos) strike() {
	switch n := x.rand.IntN(20); {
	case n < 9:
		x.kill()
	case n < 11:
		x.anyOf(x.programs()).interrupt()
	case n < 16:
		x.links[x.rand.IntN(len(x.links))].goDown(time.Duration(100+x.rand.IntN(1500)) * time.Millisecond)
	case n < 18:
		x.rotate()
	default:
		x.crash()
	}
}

// kill kills a program, which has another configuration when it begins again, as a
// rule.
func (x *chaos) kill() {
	change, processes := x.anybody()
	if x.rand.IntN(3) > 0 {
		x.reconfigurations++
		change(x.rand)
	}
	x.anyOf(processes).kill()
}

// anyOf returns one of several processes that is not to be spared.
func (x *chaos) anyOf(all []*program) *program {
	for {
		if p := all[x.rand.IntN(len(all))]; !p.steady {
			return p
		}
	}
}

// anybody returns the processes of a hub or a nation, and what changes their
// configuration.
func (x *chaos) anybody() (change func(*rand.Rand), processes []*program) {
	i := x.rand.IntN(len(x.hubs) + len(x.nations))
	if i < len(x.hubs) {
		return x.hubs[i].reconfigure, x.hubs[i].processes
	}
	n := x.nations[i-len(x.hubs)]
	return n.reconfigure, n.processes
}

// rotate gives a nation another token at one of its hubs.
func (x *chaos) rotate() {
	n := x.nations[x.rand.IntN(len(x.nations))]
	w := n.wires[x.rand.IntN(len(n.wires))]
	if err := x.retry("rotate", func(context.Context) error { return w.hub.rotateToken(n) }); err != nil {
		x.t.Error(err)
		return
	}
	x.rotations++
}

// crash crashes the database server.
func (x *chaos) crash() {
	if x.postgres == nil {
		return
	}
	if err := x.postgres.Restart(x.settings); err != nil {
		x.t.Error(err)
	}
	x.crashes++
}

// calm has every program begin once more, with the configuration that it is to
// come to rest in.
func (r *ring) calm() {
	for _, n := range r.nations {
		n.settle()
		for _, p := range n.processes {
			p.kill()
		}
	}
	time.Sleep(2 * restartPause)
	r.awaitAll()
}

// endWindow waits until the last hour in which anything happened has been
// published.
func (r *ring) endWindow() {
	now := r.clock.Now()
	end := now.Truncate(time.Hour).Add(time.Hour + 10*time.Minute) // the cut that closes it
	time.Sleep(r.clock.Real(end.Sub(now)) + time.Second)
}

// end ends all programs, which must end well. Nations look a last time when none of
// their processes does so at the same time, and the hubs are still there.
func (r *ring) end() {
	for _, n := range r.nations {
		end(r.t, n.processes)
		if _, err := n.run("tick"); err != nil {
			r.t.Error(err)
		}
	}
	for _, h := range r.hubs {
		end(r.t, h.processes)
	}
}

func end(t *testing.T, all []*program) {
	t.Helper()
	for _, p := range all {
		if code := p.stop(); code != 0 {
			t.Errorf("%s ends with %d:\n%s", p.name, code, strings.Join(p.tail[max(0, len(p.tail)-10):], "\n"))
		}
	}
}

// examine looks at ledgers, trees and books, and at what was found on the way.
func (r *ring) examine() {
	r.t.Helper()
	ctx := r.t.Context()
	want := r.expectations()
	if err := r.examineLedgers(ctx, want); err != nil {
		r.t.Error(err)
	}
	for _, n := range r.nations {
		wrong, report, err := n.wrongTree(ctx, want)
		switch {
		case err != nil:
			r.t.Errorf("%s: %v", n.name, err)
		case len(wrong) > 0:
			r.t.Errorf("%s publishes %s", n.name, wrong)
		default:
			r.t.Logf("%s publishes %d keys and %d revisions in %d archives, %d indexes", n.name, report.Keys, report.Revised, report.Archives, report.Indexes)
		}
		r.books(n)
		for _, w := range n.wires {
			for _, f := range w.findings[:min(len(w.findings), 10)] {
				r.t.Error(f)
			}
		}
	}
	for _, h := range r.hubs {
		if err := h.books(ctx); err != nil {
			r.t.Errorf("%s: %v", h.name, err)
		}
	}
	for _, p := range r.programs() {
		for _, f := range p.findings {
			r.t.Error(f)
		}
	}
}

// books has the nation's program say what became of every key (invariant 12).
func (r *ring) books(n *nation) {
	r.t.Helper()
	out, err := n.run("books")
	if err != nil {
		r.t.Error(err)
		return
	}
	var stats ledger.Stats
	if err := json.Unmarshal(out, &stats); err != nil {
		r.t.Errorf("%s: books: %v", n.name, err)
		return
	}
	r.t.Logf("%s: %s", n.name, inShort(&stats))
}

// books logs what the hub's ledger counts.
func (h *hub) books(ctx context.Context) error {
	l, closing, err := h.open(ctx)
	if err != nil {
		return err
	}
	defer closing()
	stats, err := l.Stats(ctx)
	if err != nil {
		return err
	}
	h.ring.t.Logf("%s: %s", h.name, inShort(stats))
	return stats.Check()
}

// inShort says what the books of a ledger come to.
func inShort(stats *ledger.Stats) string {
	var all []string
	for name, s := range stats.Sources {
		all = append(all, fmt.Sprintf("%s offered %d: %d accepted, %d duplicates, %d rejected; withdrawals %d: %d taken, %d kept, %d refused; %v",
			name, s.Offered, s.Accepted, s.Duplicates, s.Offered-s.Accepted-s.Revised-s.Duplicates, s.WithdrawalsOffered, s.WithdrawalsTaken, s.WithdrawalsKept, s.WithdrawalsRefused, s.Sinks))
	}
	return "\n\t" + strings.Join(all, "\n\t")
}

// tell logs what happened.
func (x *chaos) tell() {
	want := x.expectations()
	travelling, withdrawn := 0, 0
	for _, w := range want {
		if w.travels {
			travelling++
		}
		if w.withdrawn {
			withdrawn++
		}
	}
	x.t.Logf("%d submissions (%d requests again, %d turned away), %d keys, %d with consent, %d withdrawn",
		x.phones.submitted.Load(), x.phones.again.Load(), x.phones.turnedAway.Load(), len(want), travelling, withdrawn)
	for f := refused; f < faults; f++ {
		x.t.Logf("fault %q: %d", f, x.fire.counts[f].Load())
	}
	x.t.Logf("%d reconfigurations, %d rotations, %d crashes of the database server; %d withdrawals", x.reconfigurations, x.rotations, x.crashes, x.withdrawals)
	for _, p := range x.programs() {
		x.t.Logf("%s: %d starts, %d kills, %d ended of itself", p.name, p.starts, p.kills, p.gaveUp)
	}
	for _, n := range x.nations {
		for _, w := range n.wires {
			tags, again, requests := w.count()
			x.t.Logf("%s: %d connections, %d requests, %d uploads, %d of them again", w.name, w.link.carried.Load(), requests, tags+again, again)
		}
	}
}
