package keys

import "fmt"

// Field names the part of a key that a [Rejection] is about. The names are
// those of the protocol files.
type Field string

const (
	FieldKeyData          Field = "key_data"
	FieldRollingStart     Field = "rolling_start_interval_number"
	FieldRollingPeriod    Field = "rolling_period"
	FieldTransmissionRisk Field = "transmission_risk_level"
	FieldReportType       Field = "report_type"
	FieldDaysSinceOnset   Field = "days_since_onset_of_symptoms"
	FieldVariant          Field = "variant_of_concern"
	FieldRegion           Field = "region"
	FieldOrigin           Field = "origin"
	FieldVisitedCountries Field = "visited_countries"
	FieldTestType         Field = "test_type"
	FieldConsent          Field = "consent_to_federate"
	FieldProvenance       Field = "provenance"
)

// Reason is the machine-readable cause of a [Rejection]. Reasons are short,
// few and stable: they are counted, compared and shown on dashboards.
type Reason string

const (
	ReasonLength     Reason = "length"      // the wrong number of bytes
	ReasonZero       Reason = "zero"        // nothing but zeros
	ReasonMalformed  Reason = "malformed"   // not of the field's form
	ReasonMissing    Reason = "missing"     // mandatory and not there
	ReasonRange      Reason = "range"       // outside the field's range
	ReasonTooMany    Reason = "too-many"    // more than the limit
	ReasonNotAllowed Reason = "not-allowed" // a value that the policy does not take
	ReasonTooOld     Reason = "too-old"     // no longer relevant to anybody
	ReasonInFuture   Reason = "in-future"   // from a time that has not come
	ReasonEmbargo    Reason = "embargo"     // its owner could still be impersonated
)

// A Rejection is why one key was not taken. Its text never holds key data.
type Rejection struct {
	Field  Field
	Reason Reason
	Detail string // for people; may hold numbers of the key, never its data
}

// Error returns the field, the reason and the detail.
func (r *Rejection) Error() string {
	if r.Detail == "" {
		return fmt.Sprintf("keys: %s: %s", r.Field, r.Reason)
	}
	return fmt.Sprintf("keys: %s: %s: %s", r.Field, r.Reason, r.Detail)
}

// Is reports whether target is a Rejection with the same reason and the same
// field, an empty one standing for any.
func (r *Rejection) Is(target error) bool {
	t, ok := target.(*Rejection)
	return ok && t != nil && (t.Reason == "" || t.Reason == r.Reason) && (t.Field == "" || t.Field == r.Field)
}

func reject(field Field, reason Reason, format string, args ...any) *Rejection {
	return &Rejection{Field: field, Reason: reason, Detail: fmt.Sprintf(format, args...)}
}
