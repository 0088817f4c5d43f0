package main

import (
	"maps"
	"sync"
	"time"

	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/storage/ledger"
)

// counts are what a process has counted since it began. What they show of keys are
// the counts of the hours that are over: what a small nation uploads at a time may
// be the keys of one person, and metrics are looked at by many and kept for long.
type counts struct {
	clock func() time.Time

	mu    sync.Mutex
	hour  time.Time
	live  map[ledger.Source]tally
	shown map[ledger.Source]tally

	requests map[int]int64 // by status, of all nations
}

// A tally is what one nation has exchanged.
type tally struct {
	accepted, duplicates, rejected, withdrawals int64 // of what it uploaded
	keys, batches                               int64 // that it downloaded
}

func newCounts(clock func() time.Time) *counts {
	return &counts{clock: clock, hour: hourOf(clock()), live: map[ledger.Source]tally{}, shown: map[ledger.Source]tally{}, requests: map[int]int64{}}
}

func hourOf(t time.Time) time.Time { return t.UTC().Truncate(time.Hour) }

// turn shows what was counted before this hour. It is called before anything is
// counted in it.
func (c *counts) turn() {
	if hour := hourOf(c.clock()); !hour.Equal(c.hour) {
		c.hour, c.shown = hour, maps.Clone(c.live)
	}
}

// exchanged counts a request that was granted.
func (c *counts) exchanged(x *interop.Exchange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn()
	t := c.live[x.Nation]
	if r := x.Receipt; r != nil {
		t.accepted += int64(r.Accepted + r.Revised)
		t.duplicates += int64(r.Duplicates)
		t.rejected += int64(len(r.Rejected))
		t.withdrawals += int64(r.WithdrawalsTaken + r.WithdrawalsKept)
	}
	if x.Page != nil {
		t.batches++
		t.keys += int64(len(x.Page.Keys))
	}
	c.live[x.Nation] = t
}

// answered counts an answer.
func (c *counts) answered(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests[status]++
}

// tallies returns what is shown of nations.
func (c *counts) tallies() map[ledger.Source]tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn()
	return maps.Clone(c.shown)
}

// statuses returns how many answers there were of each status.
func (c *counts) statuses() map[int]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.requests)
}
