package sqliteledger

import (
	"math"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// eventColumns are the columns that events and waiting ones have in common.
const eventColumns = "own_state, partners_state, report_type, sources"

// eventRow is an event as its columns hold it.
type eventRow struct {
	number, own, partners integer
	report                nullable
	sources               string
}

func (r *eventRow) dest() []any { return []any{&r.number, &r.own, &r.partners, &r.report, &r.sources} }

func (r *eventRow) event() ledger.Event {
	return ledger.Event{
		Number:     int64(r.number),
		Own:        ledger.State(r.own),
		Partners:   ledger.State(r.partners),
		ReportType: optional[keys.ReportType](r.report),
		Sources:    ledger.Sources(r.sources),
	}
}

// allNumbers is no limit to the numbers of events.
const allNumbers = math.MaxInt64

// fillEvents adds the events up to a number to units.
func (t *tx) fillEvents(rows []*row, to int64) error {
	byID := make(map[int64]*row, len(rows))
	for _, r := range rows {
		byID[r.id] = r
	}
	var unit integer
	var e eventRow
	dest := append([]any{&unit}, e.dest()...)
	const query = `SELECT unit, number, ` + eventColumns + ` FROM event
		WHERE unit IN (SELECT value FROM json_each(?)) AND number <= ? ORDER BY unit, number`
	return t.each(query, []any{idList(idsOf(rows)), to}, func(s scanner) error {
		if err := s.Scan(dest...); err != nil {
			return err
		}
		u := &byID[int64(unit)].unit
		u.Events = append(u.Events, e.event())
		return nil
	})
}
