package sqliteledger

import (
	"fmt"

	"github.com/gaenkit/gaen/storage/ledger"
)

// fillClaims adds the claims to units.
func (t *tx) fillClaims(rows []*row) error {
	byID := make(map[int64]*row, len(rows))
	for _, r := range rows {
		byID[r.id] = r
	}
	list := idList(idsOf(rows))
	if err := t.eachClaim(list, func(unit integer, c *claimRow) error {
		u := &byID[int64(unit)].unit
		claim, err := t.claim(u, c)
		u.Claims = append(u.Claims, claim)
		return err
	}); err != nil {
		return err
	}
	return t.fillStatements(list, byID)
}

// claimRow is a claim as its columns hold it.
type claimRow struct {
	source           string
	upload, accepted nullable
	held, withdrawn  integer
}

// eachClaim calls f for each claim on the units of a list, those of a unit in
// their order.
func (t *tx) eachClaim(list string, f func(unit integer, c *claimRow) error) error {
	var unit integer
	var c claimRow
	const query = `SELECT unit, source, upload, accepted, held, withdrawn FROM claim
		WHERE unit IN (SELECT value FROM json_each(?)) ORDER BY unit, place`
	return t.each(query, []any{list}, func(s scanner) error {
		if err := s.Scan(&unit, &c.source, &c.upload, &c.accepted, &c.held, &c.withdrawn); err != nil {
			return err
		}
		return f(unit, &c)
	})
}

// claim returns the claim of a row on u, which says whatever the row does not.
func (t *tx) claim(u *ledger.Unit, r *claimRow) (c ledger.Claim, err error) {
	c = ledger.Claim{
		Source:    ledger.Source(r.source),
		Upload:    u.Upload,
		Accepted:  u.Accepted,
		Key:       u.Key,
		Held:      r.held.bool(),
		Withdrawn: r.withdrawn.bool(),
	}
	if r.accepted.valid {
		c.Accepted = integer(r.accepted.n).time()
	}
	if r.upload.valid {
		c.Upload, err = t.uploadName(integer(r.upload.n))
	}
	return c, err
}

// fillStatements corrects the keys of those claims that state them differently
// from their units.
func (t *tx) fillStatements(list string, byID map[int64]*row) error {
	var unit, place integer
	var r keyRow
	dest := append([]any{&unit, &place}, r.dest()...)
	query := `SELECT unit, place, ` + columns("statement", keyColumns) + ` FROM statement WHERE unit IN (SELECT value FROM json_each(?))`
	return t.each(query, []any{list}, func(s scanner) error {
		if err := s.Scan(dest...); err != nil {
			return err
		}
		claims := byID[int64(unit)].unit.Claims
		if int(place) >= len(claims) {
			return fmt.Errorf("%w: a statement without its claim", ErrCorrupt)
		}
		key, err := t.key(&r)
		claims[place].Key = key
		return err
	})
}

// saveClaims stores the claims on a unit that has none stored.
func (t *tx) saveClaims(id int64, u *ledger.Unit) error {
	for i := range u.Claims {
		if err := t.saveClaim(id, i, u); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) saveClaim(id int64, place int, u *ledger.Unit) (err error) {
	c := &u.Claims[place]
	var upload, accepted any
	if c.Upload != u.Upload {
		if upload, err = t.uploadID(c.Upload); err != nil {
			return err
		}
	}
	if !c.Accepted.Equal(u.Accepted) {
		accepted = micros(c.Accepted)
	}
	const insert = `INSERT INTO claim (unit, place, source, upload, accepted, held, withdrawn) VALUES (?, ?, ?, ?, ?, ?, ?)`
	if _, err := t.exec(insert, id, int64(place), string(c.Source), upload, accepted, c.Held, c.Withdrawn); err != nil {
		return err
	}
	if c.Key == u.Key {
		return nil
	}
	args, err := t.keyArgs(&c.Key)
	if err != nil {
		return err
	}
	_, err = t.exec(insertStatement, append([]any{id, int64(place)}, args...)...)
	return err
}

var insertStatement = insertInto("statement", append([]string{"unit", "place"}, keyColumns...))

// dropClaims removes the claims on units, and what they stated.
func (t *tx) dropClaims(units string) error {
	if _, err := t.exec(`DELETE FROM statement WHERE unit IN (SELECT value FROM json_each(?))`, units); err != nil {
		return err
	}
	_, err := t.exec(`DELETE FROM claim WHERE unit IN (SELECT value FROM json_each(?))`, units)
	return err
}
