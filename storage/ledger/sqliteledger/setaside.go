package sqliteledger

import (
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

func (t *tx) setAside(all []ledger.SetAside) error {
	const insert = `INSERT INTO set_aside (source, upload, at, key_data, origin, field, reason, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
	for i := range all {
		a := &all[i]
		_, err := t.exec(insert, string(a.Source), a.Upload, micros(a.At),
			a.ID.KeyData[:], a.ID.Origin.String(), string(a.Field), string(a.Reason), a.Detail)
		if err != nil {
			return err
		}
	}
	return nil
}

// eraseSetAside removes what was set aside of own uploads.
func (t *tx) eraseSetAside(uploads []string) error {
	for _, upload := range uploads {
		if _, err := t.exec(`DELETE FROM set_aside WHERE upload = ? AND source = ?`, upload, string(ledger.Own)); err != nil {
			return err
		}
		t.removed = true
	}
	return nil
}

const selectSetAside = `SELECT source, upload, at, key_data, origin, field, reason, detail FROM set_aside`

// eachSetAside calls f for each key that a condition describes.
func (t *tx) eachSetAside(where string, args []any, f func(ledger.SetAside) error) error {
	var source, field, reason string
	var a ledger.SetAside
	var at integer
	var data bytes16
	var origin region
	return t.each(selectSetAside+where, args, func(s scanner) error {
		if err := s.Scan(&source, &a.Upload, &at, &data, &origin, &field, &reason, &a.Detail); err != nil {
			return err
		}
		a.Source, a.Field, a.Reason = ledger.Source(source), keys.Field(field), keys.Reason(reason)
		a.At, a.ID = at.time(), unitID(data, origin)
		return f(a)
	})
}

func unitID(data bytes16, origin region) ledger.UnitID {
	return ledger.UnitID{Origin: origin.Region, KeyData: keys.KeyData(data)}
}

// setAsideWanted returns which keys that were set aside the query describes.
func (f *finding) setAsideWanted() (c condition) {
	q := f.query
	if q.Unit != nil {
		c.add(`key_data = ? AND origin = ?`, q.Unit.KeyData[:], q.Unit.Origin.String())
	}
	if !q.Origin.IsZero() {
		c.add(`origin = ?`, q.Origin.String())
	}
	if !q.KeyData.IsZero() {
		c.add(`key_data = ?`, q.KeyData[:])
	}
	if q.Source != "" {
		c.add(`source = ?`, string(q.Source))
	}
	if q.Upload != "" {
		c.add(`upload = ?`, q.Upload)
	}
	return c
}

// addSetAside adds to records what was set aside of them.
func (f *finding) addSetAside(records []*ledger.Record) error {
	byID := make(map[ledger.UnitID]*ledger.Record, len(records))
	ids := make([]ledger.UnitID, len(records))
	for i, r := range records {
		byID[r.ID], ids[i] = r, r.ID
	}
	where, args := f.setAsideWanted().and(`key_data IN (SELECT unhex(value) FROM json_each(?)) ORDER BY id`, keyList(ids))
	return f.eachSetAside(where, args, func(a ledger.SetAside) error {
		if r := byID[a.ID]; r != nil { // and not another origin's
			r.SetAside = append(r.SetAside, a)
		}
		return nil
	})
}

// findSetAside yields the records of keys that were set aside, unless they are
// among the units wanted, and have been yielded.
func (f *finding) findSetAside(units condition) error {
	var chunk []*ledger.Record
	where, args := f.setAsideWanted().and(`1 ORDER BY key_data, origin, id`)
	err := f.eachSetAside(where, args, func(a ledger.SetAside) error {
		if n := len(chunk); n > 0 && chunk[n-1].ID == a.ID && a.ID != (ledger.UnitID{}) {
			chunk[n-1].SetAside = append(chunk[n-1].SetAside, a)
			return nil
		}
		if len(chunk) == findChunk {
			if err := f.yieldSetAside(units, chunk); err != nil {
				return err
			}
			chunk = nil
		}
		chunk = append(chunk, &ledger.Record{ID: a.ID, SetAside: []ledger.SetAside{a}})
		return nil
	})
	if err != nil {
		return err
	}
	return f.yieldSetAside(units, chunk)
}

// yieldSetAside yields records of keys that were set aside.
func (f *finding) yieldSetAside(wanted condition, chunk []*ledger.Record) error {
	ids := make([]ledger.UnitID, len(chunk))
	for i, r := range chunk {
		ids[i] = r.ID
	}
	yielded, err := f.among(wanted, ids)
	if err != nil {
		return err
	}
	records, err := f.store.records(f.known(), ids)
	if err != nil {
		return err
	}
	for i, r := range records {
		if yielded[r.ID] {
			continue
		}
		if r.ID == (ledger.UnitID{}) {
			r = &ledger.Record{} // of what could not be read nothing is known
		}
		r.SetAside = chunk[i].SetAside
		if err := f.yield(r); err != nil {
			return err
		}
	}
	return nil
}

// among returns which of the ids are those of units wanted.
func (f *finding) among(wanted condition, ids []ledger.UnitID) (map[ledger.UnitID]bool, error) {
	found := map[ledger.UnitID]bool{}
	var data bytes16
	var origin region
	where, args := wanted.and(`unit.key_data IN (SELECT unhex(value) FROM json_each(?))`, keyList(ids))
	err := f.each(`SELECT unit.key_data, unit.origin FROM unit`+where, args, func(s scanner) error {
		err := s.Scan(&data, &origin)
		found[unitID(data, origin)] = true
		return err
	})
	return found, err
}
