package sqliteledger

import (
	"slices"
	"strings"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// known is what a transaction knows of the units it is about.
type known struct {
	*tx
	rows  map[ledger.UnitID]*row   // nil where there is none
	byKey map[keys.KeyData][]int64 // ids of all units with that key data
	loose usedNames                // names that a unit no longer uses
}

func (t *tx) known() *known {
	return &known{tx: t, rows: map[ledger.UnitID]*row{}, byKey: map[keys.KeyData][]int64{}}
}

// look finds units, and those of other origins with their key data.
func (k *known) look(ids []ledger.UnitID) error {
	rows, err := k.units(unitsByKey, keyList(ids))
	if err != nil {
		return err
	}
	for _, id := range ids {
		k.rows[id] = nil
	}
	for _, r := range rows {
		id := r.unit.ID()
		k.rows[id] = r
		k.knowKey(id.KeyData, r.id)
	}
	return nil
}

func (k *known) knowKey(data keys.KeyData, id int64) {
	if !slices.Contains(k.byKey[data], id) {
		k.byKey[data] = append(k.byKey[data], id)
	}
}

// unit returns a copy of a unit that has been looked for, nil if there is none.
func (k *known) unit(id ledger.UnitID) *ledger.Unit {
	if r := k.rows[id]; r != nil {
		return r.unit.Clone()
	}
	return nil
}

// saveAll stores units, those that were there and those that were not.
func (k *known) saveAll(units []*ledger.Unit) error {
	var unknown []ledger.UnitID
	for _, u := range units {
		if _, looked := k.rows[u.ID()]; !looked {
			unknown = append(unknown, u.ID())
		}
	}
	if len(unknown) > 0 {
		if err := k.look(unknown); err != nil {
			return err
		}
	}
	for _, u := range units {
		if err := k.save(u); err != nil {
			return err
		}
	}
	return k.dropNames(k.loose)
}

// save stores a unit. Its events are the log's and stay as they are.
func (k *known) save(u *ledger.Unit) error {
	r := k.rows[u.ID()]
	switch {
	case r == nil:
		return k.insert(u)
	case same(&r.unit, u):
		return nil
	}
	if err := k.loosen(&r.unit, u); err != nil {
		return err
	}
	if err := k.dropClaims(idList([]int64{r.id})); err != nil {
		return err
	}
	upload, args, err := k.unitArgs(u)
	if err != nil {
		return err
	}
	if _, err := k.exec(updateUnit, append(args, r.id)...); err != nil {
		return err
	}
	r.unit = *u.Clone()
	return k.saveRest(r.id, upload, u)
}

func (k *known) insert(u *ledger.Unit) error {
	id := u.ID()
	shared := len(k.byKey[id.KeyData]) > 0
	if shared {
		if _, err := k.exec(`UPDATE unit SET shared = 1 WHERE key_data = ?`, id.KeyData[:]); err != nil {
			return err
		}
	}
	upload, args, err := k.unitArgs(u)
	if err != nil {
		return err
	}
	r := &row{unit: *u.Clone()}
	if r.id, err = k.exec(insertUnit, append(args, false, shared)...); err != nil {
		return err
	}
	k.rows[id] = r
	k.knowKey(id.KeyData, r.id)
	return k.saveRest(r.id, upload, u)
}

// saveRest stores what is not in a unit's own row.
func (k *known) saveRest(id, upload int64, u *ledger.Unit) error {
	if err := k.saveClaims(id, u); err != nil {
		return err
	}
	return k.saveWaiting(id, upload, u)
}

// ownColumns are those of a unit's row that the unit says itself.
var ownColumns = unitColumns[1 : len(unitColumns)-2]

var (
	insertUnit = insertInto("unit", unitColumns[1:])
	updateUnit = "UPDATE unit SET " + strings.Join(ownColumns, " = ?, ") + " = ? WHERE id = ?"
)

// unitArgs returns what is stored in ownColumns.
func (t *tx) unitArgs(u *ledger.Unit) (upload int64, args []any, err error) {
	if args, err = t.keyArgs(&u.Key); err != nil {
		return 0, nil, err
	}
	if upload, err = t.uploadID(u.Upload); err != nil {
		return 0, nil, err
	}
	return upload, append(args, micros(u.Accepted), micros(u.Due), upload,
		u.SourceWithdrew, u.OperatorWithdrew, u.Erase), nil
}

// same reports whether two states of a unit are stored alike.
func same(a, b *ledger.Unit) bool {
	return a.Key == b.Key && a.Accepted.Equal(b.Accepted) && a.Due.Equal(b.Due) && a.Upload == b.Upload &&
		a.SourceWithdrew == b.SourceWithdrew && a.OperatorWithdrew == b.OperatorWithdrew && a.Erase == b.Erase &&
		slices.Equal(a.Claims, b.Claims)
}

// loosen notes the names that a unit used before and does not any longer: of an
// upload that is erased, no trace may stay.
func (k *known) loosen(before, after *ledger.Unit) error {
	uploads, sets := namesIn(after)
	lostUploads, lostSets := namesIn(before)
	for name := range lostUploads {
		if uploads[name] {
			continue
		}
		id, err := k.uploadID(name)
		if err != nil {
			return err
		}
		k.loose.uploads = append(k.loose.uploads, id)
	}
	for set := range lostSets {
		if sets[set] || set == (keys.Regions{}) {
			continue
		}
		id, err := k.countriesID(set)
		if err != nil {
			return err
		}
		k.loose.countries = append(k.loose.countries, id.(int64))
	}
	return nil
}

// namesIn returns the uploads and sets of countries that a unit uses.
func namesIn(u *ledger.Unit) (uploads map[string]bool, sets map[keys.Regions]bool) {
	uploads, sets = map[string]bool{u.Upload: true}, map[keys.Regions]bool{u.Key.VisitedCountries: true}
	for i := range u.Claims {
		uploads[u.Claims[i].Upload] = true
		sets[u.Claims[i].Key.VisitedCountries] = true
	}
	return uploads, sets
}
