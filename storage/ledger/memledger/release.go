package memledger

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// Release implements [ledger.Store].
func (s *Store) Release(ctx context.Context, r *ledger.Release) (ledger.Cut, error) {
	if err := ctx.Err(); err != nil {
		return ledger.Cut{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, holds, err := r.Begin(&ledger.Start{
		Identity:  s.identity,
		Now:       s.now(),
		Last:      s.last(),
		Registers: s.named(r.Registers),
		Waits:     slices.Clone(s.waits),
		Tallies:   maps.Clone(s.tallies),
	})
	if err != nil {
		return ledger.Cut{}, err
	}
	pending := s.pending(t, holds)
	choice, err := r.Choose(groupsOf(pending))
	if err != nil {
		return ledger.Cut{}, err
	}
	step := &Step{Waits: choice.Waits, Tallies: choice.Tallies}
	var taken []*ledger.Unit
	for _, take := range choice.Take {
		units := pending[take.GroupID]
		slices.SortFunc(units, canonically)
		units = units[:take.Keys]
		taken = append(taken, units...)
		if take.Pad {
			step.Units = append(step.Units, r.Pad(cloneAll(units))...)
		}
	}
	taken = append(taken, step.Units...)
	step.Numbered = numberAll(taken, s.last().Last)
	cut := s.last().Next(s.identity, t, s.last().Last+int64(len(taken)), choice.Policy)
	step.Cut = &cut
	if err := s.take(ctx, step); err != nil {
		return ledger.Cut{}, err
	}
	return cut, nil
}

// pending groups the units that a cut at t may number.
func (s *Store) pending(t time.Time, holds ledger.Holds) map[ledger.GroupID][]*ledger.Unit {
	groups := map[ledger.GroupID][]*ledger.Unit{}
	for id, u := range s.units {
		event, wait := u.Pending()
		held := holds.Holds(id.Origin, event.Sources)
		switch {
		case wait == ledger.WaitNothing:
			continue
		case wait == ledger.WaitNew && (!u.Due.Before(t) || u.Held() || held):
			continue
		case wait == ledger.WaitChange && held:
			continue
		}
		g := ledger.GroupID{Origin: id.Origin, Own: u.Own(), Wait: wait}
		groups[g] = append(groups[g], u)
	}
	return groups
}

func groupsOf(pending map[ledger.GroupID][]*ledger.Unit) []ledger.Group {
	var groups []ledger.Group
	for id, units := range pending {
		uploads := map[string]bool{}
		for _, u := range units {
			uploads[u.Upload] = true
		}
		groups = append(groups, ledger.Group{GroupID: id, Keys: len(units), Uploads: len(uploads)})
	}
	return groups
}

// numberAll gives the pending events of units the numbers after last, in
// canonical order.
func numberAll(units []*ledger.Unit, last int64) []Numbered {
	slices.SortFunc(units, canonically)
	all := make([]Numbered, len(units))
	for i, u := range units {
		event, _ := u.Pending()
		event.Number = last + int64(i) + 1
		all[i] = Numbered{ID: u.ID(), Event: event}
	}
	return all
}

// numbered says whose a number is.
type numbered struct {
	number int64
	id     ledger.UnitID
}

// number adds events to their units and to the log.
func (s *Store) number(all []Numbered) {
	for _, n := range all {
		s.numbers = append(s.numbers, numbered{n.Event.Number, n.ID})
		u := s.units[n.ID]
		u.Events = append(u.Events, n.Event)
	}
}

func canonically(a, b *ledger.Unit) int { return a.Key.Compare(&b.Key) }

func cloneAll(units []*ledger.Unit) []*ledger.Unit {
	clones := make([]*ledger.Unit, len(units))
	for i, u := range units {
		clones[i] = u.Clone()
	}
	return clones
}
