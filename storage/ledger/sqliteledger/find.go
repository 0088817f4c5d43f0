package sqliteledger

import (
	"context"
	"iter"
	"strings"

	"github.com/gaenkit/gaen/storage/ledger"
)

// findChunk is how many records are found at a time.
const findChunk = 1000

// Find implements [ledger.Store]. A query that names a unit, key data or an upload
// is answered by an index; any other reads all units.
func (s *Store) Find(ctx context.Context, q ledger.Query) iter.Seq2[*ledger.Record, error] {
	return sequence(ctx, s, "find", func(t *tx, yield func(*ledger.Record) error) error {
		f := &finding{tx: t, store: s, query: q}
		f.yield = func(r *ledger.Record) error {
			f.any = true
			return yield(r)
		}
		return f.run()
	})
}

// finding is one Find.
type finding struct {
	*tx
	store *Store
	query ledger.Query
	yield func(*ledger.Record) error
	any   bool // a record has been yielded
}

func (f *finding) run() error {
	units, err := f.unitsWanted()
	if err != nil {
		return err
	}
	if err := f.findUnits(units); err != nil {
		return err
	}
	if f.query.SetAside {
		if err := f.findSetAside(units); err != nil {
			return err
		}
	}
	return f.findTraces()
}

// condition is what a query asks of a table.
type condition struct {
	terms []string
	args  []any
}

func (c *condition) add(term string, args ...any) {
	c.terms = append(c.terms, term)
	c.args = append(c.args, args...)
}

// and returns the condition, which is true if nothing was added to it, and a
// further term.
func (c condition) and(term string, args ...any) (where string, all []any) {
	return " WHERE " + strings.Join(append(c.terms[:len(c.terms):len(c.terms)], term), " AND "),
		append(c.args[:len(c.args):len(c.args)], args...)
}

// unitsWanted returns which units the query describes.
func (f *finding) unitsWanted() (c condition, err error) {
	q := f.query
	if q.Unit != nil {
		c.add(`unit.key_data = ? AND unit.origin = ?`, q.Unit.KeyData[:], q.Unit.Origin.String())
	}
	if !q.Origin.IsZero() {
		c.add(`unit.origin = ?`, q.Origin.String())
	}
	if !q.KeyData.IsZero() {
		c.add(`unit.key_data = ?`, q.KeyData[:])
	}
	if q.Source == "" && q.Upload == "" {
		return c, nil
	}
	claims := condition{}
	claims.add(`claim.unit = unit.id`)
	if q.Source != "" {
		claims.add(`claim.source = ?`, string(q.Source))
	}
	if q.Upload != "" {
		var id integer // 0 for an upload that there is not
		if _, err := f.get(`SELECT id FROM upload WHERE name = ?`, []any{q.Upload}, &id); err != nil {
			return c, err
		}
		claims.add(`ifnull(claim.upload, unit.upload) = ?`, int64(id))
		c.add(`unit.id IN (SELECT id FROM unit WHERE upload = ? UNION ALL SELECT unit FROM claim WHERE upload = ?)`, int64(id), int64(id))
	}
	where, args := claims.and(`1`)
	c.add(`EXISTS (SELECT 1 FROM claim`+where+`)`, args...)
	return c, nil
}

// findUnits yields the units wanted.
func (f *finding) findUnits(wanted condition) error {
	for last := int64(0); ; {
		where, args := wanted.and(`unit.id > ? ORDER BY unit.id LIMIT ?`, last, int64(findChunk))
		rows, err := f.units(selectUnits+where, args...)
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := f.yieldUnits(rows); err != nil {
			return err
		}
		last = rows[len(rows)-1].id
	}
}

func (f *finding) yieldUnits(rows []*row) error {
	ids := make([]ledger.UnitID, len(rows))
	for i, r := range rows {
		ids[i] = r.unit.ID()
	}
	records, err := f.store.traces(f.tx, ids)
	if err != nil {
		return err
	}
	if f.query.SetAside {
		if err := f.addSetAside(records); err != nil {
			return err
		}
	}
	for i, r := range records {
		r.Unit = &rows[i].unit
		if err := f.yield(r); err != nil {
			return err
		}
	}
	return nil
}

// findTraces yields the record of a unit that is not there itself, if nothing
// but the unit was asked for.
func (f *finding) findTraces() error {
	q := f.query
	if q.Unit == nil || f.any || q.Source != "" || q.Upload != "" || !q.Origin.IsZero() && q.Origin != q.Unit.Origin ||
		!q.KeyData.IsZero() && q.KeyData != q.Unit.KeyData {
		return nil
	}
	records, err := f.store.traces(f.tx, []ledger.UnitID{*q.Unit})
	if err != nil || len(records[0].Kept) == 0 && records[0].Tombstone.IsZero() {
		return err
	}
	return f.yield(records[0])
}
