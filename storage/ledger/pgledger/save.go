package pgledger

import (
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// errTooMany: a step returned units that it had not asked for.
var errTooMany = errors.New("more new units than were asked for")

var (
	insertUnits   = unnest("unit", unitTypes...) + ` ON CONFLICT (key_data, place) DO NOTHING`
	insertClaims  = unnest("claim", claimTypes...)
	insertWaiting = unnest("waiting", waitingTypes...) + ` ON CONFLICT (unit) DO UPDATE SET
		own = excluded.own, wait = excluded.wait, upload = excluded.upload, due = excluded.due, held = excluded.held,
		rolling_start_interval_number = excluded.rolling_start_interval_number, rolling_period = excluded.rolling_period,
		transmission_risk_level = excluded.transmission_risk_level, report_type = excluded.report_type,
		days_since_onset_of_symptoms = excluded.days_since_onset_of_symptoms, variant_of_concern = excluded.variant_of_concern,
		own_state = excluded.own_state, partners_state = excluded.partners_state,
		event_report_type = excluded.event_report_type, sources = excluded.sources`

	updateUnit = `UPDATE gaen.unit SET origin = $2, rolling_start_interval_number = $3, rolling_period = $4,
		transmission_risk_level = $5, report_type = $6, days_since_onset_of_symptoms = $7, variant_of_concern = $8,
		visited_countries = $9, test_type = $10, consent_to_federate = $11, provenance = $12,
		accepted = $13, due = $14, upload = $15, source_withdrew = $16, operator_withdrew = $17, erase = $18,
		source = $19, held = $20, withdrawn = $21 WHERE id = $1`
)

// save adds to a batch what stores units. That a place among the units of a key
// data is taken means that somebody else has brought the key meanwhile; it is no
// error of PostgreSQL's here, since that would put key data into its log.
func (b *batch) save(s *saving) {
	s.order()
	if len(s.added) > 0 {
		b.execAll(len(s.added), insertUnits, unitLists(s.added)...)
	}
	if len(s.shared) > 0 {
		b.exec(`UPDATE gaen.unit SET shared = true WHERE id = ANY ($1)`, s.shared)
	}
	for _, r := range s.changed {
		b.execAll(1, updateUnit, updateArgs(r)...)
	}
	if len(s.bare) > 0 {
		b.exec(`DELETE FROM gaen.claim WHERE unit = ANY ($1)`, s.bare)
	}
	if len(s.claims) > 0 {
		b.exec(insertClaims, claimLists(s.claims)...)
	}
	if len(s.waiting) > 0 {
		b.exec(insertWaiting, waitingLists(s.waiting)...)
	}
	if len(s.idle) > 0 {
		b.exec(`DELETE FROM gaen.waiting WHERE unit = ANY ($1)`, s.idle)
	}
}

// only returns the claim that is in the row of a unit, one of no source if claims
// are rows.
func (r *row) only() ledger.Claim {
	if !r.plain {
		return ledger.Claim{}
	}
	return r.unit.Claims[0]
}

func sourceOf(c ledger.Claim) pgtype.Text {
	return pgtype.Text{String: string(c.Source), Valid: c.Source != ""}
}

// unitLists returns the columns of units, in the order of unitTypes.
func unitLists(all []*row) []any {
	lists := []any{
		list(all, func(r *row) int64 { return r.id }),
		list(all, func(r *row) int16 { return r.place }),
	}
	lists = append(lists, keyLists(list(all, func(r *row) *keys.DiagnosisKey { return &r.unit.Key }))...)
	return append(lists,
		list(all, func(r *row) time.Time { return r.unit.Accepted }),
		list(all, func(r *row) time.Time { return r.unit.Due }),
		list(all, func(r *row) string { return text(r.unit.Upload) }),
		list(all, func(r *row) bool { return r.unit.SourceWithdrew }),
		list(all, func(r *row) bool { return r.unit.OperatorWithdrew }),
		list(all, func(r *row) bool { return r.unit.Erase }),
		list(all, func(r *row) pgtype.Text { return sourceOf(r.only()) }),
		list(all, func(r *row) bool { return r.only().Held }),
		list(all, func(r *row) bool { return r.only().Withdrawn }),
		list(all, func(r *row) bool { return r.changed }),
		list(all, func(r *row) bool { return r.shared }),
	)
}

// updateArgs returns the parameters of updateUnit.
func updateArgs(r *row) []any {
	u, k, c := &r.unit, &r.unit.Key, r.only()
	countries := pgtype.Text{String: k.VisitedCountries.String(), Valid: k.VisitedCountries != keys.Regions{}}
	return []any{
		r.id, k.Origin.String(), int32(k.RollingStartIntervalNumber), int16(k.RollingPeriod),
		orNull(k.TransmissionRiskLevel), orNull(k.ReportType), orNull(k.DaysSinceOnsetOfSymptoms), orNull(k.VariantOfConcern),
		countries, int16(k.TestType), int16(k.ConsentToFederate), int16(k.Provenance),
		u.Accepted, u.Due, text(u.Upload), u.SourceWithdrew, u.OperatorWithdrew, u.Erase,
		sourceOf(c), c.Held, c.Withdrawn,
	}
}

// claimLists returns the columns of the claims on units, in the order of
// claimTypes.
func claimLists(all []*row) []any {
	var units []int64
	var places []int32
	var claims []*ledger.Claim
	var stated []*keys.DiagnosisKey
	for _, r := range all {
		for i := range r.unit.Claims {
			c := &r.unit.Claims[i]
			key := &c.Key
			if c.Key == r.unit.Key {
				key = nil
			}
			units, places = append(units, r.id), append(places, int32(i))
			claims, stated = append(claims, c), append(stated, key)
		}
	}
	return append([]any{
		units, places,
		list(claims, func(c *ledger.Claim) string { return string(c.Source) }),
		list(claims, func(c *ledger.Claim) string { return text(c.Upload) }),
		list(claims, func(c *ledger.Claim) time.Time { return c.Accepted }),
		list(claims, func(c *ledger.Claim) bool { return c.Held }),
		list(claims, func(c *ledger.Claim) bool { return c.Withdrawn }),
	}, keyLists(stated)...)
}

// What [ledger.Unit.Pending] makes of a unit is decided when the unit is stored,
// so that a cut need not read it again: if it is ever to decide otherwise, the
// schema needs another version, and this table to be made anew.

// waitingTypes are the columns of what waits, with their types.
var waitingTypes = append([]string{"unit bigint"}, append(keyTypes[:8:8],
	"own boolean", "wait smallint", "upload text", "due timestamptz", "held boolean",
	"own_state smallint", "partners_state smallint", "event_report_type smallint", "sources text")...)

func waitingLists(all []waiter) []any {
	lists := []any{list(all, func(w waiter) int64 { return w.id })}
	lists = append(lists, keyLists(list(all, func(w waiter) *keys.DiagnosisKey { return &w.unit.Key }))[:8]...)
	return append(lists,
		list(all, func(w waiter) bool { return w.unit.Own() }),
		list(all, func(w waiter) int16 { return int16(w.wait) }),
		list(all, func(w waiter) string { return text(w.unit.Upload) }),
		list(all, func(w waiter) time.Time { return w.unit.Due }),
		list(all, func(w waiter) bool { return w.unit.Held() }),
		list(all, func(w waiter) int16 { return int16(w.event.Own) }),
		list(all, func(w waiter) int16 { return int16(w.event.Partners) }),
		list(all, func(w waiter) nullable { return orNull(w.event.ReportType) }),
		list(all, func(w waiter) string { return string(w.event.Sources) }),
	)
}
