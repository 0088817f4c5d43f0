package efgs

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/gaenkit/gaen/keys"
)

// reportTypes are the names of the enumeration, by number.
var reportTypes = []string{"UNKNOWN", "CONFIRMED_TEST", "CONFIRMED_CLINICAL_DIAGNOSIS", "SELF_REPORT", "RECURSIVE", "REVOKED"}

// appendJSON appends keys as the gateway prints them: JSON of protobuf with the
// names of the .proto file, zero values left out.
func appendJSON(b []byte, all []DiagnosisKey) []byte {
	b = append(b, `{"keys":[`...)
	for i := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = all[i].appendJSON(b)
	}
	return append(b, `]}`...)
}

func (k *DiagnosisKey) appendJSON(b []byte) []byte {
	w := jsonWriter{append(b, '{')}
	if len(k.KeyData) > 0 {
		w.name("keyData")
		w.b = append(base64.StdEncoding.AppendEncode(append(w.b, '"'), k.KeyData), '"')
	}
	w.number("rollingStartIntervalNumber", int64(k.RollingStartIntervalNumber))
	w.number("rollingPeriod", int64(k.RollingPeriod))
	w.number("transmissionRiskLevel", int64(k.TransmissionRiskLevel))
	if len(k.VisitedCountries) > 0 {
		w.name("visitedCountries")
		w.b = append(w.b, '[')
		for i, code := range k.VisitedCountries {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.text(code)
		}
		w.b = append(w.b, ']')
	}
	if k.Origin != "" {
		w.name("origin")
		w.text(k.Origin)
	}
	if n := k.ReportType; 0 < n && int(n) < len(reportTypes) {
		w.name("reportType")
		w.text(reportTypes[n])
	} else {
		w.number("reportType", int64(n))
	}
	w.number("days_since_onset_of_symptoms", int64(k.DaysSinceOnsetOfSymptoms))
	return append(w.b, '}')
}

// A jsonWriter appends the members of an object.
type jsonWriter struct{ b []byte }

func (w *jsonWriter) name(name string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(append(append(w.b, '"'), name...), `":`...)
}

func (w *jsonWriter) number(name string, n int64) {
	if n != 0 {
		w.name(name)
		w.b = strconv.AppendInt(w.b, n, 10)
	}
}

func (w *jsonWriter) text(s string) {
	text, _ := json.Marshal(s) // a string can always be
	w.b = append(w.b, text...)
}

var errJSON = errors.New("not a JSON object with keys, or not whole")

// decodeJSON reads the keys of the JSON form: members by either of protobuf's
// names, numbers as strings, enumerations by name or number, base64 of both
// alphabets with and without padding, null for what is not there. Members that it
// does not know are passed over. A body without anything in it has no keys: the
// gateway has sent such (CWA 819).
func decodeJSON(into *Batch, body []byte, limit int) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if !json.Valid(body) {
		return errJSON
	}
	list, twice, ok := membersOf(body, "keys")
	if !ok || twice != "" {
		return errJSON
	}
	r := jsonReader{}
	return elementsOf(list["keys"], func(e json.RawMessage) error {
		if len(into.Keys) == limit {
			return ErrTooManyKeys
		}
		into.add(r.key(e))
		return nil
	})
}

// membersOf returns those members of an object that have one of these names. Twice
// is the first of them that comes twice, of which readers disagree which counts.
func membersOf(text []byte, names ...string) (found map[string]json.RawMessage, twice string, ok bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, "", false
	}
	found = make(map[string]json.RawMessage, len(names))
	for d.More() {
		t, err := d.Token()
		name, isName := t.(string)
		if err != nil || !isName {
			return nil, "", false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, "", false
		}
		for _, known := range names {
			if name != known {
				continue
			}
			if _, again := found[name]; again && twice == "" {
				twice = name
			}
			if string(value) != "null" {
				found[name] = value
			}
		}
	}
	return found, twice, true
}

// elementsOf calls each with the elements of an array, of which there are none if
// there is no array.
func elementsOf(text json.RawMessage, each func(json.RawMessage) error) error {
	if text == nil {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return errJSON
	}
	for d.More() {
		var e json.RawMessage
		if err := d.Decode(&e); err != nil {
			return errJSON
		}
		if err := each(e); err != nil {
			return err
		}
	}
	return nil
}

// jsonNames are the names of a key's members. Those of protobuf's own JSON, where
// they differ from the file's, follow them.
var jsonNames = []string{
	"keyData", "rollingStartIntervalNumber", "rollingPeriod", "transmissionRiskLevel", "visitedCountries", "origin", "reportType",
	"days_since_onset_of_symptoms", "daysSinceOnsetOfSymptoms",
}

// A jsonReader reads the keys of a body.
type jsonReader struct {
	speller
}

// key reads a key.
func (r *jsonReader) key(text json.RawMessage) (k DiagnosisKey, why *keys.Rejection) {
	m, twice, ok := membersOf(text, jsonNames...)
	if !ok {
		return k, malformed(keys.FieldKeyData, "not a JSON object")
	}
	if twice != "" {
		return k, malformed(fieldNamed(twice), "there twice")
	}
	onset, other := m["days_since_onset_of_symptoms"], m["daysSinceOnsetOfSymptoms"]
	if onset != nil && other != nil {
		return k, malformed(keys.FieldDaysSinceOnset, "there twice")
	}
	if onset == nil {
		onset = other
	}
	if why = r.texts(&k, m); why != nil {
		return k, why
	}
	start, whyStart := integer(m["rollingStartIntervalNumber"], keys.FieldRollingStart, 0, math.MaxUint32)
	period, whyPeriod := integer(m["rollingPeriod"], keys.FieldRollingPeriod, 0, math.MaxUint32)
	risk, whyRisk := integer(m["transmissionRiskLevel"], keys.FieldTransmissionRisk, math.MinInt32, math.MaxInt32)
	report, whyReport := enumerator(m["reportType"])
	days, whyDays := integer(onset, keys.FieldDaysSinceOnset, math.MinInt32, math.MaxInt32)
	for _, why := range []*keys.Rejection{whyStart, whyPeriod, whyRisk, whyReport, whyDays} {
		if why != nil {
			return k, why
		}
	}
	k.RollingStartIntervalNumber, k.RollingPeriod, k.TransmissionRiskLevel = uint32(start), uint32(period), int32(risk)
	k.ReportType, k.DaysSinceOnsetOfSymptoms = int32(report), int32(days)
	return k, nil
}

func fieldNamed(name string) keys.Field {
	switch name {
	case "rollingStartIntervalNumber":
		return keys.FieldRollingStart
	case "rollingPeriod":
		return keys.FieldRollingPeriod
	case "transmissionRiskLevel":
		return keys.FieldTransmissionRisk
	case "visitedCountries":
		return keys.FieldVisitedCountries
	case "origin":
		return keys.FieldOrigin
	case "reportType":
		return keys.FieldReportType
	case "days_since_onset_of_symptoms", "daysSinceOnsetOfSymptoms":
		return keys.FieldDaysSinceOnset
	}
	return keys.FieldKeyData
}

// texts reads key data, origin and countries.
func (r *jsonReader) texts(k *DiagnosisKey, m map[string]json.RawMessage) *keys.Rejection {
	data, ok := text(m["keyData"])
	if !ok {
		return malformed(keys.FieldKeyData, "not a string")
	}
	if k.KeyData, ok = decodeBase64(data); !ok {
		return malformed(keys.FieldKeyData, "not base64")
	}
	origin, ok := text(m["origin"])
	if !ok {
		return malformed(keys.FieldOrigin, "not a string")
	}
	k.Origin = r.spell([]byte(origin))
	var codes [][]byte
	err := elementsOf(m["visitedCountries"], func(e json.RawMessage) error {
		code, ok := text(e)
		if !ok {
			return malformed(keys.FieldVisitedCountries, "not all strings")
		}
		if len(codes) == keys.MaxRegions {
			return &keys.Rejection{Field: keys.FieldVisitedCountries, Reason: keys.ReasonTooMany}
		}
		codes = append(codes, []byte(code))
		return nil
	})
	if why, ok := errors.AsType[*keys.Rejection](err); ok {
		return why
	}
	if err != nil {
		return malformed(keys.FieldVisitedCountries, "not an array")
	}
	k.VisitedCountries = r.spellAll(codes)
	return nil
}

// text returns the string that a value is, empty if there is none.
func text(v json.RawMessage) (string, bool) {
	if v == nil {
		return "", true
	}
	if v[0] != '"' {
		return "", false
	}
	var s string
	err := json.Unmarshal(v, &s)
	return s, err == nil
}

// decodeBase64 reads base64 as readers of protobuf's JSON do.
func decodeBase64(s string) ([]byte, bool) {
	s = strings.TrimRight(s, "=")
	if strings.ContainsAny(s, "-_") {
		b, err := base64.RawURLEncoding.DecodeString(s)
		return b, err == nil
	}
	b, err := base64.RawStdEncoding.DecodeString(s)
	return b, err == nil
}

// integer returns the whole number that a value is, or says as a string, 0 if there
// is none.
func integer(v json.RawMessage, field keys.Field, low, high int64) (int64, *keys.Rejection) {
	if v == nil {
		return 0, nil
	}
	digits := string(v)
	if v[0] == '"' {
		digits, _ = text(v)
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && (n < low || n > high):
		return 0, &keys.Rejection{Field: field, Reason: keys.ReasonRange, Detail: "not of the field's 32 bits"}
	case err != nil:
		return 0, malformed(field, "not a whole number")
	}
	return n, nil
}

// enumerator returns the number of a report type, which is there by name or number.
func enumerator(v json.RawMessage) (int64, *keys.Rejection) {
	if name, ok := text(v); ok && v != nil {
		for n, known := range reportTypes {
			if name == known {
				return int64(n), nil
			}
		}
	}
	return integer(v, keys.FieldReportType, math.MinInt32, math.MaxInt32)
}
