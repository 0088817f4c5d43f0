package submission

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
)

const goodKey = `{"key":"AAECAwQFBgcICQoLDA0ODw==","rollingStartNumber":2655792,"rollingPeriod":100,"transmissionRisk":5,"daysSinceOnsetOfSymptoms":-3}`

func TestParseKey(t *testing.T) {
	shared := keys.DiagnosisKey{Origin: keys.MustRegion("DE"), TestType: keys.TestRapid}
	k, rejected := parseKey(json.RawMessage(goodKey), shared, shared.TestType)
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
			k, rejected := parseKey(json.RawMessage(tt.text), keys.DiagnosisKey{}, 0)
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

func TestParse(t *testing.T) {
	de, fr := keys.MustRegion("DE"), keys.MustRegion("FR")
	granted := keys.DiagnosisKey{Origin: de}
	for _, tt := range []struct {
		name, said string
		granted    keys.DiagnosisKey
		check      func(k *keys.DiagnosisKey) bool
	}{
		{"nothing said", ``, granted, func(k *keys.DiagnosisKey) bool {
			return k.Origin == de && k.TestType == keys.TestUnstated && k.ConsentToFederate == keys.ConsentUnstated &&
				!k.ReportType.Present() && !k.VariantOfConcern.Present() && k.VisitedCountries.Len() == 0
		}},
		{"kit said inside", `,"testKit":"RAPID_RESULT"`, granted, func(k *keys.DiagnosisKey) bool { return k.TestType == keys.TestRapid }},
		{"the place's kit over it", `,"testKit":"RAPID_RESULT"`, keys.DiagnosisKey{TestType: keys.TestRapidSelfReported},
			func(k *keys.DiagnosisKey) bool { return k.TestType == keys.TestRapidSelfReported }},
		{"consent over what is granted", `,"consentToFederate":false`, keys.DiagnosisKey{ConsentToFederate: keys.ConsentGiven},
			func(k *keys.DiagnosisKey) bool { return k.ConsentToFederate == keys.ConsentRefused }},
		{"consent granted", ``, keys.DiagnosisKey{ConsentToFederate: keys.ConsentGiven},
			func(k *keys.DiagnosisKey) bool { return k.ConsentToFederate == keys.ConsentGiven }},
		{"all said", `,"origin":"fr","regions":["DE"],"consentToFederate":true,"reportType":2,"variantOfConcern":3`, granted, func(k *keys.DiagnosisKey) bool {
			return k.Origin == fr && k.VisitedCountries.Has(de) && k.ConsentToFederate == keys.ConsentGiven &&
				k.ReportType == keys.Some(keys.ReportConfirmedClinicalDiagnosis) && k.VariantOfConcern == keys.Some(keys.VariantOfConcern(3))
		}},
		{"fields of others", `,"isPrivateJourney":true,"diagnosisKeySubmissionToken":"x","nested":{"testKit":1}`, granted,
			func(k *keys.DiagnosisKey) bool { return k.TestType == keys.TestUnstated }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse([]byte(`{"id":"x","temporaryExposureKeys":[`+goodKey+`]`+tt.said+`}`), tt.granted)
			if err != nil || len(s.Rejected) > 0 || len(s.Keys) != 1 || s.ID != "x" {
				t.Fatal(s, err)
			}
			if !tt.check(&s.Keys[0]) || s.Origin != s.Keys[0].Origin {
				t.Errorf("got %+v of %s", s.Keys[0], s.Origin)
			}
		})
	}
}

// TestKeyOverSubmission: what a key says of itself is held against what is said
// of all, and concerns no other key.
func TestKeyOverSubmission(t *testing.T) {
	other := goodKey[:len(goodKey)-1] + `,"reportType":1,"testKit":"RAPID_RESULT","regions":[],"consentToFederate":false}`
	s, err := Parse([]byte(`{"temporaryExposureKeys":[`+goodKey+`,`+other+`,`+goodKey+`],"reportType":3,"testKit":"LAB_RESULT","regions":["FR"],"consentToFederate":true}`), keys.DiagnosisKey{})
	if err != nil || len(s.Keys) != 3 {
		t.Fatal(s, err)
	}
	if s.Keys[0] != s.Keys[2] || s.Keys[0].TestType != keys.TestLab || s.Keys[0].VisitedCountries.Len() != 1 {
		t.Errorf("got %+v and %+v", s.Keys[0], s.Keys[2])
	}
	k := s.Keys[1]
	if k.ReportType != keys.Some(keys.ReportConfirmedTest) || k.TestType != keys.TestRapid || k.VisitedCountries.Len() != 0 || k.ConsentToFederate != keys.ConsentRefused {
		t.Errorf("got %+v", k)
	}
}

// TestRejects spoils one field at a time: of all keys, which rejects each, and of
// one, which rejects it alone.
func TestRejects(t *testing.T) {
	for _, tt := range []struct {
		said string
		want keys.Field
	}{
		{`"testKit":"MAGIC"`, keys.FieldTestType},
		{`"testKit":7`, keys.FieldTestType},
		{`"regions":["FR","I!"]`, keys.FieldVisitedCountries},
		{`"reportType":9`, keys.FieldReportType},
		{`"variantOfConcern":5`, keys.FieldVariant},
		{`"consentToFederate":"yes"`, keys.FieldConsent},
		{`"origin":"Germany!"`, keys.FieldOrigin},
	} {
		t.Run(tt.said, func(t *testing.T) {
			s, err := Parse([]byte(`{"temporaryExposureKeys":[`+goodKey+`,`+goodKey+`],`+tt.said+`}`), keys.DiagnosisKey{})
			if err != nil || len(s.Keys) != 0 || len(s.Rejected) != 2 || s.Rejected[1].Field != tt.want {
				t.Errorf("of all: got %+v, %v, want rejections of %s", s, err, tt.want)
			}
			if tt.want == keys.FieldOrigin {
				return // is said of all or not at all
			}
			one := goodKey[:len(goodKey)-1] + `,` + tt.said + `}`
			s, err = Parse([]byte(`{"temporaryExposureKeys":[`+one+`,`+goodKey+`]}`), keys.DiagnosisKey{})
			if err != nil || len(s.Keys) != 1 || len(s.Rejected) != 1 || s.Rejected[0].Field != tt.want {
				t.Errorf("of one: got %+v, %v, want a rejection of %s", s, err, tt.want)
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
		_, rejected := parseKey(json.RawMessage(fmt.Sprintf(format, text)), keys.DiagnosisKey{}, 0)
		if rejected == nil {
			t.Errorf("%s was taken", format)
			continue
		}
		if form := keystest.Leak(rejected.Error(), data); form != "" {
			t.Errorf("%s: %q has the key data in it, %s", format, rejected, form)
		}
	}
	for _, format := range []string{`{"temporaryExposureKeys":"%s"}`, `%s`, `{"temporaryExposureKeys":[],"id":{"%s":1}}`, `{"%s":`} {
		_, err := Parse(fmt.Appendf(nil, format, text), keys.DiagnosisKey{})
		if err == nil {
			t.Errorf("%s was taken", format)
			continue
		}
		if form := keystest.Leak(err.Error(), data); form != "" {
			t.Errorf("%s: %q has the key data in it, %s", format, err, form)
		}
	}
}

// FuzzSubmission reads anything. What comes out as a key must be one by the rules
// of the format, and come out the same when it is written and read again.
func FuzzSubmission(f *testing.F) {
	f.Add([]byte(`{"temporaryExposureKeys":[` + goodKey + `]}`))
	f.Add([]byte(`{"temporaryExposureKeys":[{},null,1,"x"],"testKit":1,"regions":["DE"],"consentToFederate":true}`))
	f.Add([]byte(`{"temporaryExposureKeys":null,"origin":"GB-EAW","reportType":2147483648}`))
	f.Add([]byte(`{"temporaryExposureKeys":[` + goodKey[:len(goodKey)-1] + `,"regions":["FR"],"testKit":"RAPID_RESULT","variantOfConcern":2}],"id":"x"}`))
	policy := keys.Policy{MaxAge: keys.AnyAge, ReportTypes: ^keys.ReportTypes(0), MaxLead: 1 << 62}
	granted := keys.DiagnosisKey{Origin: keys.MustRegion("DE")}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse(text, granted)
		if err != nil {
			return
		}
		for i := range s.Keys {
			k := &s.Keys[i]
			if err := policy.CheckExposure(&k.TemporaryExposureKey, k.RollingStartIntervalNumber.Time()); err != nil {
				t.Fatalf("taken, and no key: %v", err)
			}
			if !k.TransmissionRiskLevel.Present() {
				k.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(0)) // said to be none, which the form cannot say
			}
		}
		id := strings.ToValidUTF8(s.ID, "")
		b, err := Append(nil, id, s.Keys)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(b, granted)
		if err != nil || len(again.Rejected) > 0 || !slices.Equal(again.Keys, s.Keys) || again.ID != id {
			t.Fatalf("written and read again: %+v, %v; want %+v", again, err, s)
		}
	})
}
