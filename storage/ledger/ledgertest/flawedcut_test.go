package ledgertest

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Release implements [ledger.Store].
func (s *flawed) Release(ctx context.Context, r *ledger.Release) (ledger.Cut, error) {
	if err := s.cancelled(ctx); err != nil {
		return ledger.Cut{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	start := &ledger.Start{
		Identity: s.identity, Now: s.now(), Last: s.last(), Registers: maps.Clone(s.registers),
		Waits: slices.Clone(s.waits), Tallies: maps.Clone(s.tallies),
	}
	if s.is("waits forgotten") {
		start.Waits = nil
	}
	t, holds, err := r.Begin(start)
	if err != nil {
		return ledger.Cut{}, err
	}
	if s.is("release not exclusive") {
		s.yield()
	}
	groups := s.pending(t, holds)
	choice, err := r.Choose(s.count(groups))
	if err != nil && !s.is("cut in spite of an error") {
		return ledger.Cut{}, err
	}
	taken := s.take(r, choice, groups)
	if len(taken) == 0 && s.is("empty cut not recorded") {
		return s.last(), nil
	}
	end := s.number(taken)
	if !s.is("waits added") {
		s.waits = nil
	}
	s.waits = append(s.waits, choice.Waits...)
	if !s.is("tallies of cuts forgotten") {
		s.add(choice.Tallies)
	}
	return s.cut(t, end, choice.Policy, start), err
}

// cut records a cut.
func (s *flawed) cut(t time.Time, end, policy int64, start *ledger.Start) ledger.Cut {
	if s.is("time of the clock") {
		t = s.now()
	}
	before := s.last()
	if s.is("not chained") {
		before.Hash = ledger.Hash{}
	}
	cut := before.Next(start.Identity, t, end, policy)
	s.cuts = append(s.cuts, cut)
	return cut
}

func (s *flawed) take(r *ledger.Release, choice *ledger.Choice, groups map[ledger.GroupID][]*ledger.Unit) []*ledger.Unit {
	var taken []*ledger.Unit
	for _, take := range choice.Take {
		units := groups[take.GroupID]
		if !s.is("first come, first cut") {
			slices.SortFunc(units, func(a, b *ledger.Unit) int { return a.Key.Compare(&b.Key) })
		}
		units = units[:take.Keys]
		taken = append(taken, units...)
		if !take.Pad || s.is("padding forgotten") {
			continue
		}
		for _, echo := range r.Pad(units) {
			s.store(echo)
			if !s.is("padding waits") {
				taken = append(taken, s.units[echo.ID()])
			}
		}
	}
	return taken
}

func (s *flawed) pending(t time.Time, holds ledger.Holds) map[ledger.GroupID][]*ledger.Unit {
	groups := map[ledger.GroupID][]*ledger.Unit{}
	for _, id := range s.arrived {
		u := s.units[id]
		event, wait := u.Pending()
		held := holds.Holds(id.Origin, event.Sources) && !s.is("hold ignored")
		if s.is("hold by any source") {
			for source := range event.Sources.All() {
				held = held || slices.Contains(holds.Sources, source)
			}
		}
		due := u.Due.Before(t) || s.is("due at the cut") && u.Due.Equal(t)
		may := wait == ledger.WaitWithdrawal && !(held && s.is("hold delays withdrawals")) ||
			wait == ledger.WaitChange && (!held || s.is("hold lets changes go")) ||
			wait == ledger.WaitNew && due && !held && (!u.Held() || s.is("quota ignored"))
		if wait == ledger.WaitChange && s.is("changes forgotten") {
			may = false
		}
		if !may {
			continue
		}
		g := ledger.GroupID{Origin: id.Origin, Own: u.Own() || s.is("foreign grouped as own"), Wait: wait}
		groups[g] = append(groups[g], u)
	}
	return groups
}

func (s *flawed) count(pending map[ledger.GroupID][]*ledger.Unit) []ledger.Group {
	var groups []ledger.Group
	for id, units := range pending {
		uploads := map[string]bool{}
		for _, u := range units {
			uploads[u.Upload] = true
			for _, c := range u.Claims {
				if s.is("uploads counted by claims") {
					uploads[c.Upload] = true
				}
			}
		}
		if s.is("one upload, one key") {
			uploads = map[string]bool{"": true}
		}
		groups = append(groups, ledger.Group{GroupID: id, Keys: len(units), Uploads: len(uploads)})
	}
	return groups
}

// number gives units the next numbers and returns the last.
func (s *flawed) number(units []*ledger.Unit) int64 {
	if !s.is("numbers by arrival") {
		slices.SortFunc(units, func(a, b *ledger.Unit) int { return a.Key.Compare(&b.Key) })
	}
	end := s.last().Last
	if s.is("numbers from 0") && end == 0 {
		end = -1
	}
	for _, u := range units {
		event, _ := u.Pending()
		end++
		if s.is("gap in the numbers") && end%4 == 0 {
			end++
		}
		event.Number = end
		if s.is("state of today") && len(u.Events) > 0 {
			event.Partners = event.Own // falls with a reinstatement
		}
		u.Events = append(u.Events, event)
	}
	return max(end, 0)
}

// Read implements [ledger.Store].
func (s *flawed) Read(ctx context.Context, from, to int64) iter.Seq2[*ledger.Unit, error] {
	return func(yield func(*ledger.Unit, error) bool) {
		if err := s.cancelled(ctx); err != nil {
			yield(nil, err)
			return
		}
		s.mu.Lock()
		families, err := s.families(from, to)
		units := s.heads(families, to)
		s.mu.Unlock()
		if err != nil {
			if s.is("error after units") {
				yield(&ledger.Unit{}, nil)
			}
			yield(nil, err)
			return
		}
		for i := range units {
			if s.is("read of many moments") {
				s.mu.Lock()
				if later, _ := s.families(from, to+50); i < len(later) {
					units = s.heads(later, to+50)
				}
				s.mu.Unlock()
			}
			if !yield(units[i], nil) {
				return
			}
		}
	}
}

// families returns the key data of a range, in the order in which it is read.
func (s *flawed) families(from, to int64) ([]keys.KeyData, error) {
	if to > s.last().Last && s.is("beyond is an error") {
		return nil, ledger.ErrWentBack
	}
	first := int64(0)
	for _, c := range s.cuts {
		if c.Pruned && max(first, from) < min(c.Last, to) && !s.is("pruned reads short") {
			return nil, ledger.ErrPruned
		}
		first = c.Last
	}
	at := map[keys.KeyData]int64{}
	for _, u := range s.units {
		for _, e := range u.Events {
			if n, ok := at[u.Key.KeyData]; e.Number > from && e.Number <= to && (!ok || e.Number < n) {
				at[u.Key.KeyData] = e.Number
				if s.is("order of the first number ever") {
					at[u.Key.KeyData] = u.Events[0].Number
				}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(at), func(a, b keys.KeyData) int {
		return cmp.Or(cmp.Compare(at[a], at[b]), strings.Compare(string(a[:]), string(b[:])))
	}), nil
}

func (s *flawed) heads(families []keys.KeyData, to int64) []*ledger.Unit {
	var heads []*ledger.Unit
	for _, k := range families {
		list := s.family(k, to)
		if s.is("siblings apart") {
			for i := range list {
				heads = append(heads, &list[i])
			}
			continue
		}
		head := list[0]
		if len(list) > 1 && !s.is("siblings missing") {
			head.Siblings = list[1:]
		}
		heads = append(heads, &head)
	}
	return heads
}

func (s *flawed) family(k keys.KeyData, to int64) []ledger.Unit {
	var list []ledger.Unit
	for id, u := range s.units {
		if id.KeyData != k {
			continue
		}
		c := u.Clone()
		if !s.is("events after to shown") {
			c.Events = slices.DeleteFunc(c.Events, func(e ledger.Event) bool { return e.Number > to })
		}
		if c.Released() || s.is("waiting siblings shown") && len(list) > 0 {
			list = append(list, *c)
		}
	}
	cutOf := func(u *ledger.Unit) int {
		return slices.IndexFunc(s.cuts, func(c ledger.Cut) bool { return u.Released() && u.Events[0].Number <= c.Last })
	}
	foreign := func(u *ledger.Unit) int {
		own := u.Released() && u.Events[0].Sources.Has(ledger.Own)
		if s.is("own as of today first") {
			own = u.Own()
		}
		if own && !s.is("own not first") {
			return 0
		}
		return 1
	}
	slices.SortFunc(list, func(a, b ledger.Unit) int {
		byAcceptance := a.Accepted.Compare(b.Accepted)
		if s.is("siblings by origin") {
			byAcceptance = 0
		}
		return cmp.Or(cmp.Compare(cutOf(&a), cutOf(&b)), cmp.Compare(foreign(&a), foreign(&b)), byAcceptance, a.Key.Origin.Compare(b.Key.Origin))
	})
	return list
}

// Remove implements [ledger.Store].
func (s *flawed) Remove(ctx context.Context, r *ledger.Removal) (int, error) {
	if err := s.cancelled(ctx); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Again()
	removed := 0
	for _, id := range slices.Clone(s.arrived) {
		u := s.units[id]
		if removed == r.Limit && !s.is("limit ignored") {
			break
		}
		if !s.goes(r, u) {
			continue
		}
		until := r.Each(u.Clone())
		if s.is("shown twice") {
			r.Each(u.Clone())
		}
		if !until.IsZero() && !s.is("no tombstones") {
			s.tombs[s.tombstoneOf(id)] = until
		}
		s.remove(u)
		removed++
	}
	s.forget(r)
	if t := r.Tallies(); !s.is("tallies of removals forgotten") {
		s.add(t)
	}
	return removed, nil
}

func (s *flawed) goes(r *ledger.Removal, u *ledger.Unit) bool {
	for id, other := range s.units {
		if id.KeyData != u.Key.KeyData || id != u.ID() && s.is("floor of siblings ignored") || s.is("floor ignored") {
			continue
		}
		for _, e := range other.Events {
			if e.Number > r.Floor {
				return false
			}
		}
	}
	if end := u.Key.End(); end.Before(r.Ended) || s.is("ended at is ended before") && end.Equal(r.Ended) {
		return u.Released() || !s.is("what waits stays")
	}
	_, wait := u.Pending()
	return u.Erase && (wait == ledger.WaitNothing || s.is("erased before it was withdrawn"))
}

func (s *flawed) remove(u *ledger.Unit) {
	for id, other := range s.units {
		if !u.Released() || id.KeyData != u.Key.KeyData || id != u.ID() && s.is("siblings not marked") || s.is("cuts not marked") {
			continue
		}
		for _, e := range other.Events {
			i := slices.IndexFunc(s.cuts, func(c ledger.Cut) bool { return e.Number <= c.Last })
			s.cuts[i].Pruned = true
			if s.is("all cuts marked") {
				for i := range s.cuts {
					s.cuts[i].Pruned = true
				}
			}
		}
	}
	delete(s.units, u.ID())
	s.arrived = slices.DeleteFunc(s.arrived, func(id ledger.UnitID) bool { return id == u.ID() })
}

func (s *flawed) forget(r *ledger.Removal) {
	if !s.is("set aside for ever") {
		s.aside = slices.DeleteFunc(s.aside, func(a ledger.SetAside) bool { return a.At.Before(r.Ended) })
	}
	for id, kept := range s.kept {
		kept = slices.DeleteFunc(kept, func(k ledger.KeptWithdrawal) bool { return k.At.Before(r.Ended) && !s.is("kept for ever") })
		if s.kept[id] = kept; len(kept) == 0 {
			delete(s.kept, id)
		}
	}
	maps.DeleteFunc(s.tombs, func(_ ledger.Tombstone, until time.Time) bool {
		return !until.After(r.Now) && !s.is("tombstones for ever")
	})
	for _, name := range r.Forget {
		maps.DeleteFunc(s.tallies, func(have string, _ int64) bool {
			return have == name || s.is("forgets by prefix") && strings.HasPrefix(have, name)
		})
	}
}
