package pgledger

import (
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// traces are what is known of units without them: withdrawals that are kept, and
// tombstones.
type traces struct {
	kept  map[ledger.UnitID][]ledger.KeptWithdrawal
	tombs map[ledger.UnitID]time.Time
}

// lookTraces adds to a batch what finds the traces of units.
func (b *batch) lookTraces(ids []ledger.UnitID) *traces {
	found := &traces{kept: map[ledger.UnitID][]ledger.KeptWithdrawal{}, tombs: map[ledger.UnitID]time.Time{}}
	if len(ids) == 0 {
		return found
	}
	byHash := make(map[bytes32]ledger.UnitID, len(ids))
	hashes := list(ids, func(id ledger.UnitID) []byte {
		hash := bytes32(ledger.TombstoneOf(b.tx.store.identity, id))
		byHash[hash] = id
		return hash[:]
	})
	var name []byte // key data, or a tombstone's hash
	var origin, source pgtype.Text
	var at time.Time
	const query = `SELECT key_data, origin, source, at FROM gaen.kept WHERE key_data = ANY ($1)
		UNION ALL SELECT hash, NULL, NULL, until FROM gaen.tombstone WHERE hash = ANY ($2)`
	b.each(query, []any{keyData(ids), hashes}, []any{&name, &origin, &source, &at}, func() error {
		if !origin.Valid {
			found.tombs[byHash[bytes32(name)]] = at.UTC()
			return nil
		}
		r, err := region(origin.String)
		id := ledger.UnitID{Origin: r, KeyData: keys.KeyData(name)}
		found.kept[id] = append(found.kept[id], ledger.KeptWithdrawal{Source: ledger.Source(source.String), At: at.UTC()})
		return err
	})
	return found
}

// lookAgain adds to a batch a look that must find what an earlier one did. Without
// a unit whose row could be locked, a withdrawal may have been kept since, or a
// unit have been there and been removed.
func (b *batch) lookAgain(ids []ledger.UnitID, before *traces) {
	now := b.lookTraces(ids)
	b.checks = append(b.checks, func() error {
		if !now.same(before) {
			return errAgain
		}
		return nil
	})
}

// same reports whether two looks found the same.
func (a *traces) same(b *traces) bool {
	return maps.EqualFunc(a.tombs, b.tombs, time.Time.Equal) && maps.EqualFunc(a.kept, b.kept, sameKept)
}

// sameKept compares withdrawals in any order.
func sameKept(a, b []ledger.KeptWithdrawal) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(k ledger.KeptWithdrawal) bool { return !slices.Contains(b, k) })
}

// record returns what is known of a unit that is not there.
func (a *traces) record(id ledger.UnitID) *ledger.Record {
	return &ledger.Record{ID: id, Kept: slices.Clone(a.kept[id]), Tombstone: a.tombs[id]}
}

// traces returns records without their units, in the order of ids.
func (t *tx) traces(ids []ledger.UnitID) ([]*ledger.Record, error) {
	b := t.batch()
	found := b.lookTraces(ids)
	if err := b.send(); err != nil {
		return nil, err
	}
	return list(ids, found.record), nil
}

// keep adds to a batch what changes kept withdrawals.
func (b *batch) keep(changes []ledger.KeptChange) {
	const (
		drop = `DELETE FROM gaen.kept WHERE key_data = $1 AND origin = $2 AND source = $3`
		add  = `INSERT INTO gaen.kept (key_data, origin, source, at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (key_data, origin, source) DO UPDATE SET at = excluded.at`
	)
	for i := range changes {
		c := &changes[i]
		args := []any{c.ID.KeyData[:], c.ID.Origin.String(), string(c.Kept.Source)}
		if c.Lifted {
			b.exec(drop, args...)
		} else {
			b.exec(add, append(args, c.Kept.At)...)
		}
	}
}
