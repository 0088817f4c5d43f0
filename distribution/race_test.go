package distribution_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// TestRunnersSideBySide has several runs go on at once, while keys arrive and
// cuts are made, and compares the tree with the model (invariant 2). Whoever reads
// the tree meanwhile finds nothing wrong with it either. It means most under the
// race detector.
func TestRunnersSideBySide(t *testing.T) {
	for _, kind := range placeKinds {
		t.Run(string(kind), func(t *testing.T) { runSideBySide(t, kind) })
	}
}

func runSideBySide(t *testing.T, kind placeKind) {
	rounds := 20
	if testing.Short() {
		rounds = 8
	}
	w := newWorldIn(t, kind, 7)
	w.opts.Parallel = 3
	runners := []*world{w, w.elsewhere(), w.elsewhere()}
	var m model
	for round := range rounds {
		w.hours(1)
		m.look(t, w.open(nil), w.clock.Truncate(hour), w.packages)
		var running, reading sync.WaitGroup
		var incomplete atomic.Bool
		done := make(chan struct{})
		for _, runner := range runners {
			p, _ := runner.publisher(nil, nil)
			running.Go(func() {
				r, err := p.Run(t.Context())
				if err != nil {
					incomplete.Store(true)
				}
				if err != nil && !errors.Is(err, distribution.ErrIncomplete) {
					t.Errorf("%v\n%s", err, r)
				}
			})
		}
		if round > 0 { // before, there is nothing to read
			reading.Go(func() { w.readUntil(done) })
		}
		running.Wait()
		close(done)
		reading.Wait()
		if !incomplete.Load() { // then all is there, whoever did it
			w.expectFresh()
		}
	}
	w.run()
	w.verify()
	for _, pkg := range []string{"DE", "EUR"} {
		w.compareHours(&m, pkg)
	}
}

// TestBeatenToAnIndex: a run whose index is replaced meanwhile, by one that knew of
// less, makes it again before it says that all is done.
func TestBeatenToAnIndex(t *testing.T) {
	w := newWorld(t, 1)
	w.opts.Parallel = 1
	w.hours(3) // over midnight
	w.run()
	w.hours(2)
	atIndex := func(c storagetest.Call) bool { return c.Op == storagetest.OpReplace }
	waits, goOn, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var once, twice sync.Once
	poor, _ := w.publisher(func(_ context.Context, c storagetest.Call) storagetest.Verdict {
		if atIndex(c) {
			once.Do(func() { close(waits); <-goOn })
		}
		if c.Op == storagetest.OpCreate && strings.HasSuffix(c.Name, "EUR/date/2026-03-02/hour/2") {
			return storagetest.Fail
		}
		return storagetest.Pass
	}, nil)
	go func() {
		defer close(done)
		if r, err := poor.Run(t.Context()); !errors.Is(err, distribution.ErrIncomplete) {
			t.Errorf("%v\n%s", err, r)
		}
	}()
	<-waits
	rich, _ := w.publisher(func(_ context.Context, c storagetest.Call) storagetest.Verdict {
		if atIndex(c) {
			twice.Do(func() { close(goOn); <-done })
		}
		return storagetest.Pass
	}, nil)
	if r, err := rich.Run(t.Context()); err != nil {
		t.Errorf("%v\n%s", err, r)
	}
	w.expectFresh()
}

// expectFresh checks that the tree has everything up to now.
func (w *world) expectFresh() {
	w.t.Helper()
	for _, f := range w.inspect(&distribution.VerifyOptions{Now: w.clock, MaxAge: hour / 2}).Findings {
		w.t.Errorf("at %s: %s", w.clock, f)
	}
}

// elsewhere returns the same world as another process has it: by connections of
// its own, where there are any.
func (w *world) elsewhere() *world {
	c := *w
	if l, ok := w.store.(remoteLedger); ok {
		c.store = l.another(w.t)
	}
	if b, ok := w.bucket.(remoteBucket); ok {
		transport := &http.Transport{}
		w.t.Cleanup(transport.CloseIdleConnections)
		c.bucket = b.by(w.t, transport)
	}
	return &c
}

// readUntil reads the tree from outside, again and again.
func (w *world) readUntil(done <-chan struct{}) {
	trusted, err := signing.NewTrustList(w.ring.PublicKeys()...)
	if err != nil {
		w.t.Error(err)
		return
	}
	for {
		r, err := distribution.Verify(w.t.Context(), w.bucket, w.layout, trusted, nil)
		if err != nil {
			w.t.Error(err)
			return
		}
		for _, f := range r.Findings {
			w.t.Errorf("read while others write: %s", f)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}
