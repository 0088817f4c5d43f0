package memledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// A Step is what one call changes in a ledger, as data: all that is needed to
// take the same step again on a ledger that stands where this one stood. Every
// decision has been made, so that taking it again calls no rule that a later
// version may change. A step shares what it holds with the ledger: it must not
// be changed, nor kept after [Options.Journal] has returned.
type Step struct {
	Units    []*ledger.Unit // new, or instead of what was there
	Kept     []ledger.KeptChange
	SetAside []ledger.SetAside
	Erased   []string // own uploads of which nothing stays set aside

	Nonce ledger.Nonce // of the writer of Swaps
	Swaps []ledger.Swap

	Cut      *ledger.Cut        // that a release made; nil in any other step
	Numbered []Numbered         // by the cut, ascending
	Waits    []ledger.GroupWait // with a cut: instead of those there were

	Removed []Removed
	Forgets bool      // what is no unit and has had its time:
	Ended   time.Time // keys set aside and withdrawals kept from before Ended,
	Now     time.Time // tombstones until Now,
	Forget  []string  // and these counters

	Tallies ledger.Tallies // to be added
}

// Numbered is an event that a cut gave a number to.
type Numbered struct {
	ID    ledger.UnitID
	Event ledger.Event
}

// Removed is a unit that goes, and until when its tombstone stays; zero for
// none.
type Removed struct {
	ID        ledger.UnitID
	Tombstone time.Time
}

// empty reports whether the step changes nothing.
func (st *Step) empty() bool {
	return len(st.Units) == 0 && len(st.Kept) == 0 && len(st.SetAside) == 0 && len(st.Erased) == 0 &&
		len(st.Swaps) == 0 && st.Cut == nil && len(st.Removed) == 0 && !st.Forgets && len(st.Tallies) == 0
}

// take has a step journalled, and takes it.
func (s *Store) take(ctx context.Context, st *Step) error {
	if s.journal != nil && !st.empty() {
		if err := s.journal(ctx, st); err != nil {
			return err
		}
	}
	s.apply(st)
	return nil
}

// Apply takes a step that a journal has kept. The steps of a ledger must be
// applied in their order, to a new ledger or to one restored from a [State]. One
// that does not go together with the ledger is an error, and changes nothing.
func (s *Store) Apply(st *Step) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fits(st); err != nil {
		return fmt.Errorf("memledger: a step that does not follow: %w", err)
	}
	s.apply(st)
	return nil
}

// fits returns why a step cannot be one of this ledger as it stands.
func (s *Store) fits(st *Step) error {
	units := make(map[ledger.UnitID]bool, len(st.Units))
	for _, u := range st.Units {
		var events []ledger.Event
		if have := s.units[u.ID()]; have != nil {
			events = have.Events
		}
		if units[u.ID()] || !slices.Equal(u.Events, events) {
			return errors.New("a unit has events that it was not given")
		}
		units[u.ID()] = true
	}
	for i, n := range st.Numbered {
		if want := s.last().Last + int64(i) + 1; n.Event.Number != want {
			return fmt.Errorf("number %d, want %d", n.Event.Number, want)
		}
		if s.units[n.ID] == nil && !units[n.ID] {
			return fmt.Errorf("number %d is that of a unit that is not there", n.Event.Number)
		}
	}
	gone := make(map[ledger.UnitID]bool, len(st.Removed))
	for _, r := range st.Removed {
		if s.units[r.ID] == nil || gone[r.ID] {
			return errors.New("it removes a unit that is not there")
		}
		gone[r.ID] = true
	}
	if st.Cut == nil {
		return nil
	}
	if !st.Cut.Follows(s.identity, s.last()) || st.Cut.Last != s.last().Last+int64(len(st.Numbered)) {
		return fmt.Errorf("cut %d is not what comes after cut %d", st.Cut.Seq, s.last().Seq)
	}
	return nil
}

// apply takes a step.
func (s *Store) apply(st *Step) {
	for _, u := range st.Units {
		s.store(u)
	}
	for _, k := range st.Kept {
		s.keep(k)
	}
	s.setAside = append(s.setAside, st.SetAside...)
	s.erase(st.Erased)
	s.swap(st.Nonce, st.Swaps)
	if st.Cut != nil {
		s.number(st.Numbered)
		s.waits = st.Waits
		s.cuts = append(s.cuts, *st.Cut)
	}
	for _, r := range st.Removed {
		if !r.Tombstone.IsZero() {
			s.tombs[ledger.TombstoneOf(s.identity, r.ID)] = r.Tombstone
		}
		s.remove(s.units[r.ID])
	}
	if len(st.Removed) > 0 {
		s.numbers = slices.DeleteFunc(s.numbers, func(n numbered) bool { return s.units[n.id] == nil })
	}
	if st.Forgets {
		s.forget(st)
	}
	for name, n := range st.Tallies {
		s.tallies.Add(name, n)
	}
}

// A State is all that a ledger holds at one moment.
type State struct {
	Identity  ledger.Identity
	Replay    bool
	Units     map[ledger.UnitID]*ledger.Unit
	Kept      map[ledger.UnitID][]ledger.KeptWithdrawal
	SetAside  []ledger.SetAside
	Tombs     map[ledger.Tombstone]time.Time
	Cuts      []ledger.Cut
	Waits     []ledger.GroupWait
	Registers map[string]ledger.Register
	Version   int64 // the last that was given to a register
	Tallies   ledger.Tallies
}

// View shows f all that the ledger holds. Nobody else looks at it or changes it
// meanwhile; f must keep nothing of it, and change nothing.
func (s *Store) View(f func(*State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&State{
		Identity:  s.identity,
		Replay:    s.replay,
		Units:     s.units,
		Kept:      s.kept,
		SetAside:  s.setAside,
		Tombs:     s.tombs,
		Cuts:      s.cuts,
		Waits:     s.waits,
		Registers: s.registers,
		Version:   s.version,
		Tallies:   s.tallies,
	})
}

// Restore returns the ledger that was in a state, which is its own from then
// on. opts.Clock must be set if, and only if, the ledger is one for replays. A
// state that no ledger can be in is an error.
func Restore(st *State, opts *Options) (*Store, error) {
	s := New(opts)
	if s.replay != st.Replay {
		return nil, ledger.ErrReplay
	}
	s.identity = st.Identity
	s.units, s.kept, s.setAside, s.tombs = st.Units, st.Kept, st.SetAside, st.Tombs
	s.cuts, s.waits, s.registers, s.version, s.tallies = st.Cuts, st.Waits, st.Registers, st.Version, st.Tallies
	before := ledger.Cut{}
	for _, c := range s.cuts {
		if !c.Follows(s.identity, before) || c.Last < before.Last {
			return nil, fmt.Errorf("memledger: a state in which cut %d does not follow cut %d", c.Seq, before.Seq)
		}
		before = c
	}
	for id, u := range s.units {
		s.origins[id.KeyData] = append(s.origins[id.KeyData], id.Origin)
		s.enter(u)
		for _, e := range u.Events {
			s.numbers = append(s.numbers, numbered{e.Number, id})
		}
	}
	slices.SortFunc(s.numbers, func(a, b numbered) int { return cmp.Compare(a.number, b.number) })
	last := int64(0)
	for _, n := range s.numbers {
		if n.number <= last || n.number > before.Last {
			return nil, fmt.Errorf("memledger: a state in which number %d of %d is not that of one event", n.number, before.Last)
		}
		last = n.number
	}
	return s, nil
}
