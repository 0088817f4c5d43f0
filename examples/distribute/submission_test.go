package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
)

const goodKey = `{"key":"AAECAwQFBgcICQoLDA0ODw==","rollingStartNumber":2655792,"rollingPeriod":100,"transmissionRisk":5,"daysSinceOnsetOfSymptoms":-3}`

func TestParseKey(t *testing.T) {
	shared := keys.DiagnosisKey{Origin: keys.MustRegion("DE"), TestType: keys.TestRapid}
	k, rejected := parseKey(json.RawMessage(goodKey), shared)
	if rejected != nil {
		t.Fatal(rejected)
	}
	want := shared
	want.KeyData = keys.KeyData{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	want.RollingStartIntervalNumber = 2655792
	want.RollingPeriod = 100
	want.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(5))
	want.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(-3))
	if k != want {
		t.Errorf("got %+v, want %+v", k, want)
	}
}

// TestTransmissionRisk checks the two names of the field and what its absence
// means. No onset is not an onset of 0 days.
func TestTransmissionRisk(t *testing.T) {
	const rest = `"key":"AAECAwQFBgcICQoLDA0ODw==","rollingStartNumber":1,"rollingPeriod":1`
	for _, tt := range []struct {
		name, text string
		want       keys.TransmissionRiskLevel
	}{
		{"as stored", `{` + rest + `,"transmissionRisk":2}`, 2},
		{"as sent", `{` + rest + `,"transmissionRiskLevel":3}`, 3},
		{"stored zero", `{` + rest + `,"transmissionRisk":0}`, 0},
		{"absent", `{` + rest + `}`, 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k, rejected := parseKey(json.RawMessage(tt.text), keys.DiagnosisKey{})
			if rejected != nil {
				t.Fatal(rejected)
			}
			if got, ok := k.TransmissionRiskLevel.Get(); !ok || got != tt.want {
				t.Errorf("transmission risk %d (%t), want %d", got, ok, tt.want)
			}
			if k.DaysSinceOnsetOfSymptoms.Present() {
				t.Error("an onset that nobody stated")
			}
		})
	}
}

func TestShared(t *testing.T) {
	yes, no, clinical := true, false, int64(2)
	de, fr := keys.MustRegion("DE"), keys.MustRegion("FR")
	granted := keys.DiagnosisKey{Origin: de}
	for _, tt := range []struct {
		name    string
		s       submission
		granted keys.DiagnosisKey
		check   func(k *keys.DiagnosisKey) bool
	}{
		{"nothing said", submission{}, granted, func(k *keys.DiagnosisKey) bool {
			return k.Origin == de && k.TestType == keys.TestLab && k.ConsentToFederate == keys.ConsentUnstated &&
				!k.ReportType.Present() && k.VisitedCountries.Len() == 0
		}},
		{"kit said inside", submission{TestKit: "RAPID_RESULT"}, granted, func(k *keys.DiagnosisKey) bool { return k.TestType == keys.TestRapid }},
		{"the path's kit over it", submission{TestKit: "RAPID_RESULT"}, keys.DiagnosisKey{TestType: keys.TestRapidSelfReported},
			func(k *keys.DiagnosisKey) bool { return k.TestType == keys.TestRapidSelfReported }},
		{"consent over what is granted", submission{Consent: &no}, keys.DiagnosisKey{ConsentToFederate: keys.ConsentGiven},
			func(k *keys.DiagnosisKey) bool { return k.ConsentToFederate == keys.ConsentRefused }},
		{"consent granted", submission{}, keys.DiagnosisKey{ConsentToFederate: keys.ConsentGiven},
			func(k *keys.DiagnosisKey) bool { return k.ConsentToFederate == keys.ConsentGiven }},
		{"all said", submission{Origin: "fr", Regions: []string{"DE"}, Consent: &yes, ReportType: &clinical}, granted, func(k *keys.DiagnosisKey) bool {
			return k.Origin == fr && k.VisitedCountries.Has(de) && k.ConsentToFederate == keys.ConsentGiven &&
				k.ReportType == keys.Some(keys.ReportConfirmedClinicalDiagnosis)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k, rejected := tt.s.shared(tt.granted)
			if rejected != nil {
				t.Fatal(rejected)
			}
			if !tt.check(&k) {
				t.Errorf("got %+v", k)
			}
		})
	}
}

func TestSharedRejects(t *testing.T) {
	report := int64(9)
	for _, tt := range []struct {
		name string
		s    submission
		want keys.Field
	}{
		{"test kit", submission{TestKit: "MAGIC"}, keys.FieldTestType},
		{"origin", submission{Origin: "Germany!"}, keys.FieldOrigin},
		{"regions", submission{Regions: []string{"FR", "I!"}}, keys.FieldVisitedCountries},
		{"report type", submission{ReportType: &report}, keys.FieldReportType},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, r := tt.s.shared(keys.DiagnosisKey{}); r == nil || r.Field != tt.want {
				t.Errorf("got %v, want a rejection of %s", r, tt.want)
			}
		})
	}
}

// TestRejectionsDoNotTellKeys puts key data where it does not belong and looks
// for it in what is said about that.
func TestRejectionsDoNotTellKeys(t *testing.T) {
	data := keystest.New(1, nil).KeyData()
	text := base64.StdEncoding.EncodeToString(data[:])
	for _, format := range []string{
		`{"key":"%s!"}`,
		`{"key":"%[1]s","rollingStartNumber":"%[1]s"}`,
		`{"key":"%[1]s","rollingStartNumber":1,"rollingPeriod":{"%[1]s":1}}`,
		`{"key":"%[1]s%[1]s","rollingStartNumber":1,"rollingPeriod":1}`,
		`{"key":["%s"]}`,
		`{"%s"`,
		`"%s"`,
	} {
		_, rejected := parseKey(json.RawMessage(fmt.Sprintf(format, text)), keys.DiagnosisKey{})
		if rejected == nil {
			t.Errorf("%s was taken", format)
			continue
		}
		if form := keystest.Leak(rejected.Error(), data); form != "" {
			t.Errorf("%s: %q has the key data in it, %s", format, rejected, form)
		}
	}
	for _, format := range []string{`{"temporaryExposureKeys":"%s"}`, `%s`, `{"temporaryExposureKeys":[],"id":{"%s":1}}`, `{"%s":`} {
		_, _, err := decodeSubmission(fmt.Appendf(nil, format, text))
		if err == nil {
			t.Errorf("%s was taken", format)
			continue
		}
		if form := keystest.Leak(err.Error(), data); form != "" {
			t.Errorf("%s: %q has the key data in it, %s", format, err, form)
		}
	}
}

// FuzzSubmission decodes anything. What comes out as a key must be one by the
// rules of the format, and come out the same when it is written and read again.
func FuzzSubmission(f *testing.F) {
	f.Add([]byte(`{"temporaryExposureKeys":[` + goodKey + `]}`))
	f.Add([]byte(`{"temporaryExposureKeys":[{},null,1,"x"],"testKit":1,"regions":["DE"],"consentToFederate":true}`))
	f.Add([]byte(`{"temporaryExposureKeys":null,"origin":"GB-EAW","reportType":2147483648}`))
	policy := keys.Policy{MaxAge: keys.AnyAge, ReportTypes: ^keys.ReportTypes(0), MaxLead: 1 << 62}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, rejected, err := decodeSubmission(text)
		if err != nil || rejected != nil {
			return
		}
		shared, rejected := s.shared(keys.DiagnosisKey{Origin: keys.MustRegion("DE")})
		if rejected != nil {
			return
		}
		for _, text := range s.Keys {
			k, rejected := parseKey(text, shared)
			if rejected != nil {
				continue
			}
			if err := policy.CheckExposure(&k.TemporaryExposureKey, k.RollingStartIntervalNumber.Time()); err != nil {
				t.Fatalf("taken, and no key: %v", err)
			}
			if again, rejected := parseKey(written(&k), shared); rejected != nil || again != k {
				t.Fatalf("written and read again: %+v (%v), want %+v", again, rejected, k)
			}
		}
	})
}

// written returns a key as it is submitted.
func written(k *keys.DiagnosisKey) json.RawMessage {
	onset := ""
	if d, ok := k.DaysSinceOnsetOfSymptoms.Get(); ok {
		onset = fmt.Sprintf(`,"daysSinceOnsetOfSymptoms":%d`, d)
	}
	return json.RawMessage(fmt.Sprintf(`{"key":%q,"rollingStartNumber":%d,"rollingPeriod":%d,"transmissionRiskLevel":%d%s}`,
		base64.StdEncoding.EncodeToString(k.KeyData[:]), k.RollingStartIntervalNumber, k.RollingPeriod,
		keys.TransmissionRiskNumber(k.TransmissionRiskLevel), onset))
}

func TestCheckID(t *testing.T) {
	for _, tt := range []struct {
		name, id string
		ok       bool
	}{
		{"plain", "1593600000000_5d1b7e2c", true},
		{"longest", strings.Repeat("x", 200), true},
		{"empty", "", false},
		{"too long", strings.Repeat("x", 201), false},
		{"control", "a\nb", false},
		{"no text", "a\xff", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if why := checkID(tt.id); (why == "") != tt.ok {
				t.Errorf("got %q", why)
			}
		})
	}
}
