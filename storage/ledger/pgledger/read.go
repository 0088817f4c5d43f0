package pgledger

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
const readChunk = 8192

// Read implements [ledger.Store]. The claims of what it yields are not filled
// in. The transaction it reads in ends with the loop: until then one connection
// is taken, and the server keeps what is removed or changed meanwhile.
//
// A store on a standby gives [ErrLags] for a range that reaches beyond the log:
// whoever was told of a cut must not take for all of it what the standby has so
// far.
func (s *Store) Read(ctx context.Context, from, to int64) iter.Seq2[*ledger.Unit, error] {
	return sequence(ctx, s, "read", func(t *tx, yield func(*ledger.Unit) error) error {
		if s.outer != nil {
			return ErrInTx
		}
		var last ledger.Cut
		b := t.batch()
		b.lookLast(&last)
		if err := b.send(); err != nil {
			return err
		}
		if s.standby && to > last.Last {
			return fmt.Errorf("%w: asked for number %d, the last is %d", ErrLags, to, last.Last)
		}
		from, to := max(from, 0), min(to, last.Last)
		if pruned, err := t.pruned(from, to); err != nil || pruned && from < to {
			return cmp.Or(err, ledger.ErrPruned)
		}
		r := &reading{tx: t, to: to, seen: map[keys.KeyData]bool{}, yield: yield}
		r.unitRow.codec = &r.codec
		r.dest = append(r.event.dest(), r.unitRow.dest()...)
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

	codec   codec
	event   eventRow
	unitRow unitRow
	dest    []any // where the columns of both go

	rows   []row // of the chunk; used again for the next
	events []ledger.Event
}

// chunk yields the units with a number in (from, to].
func (r *reading) chunk(from, to int64) error {
	if err := r.fetch(from, to); err != nil {
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

var selectNumbers = `SELECT number, event.own_state, event.partners_state, event.report_type, event.sources, ` +
	selectUnits[len(`SELECT `):len(selectUnits)-len(`FROM gaen.unit `)] + `
	FROM gaen.event JOIN gaen.unit ON unit.id = event.unit WHERE number > $1 AND number <= $2 ORDER BY number`

// fetch reads the units with a number in (from, to], each with that event alone.
func (r *reading) fetch(from, to int64) error {
	r.rows = slices.Grow(r.rows[:0], int(to-from))
	r.events = slices.Grow(r.events[:0], int(to-from))
	err := r.each(selectNumbers, []any{from, to}, r.dest, func() error {
		n := len(r.rows)
		r.rows, r.events = append(r.rows, row{}), append(r.events, r.event.event())
		err := r.unitRow.fill(&r.rows[n])
		r.rows[n].unit.Events = r.events[n : n+1 : n+1]
		return err
	})
	if n := int64(len(r.rows)); err == nil && n != to-from {
		err = fmt.Errorf("%w: %d of the numbers (%d, %d]", ErrCorrupt, n, from, to) // never fewer keys
	}
	return err
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
	found := newRows()
	dest, add := found.add()
	if err := r.each(selectUnits+`WHERE unit.key_data = ANY ($1)`, []any{keyData(ids)}, dest, add); err != nil {
		return nil, err
	}
	b := r.batch()
	found.addEvents(b, `event.unit = ANY ($1) AND number <= $2`, found.ids(), r.to)
	cuts := map[int64]int64{}
	b.lookCutsOf(cuts, found.ids(), r.to)
	if err := b.send(); err != nil {
		return nil, err
	}
	slices.SortFunc(found.all, func(a, b *row) int { return ledger.CompareSiblings(&a.unit, cuts[a.id], &b.unit, cuts[b.id]) })
	families := map[keys.KeyData]*ledger.Unit{}
	for _, m := range found.all {
		m.unit.Claims = nil
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

// lookCutsOf adds to a batch what finds, by the ids of those units that may have
// siblings, which cut released them.
func (b *batch) lookCutsOf(cuts map[int64]int64, units []int64, to int64) {
	var unit, seq int64
	b.each(`SELECT unit, (SELECT seq FROM gaen.cut WHERE last >= first ORDER BY last, seq LIMIT 1) FROM (
			SELECT event.unit, min(number) AS first FROM gaen.event JOIN gaen.unit ON unit.id = event.unit
			WHERE event.unit = ANY ($1) AND number <= $2 AND shared GROUP BY event.unit) AS released`,
		[]any{units, to}, []any{&unit, &seq}, func() error {
			cuts[unit] = seq
			return nil
		})
}
