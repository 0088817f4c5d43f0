package pgledger

import (
	"context"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Remove implements [ledger.Store]. It keeps Release and other Removes waiting,
// and of Accepts only those that ask for units which go.
func (s *Store) Remove(ctx context.Context, r *ledger.Removal) (n int, err error) {
	if s.outer != nil {
		return 0, s.wrap("remove", ErrInTx)
	}
	if err := s.trim(ctx, r); err != nil {
		return 0, s.wrap("remove", err)
	}
	err = s.write(ctx, "remove", plan{isolation: eachQuery, lock: thinLog}, func(t *tx) error {
		n = 0
		r.Again()
		gone, err := t.removeUnits(r)
		if err != nil {
			return err
		}
		b := t.batch()
		b.forget(r)
		b.addTallies(r.Tallies())
		if err := b.send(); err != nil {
			return err
		}
		n = gone
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

const (
	// old describes the units whose period ended before the interval $1.
	old = `unit.rolling_start_interval_number + unit.rolling_period < $1`

	// erasable describes those that are to be erased and wait for nothing.
	erasable = `unit.erase AND NOT EXISTS (SELECT FROM gaen.waiting WHERE waiting.unit = unit.id)`

	// passed describes those that have no number after the floor, $2, and no
	// sibling that has one.
	passed = `NOT EXISTS (SELECT FROM gaen.event WHERE event.unit = unit.id AND event.number > $2)
		AND (NOT unit.shared OR NOT EXISTS (
			SELECT FROM gaen.unit AS sibling JOIN gaen.event ON event.unit = sibling.id
			WHERE sibling.key_data = unit.key_data AND event.number > $2))`
)

// removable returns up to r.Limit units that may go, the oldest first.
func (t *tx) removable(r *ledger.Removal) ([]int64, error) {
	limit := max(r.Limit, 0)
	ids, err := t.ids(`SELECT id FROM gaen.unit WHERE `+old+` AND `+passed+`
		ORDER BY rolling_start_interval_number + rolling_period LIMIT $3`, endedBefore(r.Ended), r.Floor, limit)
	if err != nil || len(ids) >= limit {
		return ids, err
	}
	more, err := t.ids(`SELECT id FROM gaen.unit WHERE `+erasable+` AND NOT `+old+` AND `+passed+` LIMIT $3`,
		endedBefore(r.Ended), r.Floor, limit-len(ids))
	return append(ids, more...), err
}

// ids returns the ids that a query finds.
func (t *tx) ids(query string, args ...any) (ids []int64, err error) {
	var id int64
	err = t.each(query, args, []any{&id}, func() error {
		ids = append(ids, id)
		return nil
	})
	return ids, err
}

// endedBefore returns the interval that a period must end before, to have ended
// before t.
func endedBefore(t time.Time) int64 {
	const length = int64(keys.IntervalLength / time.Microsecond)
	us := roundUp(t).UnixMicro()
	n := us / length
	if us%length > 0 {
		n++
	}
	return n
}

// removeUnits removes what may go. It is found first and locked then, in the order
// in which deliveries lock; what has changed until then stays.
func (t *tx) removeUnits(r *ledger.Removal) (int, error) {
	candidates, err := t.removable(r)
	if err != nil || len(candidates) == 0 {
		return 0, err
	}
	const lock = `SELECT id FROM gaen.unit WHERE id = ANY ($1) ORDER BY key_data, place FOR UPDATE`
	if candidates, err = t.ids(lock, candidates); err != nil {
		return 0, err
	}
	found, err := t.load(`WHERE unit.id = ANY ($3) AND (`+old+` OR `+erasable+`) AND `+passed, endedBefore(r.Ended), r.Floor, candidates)
	if err != nil || len(found.all) == 0 {
		return 0, err
	}
	b := t.batch()
	for _, row := range found.all {
		if until := r.Each(&row.unit); !until.IsZero() {
			b.bury(ledger.TombstoneOf(t.store.identity, row.unit.ID()), until)
		}
	}
	b.dropUnits(found.ids())
	return len(found.all), b.send()
}

func (b *batch) bury(hash ledger.Tombstone, until time.Time) {
	b.exec(`INSERT INTO gaen.tombstone (hash, until) VALUES ($1, $2) ON CONFLICT (hash) DO UPDATE SET until = excluded.until`, hash[:], until)
}

// dropUnits adds to a batch what removes units and everything that is stored of
// them.
func (b *batch) dropUnits(ids []int64) {
	b.markPruned(ids)
	for _, query := range []string{
		`DELETE FROM gaen.claim WHERE unit = ANY ($1)`,
		`DELETE FROM gaen.event WHERE unit = ANY ($1)`,
		`DELETE FROM gaen.waiting WHERE unit = ANY ($1)`,
		`DELETE FROM gaen.unit WHERE id = ANY ($1)`,
	} {
		b.exec(query, ids)
	}
}

// What is not a unit and has had its time is removed but for rows that a delivery
// has locked: those it removes itself, or they are for the next time.
const (
	dropSetAside = `DELETE FROM gaen.set_aside WHERE id IN (
		SELECT id FROM gaen.set_aside WHERE at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`
	dropKept = `DELETE FROM gaen.kept WHERE (key_data, origin, source) IN (
		SELECT key_data, origin, source FROM gaen.kept WHERE at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`
)

// trimChunk is how many rows a step of trim removes.
const trimChunk = 5000

// forget adds to a batch what removes what is not a unit and has had its time.
func (b *batch) forget(r *ledger.Removal) {
	b.exec(dropSetAside, roundUp(r.Ended), trimChunk)
	b.exec(dropKept, roundUp(r.Ended), trimChunk)
	b.exec(`DELETE FROM gaen.tombstone WHERE until <= $1`, r.Now)
	if len(r.Forget) > 0 {
		b.exec(`DELETE FROM gaen.tally WHERE name = ANY ($1)`, list(r.Forget, text))
	}
}

// trim removes, in small steps of their own, what forget would take long for: a
// source that went wrong may have a million keys set aside in a day. Should the
// step after it fail, nothing is gone that would not have gone with the next.
func (s *Store) trim(ctx context.Context, r *ledger.Removal) error {
	for _, drop := range []string{dropSetAside, dropKept} {
		for n := int64(trimChunk); n == trimChunk; {
			err := s.writeStep(ctx, plan{isolation: eachQuery}, func(t *tx) (err error) {
				n, err = t.exec(drop, roundUp(r.Ended), trimChunk)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
