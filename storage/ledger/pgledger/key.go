package pgledger

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// keyColumns are the columns of a key, in units and claims.
const keyColumns = `key_data, origin, rolling_start_interval_number, rolling_period,
	transmission_risk_level, report_type, days_since_onset_of_symptoms, variant_of_concern,
	visited_countries, test_type, consent_to_federate, provenance`

// canonical orders what waits as [keys.DiagnosisKey.Compare] does. What is absent
// comes first. Two units never have key data and origin in common, so the rest
// of the key decides nothing.
const canonical = `rolling_start_interval_number, rolling_period, transmission_risk_level NULLS FIRST, report_type NULLS FIRST,
	days_since_onset_of_symptoms NULLS FIRST, variant_of_concern NULLS FIRST, key_data, origin`

// keyRow is a key as its columns hold it.
type keyRow struct {
	data                         []byte
	origin                       pgtype.Text
	start                        pgtype.Int4
	period                       nullable
	risk, report, onset, variant nullable
	countries                    pgtype.Text
	test, consent, provenance    nullable
}

// dest returns where the columns go.
func (r *keyRow) dest() []any {
	return []any{
		(*pgtype.DriverBytes)(&r.data), &r.origin, &r.start, &r.period,
		&r.risk, &r.report, &r.onset, &r.variant,
		&r.countries, &r.test, &r.consent, &r.provenance,
	}
}

// a codec turns columns into values. It remembers what comes again and again.
type codec struct {
	origins map[string]keys.Region
	sets    map[string]keys.Regions
}

// maxSets is how many sets of countries a codec remembers.
const maxSets = 10_000

func (c *codec) region(code string) (keys.Region, error) {
	if r, ok := c.origins[code]; ok {
		return r, nil
	}
	r, err := region(code)
	if c.origins == nil {
		c.origins = map[string]keys.Region{}
	}
	if err == nil {
		c.origins[code] = r
	}
	return r, err
}

func (c *codec) countries(codes pgtype.Text) (keys.Regions, error) {
	if !codes.Valid {
		return keys.Regions{}, nil
	}
	if set, ok := c.sets[codes.String]; ok {
		return set, nil
	}
	var set keys.Regions
	if err := set.UnmarshalText([]byte(codes.String)); err != nil {
		return set, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if c.sets == nil || len(c.sets) >= maxSets {
		c.sets = map[string]keys.Regions{}
	}
	c.sets[codes.String] = set
	return set, nil
}

// key returns the key of a row.
func (c *codec) key(r *keyRow) (k keys.DiagnosisKey, err error) {
	if k.VisitedCountries, err = c.countries(r.countries); err != nil {
		return k, err
	}
	if k.Origin, err = c.region(r.origin.String); err != nil {
		return k, err
	}
	if err := scanBytes(k.KeyData[:], r.data); err != nil {
		return k, err
	}
	k.RollingStartIntervalNumber = keys.Interval(r.start.Int32)
	k.RollingPeriod = uint8(r.period.Int16)
	k.TransmissionRiskLevel = optional[keys.TransmissionRiskLevel](r.risk)
	k.ReportType = optional[keys.ReportType](r.report)
	k.DaysSinceOnsetOfSymptoms = optional[keys.DaysSinceOnset](r.onset)
	k.VariantOfConcern = optional[keys.VariantOfConcern](r.variant)
	k.TestType = keys.TestType(r.test.Int16)
	k.ConsentToFederate = keys.Consent(r.consent.Int16)
	k.Provenance = keys.Provenance(r.provenance.Int16)
	return k, nil
}

// keyTypes are the columns of a key, each with its type, for unnest.
var keyTypes = []string{
	"key_data bytea", "origin text", "rolling_start_interval_number integer", "rolling_period smallint",
	"transmission_risk_level smallint", "report_type smallint", "days_since_onset_of_symptoms smallint", "variant_of_concern smallint",
	"visited_countries text", "test_type smallint", "consent_to_federate smallint", "provenance smallint",
}

// keyLists returns what is stored of keys, nil for none, in lists for the columns
// of keyTypes.
func keyLists(all []*keys.DiagnosisKey) []any {
	return []any{
		list(all, func(k *keys.DiagnosisKey) []byte {
			if k == nil {
				return nil
			}
			return k.KeyData[:]
		}),
		list(all, func(k *keys.DiagnosisKey) pgtype.Text {
			return pgtype.Text{String: of(k).Origin.String(), Valid: k != nil}
		}),
		list(all, func(k *keys.DiagnosisKey) pgtype.Int4 {
			return pgtype.Int4{Int32: int32(of(k).RollingStartIntervalNumber), Valid: k != nil}
		}),
		list(all, func(k *keys.DiagnosisKey) nullable { return ofKey(k, of(k).RollingPeriod) }),
		list(all, func(k *keys.DiagnosisKey) nullable { return orNull(of(k).TransmissionRiskLevel) }),
		list(all, func(k *keys.DiagnosisKey) nullable { return orNull(of(k).ReportType) }),
		list(all, func(k *keys.DiagnosisKey) nullable { return orNull(of(k).DaysSinceOnsetOfSymptoms) }),
		list(all, func(k *keys.DiagnosisKey) nullable { return orNull(of(k).VariantOfConcern) }),
		list(all, func(k *keys.DiagnosisKey) pgtype.Text {
			codes := of(k).VisitedCountries
			return pgtype.Text{String: codes.String(), Valid: codes != keys.Regions{}}
		}),
		list(all, func(k *keys.DiagnosisKey) nullable { return ofKey(k, of(k).TestType) }),
		list(all, func(k *keys.DiagnosisKey) nullable { return ofKey(k, of(k).ConsentToFederate) }),
		list(all, func(k *keys.DiagnosisKey) nullable { return ofKey(k, of(k).Provenance) }),
	}
}

var noKey keys.DiagnosisKey

// of returns k, or a key without anything for nil.
func of(k *keys.DiagnosisKey) *keys.DiagnosisKey {
	if k == nil {
		return &noKey
	}
	return k
}

// ofKey returns a number of a key, null if there is no key.
func ofKey[T number](k *keys.DiagnosisKey, n T) nullable {
	return nullable{Int16: int16(n), Valid: k != nil}
}

// keyData lists the key data of units, each once.
func keyData(ids []ledger.UnitID) [][]byte {
	seen := make(map[keys.KeyData]bool, len(ids))
	all := make([][]byte, 0, len(ids))
	for i := range ids {
		if k := ids[i].KeyData; !seen[k] {
			seen[k] = true
			all = append(all, ids[i].KeyData[:])
		}
	}
	return all
}
