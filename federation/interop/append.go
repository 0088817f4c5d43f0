package interop

import (
	"encoding/base64"
	"strconv"

	"github.com/gaenkit/gaen/keys"
)

// What stands in a field that has nothing to say. Where the other side is of the
// field, none may be missing or null: the British client gives up a page, for
// ever, over one that is (lesson H 3).
const (
	unknownOnset = 0            // as the server maps NULL
	unknownRisk  = 0            // as the British back end sends
	usualTest    = keys.TestLab // 0 is not a value of the enumeration, which that client gives up over as well
)

// A writer writes exposures, one after another, always with the same bytes for the
// same keys.
type writer struct {
	origin   bool // name the origin, as pages do and uploads do not
	extended bool // leave out what is not known

	// What was written last: neighbours in canonical order are alike.
	last struct {
		origin  keys.Region
		visited keys.Regions
		text    []byte
	}
}

// appendAll appends the array of exposures.
func (w *writer) appendAll(b []byte, ks []keys.DiagnosisKey) []byte {
	b = append(b, '[')
	for i := range ks {
		if i > 0 {
			b = append(b, ',')
		}
		b = w.append(b, &ks[i])
	}
	return append(b, ']')
}

// usualExposure is how many bytes an exposure takes, generously.
const usualExposure = 232

func (w *writer) append(b []byte, k *keys.DiagnosisKey) []byte {
	b = append(b, `{"keyData":"`...)
	b = base64.StdEncoding.AppendEncode(b, k.KeyData[:])
	b = append(b, `","rollingStartNumber":`...)
	b = strconv.AppendInt(b, int64(k.RollingStartIntervalNumber), 10)
	b = appendNumber(b, `,"transmissionRiskLevel":`, k.TransmissionRiskLevel, unknownRisk, w.extended)
	b = append(b, `,"rollingPeriod":`...)
	b = strconv.AppendInt(b, int64(k.RollingPeriod), 10)
	b = append(b, w.places(k)...)
	switch {
	case k.TestType != keys.TestUnstated:
		b = append(b, `,"testType":`...)
		b = strconv.AppendInt(b, int64(k.TestType), 10)
	case !w.extended:
		b = append(b, `,"testType":`...)
		b = strconv.AppendInt(b, int64(usualTest), 10)
	}
	b = appendNumber(b, `,"reportType":`, k.ReportType, keys.ReportUnknown, w.extended)
	b = appendNumber(b, `,"daysSinceOnset":`, k.DaysSinceOnsetOfSymptoms, unknownOnset, w.extended)
	return append(b, '}')
}

func appendNumber[T keys.TransmissionRiskLevel | keys.ReportType | keys.DaysSinceOnset](b []byte, name string, v keys.Optional[T], unknown T, omit bool) []byte {
	if omit && !v.Present() {
		return b
	}
	return strconv.AppendInt(append(b, name...), int64(v.Or(unknown)), 10)
}

// places returns the fields of origin and regions. The regions of interest begin
// with the origin, as the British back end's do. A region has no character that
// JSON escapes.
func (w *writer) places(k *keys.DiagnosisKey) []byte {
	last := &w.last
	if last.text != nil && k.Origin == last.origin && k.VisitedCountries == last.visited {
		return last.text
	}
	b := last.text[:0]
	if w.origin {
		b = append(b, `,"origin":"`...)
		b = append(b, k.Origin.String()...)
		b = append(b, '"')
	}
	b = append(b, `,"regions":["`...)
	b = append(b, k.Origin.String()...)
	for region := range k.VisitedCountries.All() {
		if region != k.Origin {
			b = append(b, `","`...)
			b = append(b, region.String()...)
		}
	}
	last.origin, last.visited, last.text = k.Origin, k.VisitedCountries, append(b, `"]`...)
	return last.text
}
