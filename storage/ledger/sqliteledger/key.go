package sqliteledger

import (
	"strings"

	"github.com/gaenkit/gaen/keys"
)

// keyColumns are the columns of a key, in units and statements.
var keyColumns = []string{
	"key_data", "origin",
	"rolling_start_interval_number", "rolling_period",
	"transmission_risk_level", "report_type", "days_since_onset_of_symptoms", "variant_of_concern",
	"visited_countries", "test_type", "consent_to_federate", "provenance",
}

// canonical orders units as [keys.DiagnosisKey.Compare] does. What is null comes
// first, as what is absent does. Two units never have key data and origin in
// common, so the rest of the key decides nothing.
const canonical = `
	unit.rolling_start_interval_number, unit.rolling_period, unit.transmission_risk_level, unit.report_type,
	unit.days_since_onset_of_symptoms, unit.variant_of_concern, unit.key_data, unit.origin`

// columns lists columns of a table for a query.
func columns(table string, names []string) string {
	return table + "." + strings.Join(names, ", "+table+".")
}

// insertInto returns the statement that adds a row with these columns.
func insertInto(table string, names []string) string {
	return "INSERT INTO " + table + " (" + strings.Join(names, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(names)-1) + ")"
}

// keyRow is a key as its columns hold it.
type keyRow struct {
	data                         bytes16
	origin                       region
	start, period                integer
	risk, report, onset, variant nullable
	countries                    nullable
	test, consent, provenance    integer
}

// dest returns where the columns go.
func (r *keyRow) dest() []any {
	return []any{
		&r.data, &r.origin, &r.start, &r.period,
		&r.risk, &r.report, &r.onset, &r.variant,
		&r.countries, &r.test, &r.consent, &r.provenance,
	}
}

// key returns the key of a row.
func (t *tx) key(r *keyRow) (keys.DiagnosisKey, error) {
	visited, err := t.countriesOf(r.countries)
	return keys.DiagnosisKey{
		TemporaryExposureKey: keys.TemporaryExposureKey{
			KeyData:                    keys.KeyData(r.data),
			RollingStartIntervalNumber: keys.Interval(r.start),
			RollingPeriod:              uint8(r.period),
			TransmissionRiskLevel:      optional[keys.TransmissionRiskLevel](r.risk),
			ReportType:                 optional[keys.ReportType](r.report),
			DaysSinceOnsetOfSymptoms:   optional[keys.DaysSinceOnset](r.onset),
			VariantOfConcern:           optional[keys.VariantOfConcern](r.variant),
		},
		Origin:            r.origin.Region,
		VisitedCountries:  visited,
		TestType:          keys.TestType(r.test),
		ConsentToFederate: keys.Consent(r.consent),
		Provenance:        keys.Provenance(r.provenance),
	}, err
}

// keyArgs returns what is stored of a key, in the order of keyColumns.
func (t *tx) keyArgs(k *keys.DiagnosisKey) ([]any, error) {
	visited, err := t.countriesID(k.VisitedCountries)
	return []any{
		k.KeyData[:], k.Origin.String(),
		int64(k.RollingStartIntervalNumber), int64(k.RollingPeriod),
		orNull(k.TransmissionRiskLevel), orNull(k.ReportType), orNull(k.DaysSinceOnsetOfSymptoms), orNull(k.VariantOfConcern),
		visited, int64(k.TestType), int64(k.ConsentToFederate), int64(k.Provenance),
	}, err
}
