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
	step := &Step{}
	for id, u := range s.units {
		if len(step.Removed) == r.Limit {
			break
		}
		if s.goes(r, u) {
			step.Removed = append(step.Removed, Removed{ID: id, Tombstone: r.Each(u.Clone())})
		}
	}
	if s.forgets(r) {
		step.Forgets, step.Ended, step.Now, step.Forget = true, r.Ended, r.Now, r.Forget
	}
	step.Tallies = r.Tallies()
	if err := s.take(ctx, step); err != nil {
		return 0, err
	}
	return len(step.Removed), nil
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
	s.leave(u)
	delete(s.units, id)
	origins := slices.DeleteFunc(s.origins[id.KeyData], func(o keys.Region) bool { return o == id.Origin })
	if len(origins) == 0 {
		delete(s.origins, id.KeyData)
	} else {
		s.origins[id.KeyData] = origins
	}
}

// forgets reports whether there is anything that is not a unit and has had its
// time.
func (s *Store) forgets(r *ledger.Removal) bool {
	if slices.ContainsFunc(s.setAside, func(a ledger.SetAside) bool { return a.At.Before(r.Ended) }) {
		return true
	}
	for _, kept := range s.kept {
		if slices.ContainsFunc(kept, func(k ledger.KeptWithdrawal) bool { return k.At.Before(r.Ended) }) {
			return true
		}
	}
	for _, until := range s.tombs {
		if !until.After(r.Now) {
			return true
		}
	}
	return slices.ContainsFunc(r.Forget, func(name string) bool { _, ok := s.tallies[name]; return ok })
}

// forget removes it.
func (s *Store) forget(st *Step) {
	s.setAside = slices.DeleteFunc(s.setAside, func(a ledger.SetAside) bool { return a.At.Before(st.Ended) })
	for id, kept := range s.kept {
		kept = slices.DeleteFunc(kept, func(k ledger.KeptWithdrawal) bool { return k.At.Before(st.Ended) })
		if s.kept[id] = kept; len(kept) == 0 {
			delete(s.kept, id)
		}
	}
	maps.DeleteFunc(s.tombs, func(_ ledger.Tombstone, until time.Time) bool { return !until.After(st.Now) })
	for _, name := range st.Forget {
		delete(s.tallies, name)
	}
}
