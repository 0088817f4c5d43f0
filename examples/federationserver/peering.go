package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A peering exchanges keys with peers, each in its own time: none waits for another,
// and neither cuts nor nations wait for any.
type peering struct {
	ledger   *ledger.Ledger
	registry *registry
	dir      string // below which secrets are
	file     *watched[[]*peer]
	every    time.Duration
	counts   *peerCounts
	pauses   *partner.Pauses
	log      *slog.Logger

	mu   sync.Mutex
	live map[ledger.Source]*connection
}

// newPeering reads the file of peers for the first time.
func newPeering(ctx context.Context, g *registry, path string, every time.Duration, log *slog.Logger) (*peering, error) {
	p := &peering{ledger: g.ledger, registry: g, dir: filepath.Dir(path), every: every, counts: newPeerCounts(clock), pauses: partner.NewPauses(clock), log: log, live: map[ledger.Source]*connection{}}
	failed := func(err error) { log.Error("failed", "part", "peers", "error", err) }
	var err error
	if p.file, err = watch([]string{path}, func() ([]*peer, error) { return readPeers(g.ledger, path) }, failed); err != nil {
		return nil, usage("-peers: %w", err)
	}
	for i, q := range p.file.get() {
		if err := g.allows(ctx, q); errors.Is(err, errNameTaken) {
			return nil, usage("-peers: %s: instances[%d] (%s).%w", path, i, q.Name, err)
		} else if err != nil {
			return nil, err
		}
	}
	return p, nil
}

// start exchanges until the context ends, and looks at the file once in a while. What
// it returns is closed when nothing is under way any longer.
func (p *peering) start(ctx context.Context, look time.Duration) <-chan struct{} {
	over := make(chan struct{})
	go func() {
		defer close(over)
		if p != nil {
			p.run(ctx, look)
		}
	}()
	return over
}

// run exchanges until the context ends, and waits for what is under way. What is cut
// off the next run makes up for.
func (p *peering) run(ctx context.Context, look time.Duration) {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	var group sync.WaitGroup
	defer group.Wait()
	for {
		p.look(ctx, &group)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// look has the connections be those of the file as it is now.
func (p *peering) look(ctx context.Context, group *sync.WaitGroup) {
	want := map[ledger.Source]*peer{}
	for _, q := range p.file.get() {
		if !q.Disabled {
			want[q.Name] = q
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, q := range want {
		had := p.live[name]
		if had != nil && had.peer.same(q) {
			continue
		}
		c := &connection{peering: p, peer: q, before: had, nudged: make(chan struct{}, 1), ended: make(chan struct{})}
		own, cancel := context.WithCancel(ctx)
		if c.cancel = cancel; had != nil {
			had.cancel()
		}
		p.live[name] = c
		group.Go(func() { c.live(own) })
	}
	for name, c := range p.live {
		if want[name] == nil {
			c.cancel()
			delete(p.live, name)
		}
	}
}

// nudge has all peers be exchanged with now: there is something to be sent.
func (p *peering) nudge() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.live {
		select {
		case c.nudged <- struct{}{}:
		default: // it is about to
		}
	}
}

// sinks returns those that are sent keys, as the ledger's books know them.
func (p *peering) sinks(ctx context.Context) ([]ledger.Sink, error) {
	if p == nil {
		return nil, nil
	}
	var all []ledger.Sink
	for _, q := range p.file.get() {
		if q.books == nil {
			continue
		}
		sink, err := q.books.Sink(ctx)
		if err != nil {
			return nil, fmt.Errorf("peer %s: %w", q.Name, err)
		}
		all = append(all, sink)
	}
	return all, nil
}
