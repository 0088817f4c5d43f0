package sqliteledger

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// readChunk is how many numbers are read at a time.
const readChunk = 4096

// Read implements [ledger.Store]. The claims of what it yields are not filled
// in. The transaction it reads in ends with the loop: until then the write-ahead
// log cannot be cut back.
func (s *Store) Read(ctx context.Context, from, to int64) iter.Seq2[*ledger.Unit, error] {
	return sequence(ctx, s, "read", func(t *tx, yield func(*ledger.Unit) error) error {
		last, err := t.lastCut()
		if err != nil {
			return err
		}
		from, to := max(from, 0), min(to, last.Last)
		if pruned, err := t.pruned(from, to); err != nil || pruned && from < to {
			return cmp.Or(err, ledger.ErrPruned)
		}
		r := &reading{tx: t, to: to, seen: map[keys.KeyData]bool{}, yield: yield}
		r.dest = r.packed.dest()
		for ; from < to; from += readChunk {
			if err := r.chunk(from, min(from+readChunk, to)); err != nil {
				return err
			}
		}
		return nil
	})
}

// reading is one Read.
type reading struct {
	*tx
	to    int64
	seen  map[keys.KeyData]bool // of units that may come up again
	yield func(*ledger.Unit) error

	packed packedRow
	dest   []any // where its columns go

	rows    []row // of the chunk; used again for the next
	events  []ledger.Event
	uploads []integer
}

// chunk yields the units with a number in (from, to].
func (r *reading) chunk(from, to int64) error {
	if err := r.load(from, to); err != nil {
		return err
	}
	families, err := r.families()
	if err != nil {
		return err
	}
	for i := range r.rows {
		u := &r.rows[i].unit
		if r.rows[i].related() {
			data := u.Key.KeyData
			if r.seen[data] {
				continue
			}
			r.seen[data] = true
			u = families[data]
		}
		if err := r.yield(u); err != nil {
			return err
		}
	}
	return nil
}

const selectNumbers = `SELECT ` + packedColumns + ` FROM event JOIN unit ON unit.id = event.unit
	WHERE event.number > ? AND event.number <= ? ORDER BY event.number`

// load reads the units with a number in (from, to], each with that event alone. That
// there is one for each number says which number is whose.
func (r *reading) load(from, to int64) error {
	r.rows = slices.Grow(r.rows[:0], int(to-from))
	r.events = slices.Grow(r.events[:0], int(to-from))
	r.uploads = r.uploads[:0]
	err := r.each(selectNumbers, []any{from, to}, func(s scanner) error {
		if err := s.Scan(r.dest...); err != nil {
			return err
		}
		n := len(r.rows)
		r.rows, r.events = append(r.rows, row{}), append(r.events, ledger.Event{Number: from + 1 + int64(n)})
		r.uploads = append(r.uploads, r.packed.upload)
		err := r.fillPacked(&r.rows[n], &r.events[n], &r.packed)
		r.rows[n].unit.Events = r.events[n : n+1 : n+1]
		return err
	})
	if n := int64(len(r.rows)); err == nil && n != to-from {
		err = fmt.Errorf("%w: %d of the numbers (%d, %d]", ErrCorrupt, n, from, to) // never fewer keys
	}
	if err != nil {
		return err
	}
	return r.nameUploads()
}

// nameUploads fills in the uploads of the chunk. Those not met before are looked up
// together.
func (r *reading) nameUploads() error {
	var unknown []int64
	for _, id := range r.uploads {
		if _, ok := r.names.uploadNames[id]; !ok {
			unknown = append(unknown, int64(id))
		}
	}
	slices.Sort(unknown)
	if err := r.learnUploads(slices.Compact(unknown)); err != nil {
		return err
	}
	for i, id := range r.uploads {
		var err error
		if r.rows[i].unit.Upload, err = r.uploadName(id); err != nil {
			return err
		}
	}
	return nil
}

// families returns the units of the chunk that may have further events or
// siblings, by their key data, with both.
func (r *reading) families() (map[keys.KeyData]*ledger.Unit, error) {
	var ids []ledger.UnitID
	for i := range r.rows {
		if r.rows[i].related() {
			ids = append(ids, r.rows[i].unit.ID())
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	members, err := r.bareUnits(unitsByKey, keyList(ids))
	if err != nil {
		return nil, err
	}
	if err := r.fillEvents(members, r.to); err != nil {
		return nil, err
	}
	if err := r.sortFamilies(members); err != nil {
		return nil, err
	}
	families := map[keys.KeyData]*ledger.Unit{}
	for _, m := range members {
		switch first := families[m.unit.Key.KeyData]; {
		case !m.unit.Released(): // not by then
		case first == nil:
			families[m.unit.Key.KeyData] = &m.unit
		default:
			first.Siblings = append(first.Siblings, m.unit)
		}
	}
	return families, nil
}

// sortFamilies puts the unit released first before its siblings.
func (r *reading) sortFamilies(members []*row) error {
	cuts := make(map[*row]int64, len(members))
	for _, m := range members {
		if !m.shared || !m.unit.Released() {
			continue // it has no siblings to be put before or after
		}
		var seq integer
		if _, err := r.get(cutOf, []any{m.unit.Events[0].Number}, &seq); err != nil {
			return err
		}
		cuts[m] = int64(seq)
	}
	slices.SortFunc(members, func(a, b *row) int { return ledger.CompareSiblings(&a.unit, cuts[a], &b.unit, cuts[b]) })
	return nil
}
