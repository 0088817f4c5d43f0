package federationtest

import (
	"encoding/base64"
	"encoding/json"

	"github.com/gaenkit/gaen/keys"
)

// An exposure is a key as the protocol writes it, in the order of its fields.
type exposure struct {
	KeyData               string   `json:"keyData"`
	RollingStartNumber    int64    `json:"rollingStartNumber"`
	TransmissionRiskLevel int64    `json:"transmissionRiskLevel"`
	RollingPeriod         int64    `json:"rollingPeriod"`
	Origin                string   `json:"origin,omitempty"` // in pages
	Regions               []string `json:"regions"`
	TestType              int64    `json:"testType"`
	ReportType            int64    `json:"reportType"`
	DaysSinceOnset        int64    `json:"daysSinceOnset"`
}

// oddExposures are exposures that are none, each for one reason. A page of the real
// service had one in five like these.
func oddExposures(good exposure) []json.RawMessage {
	var odd []json.RawMessage
	for _, bad := range []struct {
		field  string
		values []any
	}{
		{"keyData", []any{nil, absent, "", "AAAA", 7, "not base64!"}},
		{"rollingStartNumber", []any{nil, absent, -1, "x", 1e30, []int{1}}},
		{"rollingPeriod", []any{nil, absent, 0, 145, -1, 1440}},
		{"reportType", []any{77, -1, "CONFIRMED_TEST"}},
		{"testType", []any{99, map[string]int{}}},
		{"daysSinceOnset", []any{5000, true}},
		{"regions", []any{7, []int{1}}},
	} {
		for _, v := range bad.values {
			odd = append(odd, changed(good, bad.field, v))
		}
	}
	return append(odd, json.RawMessage("null"), json.RawMessage("7"), json.RawMessage("[[]]"), json.RawMessage("{}"))
}

// changed returns an exposure with one field set to something else, or left out if
// that is [absent].
func changed(e exposure, field string, v any) json.RawMessage {
	fields := map[string]any{}
	if err := json.Unmarshal(marshal(e), &fields); err != nil {
		panic("federationtest: " + err.Error())
	}
	if fields[field] = v; v == absent {
		delete(fields, field)
	}
	return marshal(fields)
}

// without returns an exposure without some of its fields.
func without(e exposure, fields []string) json.RawMessage {
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(marshal(e), &all); err != nil {
		panic("federationtest: " + err.Error())
	}
	for _, field := range fields {
		delete(all, field)
	}
	return marshal(all)
}

// absent is the value of a field that is not there.
var absent = new(int)

// marshal returns v as JSON, which it must have.
func marshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("federationtest: " + err.Error())
	}
	return b
}

// exposureOf returns a key as the protocol writes it.
func exposureOf(k *keys.DiagnosisKey) exposure {
	e := exposure{
		KeyData:               base64.StdEncoding.EncodeToString(k.KeyData[:]),
		RollingStartNumber:    int64(k.RollingStartIntervalNumber),
		TransmissionRiskLevel: int64(k.TransmissionRiskLevel.Or(0)),
		RollingPeriod:         int64(k.RollingPeriod),
		Origin:                k.Origin.String(),
		Regions:               []string{k.Origin.String()},
		TestType:              int64(k.TestType),
		ReportType:            int64(k.ReportType.Or(keys.ReportUnknown)),
		DaysSinceOnset:        int64(k.DaysSinceOnsetOfSymptoms.Or(0)),
	}
	for region := range k.VisitedCountries.All() {
		e.Regions = append(e.Regions, region.String())
	}
	return e
}
