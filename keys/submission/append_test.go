package submission

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
)

// TestAppendIsWhatReadersRead reads what is written with the fields alone that
// the British back end knows.
func TestAppendIsWhatReadersRead(t *testing.T) {
	k := keys.DiagnosisKey{
		TemporaryExposureKey: keys.TemporaryExposureKey{
			KeyData: keys.KeyData{1, 2}, RollingStartIntervalNumber: 2655792, RollingPeriod: 144,
			TransmissionRiskLevel: keys.Some(keys.TransmissionRiskLevel(0)),
			ReportType:            keys.Some(keys.ReportSelfReport),
		},
		Origin: keys.MustRegion("GB-EAW"),
	}
	b, err := Append([]byte("before"), "", []keys.DiagnosisKey{k})
	if err != nil {
		t.Fatal(err)
	}
	const want = `before{"temporaryExposureKeys":[{"key":"AQIAAAAAAAAAAAAAAAAAAA==","rollingStartNumber":2655792,"rollingPeriod":144,"transmissionRisk":0,"reportType":3}],"origin":"GB-EAW"}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
}

// TestRoundTrip writes what a generator makes and reads it again.
func TestRoundTrip(t *testing.T) {
	g := keystest.New(3, nil)
	for range 200 {
		up := g.Upload(time.Date(2021, 1, 10, 12, 0, 0, 0, time.UTC))
		for i := range up.Keys {
			up.Keys[i].TransmissionRiskLevel = keys.Some(up.Keys[i].TransmissionRiskLevel.Or(1))
		}
		b, err := Append(nil, up.ID, up.Keys)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse(b, keys.DiagnosisKey{})
		if err != nil || s.ID != up.ID || len(s.Keys) != len(up.Keys) {
			t.Fatal(s, err)
		}
		for i := range up.Keys {
			if s.Keys[i] != up.Keys[i] {
				t.Fatalf("got %+v, want %+v", s.Keys[i], up.Keys[i])
			}
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	good := keys.DiagnosisKey{
		TemporaryExposureKey: keys.TemporaryExposureKey{TransmissionRiskLevel: keys.Some(keys.TransmissionRiskLevel(1))},
		Origin:               keys.MustRegion("DE"),
	}
	for _, tt := range []struct {
		want  keys.Field
		spoil func(*keys.DiagnosisKey)
	}{
		{keys.FieldOrigin, func(k *keys.DiagnosisKey) { k.Origin = keys.Region{} }},
		{keys.FieldOrigin, func(k *keys.DiagnosisKey) { k.Origin = keys.MustRegion("AT") }},
		{keys.FieldTransmissionRisk, func(k *keys.DiagnosisKey) { k.TransmissionRiskLevel = keys.Optional[keys.TransmissionRiskLevel]{} }},
		{keys.FieldProvenance, func(k *keys.DiagnosisKey) { k.Provenance = keys.Padding }},
	} {
		bad := good
		tt.spoil(&bad)
		_, err := Append(nil, "", []keys.DiagnosisKey{good, bad})
		if r, ok := errors.AsType[*keys.Rejection](err); !ok || r.Field != tt.want {
			t.Errorf("got %v, want a rejection of %s", err, tt.want)
		}
	}
	b, err := Append(nil, "x", nil)
	if s, err2 := Parse(b, good); err != nil || err2 != nil || len(s.Keys) != 0 || !json.Valid(b) {
		t.Errorf("an empty submission: %s, %v, %v", b, err, err2)
	}
}
