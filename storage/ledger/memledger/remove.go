package memledger

import (
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Remove implements [ledger.Store].
func (s *Store) Remove(ctx context.Context, r *ledger.Removal) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Again()
	removed := 0
	for id, u := range s.units {
		if removed == r.Limit {
			break
		}
		if !s.goes(r, u) {
			continue
		}
		if until := r.Each(u.Clone()); !until.IsZero() {
			s.tombs[ledger.TombstoneOf(s.identity, id)] = until
		}
		s.remove(u)
		removed++
	}
	s.forget(r)
	s.tally(r.Tallies())
	return removed, nil
}

// goes reports whether a removal describes u.
func (s *Store) goes(r *ledger.Removal, u *ledger.Unit) bool {
	for e := range s.eventsOf(u.Key.KeyData) {
		if e.Number > r.Floor {
			return false
		}
	}
	if u.Key.End().Before(r.Ended) {
		return true
	}
	_, wait := u.Pending()
	return u.Erase && wait == ledger.WaitNothing
}

// eventsOf yields the events of all units with that key data.
func (s *Store) eventsOf(k keys.KeyData) iter.Seq[ledger.Event] {
	return func(yield func(ledger.Event) bool) {
		for _, origin := range s.origins[k] {
			for _, e := range s.units[ledger.UnitID{Origin: origin, KeyData: k}].Events {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// remove takes a unit out, and marks the cuts that numbered it or a sibling as
// pruned.
func (s *Store) remove(u *ledger.Unit) {
	id := u.ID()
	if u.Released() {
		for e := range s.eventsOf(id.KeyData) {
			s.cuts[s.cutOf(e.Number)].Pruned = true
		}
	}
	for _, e := range u.Events {
		s.numbers[e.Number-1] = ledger.UnitID{}
	}
	delete(s.units, id)
	origins := slices.DeleteFunc(s.origins[id.KeyData], func(o keys.Region) bool { return o == id.Origin })
	if len(origins) == 0 {
		delete(s.origins, id.KeyData)
	} else {
		s.origins[id.KeyData] = origins
	}
}

// forget removes what is not a unit and has had its time.
func (s *Store) forget(r *ledger.Removal) {
	s.setAside = slices.DeleteFunc(s.setAside, func(a ledger.SetAside) bool { return a.At.Before(r.Ended) })
	for id, kept := range s.kept {
		kept = slices.DeleteFunc(kept, func(k ledger.KeptWithdrawal) bool { return k.At.Before(r.Ended) })
		if s.kept[id] = kept; len(kept) == 0 {
			delete(s.kept, id)
		}
	}
	maps.DeleteFunc(s.tombs, func(_ ledger.Tombstone, until time.Time) bool { return !until.After(r.Now) })
	for _, name := range r.Forget {
		delete(s.tallies, name)
	}
}
