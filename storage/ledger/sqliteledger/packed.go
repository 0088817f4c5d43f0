package sqliteledger

import (
	"fmt"
	"strings"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Whoever reads a window reads all columns of a row but wants a dozen numbers of a
// few bits each, and what a column takes on its way out of SQLite, two locks, a
// conversion, an allocation, is more than it takes SQLite to find the row. So
// numbers are put together before they leave it, and so are the two texts, which are
// the same again and again.

// packedColumns are an event and its unit, but for the event's number and the
// unit's id. A number that may be null is one more than it is, and 0 for null.
//
// SQLite gives <<, & and | the same precedence, and goes from left to right.
const packedColumns = `unit.key_data,
	(unit.rolling_start_interval_number << 32)
		| ((unit.rolling_period & 255) << 24) | ((unit.test_type & 255) << 16)
		| ((unit.consent_to_federate & 15) << 12) | ((unit.provenance & 15) << 8)
		| ((unit.source_withdrew <> 0) << 4) | ((unit.operator_withdrew <> 0) << 3) | ((unit.erase <> 0) << 2)
		| ((unit.changed <> 0) << 1) | (unit.shared <> 0),
	(ifnull((unit.days_since_onset_of_symptoms & 65535) + 1, 0) << 40)
		| (ifnull((unit.transmission_risk_level & 255) + 1, 0) << 31) | (ifnull((unit.report_type & 255) + 1, 0) << 22)
		| (ifnull((unit.variant_of_concern & 255) + 1, 0) << 13) | (ifnull((event.report_type & 255) + 1, 0) << 4)
		| ((event.own_state & 3) << 2) | (event.partners_state & 3),
	unit.visited_countries, unit.accepted, unit.due, unit.upload, unit.origin || ' ' || event.sources`

// packedRow is an event and its unit as packedColumns hold them.
type packedRow struct {
	data                  bytes16
	plain, optional       integer
	countries             nullable
	accepted, due, upload integer
	label                 string

	labels map[string]label
}

// A label is an origin and the sources of an event.
type label struct {
	origin  keys.Region
	sources ledger.Sources
}

// maxLabels is how many labels are remembered. Sources are named by partners.
const maxLabels = 1000

func (r *packedRow) dest() []any {
	return []any{&r.data, &r.plain, &r.optional, &r.countries, &r.accepted, &r.due, &r.upload, &r.label}
}

// fillPacked fills in a unit, but for the name of its upload and its claims, and its event.
func (t *tx) fillPacked(u *row, e *ledger.Event, r *packedRow) error {
	l, err := r.parseLabel()
	if err != nil {
		return err
	}
	visited, err := t.countriesOf(r.countries)
	n, o := r.plain, r.optional
	flag := func(bit int) bool { return n>>bit&1 != 0 }
	u.changed, u.shared = flag(1), flag(0)
	u.unit = ledger.Unit{
		Key: keys.DiagnosisKey{
			TemporaryExposureKey: keys.TemporaryExposureKey{
				KeyData:                    keys.KeyData(r.data),
				RollingStartIntervalNumber: keys.Interval(n >> 32),
				RollingPeriod:              uint8(n >> 24),
				TransmissionRiskLevel:      unpack[keys.TransmissionRiskLevel](o >> 31 & 511),
				ReportType:                 unpack[keys.ReportType](o >> 22 & 511),
				DaysSinceOnsetOfSymptoms:   unpack[keys.DaysSinceOnset](o >> 40),
				VariantOfConcern:           unpack[keys.VariantOfConcern](o >> 13 & 511),
			},
			Origin:            l.origin,
			VisitedCountries:  visited,
			TestType:          keys.TestType(n >> 16),
			ConsentToFederate: keys.Consent(n >> 12 & 15),
			Provenance:        keys.Provenance(n >> 8 & 15),
		},
		Accepted:         r.accepted.time(),
		Due:              r.due.time(),
		SourceWithdrew:   flag(4),
		OperatorWithdrew: flag(3),
		Erase:            flag(2),
	}
	e.Own, e.Partners = ledger.State(o>>2&3), ledger.State(o&3)
	e.ReportType = unpack[keys.ReportType](o >> 4 & 511)
	e.Sources = l.sources
	return err
}

// unpack is the inverse of ifnull(n + 1, 0).
func unpack[T number](n integer) keys.Optional[T] {
	if n == 0 {
		return keys.Optional[T]{}
	}
	return keys.Some(T(n - 1))
}

// parseLabel returns what the row's label says.
func (r *packedRow) parseLabel() (label, error) {
	if l, ok := r.labels[r.label]; ok {
		return l, nil
	}
	code, sources, ok := strings.Cut(r.label, " ")
	if !ok {
		return label{}, fmt.Errorf("%w: no origin", ErrCorrupt)
	}
	var origin region
	if err := origin.Scan(code); err != nil {
		return label{}, err
	}
	if r.labels == nil || len(r.labels) >= maxLabels {
		r.labels = map[string]label{}
	}
	l := label{origin.Region, ledger.Sources(sources)}
	r.labels[r.label] = l
	return l, nil
}
