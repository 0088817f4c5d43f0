package memledger

import (
	"context"
	"slices"

	"github.com/gaenkit/gaen/storage/ledger"
)

// Accept implements [ledger.Store].
func (s *Store) Accept(ctx context.Context, in *ledger.Intake) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkSwaps(in.Nonce, in.Swaps); err != nil {
		return err
	}
	changes, err := in.Decide(s.standing(in))
	if err != nil {
		return err
	}
	return s.take(ctx, &Step{
		Units:    changes.Units,
		Kept:     changes.Kept,
		SetAside: changes.SetAside,
		Erased:   changes.Erased,
		Nonce:    in.Nonce,
		Swaps:    in.Swaps,
		Tallies:  changes.Tallies,
	})
}

// standing returns private copies of what an intake asks for.
func (s *Store) standing(in *ledger.Intake) *ledger.Standing {
	st := &ledger.Standing{Now: s.now(), Tallies: ledger.Tallies{}, Registers: s.named(in.Registers)}
	for _, id := range in.Units {
		st.Records = append(st.Records, s.record(id))
	}
	if in.Tallies != nil {
		for _, name := range in.Tallies(st.Now) {
			st.Tallies[name] = s.tallies[name]
		}
	}
	return st
}

func (s *Store) record(id ledger.UnitID) *ledger.Record {
	rec := &ledger.Record{
		ID:        id,
		Kept:      slices.Clone(s.kept[id]),
		Tombstone: s.tombs[ledger.TombstoneOf(s.identity, id)],
	}
	if u, ok := s.units[id]; ok {
		rec.Unit = u.Clone()
	}
	return rec
}

func (s *Store) store(u *ledger.Unit) {
	id := u.ID()
	if _, ok := s.units[id]; !ok {
		s.origins[id.KeyData] = append(s.origins[id.KeyData], id.Origin)
	}
	s.leave(s.units[id])
	s.enter(u)
	s.units[id] = u.Clone()
}

// enter notes by which uploads a unit can be found.
func (s *Store) enter(u *ledger.Unit) {
	for i := range u.Claims {
		name := u.Claims[i].Upload
		if s.uploads[name] == nil {
			s.uploads[name] = map[ledger.UnitID]bool{}
		}
		s.uploads[name][u.ID()] = true
	}
}

// leave undoes enter. The unit may be nil.
func (s *Store) leave(u *ledger.Unit) {
	if u == nil {
		return
	}
	for i := range u.Claims {
		name := u.Claims[i].Upload
		if delete(s.uploads[name], u.ID()); len(s.uploads[name]) == 0 {
			delete(s.uploads, name)
		}
	}
}

func (s *Store) keep(c ledger.KeptChange) {
	kept := slices.DeleteFunc(s.kept[c.ID], func(k ledger.KeptWithdrawal) bool { return k.Source == c.Kept.Source })
	if !c.Lifted {
		kept = append(kept, c.Kept)
	}
	if len(kept) == 0 {
		delete(s.kept, c.ID)
		return
	}
	s.kept[c.ID] = kept
}

// erase drops what was set aside of own uploads.
func (s *Store) erase(uploads []string) {
	if len(uploads) == 0 {
		return
	}
	s.setAside = slices.DeleteFunc(s.setAside, func(a ledger.SetAside) bool {
		return a.Source == ledger.Own && slices.Contains(uploads, a.Upload)
	})
}
