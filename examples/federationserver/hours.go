package main

import (
	"maps"
	"sync"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// hours are tallies, of which is shown what was counted in the hours that are over:
// what a small nation uploads at a time may be the keys of one person, and metrics
// are looked at by many and kept for long.
type hours[T any] struct {
	clock func() time.Time

	mu    sync.Mutex
	hour  time.Time
	live  map[ledger.Source]T
	shown map[ledger.Source]T
}

func newHours[T any](clock func() time.Time) *hours[T] {
	return &hours[T]{clock: clock, hour: hourOf(clock()), live: map[ledger.Source]T{}, shown: map[ledger.Source]T{}}
}

func hourOf(t time.Time) time.Time { return t.UTC().Truncate(time.Hour) }

// turn shows what was counted before this hour. It is called before anything is
// counted in it.
func (h *hours[T]) turn() {
	if hour := hourOf(h.clock()); !hour.Equal(h.hour) {
		h.hour, h.shown = hour, maps.Clone(h.live)
	}
}

// count changes the tally of a nation or a peer.
func (h *hours[T]) count(id ledger.Source, change func(*T)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turn()
	t := h.live[id]
	change(&t)
	h.live[id] = t
}

// over returns what is shown.
func (h *hours[T]) over() map[ledger.Source]T {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turn()
	return maps.Clone(h.shown)
}
