package keys_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/gaenkit/gaen/keys"
)

func TestReportTypes(t *testing.T) {
	want := []struct {
		r    keys.ReportType
		name string
	}{
		{keys.ReportUnknown, "UNKNOWN"},
		{keys.ReportConfirmedTest, "CONFIRMED_TEST"},
		{keys.ReportConfirmedClinicalDiagnosis, "CONFIRMED_CLINICAL_DIAGNOSIS"},
		{keys.ReportSelfReport, "SELF_REPORT"},
		{keys.ReportRecursive, "RECURSIVE"},
		{keys.ReportRevoked, "REVOKED"},
	}
	for n, tt := range want {
		got, err := keys.ParseReportType(int64(n))
		if err != nil || got != tt.r || !got.Valid() || got.String() != tt.name {
			t.Errorf("%d: got %v, %v; want %s", n, got, err, tt.name)
		}
	}
	for _, n := range []int64{-1, 6, 77, 256, 257, 1<<32 + 1, math.MinInt64, math.MaxInt64} {
		got, err := keys.ParseReportType(n)
		if !errors.Is(err, &keys.Rejection{Field: keys.FieldReportType, Reason: keys.ReasonRange}) || got != 0 {
			t.Errorf("%d: got %v, %v; want a rejection", n, got, err)
		}
	}
	for _, r := range []keys.ReportType{6, 255} {
		if got, want := r.String(), fmt.Sprintf("ReportType(%d)", uint8(r)); r.Valid() || got != want {
			t.Errorf("got %s, valid %t; want %s", got, r.Valid(), want)
		}
	}
}

// TestCanBecome holds the reference device code's table, a row for each report
// type that a key has, a column for each that it is met again with.
func TestCanBecome(t *testing.T) {
	const o, x = false, true
	table := [6][6]bool{
		// to: unknown, test, clinical, self, recursive, revoked
		keys.ReportUnknown:                    {o, o, o, o, o, o},
		keys.ReportConfirmedTest:              {o, o, o, o, o, o},
		keys.ReportConfirmedClinicalDiagnosis: {o, x, o, o, o, x},
		keys.ReportSelfReport:                 {o, x, x, o, o, x},
		keys.ReportRecursive:                  {o, o, o, o, o, o},
		keys.ReportRevoked:                    {o, o, o, o, o, o},
	}
	for from := range keys.ReportType(255) {
		for to := range keys.ReportType(255) {
			want := from.Valid() && to.Valid() && table[from][to]
			if got := from.CanBecome(to); got != want {
				t.Errorf("%s to %s: got %t, want %t", from, to, got, want)
			}
		}
	}
}

func TestReportTypeSets(t *testing.T) {
	for bits := range 1 << 6 {
		var members []keys.ReportType
		for r := range keys.ReportType(6) {
			if bits>>r&1 == 1 {
				members = append(members, r, r)
			}
		}
		set := keys.ReportTypesOf(members...)
		for r := range keys.ReportType(255) {
			if got, want := set.Has(r), r.Valid() && bits>>r&1 == 1; got != want {
				t.Errorf("%v has %s: got %t, want %t", members, r, got, want)
			}
		}
	}
	if keys.ReportTypesOf(6, 7, 8, 255) != keys.ReportTypesOf() || keys.ReportTypes(255).Has(6) {
		t.Error("what is no report type is in the set")
	}
}
