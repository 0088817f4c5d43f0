package sqliteledger

import (
	"cmp"
	"slices"

	"github.com/gaenkit/gaen/storage/ledger"
)

// A row is a unit with what the ledger notes beside it.
type row struct {
	id      int64
	unit    ledger.Unit
	changed bool // may have more than one event
	shared  bool // may have siblings
}

// related reports whether a unit may have further events or siblings, which
// must be looked for.
func (r *row) related() bool { return r.changed || r.shared }

var unitColumns = append(append([]string{"id"}, keyColumns...),
	"accepted", "due", "upload", "source_withdrew", "operator_withdrew", "erase", "changed", "shared")

// unitRow is a unit as its columns hold it.
type unitRow struct {
	id                    integer
	key                   keyRow
	accepted, due, upload integer
	sourceWithdrew        integer
	operatorWithdrew      integer
	erase                 integer
	changed, shared       integer
}

func (r *unitRow) dest() []any {
	return append(append([]any{&r.id}, r.key.dest()...),
		&r.accepted, &r.due, &r.upload, &r.sourceWithdrew, &r.operatorWithdrew, &r.erase, &r.changed, &r.shared)
}

// fill fills in a unit, but for its claims and events.
func (t *tx) fill(u *row, r *unitRow) (err error) {
	u.id, u.changed, u.shared = int64(r.id), r.changed.bool(), r.shared.bool()
	u.unit = ledger.Unit{
		Accepted:         r.accepted.time(),
		Due:              r.due.time(),
		SourceWithdrew:   r.sourceWithdrew.bool(),
		OperatorWithdrew: r.operatorWithdrew.bool(),
		Erase:            r.erase.bool(),
	}
	if u.unit.Key, err = t.key(&r.key); err != nil {
		return err
	}
	u.unit.Upload, err = t.uploadName(r.upload)
	return err
}

// units returns the units that a query finds, whose columns are unitColumns, as
// they stand: with all claims and events.
func (t *tx) units(query string, args ...any) ([]*row, error) {
	rows, err := t.bareUnits(query, args...)
	if err != nil || len(rows) == 0 {
		return rows, err
	}
	slices.SortFunc(rows, func(a, b *row) int { return cmp.Compare(a.id, b.id) })
	if err := t.fillClaims(rows); err != nil {
		return nil, err
	}
	return rows, t.fillEvents(rows, allNumbers)
}

// bareUnits is units without claims and events.
func (t *tx) bareUnits(query string, args ...any) ([]*row, error) {
	var rows []*row
	var r unitRow
	dest := r.dest()
	err := t.each(query, args, func(s scanner) error {
		if err := s.Scan(dest...); err != nil {
			return err
		}
		u := new(row)
		rows = append(rows, u)
		return t.fill(u, &r)
	})
	return rows, err
}

// idsOf returns the ids of rows.
func idsOf(rows []*row) []int64 {
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.id
	}
	return ids
}

// selectUnits begins the queries that find units.
var selectUnits = "SELECT " + columns("unit", unitColumns) + " FROM unit "

// unitsByKey finds the units of all origins with key data of a list.
var unitsByKey = selectUnits + `WHERE unit.key_data IN (SELECT unhex(value) FROM json_each(?))`
