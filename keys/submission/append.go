package submission

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/gaenkit/gaen/keys"
)

// Append appends the object of a submission to b. The keys must be of one
// origin, which readers of the format take from the object's place, and say a
// transmission risk, which they cannot do without; padding is never stored.
// [Parse] reads the same keys from it. The id may be empty.
func Append(b []byte, id string, ks []keys.DiagnosisKey) ([]byte, error) {
	object := struct {
		Keys   []storedKey `json:"temporaryExposureKeys"`
		ID     string      `json:"id,omitzero"`
		Origin string      `json:"origin,omitzero"`
	}{Keys: []storedKey{}, ID: id}
	for i := range ks {
		k := &ks[i]
		if err := writable(k, &ks[0]); err != nil {
			return nil, fmt.Errorf("submission: key %d: %w", i, err)
		}
		object.Keys = append(object.Keys, newKey(k))
		object.Origin = k.Origin.String()
	}
	text, err := json.Marshal(&object)
	if err != nil {
		return nil, fmt.Errorf("submission: %w", err)
	}
	return append(b, text...), nil
}

// writable returns why the form cannot say what a key says.
func writable(k, first *keys.DiagnosisKey) error {
	switch {
	case k.Origin.IsZero():
		return missing(keys.FieldOrigin)
	case k.Origin != first.Origin:
		return &keys.Rejection{Field: keys.FieldOrigin, Reason: keys.ReasonNotAllowed, Detail: "another than that of the first key"}
	case !k.TransmissionRiskLevel.Present():
		return missing(keys.FieldTransmissionRisk)
	case k.Provenance != keys.Real:
		return &keys.Rejection{Field: keys.FieldProvenance, Reason: keys.ReasonNotAllowed}
	}
	return nil
}

func newKey(k *keys.DiagnosisKey) storedKey {
	s := storedKey{
		Key:    new(base64.StdEncoding.EncodeToString(k.KeyData[:])),
		Start:  new(int64(k.RollingStartIntervalNumber)),
		Period: new(int64(k.RollingPeriod)),
		Risk:   number(k.TransmissionRiskLevel),
		Onset:  number(k.DaysSinceOnsetOfSymptoms),
	}
	s.ReportType, s.Variant = number(k.ReportType), number(k.VariantOfConcern)
	for r := range k.VisitedCountries.All() {
		s.Regions = append(s.Regions, r.String())
	}
	if k.TestType != keys.TestUnstated {
		s.TestKit = k.TestType.String()
	}
	if k.ConsentToFederate != keys.ConsentUnstated {
		s.Consent = new(k.ConsentToFederate == keys.ConsentGiven)
	}
	return s
}

// number returns a value as the form has it, nil if there is none.
func number[T keys.TransmissionRiskLevel | keys.DaysSinceOnset | keys.ReportType | keys.VariantOfConcern](v keys.Optional[T]) *int64 {
	if n, ok := v.Get(); ok {
		return new(int64(n))
	}
	return nil
}
