package sqliteledger

import (
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// keptFor returns the withdrawals that are kept for units. Most ledgers keep
// none at most times.
func (t *tx) keptFor(ids []ledger.UnitID) (map[ledger.UnitID][]ledger.KeptWithdrawal, error) {
	if any, err := t.has(`SELECT 1 FROM kept LIMIT 1`); err != nil || !any {
		return nil, err
	}
	kept := map[ledger.UnitID][]ledger.KeptWithdrawal{}
	var data bytes16
	var origin region
	var source string
	var at integer
	const query = `SELECT key_data, origin, source, at FROM kept
		WHERE key_data IN (SELECT unhex(value) FROM json_each(?)) ORDER BY source`
	err := t.each(query, []any{keyList(ids)}, func(s scanner) error {
		if err := s.Scan(&data, &origin, &source, &at); err != nil {
			return err
		}
		id := unitID(data, origin)
		kept[id] = append(kept[id], ledger.KeptWithdrawal{Source: ledger.Source(source), At: at.time()})
		return nil
	})
	return kept, err
}

func (t *tx) keep(changes []ledger.KeptChange) error {
	const (
		drop = `DELETE FROM kept WHERE key_data = ? AND origin = ? AND source = ?`
		add  = `INSERT OR REPLACE INTO kept (key_data, origin, source, at) VALUES (?, ?, ?, ?)`
	)
	for _, c := range changes {
		args := []any{c.ID.KeyData[:], c.ID.Origin.String(), string(c.Kept.Source)}
		query := drop
		if c.Lifted {
			t.removed = true
		} else {
			query, args = add, append(args, micros(c.Kept.At))
		}
		if _, err := t.exec(query, args...); err != nil {
			return err
		}
	}
	return nil
}

// tombstonesFor returns until when units are refused.
func (t *tx) tombstonesFor(ledgerID ledger.Identity, ids []ledger.UnitID) (map[ledger.UnitID]time.Time, error) {
	if any, err := t.has(`SELECT 1 FROM tombstone LIMIT 1`); err != nil || !any {
		return nil, err
	}
	hashes := make([]ledger.Tombstone, len(ids))
	byHash := make(map[bytes32]ledger.UnitID, len(ids))
	for i, id := range ids {
		hashes[i] = ledger.TombstoneOf(ledgerID, id)
		byHash[bytes32(hashes[i])] = id
	}
	tombs := map[ledger.UnitID]time.Time{}
	var hash bytes32
	var until integer
	list := hexList(hashes, func(h *ledger.Tombstone) []byte { return h[:] })
	const query = `SELECT hash, until FROM tombstone WHERE hash IN (SELECT unhex(value) FROM json_each(?))`
	err := t.each(query, []any{list}, func(s scanner) error {
		err := s.Scan(&hash, &until)
		tombs[byHash[hash]] = until.time()
		return err
	})
	return tombs, err
}

func (t *tx) bury(hash ledger.Tombstone, until time.Time) error {
	_, err := t.exec(`INSERT OR REPLACE INTO tombstone (hash, until) VALUES (?, ?)`, hash[:], micros(until))
	return err
}
