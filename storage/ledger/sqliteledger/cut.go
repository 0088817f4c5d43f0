package sqliteledger

import (
	"context"

	"github.com/gaenkit/gaen/storage/ledger"
)

// Log implements [ledger.Store].
func (s *Store) Log(ctx context.Context, after int64) (log *ledger.Log, err error) {
	log = &ledger.Log{Identity: s.identity, Replay: s.opts.Clock != nil}
	err = s.read(ctx, "log", func(t *tx) error {
		if log.Last, err = t.lastCut(); err != nil {
			return err
		}
		if log.Cuts, err = t.cuts(`WHERE seq > ? ORDER BY seq`, after); err != nil {
			return err
		}
		log.Tallies, err = t.allTallies()
		log.Now = s.now()
		return err
	})
	if err != nil {
		return nil, err
	}
	return log, nil
}

// cuts returns the cuts that a condition describes.
func (t *tx) cuts(where string, args ...any) (cuts []ledger.Cut, err error) {
	var seq, at, last, policy, pruned integer
	var nonce bytes16
	var hash bytes32
	query := `SELECT seq, time, last, policy, nonce, hash, pruned FROM cut ` + where
	err = t.each(query, args, func(s scanner) error {
		err := s.Scan(&seq, &at, &last, &policy, &nonce, &hash, &pruned)
		cuts = append(cuts, ledger.Cut{
			Seq:    int64(seq),
			Time:   at.time(),
			Last:   int64(last),
			Policy: int64(policy),
			Nonce:  ledger.Nonce(nonce),
			Hash:   ledger.Hash(hash),
			Pruned: pruned.bool(),
		})
		return err
	})
	return cuts, err
}

// lastCut returns the last cut, zero if there is none.
func (t *tx) lastCut() (ledger.Cut, error) {
	cuts, err := t.cuts(`ORDER BY seq DESC LIMIT 1`)
	if err != nil || len(cuts) == 0 {
		return ledger.Cut{}, err
	}
	return cuts[0], nil
}

func (t *tx) addCut(before, c ledger.Cut) error {
	const insert = `INSERT INTO cut (seq, time, after, last, policy, nonce, hash, pruned) VALUES (?, ?, ?, ?, ?, ?, ?, 0)`
	_, err := t.exec(insert, c.Seq, micros(c.Time), before.Last, c.Last, c.Policy, c.Nonce[:], c.Hash[:])
	return err
}

// pruned reports whether a cut that gave numbers in (from, to] has lost any.
func (t *tx) pruned(from, to int64) (bool, error) {
	return t.has(`SELECT 1 FROM cut WHERE last > ?1 AND after < ?2 AND pruned LIMIT 1`, from, to)
}

// cutOf finds the cut that gave a number.
const cutOf = `SELECT seq FROM cut WHERE last >= ? ORDER BY last, seq LIMIT 1`

// markPruned notes which cuts lose what Read has yielded of them when the units
// of a list go: their numbers, and their siblings', with which they were
// yielded.
func (t *tx) markPruned(list string) error {
	_, err := t.exec(`UPDATE cut SET pruned = 1 WHERE NOT pruned AND seq IN (
		SELECT (SELECT seq FROM cut WHERE last >= number ORDER BY last, seq LIMIT 1) FROM (
			SELECT number FROM event WHERE unit IN (SELECT value FROM json_each(?1))
			UNION ALL
			SELECT number FROM unit
				JOIN unit AS sibling ON sibling.key_data = unit.key_data
				JOIN event ON event.unit = sibling.id
				WHERE unit.id IN (SELECT value FROM json_each(?1)) AND unit.shared
				AND EXISTS (SELECT 1 FROM event WHERE event.unit = unit.id)))`, list)
	return err
}
