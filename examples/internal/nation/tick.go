package nation

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/storage/ledger"
)

// look is what one look at everything came to.
type look struct {
	at  time.Time
	err error // of what concerns all: the ledger, the bucket
}

// A TickReport says what one [Backend.Tick] did.
type TickReport struct {
	Pulls   []*federation.PullReport
	Cut     *ledger.ReleaseReport // nil if it was not due
	Pushes  []*federation.PushReport
	Waiting bool                   // the last cut is not pushed everywhere, and not published yet
	Publish []*distribution.Report // for each layout
}

// Tick does all that is due: it pulls, makes the cut of the hour, pushes, and
// publishes, in this order. A server that fails, or is slow, holds up no other and
// no publication longer than the push barrier; its errors are returned in the end.
// One that asked to be left alone for a while is.
// Tick may be ended anywhere, and called again at any time.
func (b *Backend) Tick(ctx context.Context) (*TickReport, error) {
	t := b.begin(ctx)
	err := t.run(ctx)
	if err != nil {
		b.log.Error("stopped", "err", err)
	}
	b.looked.Store(&look{at: b.now(), err: err})
	b.counters.show(b.now())
	return t.report, t.outcome(err)
}

// ErrPartial: some server could not be reached, or a secret could not be read. The
// rest was done.
var ErrPartial = errors.New("not everything was done")

// outcome returns what a call came to: the error that stopped it, or those of
// single servers.
func (t *tick) outcome(stopped error) error {
	switch {
	case stopped != nil:
		return errors.Join(append(t.errs, stopped)...)
	case len(t.errs) > 0:
		return fmt.Errorf("%w: %w", ErrPartial, errors.Join(t.errs...))
	}
	return nil
}

// Import pulls from all servers, and nothing else.
func (b *Backend) Import(ctx context.Context) (*TickReport, error) { return b.part(ctx, (*tick).pull) }

// Export makes the cut that is due and pushes it, and does nothing else but what whoever
// makes a cut does: it removes what nobody needs any longer.
func (b *Backend) Export(ctx context.Context) (*TickReport, error) {
	return b.part(ctx, (*tick).announce, (*tick).release, (*tick).push, (*tick).prune)
}

func (b *Backend) part(ctx context.Context, steps ...func(*tick, context.Context) error) (*TickReport, error) {
	t := b.begin(ctx)
	for _, step := range steps {
		if err := step(t, ctx); err != nil {
			return t.report, t.outcome(err)
		}
	}
	return t.report, t.outcome(nil)
}

type tick struct {
	*Backend
	exchanges []*partner.Exchange
	report    *TickReport

	mu   sync.Mutex
	errs []error // of single servers
}

// begin begins with the secrets as they are now.
func (b *Backend) begin(ctx context.Context) *tick {
	t := &tick{Backend: b, report: &TickReport{}}
	if err := b.refresh(ctx); err != nil {
		t.fail("secrets", "", err)
	}
	t.exchanges = b.active.Load().exchanges
	return t
}

func (t *tick) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{t.announce, t.pull, t.release, t.push, t.publish, t.prune} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// fail notes an error of one server, which ends nothing.
func (t *tick) fail(what string, name ledger.Source, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errs = append(t.errs, err)
	t.counters.add(1, failuresTotal, "step", what, "instance", string(name))
	t.log.Warn(what+" failed", "instance", name, "err", err)
}

// failed notes what became of one server, if it is a failure. That another process
// of this back end was quicker is none: it does what this one would have done.
func (t *tick) failed(what string, name ledger.Source, err error) {
	switch {
	case errors.Is(err, federation.ErrOvertaken):
		t.log.Info(what+" was overtaken by another process", "instance", name)
	case err != nil:
		t.fail(what, name, err)
	}
}

// all calls f for every instance at the same time: servers do not wait for each
// other.
func (t *tick) all(f func(*partner.Exchange)) {
	var wg sync.WaitGroup
	for _, x := range t.exchanges {
		wg.Go(func() { f(x) })
	}
	wg.Wait()
}

// announce has packages and partners of a new ledger begin before its first cut:
// they begin where the log stands when they are first seen.
func (t *tick) announce(ctx context.Context) error {
	log, err := t.ledger.Log(ctx, 0)
	if err != nil || log.Last.Seq > 0 {
		return err
	}
	for _, x := range t.exchanges {
		if x.Push == nil {
			continue
		}
		if _, err := x.Push.Run(ctx); err != nil { // asks no server, as there is nothing to send
			return err
		}
	}
	_, err = t.outputs.Run(ctx)
	return err
}

func (t *tick) pull(ctx context.Context) error {
	t.all(func(x *partner.Exchange) {
		if x.Pull == nil {
			return
		}
		r, err := x.PullAll(ctx)
		t.mu.Lock()
		t.report.Pulls = append(t.report.Pulls, r)
		t.mu.Unlock()
		t.counters.pulled(r)
		if r.Pages > 0 || len(r.Warnings) > 0 {
			t.log.Info("pulled", "instance", x.Name, "pages", r.Pages, "more", r.More, "accepted", r.Accepted, "duplicates", r.Duplicates, "rejected", r.Rejected, "withdrawals", r.WithdrawalsTaken, "warnings", r.Warnings)
		}
		t.failed("pull", x.Name, err)
	})
	return ctx.Err()
}

func (t *tick) release(ctx context.Context) error {
	r, err := t.ledger.Release(ctx, &ledger.ReleaseOptions{AllowGap: t.config.Schedule.AllowGap})
	if err != nil || r == nil {
		return err
	}
	t.report.Cut = r
	t.counters.cut(r)
	t.log.Info("cut", "time", r.Cut.Time, "new", r.New, "changed", r.Changed, "gone", r.Gone,
		"fewWaitedOut", r.WaitedOut.Uploads, "fewByOrder", r.ByOrder.Uploads, "warnings", r.Warnings)
	return nil
}

// lastTry is for how long a cut is tried to be pushed for which the barrier has
// passed already, as after an outage of this back end.
const lastTry = 2 * time.Minute

// push sends the last cut everywhere. Until the barrier has passed, counted from
// the cut, one that could not be sent is not published either, so that nobody can
// show abroad, from our own archives, what its country has not been told. A server
// that is down delays no cut longer than that.
func (t *tick) push(ctx context.Context) error {
	log, err := t.ledger.Log(ctx, math.MaxInt64)
	if err != nil {
		return err
	}
	left := time.Duration(t.config.Schedule.PushBarrier) - log.Now.Sub(log.Last.Time)
	if log.Last.Seq == 0 {
		left = 0
	}
	pushing, cancel := context.WithTimeout(ctx, max(left, lastTry))
	defer cancel()
	behind := 0
	t.all(func(x *partner.Exchange) {
		if x.Push != nil && !t.pushTo(pushing, x) {
			t.mu.Lock()
			behind++
			t.mu.Unlock()
		}
	})
	t.report.Waiting = behind > 0 && left > 0
	return ctx.Err()
}

// pushTo sends everything there is, and reports whether it did.
func (t *tick) pushTo(ctx context.Context, x *partner.Exchange) bool {
	all, err := x.PushAll(ctx, func(r *federation.PushReport) {
		t.mu.Lock()
		t.report.Pushes = append(t.report.Pushes, r)
		t.mu.Unlock()
		t.counters.pushed(r)
		if r.Batches > 0 || len(r.Warnings) > 0 {
			t.log.Info("pushed", "instance", x.Name, "batches", r.Batches, "more", r.More, "keys", r.Keys, "withdrawals", r.Withdrawals, "notNew", r.NotNew, "warnings", r.Warnings)
		}
	})
	t.failed("push", x.Name, err)
	return all
}

// publish publishes what has been cut, once it is pushed or the barrier has passed.
func (t *tick) publish(ctx context.Context) error {
	if t.report.Waiting {
		t.counters.add(1, deferredTotal)
		t.log.Warn("the last cut waits to be pushed before it is published")
		return nil
	}
	reports, err := t.outputs.Run(ctx)
	t.report.Publish = reports
	for _, r := range reports {
		t.counters.add(float64(r.Written), archivesTotal)
		t.counters.add(float64(len(r.Failed)), objectsFailedTotal)
		if r.Written > 0 || len(r.Warnings) > 0 {
			t.log.Info("published", "output", r.Output, "files", r.Written, "indexes", len(r.Indexes), "deleted", r.Deleted, "warnings", r.Warnings)
		}
	}
	return err
}

// prune removes what nobody needs any longer.
func (t *tick) prune(ctx context.Context) error {
	if t.report.Cut == nil {
		return nil // once for every cut is enough: whoever made it does so
	}
	sinks, err := t.sinks(ctx)
	if err != nil {
		return err
	}
	r, err := t.ledger.Prune(ctx, sinks...)
	if err != nil {
		return err
	}
	for _, name := range r.Expired {
		t.log.Error("a consumer stood still until its keys expired", "consumer", name)
	}
	if _, err := t.tokens.Prune(ctx); err != nil {
		return err
	}
	owing, err := t.Owing(ctx)
	if err == nil {
		t.counters.owing(owing)
	}
	return err
}

func (t *tick) sinks(ctx context.Context) ([]ledger.Sink, error) {
	sinks, err := t.outputs.Sinks(ctx)
	if err != nil {
		return nil, err
	}
	for _, x := range t.exchanges {
		if x.Push == nil {
			continue
		}
		s, err := x.Push.Sink(ctx)
		if err != nil {
			return nil, err
		}
		sinks = append(sinks, s)
	}
	return sinks, nil
}

// Books returns what became of every key, and an error if anything is lost.
func (b *Backend) Books(ctx context.Context) (*ledger.Stats, error) {
	t := &tick{Backend: b, exchanges: b.active.Load().exchanges}
	sinks, err := t.sinks(ctx)
	if err != nil {
		return nil, err
	}
	s, err := b.ledger.Stats(ctx, sinks...)
	if err != nil {
		return nil, err
	}
	return s, s.Check()
}
