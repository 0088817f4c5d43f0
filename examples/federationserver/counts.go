package main

import (
	"maps"
	"sync"
	"time"

	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/storage/ledger"
)

// counts are what a process has counted since it began.
type counts struct {
	nations *hours[tally]

	mu       sync.Mutex
	requests map[int]int64 // by status, of all nations
}

// A tally is what one nation has exchanged.
type tally struct {
	accepted, duplicates, rejected, withdrawals int64 // of what it uploaded
	keys, batches                               int64 // that it downloaded
}

func newCounts(clock func() time.Time) *counts {
	return &counts{nations: newHours[tally](clock), requests: map[int]int64{}}
}

// exchanged counts a request that was granted.
func (c *counts) exchanged(x *interop.Exchange) {
	c.nations.count(x.Nation, func(t *tally) {
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
	})
}

// answered counts an answer.
func (c *counts) answered(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests[status]++
}

// tallies returns what is shown of nations.
func (c *counts) tallies() map[ledger.Source]tally { return c.nations.over() }

// statuses returns how many answers there were of each status.
func (c *counts) statuses() map[int]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.requests)
}
