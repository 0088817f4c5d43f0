package sqliteledger

import (
	"context"

	"github.com/gaenkit/gaen/storage/ledger"
)

// Accept implements [ledger.Store]. Cancelling ctx has an effect as long as the
// step has not begun.
func (s *Store) Accept(ctx context.Context, in *ledger.Intake) error {
	return s.write(ctx, "accept", func(t *tx) error {
		if err := t.checkSwaps(in.Nonce, in.Swaps); err != nil {
			return err
		}
		k := t.known()
		standing, err := s.standing(k, in)
		if err != nil {
			return err
		}
		changes, err := in.Decide(standing)
		if err != nil {
			return given(err)
		}
		if err := k.apply(changes); err != nil {
			return err
		}
		return t.swap(in.Nonce, in.Swaps)
	})
}

// standing reads what an intake asks for.
func (s *Store) standing(k *known, in *ledger.Intake) (st *ledger.Standing, err error) {
	st = &ledger.Standing{Now: s.now(), Tallies: ledger.Tallies{}}
	if st.Records, err = s.records(k, in.Units); err != nil {
		return nil, err
	}
	if st.Registers, err = k.registers(in.Registers); err != nil {
		return nil, err
	}
	if in.Tallies != nil {
		err = k.readTallies(st.Tallies, in.Tallies(st.Now))
	}
	return st, err
}

// records returns what is known of units, in the order of ids.
func (s *Store) records(k *known, ids []ledger.UnitID) ([]*ledger.Record, error) {
	if err := k.look(ids); err != nil {
		return nil, err
	}
	records, err := s.traces(k.tx, ids)
	for _, r := range records {
		r.Unit = k.unit(r.ID)
	}
	return records, err
}

// traces returns records without their units, in the order of ids.
func (s *Store) traces(t *tx, ids []ledger.UnitID) ([]*ledger.Record, error) {
	kept, err := t.keptFor(ids)
	if err != nil {
		return nil, err
	}
	tombs, err := t.tombstonesFor(s.identity, ids)
	if err != nil {
		return nil, err
	}
	records := make([]*ledger.Record, len(ids))
	for i, id := range ids {
		records[i] = &ledger.Record{ID: id, Kept: kept[id], Tombstone: tombs[id]}
	}
	return records, nil
}

// apply stores what a Decide decided.
func (k *known) apply(c *ledger.Changes) error {
	if err := k.saveAll(c.Units); err != nil {
		return err
	}
	if err := k.keep(c.Kept); err != nil {
		return err
	}
	if err := k.setAside(c.SetAside); err != nil {
		return err
	}
	if err := k.eraseSetAside(c.Erased); err != nil {
		return err
	}
	return k.addTallies(c.Tallies)
}
