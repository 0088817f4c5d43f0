package sqliteledger

import (
	"context"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Remove implements [ledger.Store]. When it has removed fewer units than it was
// allowed to, so that there are no more, what it and the steps before it removed
// is gone from the file, and from the write-ahead log unless a reader that is
// still open holds on to it: then the next such Remove sees to that.
func (s *Store) Remove(ctx context.Context, r *ledger.Removal) (n int, err error) {
	err = s.wrap("remove", s.remove(ctx, r, &n))
	return n, err
}

func (s *Store) remove(ctx context.Context, r *ledger.Removal, n *int) error {
	if err := s.trim(ctx, r); err != nil {
		return err
	}
	// Which units may go is found while others write, and is held against what
	// has become of them when they go.
	var candidates []int64
	err := s.readStep(ctx, func(t *tx) (err error) {
		candidates, err = t.removable(r)
		return err
	})
	if err != nil {
		return err
	}
	removed := 0
	err = s.writeStep(ctx, func(t *tx) error {
		gone, err := t.removeUnits(s.identity, r, candidates)
		if err != nil {
			return err
		}
		removed = gone
		if err := t.forget(r); err != nil {
			return err
		}
		return t.addTallies(r.Tallies())
	})
	if err != nil {
		return err
	}
	if *n = removed; removed == r.Limit {
		return nil // and will be called again
	}
	return s.clean(ctx)
}

const (
	// old describes the units whose period ended before the interval ?1.
	old = `unit.rolling_start_interval_number + unit.rolling_period < ?1`

	// erasable describes those that are to be erased and wait for nothing.
	erasable = `unit.erase AND NOT EXISTS (SELECT 1 FROM waiting WHERE waiting.unit = unit.id)`

	// passed describes those that have no number after the floor, ?2, and no
	// sibling that has one.
	passed = `NOT EXISTS (SELECT 1 FROM event WHERE event.unit = unit.id AND event.number > ?2)
		AND (NOT unit.shared OR NOT EXISTS (
			SELECT 1 FROM unit AS sibling JOIN event ON event.unit = sibling.id
			WHERE sibling.key_data = unit.key_data AND event.number > ?2))`
)

// removable returns up to r.Limit units that may go, the oldest first.
func (t *tx) removable(r *ledger.Removal) ([]int64, error) {
	ids, err := t.ids(`SELECT id FROM unit WHERE `+old+` AND `+passed+`
		ORDER BY rolling_start_interval_number + rolling_period LIMIT ?3`, endedBefore(r.Ended), r.Floor, int64(max(r.Limit, 0)))
	if err != nil || len(ids) >= r.Limit {
		return ids, err
	}
	more, err := t.ids(`SELECT id FROM unit WHERE `+erasable+` AND NOT `+old+` AND `+passed+` LIMIT ?3`,
		endedBefore(r.Ended), r.Floor, int64(r.Limit-len(ids)))
	return append(ids, more...), err
}

// endedBefore returns the interval that a period must end before, to have ended
// before t.
func endedBefore(t time.Time) int64 {
	const length = int64(keys.IntervalLength / time.Microsecond)
	us := microsUp(t)
	n := us / length
	if us%length > 0 {
		n++
	}
	return n
}

// removeUnits removes those of the candidates that still may go.
func (t *tx) removeUnits(ledgerID ledger.Identity, r *ledger.Removal, candidates []int64) (int, error) {
	rows, err := t.units(selectUnits+`WHERE unit.id IN (SELECT value FROM json_each(?3)) AND (`+old+` OR `+erasable+`) AND `+passed,
		endedBefore(r.Ended), r.Floor, idList(candidates))
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	for _, row := range rows {
		if until := r.Each(&row.unit); !until.IsZero() {
			if err := t.bury(ledger.TombstoneOf(ledgerID, row.unit.ID()), until); err != nil {
				return 0, err
			}
		}
	}
	return len(rows), t.dropUnits(idsOf(rows))
}

// dropUnits removes units and everything that is stored of them.
func (t *tx) dropUnits(ids []int64) error {
	list := idList(ids)
	names, err := t.namesOf(list)
	if err != nil {
		return err
	}
	if err := t.markPruned(list); err != nil {
		return err
	}
	if err := t.dropClaims(list); err != nil {
		return err
	}
	for _, query := range []string{
		`DELETE FROM event WHERE unit IN (SELECT value FROM json_each(?))`,
		`DELETE FROM waiting WHERE unit IN (SELECT value FROM json_each(?))`,
		`DELETE FROM unit WHERE id IN (SELECT value FROM json_each(?))`,
	} {
		if _, err := t.exec(query, list); err != nil {
			return err
		}
	}
	t.removed = true
	return t.dropNames(names)
}

// forget removes what is not a unit and has had its time.
func (t *tx) forget(r *ledger.Removal) error {
	for _, old := range []struct {
		drop  string
		limit int64
	}{
		{`DELETE FROM set_aside WHERE at < ?`, microsUp(r.Ended)},
		{`DELETE FROM kept WHERE at < ?`, microsUp(r.Ended)},
		{`DELETE FROM tombstone WHERE until <= ?`, micros(r.Now)},
	} {
		n, err := t.change(old.drop, old.limit)
		if err != nil {
			return err
		}
		t.removed = t.removed || n > 0
	}
	return t.forgetTallies(r.Forget)
}

// trimChunk is how many rows a step of trim removes.
const trimChunk = 5000

// trim removes, in small steps of their own, what forget would keep submissions
// waiting for: a source that went wrong may have a million keys set aside in a
// day. Should the step after it fail, nothing is gone that would not have gone
// with the next.
func (s *Store) trim(ctx context.Context, r *ledger.Removal) error {
	for _, old := range []struct{ many, drop string }{{
		`SELECT 1 FROM set_aside WHERE at < ? LIMIT 1 OFFSET ?`,
		`DELETE FROM set_aside WHERE id IN (SELECT id FROM set_aside WHERE at < ? LIMIT ?)`,
	}, {
		`SELECT 1 FROM kept WHERE at < ? LIMIT 1 OFFSET ?`,
		`DELETE FROM kept WHERE (key_data, origin, source) IN (SELECT key_data, origin, source FROM kept WHERE at < ? LIMIT ?)`,
	}} {
		if err := s.trimTable(ctx, old.many, old.drop, microsUp(r.Ended)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) trimTable(ctx context.Context, many, drop string, limit int64) error {
	for {
		var more bool
		err := s.readStep(ctx, func(t *tx) (err error) {
			more, err = t.has(many, limit, int64(trimChunk))
			return err
		})
		if err != nil || !more {
			return err
		}
		err = s.writeStep(ctx, func(t *tx) error {
			t.removed = true
			_, err := t.exec(drop, limit, int64(trimChunk))
			return err
		})
		if err != nil {
			return err
		}
	}
}
