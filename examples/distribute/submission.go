package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/gaenkit/gaen/keys"
)

// submission is an upload as the British back end stores it and as apps send it
// to it, with what other back ends also want to say.
type submission struct {
	Keys    []json.RawMessage `json:"temporaryExposureKeys"`
	TestKit string            `json:"testKit"`

	ID         string   `json:"id"`
	Origin     string   `json:"origin"`
	Regions    []string `json:"regions"`
	Consent    *bool    `json:"consentToFederate"`
	ReportType *int64   `json:"reportType"`
}

// submittedKey is one key of it. The form that apps send and the one that is
// stored have different names for the transmission risk.
type submittedKey struct {
	Key       *string `json:"key"`
	Start     *int64  `json:"rollingStartNumber"`
	Period    *int64  `json:"rollingPeriod"`
	Risk      *int64  `json:"transmissionRisk"`
	RiskLevel *int64  `json:"transmissionRiskLevel"`
	Onset     *int64  `json:"daysSinceOnsetOfSymptoms"`
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
}

// decodeSubmission returns a submission. What is wrong with a field that all its
// keys share is in the rejection; the error is for what is no submission at all.
// Neither quotes what it was read from.
func decodeSubmission(text []byte) (*submission, *keys.Rejection, error) {
	s := &submission{}
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
	root, _, _ := strings.Cut(wrong.Field, ".")
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
// taken for granted.
func (s *submission) shared(granted keys.DiagnosisKey) (k keys.DiagnosisKey, rejected *keys.Rejection) {
	k = granted
	var err error
	if s.TestKit != "" && k.TestType == keys.TestUnstated {
		if k.TestType, err = keys.ParseTestType(s.TestKit); err != nil {
			return k, rejection(keys.FieldTestType, err)
		}
	}
	if k.TestType == keys.TestUnstated {
		k.TestType = keys.TestLab // the kit that there was first
	}
	if s.Origin != "" {
		if k.Origin, err = keys.ParseRegion(s.Origin); err != nil {
			return k, rejection(keys.FieldOrigin, err)
		}
	}
	if k.VisitedCountries, err = keys.ParseRegions(s.Regions...); err != nil {
		return k, rejection(keys.FieldVisitedCountries, err)
	}
	if s.ReportType != nil {
		report, err := keys.ParseReportType(*s.ReportType)
		if err != nil {
			return k, rejection(keys.FieldReportType, err)
		}
		k.ReportType = keys.Some(report)
	}
	if s.Consent != nil {
		k.ConsentToFederate = keys.ConsentRefused
		if *s.Consent {
			k.ConsentToFederate = keys.ConsentGiven
		}
	}
	return k, nil
}

// parseKey returns one key of a submission.
func parseKey(text json.RawMessage, shared keys.DiagnosisKey) (k keys.DiagnosisKey, rejected *keys.Rejection) {
	var s submittedKey
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
	return k, nil
}

// parse sets the fields of k. The error is a *keys.Rejection.
func (s *submittedKey) parse(k *keys.DiagnosisKey) error {
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

func (s *submittedKey) risk() int64 {
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
