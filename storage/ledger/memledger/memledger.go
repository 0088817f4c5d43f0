// Package memledger keeps a ledger in memory: for tests, for replays, and as
// the plainest statement of what a ledger does. It is gone with the process,
// unless a journal keeps its steps: bucketledger is this ledger with a journal.
package memledger

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Options of a new [Store].
type Options struct {
	// Clock makes a ledger for replays, which runs by it. Nil is the clock of
	// the machine.
	Clock func() time.Time

	// Journal makes the ledger outlive its process: it is asked to keep every
	// step that changes something before the step is taken and seen, and if it
	// fails, nothing has changed and its error is that of the call. It must not
	// call the ledger.
	Journal func(ctx context.Context, step *Step) error
}

// Store keeps a ledger in memory. All its methods exclude each other.
type Store struct {
	clock   func() time.Time
	journal func(ctx context.Context, step *Step) error

	mu        sync.Mutex
	identity  ledger.Identity
	replay    bool
	units     map[ledger.UnitID]*ledger.Unit
	origins   map[keys.KeyData][]keys.Region    // of the units with that key data
	uploads   map[string]map[ledger.UnitID]bool // with a claim of that name
	numbers   []numbered                        // those that can still be read, ascending
	kept      map[ledger.UnitID][]ledger.KeptWithdrawal
	setAside  []ledger.SetAside
	tombs     map[ledger.Tombstone]time.Time
	cuts      []ledger.Cut
	waits     []ledger.GroupWait
	registers map[string]ledger.Register
	version   int64 // the last given to a register
	tallies   ledger.Tallies
}

var _ ledger.Store = (*Store)(nil)

// New returns an empty ledger.
func New(opts *Options) *Store {
	s := &Store{
		clock:     time.Now,
		units:     map[ledger.UnitID]*ledger.Unit{},
		origins:   map[keys.KeyData][]keys.Region{},
		uploads:   map[string]map[ledger.UnitID]bool{},
		kept:      map[ledger.UnitID][]ledger.KeptWithdrawal{},
		tombs:     map[ledger.Tombstone]time.Time{},
		registers: map[string]ledger.Register{},
		tallies:   ledger.Tallies{},
	}
	if opts != nil {
		s.journal = opts.Journal
	}
	if opts != nil && opts.Clock != nil {
		s.clock, s.replay = opts.Clock, true
	}
	rand.Read(s.identity[:])
	return s
}

// Copy returns a ledger that has the same history so far and goes its own way
// from here: what a restored backup is. The copy has no journal.
func (s *Store) Copy() *Store { return s.CopyWithClock(s.clock) }

// CopyWithClock is [Store.Copy] for a ledger that runs by another clock.
func (s *Store) CopyWithClock(clock func() time.Time) *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &Store{
		clock:     clock,
		identity:  s.identity,
		replay:    s.replay,
		units:     make(map[ledger.UnitID]*ledger.Unit, len(s.units)),
		origins:   map[keys.KeyData][]keys.Region{},
		uploads:   map[string]map[ledger.UnitID]bool{},
		numbers:   slices.Clone(s.numbers),
		kept:      map[ledger.UnitID][]ledger.KeptWithdrawal{},
		setAside:  slices.Clone(s.setAside),
		tombs:     maps.Clone(s.tombs),
		cuts:      slices.Clone(s.cuts),
		waits:     slices.Clone(s.waits),
		registers: maps.Clone(s.registers),
		version:   s.version,
		tallies:   maps.Clone(s.tallies),
	}
	for id, u := range s.units {
		c.units[id] = u.Clone()
		c.enter(u)
	}
	for k, origins := range s.origins {
		c.origins[k] = slices.Clone(origins)
	}
	for id, kept := range s.kept {
		c.kept[id] = slices.Clone(kept)
	}
	return c
}

// Format prints the identity, whatever the verb. What is kept here is in fields
// that fmt reads without asking key data to redact itself.
func (s *Store) Format(f fmt.State, _ rune) {
	io.WriteString(f, "memledger.Store("+s.identity.String()+")")
}

// now returns the time by the ledger's clock, to the microsecond.
func (s *Store) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// last returns the last cut, zero if there is none.
func (s *Store) last() ledger.Cut {
	if len(s.cuts) == 0 {
		return ledger.Cut{}
	}
	return s.cuts[len(s.cuts)-1]
}
