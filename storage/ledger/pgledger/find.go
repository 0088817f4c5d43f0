package pgledger

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/gaenkit/gaen/storage/ledger"
)

// findChunk is how many records are found at a time.
const findChunk = 1000

// Find implements [ledger.Store]. A query that names a unit, key data or an upload
// is answered by an index; any other reads all units. In a transaction of the
// caller's, what is found is of several moments.
func (s *Store) Find(ctx context.Context, q ledger.Query) iter.Seq2[*ledger.Record, error] {
	return sequence(ctx, s, "find", func(t *tx, yield func(*ledger.Record) error) error {
		f := &finding{tx: t, query: q}
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
	query ledger.Query
	yield func(*ledger.Record) error
	any   bool // a record has been yielded
}

func (f *finding) run() error {
	if err := f.findUnits(); err != nil {
		return err
	}
	if f.query.SetAside {
		if err := f.findSetAside(); err != nil {
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

// add adds a term, in which %d are the numbers of its parameters.
func (c *condition) add(term string, args ...any) {
	numbers := make([]any, len(args))
	for i := range args {
		numbers[i] = len(c.args) + i + 1
	}
	c.terms = append(c.terms, fmt.Sprintf(term, numbers...))
	c.args = append(c.args, args...)
}

// and returns the condition, which is true if nothing was added to it, and a
// further term.
func (c condition) and(term string, args ...any) (where string, all []any) {
	c.terms, c.args = c.terms[:len(c.terms):len(c.terms)], c.args[:len(c.args):len(c.args)]
	c.add(term, args...)
	return " WHERE " + strings.Join(c.terms, " AND "), c.args
}

// unitsWanted returns which units the query describes.
func (f *finding) unitsWanted() (c condition) {
	q := f.query
	if q.Unit != nil {
		c.add(`unit.key_data = $%d AND unit.origin = $%d`, q.Unit.KeyData[:], q.Unit.Origin.String())
	}
	if !q.Origin.IsZero() {
		c.add(`unit.origin = $%d`, q.Origin.String())
	}
	if !q.KeyData.IsZero() {
		c.add(`unit.key_data = $%d`, q.KeyData[:])
	}
	switch source, upload := string(q.Source), text(q.Upload); {
	case source != "" && upload != "":
		c.add(`(unit.upload = $%d AND unit.source = $%d OR unit.id IN (SELECT claim.unit FROM gaen.claim WHERE claim.upload = $%[1]d AND claim.source = $%[2]d))`, upload, source)
	case upload != "":
		c.add(`(unit.upload = $%d AND unit.source IS NOT NULL OR unit.id IN (SELECT claim.unit FROM gaen.claim WHERE claim.upload = $%[1]d))`, upload)
	case source != "":
		c.add(`(unit.source = $%d OR unit.source IS NULL AND EXISTS (SELECT FROM gaen.claim WHERE claim.unit = unit.id AND claim.source = $%[1]d))`, source)
	}
	return c
}

// findUnits yields the units wanted.
func (f *finding) findUnits() error {
	wanted := f.unitsWanted()
	for last := int64(0); ; {
		where, args := wanted.and(`unit.id > $%d ORDER BY unit.id LIMIT $%d`, last, findChunk)
		found, err := f.load(where, args...)
		if err != nil || len(found.all) == 0 {
			return err
		}
		if err := f.yieldUnits(found.all); err != nil {
			return err
		}
		last = found.all[len(found.all)-1].id
	}
}

func (f *finding) yieldUnits(found []*row) error {
	ids := list(found, func(r *row) ledger.UnitID { return r.unit.ID() })
	records, err := f.traces(ids)
	if err != nil {
		return err
	}
	if f.query.SetAside {
		if err := f.addSetAside(records, ids); err != nil {
			return err
		}
	}
	for i, r := range records {
		r.Unit = &found[i].unit
		if err := f.yield(r); err != nil {
			return err
		}
	}
	return nil
}

// setAsideWanted returns which keys that were set aside the query describes.
func (f *finding) setAsideWanted() (c condition) {
	q := f.query
	if q.Unit != nil {
		c.add(`key_data = $%d AND origin = $%d`, q.Unit.KeyData[:], q.Unit.Origin.String())
	}
	if !q.Origin.IsZero() {
		c.add(`origin = $%d`, q.Origin.String())
	}
	if !q.KeyData.IsZero() {
		c.add(`key_data = $%d`, q.KeyData[:])
	}
	if q.Source != "" {
		c.add(`source = $%d`, string(q.Source))
	}
	if q.Upload != "" {
		c.add(`upload = $%d`, text(q.Upload))
	}
	return c
}

// addSetAside adds to records what was set aside of them.
func (f *finding) addSetAside(records []*ledger.Record, ids []ledger.UnitID) error {
	byID := make(map[ledger.UnitID]*ledger.Record, len(records))
	for _, r := range records {
		byID[r.ID] = r
	}
	where, args := f.setAsideWanted().and(`key_data = ANY ($%d) ORDER BY id`, keyData(ids))
	b := f.batch()
	b.eachSetAside(where, args, func(_ int64, a ledger.SetAside) {
		if r := byID[a.ID]; r != nil { // and not another origin's
			r.SetAside = append(r.SetAside, a)
		}
	})
	return b.send()
}

// findSetAside yields the records of keys that were set aside, unless they are
// among the units wanted, and have been yielded: in chunks, by key, those of
// one key in one record.
func (f *finding) findSetAside() error {
	wanted := f.setAsideWanted()
	var after struct {
		data   []byte
		origin string
		id     int64
	}
	after.data = []byte{}
	var chunk []*ledger.Record
	for {
		n := 0
		where, args := wanted.and(`(key_data, origin, id) > ($%d, $%d, $%d) ORDER BY key_data, origin, id LIMIT $%d`,
			after.data, after.origin, after.id, findChunk)
		b := f.batch()
		b.eachSetAside(where, args, func(id int64, a ledger.SetAside) {
			n++
			after.data, after.origin, after.id = a.ID.KeyData[:], a.ID.Origin.String(), id
			if last := len(chunk) - 1; last >= 0 && chunk[last].ID == a.ID && a.ID != (ledger.UnitID{}) {
				chunk[last].SetAside = append(chunk[last].SetAside, a)
				return
			}
			chunk = append(chunk, &ledger.Record{ID: a.ID, SetAside: []ledger.SetAside{a}})
		})
		if err := b.send(); err != nil {
			return err
		}
		done, rest := len(chunk), []*ledger.Record(nil)
		if n == findChunk { // the last may go on in the next chunk
			done--
			rest = append(rest, chunk[done])
		}
		if err := f.yieldSetAside(chunk[:done]); err != nil || n < findChunk {
			return err
		}
		chunk = rest
	}
}

// yieldSetAside yields records of keys that were set aside.
func (f *finding) yieldSetAside(chunk []*ledger.Record) error {
	ids := list(chunk, func(r *ledger.Record) ledger.UnitID { return r.ID })
	found, err := f.load(`WHERE unit.key_data = ANY ($1)`, keyData(ids))
	if err != nil {
		return err
	}
	units := map[ledger.UnitID]*ledger.Unit{}
	for _, r := range found.all {
		units[r.unit.ID()] = &r.unit
	}
	records, err := f.traces(ids)
	if err != nil {
		return err
	}
	for i, r := range records {
		r.Unit = units[r.ID]
		switch {
		case r.Unit != nil && matches(f.query, r.Unit):
			continue // yielded
		case r.ID == ledger.UnitID{}:
			r = &ledger.Record{} // of what could not be read nothing is known
		}
		r.SetAside = chunk[i].SetAside
		if err := f.yield(r); err != nil {
			return err
		}
	}
	return nil
}

// matches reports whether a query describes a unit, whose key was set aside as
// the query wants.
func matches(q ledger.Query, u *ledger.Unit) bool {
	if q.Source == "" && q.Upload == "" {
		return true
	}
	for _, c := range u.Claims {
		if (q.Source == "" || q.Source == c.Source) && (q.Upload == "" || text(q.Upload) == c.Upload) {
			return true
		}
	}
	return false
}

// findTraces yields the record of a unit that is not there itself, if nothing
// but the unit was asked for.
func (f *finding) findTraces() error {
	q := f.query
	if q.Unit == nil || f.any || q.Source != "" || q.Upload != "" || !q.Origin.IsZero() && q.Origin != q.Unit.Origin ||
		!q.KeyData.IsZero() && q.KeyData != q.Unit.KeyData {
		return nil
	}
	records, err := f.traces([]ledger.UnitID{*q.Unit})
	if err != nil || len(records[0].Kept) == 0 && records[0].Tombstone.IsZero() {
		return err
	}
	return f.yield(records[0])
}
