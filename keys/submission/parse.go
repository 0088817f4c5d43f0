package submission

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/gaenkit/gaen/keys"
)

// A Submission is what [Parse] makes of a stored object.
type Submission struct {
	ID       string      // by which it names itself; empty if it does not
	Origin   keys.Region // of all its keys
	Keys     []keys.DiagnosisKey
	Rejected []*keys.Rejection // one for each key that could not be read
}

// stored is a submission as it is stored and as apps send it, with what other
// back ends also want to say.
type stored struct {
	Keys []json.RawMessage `json:"temporaryExposureKeys"`
	ID   string            `json:"id"`

	Origin string `json:"origin"`
	said
}

// said is what may be said of all keys at once, or of one.
type said struct {
	TestKit    string   `json:"testKit,omitzero"`
	Regions    []string `json:"regions,omitzero"`
	Consent    *bool    `json:"consentToFederate,omitzero"`
	ReportType *int64   `json:"reportType,omitzero"`
	Variant    *int64   `json:"variantOfConcern,omitzero"`
}

// storedKey is one key of it. The form that apps send and the one that is
// stored have different names for the transmission risk.
type storedKey struct {
	Key       *string `json:"key"`
	Start     *int64  `json:"rollingStartNumber"`
	Period    *int64  `json:"rollingPeriod"`
	Risk      *int64  `json:"transmissionRisk"`
	RiskLevel *int64  `json:"transmissionRiskLevel,omitzero"`
	Onset     *int64  `json:"daysSinceOnsetOfSymptoms,omitzero"`
	said
}

// absentRisk is the transmission risk level of a key that states none.
const absentRisk = 7

// fields are the keys' fields, by the names of the JSON.
var fields = map[string]keys.Field{
	"key":                      keys.FieldKeyData,
	"rollingStartNumber":       keys.FieldRollingStart,
	"rollingPeriod":            keys.FieldRollingPeriod,
	"transmissionRisk":         keys.FieldTransmissionRisk,
	"transmissionRiskLevel":    keys.FieldTransmissionRisk,
	"daysSinceOnsetOfSymptoms": keys.FieldDaysSinceOnset,
	"testKit":                  keys.FieldTestType,
	"origin":                   keys.FieldOrigin,
	"regions":                  keys.FieldVisitedCountries,
	"consentToFederate":        keys.FieldConsent,
	"reportType":               keys.FieldReportType,
	"variantOfConcern":         keys.FieldVariant,
}

// Parse reads a submission. What its place or the configuration says of all its
// keys is granted: the origin and the consent hold where the submission says
// nothing, the kit of the test in any case. One key that cannot be read is
// rejected alone, and what is wrong with a field that all keys share rejects
// each of them; the error is for what is no submission at all. Neither quotes
// what it was read from. Whether the keys may come in is for a [keys.Policy] to
// say.
func Parse(text []byte, granted keys.DiagnosisKey) (*Submission, error) {
	s, rejected, err := decode(text)
	if err != nil {
		return nil, err
	}
	shared, wrong := s.shared(granted)
	if rejected == nil {
		rejected = wrong
	}
	result := &Submission{ID: s.ID, Origin: shared.Origin}
	for _, text := range s.Keys {
		k, why := parseKey(text, shared, granted.TestType)
		if rejected != nil {
			why = rejected
		}
		if why != nil {
			result.Rejected = append(result.Rejected, why)
			continue
		}
		result.Keys = append(result.Keys, k)
	}
	return result, nil
}

// decode returns the JSON, and what is wrong with a field that all keys share.
func decode(text []byte) (*stored, *keys.Rejection, error) {
	s := &stored{}
	err := json.Unmarshal(text, s)
	wrong, ofType := errors.AsType[*json.UnmarshalTypeError](err)
	switch field, shared := fields[rootOf(wrong)]; {
	case err == nil && s.Keys == nil:
		return nil, nil, errors.New("no temporaryExposureKeys")
	case err == nil:
		return s, nil, nil
	case ofType && shared:
		return s, malformed(field, wrong), nil
	case ofType:
		return nil, nil, fmt.Errorf("%s: a JSON %s", rootOf(wrong), kindOf(wrong))
	}
	return nil, nil, errors.New("not JSON")
}

// rootOf returns the outermost field that has the wrong type.
func rootOf(wrong *json.UnmarshalTypeError) string {
	if wrong == nil {
		return ""
	}
	path := strings.TrimPrefix(wrong.Field, "said.") // Go names what it embeds; JSON does not have it
	root, _, _ := strings.Cut(path, ".")
	return root
}

// kindOf returns what kind of value was found, without the value.
func kindOf(wrong *json.UnmarshalTypeError) string {
	kind, _, _ := strings.Cut(wrong.Value, " ")
	return kind
}

func malformed(field keys.Field, wrong *json.UnmarshalTypeError) *keys.Rejection {
	return &keys.Rejection{Field: field, Reason: keys.ReasonMalformed, Detail: fmt.Sprintf("a JSON %s where a %s belongs", kindOf(wrong), wrong.Type)}
}

// shared returns what all keys of the submission have in common, over what is
// granted.
func (s *stored) shared(granted keys.DiagnosisKey) (k keys.DiagnosisKey, rejected *keys.Rejection) {
	k = granted
	if s.Origin != "" {
		var err error
		if k.Origin, err = keys.ParseRegion(s.Origin); err != nil {
			return granted, rejection(keys.FieldOrigin, err)
		}
	}
	return k, s.said.apply(&k, granted.TestType)
}

// apply says of k what is said, but for the kit of the test where the place of
// the submission has said that.
func (s *said) apply(k *keys.DiagnosisKey, granted keys.TestType) *keys.Rejection {
	var err error
	if s.TestKit != "" && granted == keys.TestUnstated {
		if k.TestType, err = keys.ParseTestType(s.TestKit); err != nil {
			return rejection(keys.FieldTestType, err)
		}
	}
	if s.Regions != nil {
		if k.VisitedCountries, err = keys.ParseRegions(s.Regions...); err != nil {
			return rejection(keys.FieldVisitedCountries, err)
		}
	}
	if s.ReportType != nil {
		report, err := keys.ParseReportType(*s.ReportType)
		if err != nil {
			return rejection(keys.FieldReportType, err)
		}
		k.ReportType = keys.Some(report)
	}
	if s.Variant != nil {
		variant, err := keys.ParseVariantOfConcern(*s.Variant)
		if err != nil {
			return rejection(keys.FieldVariant, err)
		}
		k.VariantOfConcern = keys.Some(variant)
	}
	if s.Consent != nil {
		k.ConsentToFederate = keys.ConsentRefused
		if *s.Consent {
			k.ConsentToFederate = keys.ConsentGiven
		}
	}
	return nil
}

// parseKey returns one key of a submission.
func parseKey(text json.RawMessage, shared keys.DiagnosisKey, granted keys.TestType) (k keys.DiagnosisKey, rejected *keys.Rejection) {
	var s storedKey
	if err := json.Unmarshal(text, &s); err != nil {
		wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
		if field := fields[rootOf(wrong)]; ok && field != "" {
			return k, malformed(field, wrong)
		}
		return k, &keys.Rejection{Field: keys.FieldKeyData, Reason: keys.ReasonMalformed, Detail: "not a JSON object"}
	}
	k = shared
	switch {
	case s.Key == nil:
		return k, missing(keys.FieldKeyData)
	case s.Start == nil:
		return k, missing(keys.FieldRollingStart)
	case s.Period == nil:
		return k, missing(keys.FieldRollingPeriod)
	}
	if err := s.parse(&k); err != nil {
		return k, rejection(keys.FieldKeyData, err)
	}
	return k, s.said.apply(&k, granted)
}

// parse sets the fields of k. The error is a *keys.Rejection.
func (s *storedKey) parse(k *keys.DiagnosisKey) error {
	data, err := base64.StdEncoding.DecodeString(*s.Key)
	if err != nil {
		return &keys.Rejection{Field: keys.FieldKeyData, Reason: keys.ReasonMalformed, Detail: "not base64"}
	}
	if k.KeyData, err = keys.ParseKeyData(data); err != nil {
		return err
	}
	if k.RollingStartIntervalNumber, err = keys.ParseInterval(*s.Start); err != nil {
		return err
	}
	if k.RollingPeriod, err = keys.ParseRollingPeriod(*s.Period); err != nil {
		return err
	}
	if k.TransmissionRiskLevel, err = keys.ParseTransmissionRiskLevel(s.risk()); err != nil {
		return err
	}
	if s.Onset == nil {
		return nil
	}
	onset, err := keys.ParseDaysSinceOnset(*s.Onset)
	k.DaysSinceOnsetOfSymptoms = keys.Some(onset)
	return err
}

func (s *storedKey) risk() int64 {
	switch {
	case s.Risk != nil:
		return *s.Risk
	case s.RiskLevel != nil:
		return *s.RiskLevel
	}
	return absentRisk
}

func missing(field keys.Field) *keys.Rejection {
	return &keys.Rejection{Field: field, Reason: keys.ReasonMissing}
}

// rejection returns err, which package keys gave, as a rejection; of the given
// field if it names that of a part.
func rejection(field keys.Field, err error) *keys.Rejection {
	r, ok := errors.AsType[*keys.Rejection](err)
	if !ok {
		return &keys.Rejection{Field: field, Reason: keys.ReasonMalformed}
	}
	if r.Field == keys.FieldRegion {
		r = &keys.Rejection{Field: field, Reason: r.Reason, Detail: r.Detail}
	}
	return r
}
