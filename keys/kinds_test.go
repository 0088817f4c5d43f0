package keys_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/gaenkit/gaen/keys"
)

func TestTestTypes(t *testing.T) {
	want := []struct {
		tt   keys.TestType
		name string
	}{
		{keys.TestUnstated, "UNSTATED"},
		{keys.TestLab, "LAB_RESULT"},
		{keys.TestRapid, "RAPID_RESULT"},
		{keys.TestRapidSelfReported, "RAPID_SELF_REPORTED"},
	}
	for n, w := range want {
		byNumber, err := keys.ParseTestTypeNumber(int64(n))
		if err != nil || byNumber != w.tt || !byNumber.Valid() || byNumber.String() != w.name {
			t.Errorf("%d: got %v, %v; want %s", n, byNumber, err, w.name)
		}
		if byName, err := keys.ParseTestType(w.name); err != nil || byName != w.tt {
			t.Errorf("%s: got %v, %v", w.name, byName, err)
		}
	}
	for _, n := range []int64{-1, 4, 99, 256, 257, 1<<32 + 1, math.MinInt64, math.MaxInt64} {
		got, err := keys.ParseTestTypeNumber(n)
		if !errors.Is(err, &keys.Rejection{Field: keys.FieldTestType, Reason: keys.ReasonRange}) || got != 0 {
			t.Errorf("%d: got %v, %v; want a rejection", n, got, err)
		}
	}
	for _, name := range []string{"", "lab_result", "LAB_RESULT ", "TestType(1)", "1", "../LAB_RESULT"} {
		got, err := keys.ParseTestType(name)
		if !errors.Is(err, &keys.Rejection{Field: keys.FieldTestType, Reason: keys.ReasonMalformed}) || got != 0 {
			t.Errorf("%q: got %v, %v; want a rejection", name, got, err)
		}
	}
	if bad := keys.TestType(4); bad.Valid() || bad.String() != "TestType(4)" {
		t.Errorf("got %s, valid %t", bad, bad.Valid())
	}
}

func TestParseVariantOfConcern(t *testing.T) {
	for n := int64(0); n <= 4; n++ {
		if got, err := keys.ParseVariantOfConcern(n); err != nil || int64(got) != n {
			t.Errorf("%d: got %d, %v", n, got, err)
		}
	}
	for _, n := range []int64{-1, 5, 256, 1 << 32, math.MinInt64, math.MaxInt64} {
		got, err := keys.ParseVariantOfConcern(n)
		if !errors.Is(err, &keys.Rejection{Field: keys.FieldVariant, Reason: keys.ReasonRange}) || got != 0 {
			t.Errorf("%d: got %d, %v; want a rejection", n, got, err)
		}
	}
}

func TestNamesOfKinds(t *testing.T) {
	got := fmt.Sprint(keys.ConsentUnstated, keys.ConsentGiven, keys.ConsentRefused, keys.Consent(3), keys.Real, keys.Padding, keys.Provenance(2))
	if want := "unstated given refused Consent(3) real padding Provenance(2)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What nobody has stated must be the harmless value.
func TestZeroKinds(t *testing.T) {
	var k keys.DiagnosisKey
	if k.ConsentToFederate == keys.ConsentGiven {
		t.Error("consent is given by default")
	}
	if k.TestType != keys.TestUnstated || k.ReportType.Present() || k.TransmissionRiskLevel.Present() {
		t.Error("something is stated by default")
	}
	if !k.Origin.IsZero() || k.VisitedCountries.Len() != 0 {
		t.Error("a region is stated by default")
	}
}
