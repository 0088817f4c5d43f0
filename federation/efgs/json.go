package efgs

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"

	"github.com/gaenkit/gaen/federation/internal/jsontext"
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
	var found [1]jsontext.Value
	v, ok := jsontext.Parse(body)
	if !ok || !v.IsObject() || v.Once([]string{"keys"}, found[:]) != "" || !isList(found[0]) {
		return errJSON
	}
	r := jsonReader{}
	for e := range found[0].Elements() {
		if len(into.Keys) == limit {
			return ErrTooManyKeys
		}
		into.add(r.key(e))
	}
	return nil
}

// The members of a key. Those of protobuf's own JSON, where they differ from the
// file's, follow them.
const (
	jsonKeyData = iota
	jsonRollingStart
	jsonRollingPeriod
	jsonRisk
	jsonCountries
	jsonOrigin
	jsonReportType
	jsonOnset
	jsonOnsetToo
	jsonMembers
)

var (
	jsonNames = []string{
		"keyData", "rollingStartIntervalNumber", "rollingPeriod", "transmissionRiskLevel", "visitedCountries", "origin", "reportType",
		"days_since_onset_of_symptoms", "daysSinceOnsetOfSymptoms",
	}
	jsonFields = [jsonMembers]keys.Field{
		keys.FieldKeyData, keys.FieldRollingStart, keys.FieldRollingPeriod, keys.FieldTransmissionRisk, keys.FieldVisitedCountries,
		keys.FieldOrigin, keys.FieldReportType, keys.FieldDaysSinceOnset, keys.FieldDaysSinceOnset,
	}
)

// A jsonReader reads the keys of a body.
type jsonReader struct {
	speller
	countries [][]byte // of the key being read
}

// key reads a key.
func (r *jsonReader) key(v jsontext.Value) (k DiagnosisKey, why *keys.Rejection) {
	if !v.IsObject() {
		return k, malformed(keys.FieldKeyData, "not a JSON object")
	}
	var m [jsonMembers]jsontext.Value
	twice := v.Once(jsonNames, m[:])
	switch {
	case twice != "":
		return k, malformed(jsonFields[slices.Index(jsonNames, twice)], "there twice")
	case !m[jsonOnset].IsAbsent() && !m[jsonOnsetToo].IsAbsent():
		return k, malformed(keys.FieldDaysSinceOnset, "there twice")
	case m[jsonOnset].IsAbsent():
		m[jsonOnset] = m[jsonOnsetToo]
	}
	if why = r.texts(&k, &m); why != nil {
		return k, why
	}
	return k, k.numbers(&m)
}

// numbers reads what is a number.
func (k *DiagnosisKey) numbers(m *[jsonMembers]jsontext.Value) *keys.Rejection {
	var n [jsonMembers]int64
	for _, f := range []struct {
		member    int
		low, high int64
	}{
		{jsonRollingStart, 0, math.MaxUint32}, {jsonRollingPeriod, 0, math.MaxUint32}, {jsonRisk, math.MinInt32, math.MaxInt32},
		{jsonReportType, math.MinInt32, math.MaxInt32}, {jsonOnset, math.MinInt32, math.MaxInt32},
	} {
		v := m[f.member]
		if f.member == jsonReportType {
			v = enumerator(v)
		}
		var why *keys.Rejection
		if n[f.member], why = integer(v, jsonFields[f.member], f.low, f.high); why != nil {
			return why
		}
	}
	k.RollingStartIntervalNumber, k.RollingPeriod, k.TransmissionRiskLevel = uint32(n[jsonRollingStart]), uint32(n[jsonRollingPeriod]), int32(n[jsonRisk])
	k.ReportType, k.DaysSinceOnsetOfSymptoms = int32(n[jsonReportType]), int32(n[jsonOnset])
	return nil
}

// texts reads key data, origin and countries.
func (r *jsonReader) texts(k *DiagnosisKey, m *[jsonMembers]jsontext.Value) *keys.Rejection {
	data, ok := textOf(m[jsonKeyData])
	if !ok {
		return malformed(keys.FieldKeyData, "not a string")
	}
	if k.KeyData, ok = decodeBase64(data); !ok {
		return malformed(keys.FieldKeyData, "not base64")
	}
	origin, ok := textOf(m[jsonOrigin])
	if !ok {
		return malformed(keys.FieldOrigin, "not a string")
	}
	k.Origin = r.spell(origin)
	if !isList(m[jsonCountries]) {
		return malformed(keys.FieldVisitedCountries, "not an array")
	}
	r.countries = r.countries[:0]
	for e := range m[jsonCountries].Elements() {
		code, ok := e.Text()
		switch {
		case !ok:
			return malformed(keys.FieldVisitedCountries, "not all strings")
		case len(r.countries) == keys.MaxRegions:
			return &keys.Rejection{Field: keys.FieldVisitedCountries, Reason: keys.ReasonTooMany}
		}
		r.countries = append(r.countries, code)
	}
	k.VisitedCountries = r.spellAll(r.countries)
	return nil
}

// isList reports whether a member is an array, or not there.
func isList(v jsontext.Value) bool { return v.IsAbsent() || v.IsArray() }

// textOf returns what a member says that is a string, nothing if it is not there.
func textOf(v jsontext.Value) (text []byte, ok bool) {
	if v.IsAbsent() {
		return nil, true
	}
	return v.Text()
}

// decodeBase64 reads base64 as readers of protobuf's JSON do.
func decodeBase64(s []byte) ([]byte, bool) {
	s = bytes.TrimRight(s, "=")
	enc := base64.RawStdEncoding
	if bytes.ContainsAny(s, "-_") {
		enc = base64.RawURLEncoding
	}
	b, err := enc.AppendDecode(make([]byte, 0, enc.DecodedLen(len(s))), s)
	return b, err == nil
}

// integer returns the whole number that a value is, or says as a string, 0 if there
// is none.
func integer(v jsontext.Value, field keys.Field, low, high int64) (int64, *keys.Rejection) {
	if v.IsAbsent() {
		return 0, nil
	}
	if digits, ok := v.Text(); ok {
		v = digits
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && (n < low || n > high):
		return 0, &keys.Rejection{Field: field, Reason: keys.ReasonRange, Detail: "not of the field's 32 bits"}
	case err != nil:
		return 0, malformed(field, "not a whole number")
	}
	return n, nil
}

// enumerator returns the number of a report type that is there by its name, and
// anything else as it is.
func enumerator(v jsontext.Value) jsontext.Value {
	if name, ok := v.Text(); ok {
		for n, known := range reportTypes {
			if string(name) == known {
				return strconv.AppendInt(nil, int64(n), 10)
			}
		}
	}
	return v
}
