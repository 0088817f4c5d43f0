package main

import (
	"slices"
	"sync"
	"time"

	"github.com/gaenkit/gaen/examples/internal/exposition"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/storage/ledger"
)

// peerCounts are what a process has exchanged with peers since it began. Keys are
// counted as those of nations are. When a run last worked is told to the minute:
// runs go by the clock, whether there are keys or not.
type peerCounts struct {
	peers         *hours[peerTally]
	pulls, pushes moments

	mu       sync.Mutex
	failures map[ledger.Source]int64
	givenUp  map[ledger.Source]int // batches, as the last run found
}

// A peerTally is what was exchanged with one peer.
type peerTally struct {
	pages, accepted, duplicates, rejected, withdrawals int64 // pulled
	batches, keys, told                                int64 // pushed
}

func newPeerCounts(clock func() time.Time) *peerCounts {
	return &peerCounts{peers: newHours[peerTally](clock), failures: map[ledger.Source]int64{}, givenUp: map[ledger.Source]int{}}
}

func (c *peerCounts) pulled(r *federation.PullReport) {
	c.peers.count(r.Instance, func(t *peerTally) {
		t.pages += int64(r.Pages)
		t.accepted += int64(r.Accepted + r.Revised)
		t.duplicates += int64(r.Duplicates)
		t.rejected += int64(r.Rejected)
		t.withdrawals += int64(r.WithdrawalsTaken + r.WithdrawalsKept)
	})
	if r.Time.IsZero() { // it was not looked up
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.givenUp[r.Instance] = len(r.GivenUp)
}

// givenUpOf returns how many batches of a peer were given up, if that is known.
func (c *peerCounts) givenUpOf(name ledger.Source) (n int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, ok = c.givenUp[name]
	return n, ok
}

func (c *peerCounts) pushed(r *federation.PushReport) {
	c.peers.count(r.Instance, func(t *peerTally) {
		t.batches += int64(r.Batches)
		t.keys += int64(r.Keys)
		t.told += int64(r.Withdrawals)
	})
}

func (c *peerCounts) failed(name ledger.Source) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures[name]++
}

// failedOf returns how often a run with a peer has failed.
func (c *peerCounts) failedOf(name ledger.Source) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failures[name]
}

// moments are when something last worked, by peer.
type moments struct {
	mu   sync.Mutex
	last map[ledger.Source]time.Time
}

func (m *moments) note(name ledger.Source, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last == nil {
		m.last = map[ledger.Source]time.Time{}
	}
	m.last[name] = at.Truncate(time.Minute)
}

func (m *moments) of(name ledger.Source) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last[name]
}

// metrics writes what was counted of the peers that the file names.
func (p *peering) metrics(e *exposition.Writer) {
	if p == nil {
		return
	}
	var names []ledger.Source
	for _, q := range p.file.get() {
		names = append(names, q.Name)
	}
	slices.Sort(names)
	const label = "peer"
	for _, m := range []struct {
		name, help string
		of         *moments
	}{
		{"federation_peer_last_pull_timestamp_seconds", "When this process last took all that a peer had.", &p.counts.pulls},
		{"federation_peer_last_push_timestamp_seconds", "When it last had sent it all there was.", &p.counts.pushes},
	} {
		e.Family(m.name, exposition.Gauge, m.help)
		for _, name := range names {
			if at := m.of.of(name); !at.IsZero() {
				e.Value(float64(at.Unix()), label, string(name))
			}
		}
	}
	e.Family("federation_peer_failures_total", exposition.Counter, "Runs with a peer that failed.")
	for _, name := range names {
		e.Value(float64(p.counts.failedOf(name)), label, string(name))
	}
	e.Family("federation_peer_given_up_batches", exposition.Gauge, "Batches of a peer that could not be verified and whose keys are lost, of those that it still has.")
	for _, name := range names {
		if n, ok := p.counts.givenUpOf(name); ok {
			e.Value(float64(n), label, string(name))
		}
	}
	tallies := p.counts.peers.over()
	for _, m := range []struct {
		name, help string
		of         func(peerTally) int64
	}{
		{"federation_peer_pulled_batches_total", "Batches that this process had of a peer, in the hours that are over.", func(t peerTally) int64 { return t.pages }},
		{"federation_peer_pulled_keys_total", "Keys in them that were new or revised.", func(t peerTally) int64 { return t.accepted }},
		{"federation_peer_duplicate_keys_total", "Keys in them that were there already.", func(t peerTally) int64 { return t.duplicates }},
		{"federation_peer_rejected_keys_total", "Keys in them that were not taken.", func(t peerTally) int64 { return t.rejected }},
		{"federation_peer_pulled_withdrawals_total", "Withdrawals in them that were taken.", func(t peerTally) int64 { return t.withdrawals }},
		{"federation_peer_pushed_batches_total", "Batches that this process sent to a peer, in the hours that are over.", func(t peerTally) int64 { return t.batches }},
		{"federation_peer_pushed_keys_total", "Keys in them.", func(t peerTally) int64 { return t.keys }},
		{"federation_peer_pushed_withdrawals_total", "Withdrawals in them.", func(t peerTally) int64 { return t.told }},
	} {
		e.Family(m.name, exposition.Counter, m.help)
		for _, name := range names {
			if t, ok := tallies[name]; ok {
				e.Value(float64(m.of(t)), label, string(name))
			}
		}
	}
}
