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
	var taken []*ledger.Unit
	for _, take := range choice.Take {
		units := pending[take.GroupID]
		slices.SortFunc(units, canonically)
		units = units[:take.Keys]
		taken = append(taken, units...)
		if take.Pad {
			for _, echo := range r.Pad(cloneAll(units)) {
				s.store(echo)
				taken = append(taken, s.units[echo.ID()])
			}
		}
	}
	s.number(taken)
	s.waits = choice.Waits
	s.tally(choice.Tallies)
	cut := s.last().Next(s.identity, t, int64(len(s.numbers)), choice.Policy)
	s.cuts = append(s.cuts, cut)
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

// number gives the pending events of units the next numbers, in canonical
// order.
func (s *Store) number(units []*ledger.Unit) {
	slices.SortFunc(units, canonically)
	for _, u := range units {
		event, _ := u.Pending()
		s.numbers = append(s.numbers, u.ID())
		event.Number = int64(len(s.numbers))
		u.Events = append(u.Events, event)
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
