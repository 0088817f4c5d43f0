package pgledger

import (
	"context"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// Log implements [ledger.Store]. On a standby it says how far that has come, by
// the standby's own clock.
func (s *Store) Log(ctx context.Context, after int64) (log *ledger.Log, err error) {
	log = &ledger.Log{Identity: s.identity, Replay: s.opts.Clock != nil}
	err = s.read(ctx, "log", func(t *tx) error {
		b := t.batch()
		b.lookLast(&log.Last)
		b.eachCut(`WHERE seq > $1 ORDER BY seq`, []any{after}, func(c ledger.Cut) { log.Cuts = append(log.Cuts, c) })
		log.Tallies = b.lookAllTallies()
		var now time.Time
		b.each(`SELECT clock_timestamp()`, nil, []any{&now}, func() error { return nil })
		err := b.send()
		log.Now = s.now(now)
		return err
	})
	if err != nil {
		return nil, err
	}
	return log, nil
}

// eachCut adds to a batch a query for cuts.
func (b *batch) eachCut(where string, args []any, f func(ledger.Cut)) {
	var c ledger.Cut
	var nonce bytes16
	var hash bytes32
	dest := []any{&c.Seq, &c.Time, &c.Last, &c.Policy, &nonce, &hash, &c.Pruned}
	b.each(`SELECT seq, time, last, policy, nonce, hash, pruned FROM gaen.cut `+where, args, dest, func() error {
		c.Time, c.Nonce, c.Hash = c.Time.UTC(), ledger.Nonce(nonce), ledger.Hash(hash)
		f(c)
		return nil
	})
}

// lookLast adds to a batch what reads the last cut, zero if there is none.
func (b *batch) lookLast(last *ledger.Cut) {
	b.eachCut(`ORDER BY seq DESC LIMIT 1`, nil, func(c ledger.Cut) { *last = c })
}

func (b *batch) addCut(before, c ledger.Cut) {
	b.exec(`INSERT INTO gaen.cut (seq, time, after, last, policy, nonce, hash, pruned) VALUES ($1, $2, $3, $4, $5, $6, $7, false)`,
		c.Seq, c.Time, before.Last, c.Last, c.Policy, c.Nonce[:], c.Hash[:])
}

// pruned reports whether a cut that gave numbers in (from, to] has lost any.
func (t *tx) pruned(from, to int64) (bool, error) {
	return t.has(`SELECT FROM gaen.cut WHERE last > $1 AND after < $2 AND pruned`, from, to)
}

// markPruned adds to a batch what notes which cuts lose what Read has yielded of
// them when units go: their numbers, and their siblings', with which they were
// yielded.
func (b *batch) markPruned(units []int64) {
	b.exec(`UPDATE gaen.cut SET pruned = true WHERE NOT pruned AND seq IN (
		SELECT (SELECT seq FROM gaen.cut WHERE last >= number ORDER BY last, seq LIMIT 1) FROM (
			SELECT number FROM gaen.event WHERE unit = ANY ($1)
			UNION ALL
			SELECT event.number FROM gaen.unit
				JOIN gaen.unit AS sibling ON sibling.key_data = unit.key_data
				JOIN gaen.event ON event.unit = sibling.id
				WHERE unit.id = ANY ($1) AND unit.shared
				AND EXISTS (SELECT FROM gaen.event AS own WHERE own.unit = unit.id)) AS numbers)`, units)
}
