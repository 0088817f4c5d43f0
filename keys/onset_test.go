package keys_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/gaenkit/gaen/keys"
)

var encoding = onsets()

// onsets returns the whole encoding, written out from the table in its
// documentation.
func onsets() map[int64]keys.Onset {
	all := make(map[int64]keys.Onset)
	for days := -14; days <= 14; days++ {
		all[int64(days)] = keys.Onset{Status: keys.OnsetKnown, Days: days}
		for n := 1; n <= 19; n++ {
			all[int64(100*n+days)] = keys.Onset{Status: keys.OnsetInRange, Days: days, Range: n}
		}
		all[int64(2000+days)] = keys.Onset{Status: keys.OnsetUnknown, Days: days}
		all[int64(3000+days)] = keys.Onset{Status: keys.OnsetAsymptomatic, Days: days}
		all[int64(4000+days)] = keys.Onset{Status: keys.OnsetStatusUnknown, Days: days}
	}
	return all
}

func TestOnsetExhaustively(t *testing.T) {
	all := encoding
	if got, want := len(all), 29*(1+19+3); got != want {
		t.Fatalf("the encoding has %d values, want %d", got, want)
	}
	for n := int64(math.MinInt16); n <= math.MaxInt16; n++ {
		want, valid := all[n]
		got, ok := keys.DaysSinceOnset(n).Onset()
		if got != want || ok != valid {
			t.Errorf("%d: got %+v, %t; want %+v, %t", n, got, ok, want, valid)
		}
		if back, err := want.Encode(); valid && (err != nil || int64(back) != n) {
			t.Errorf("%+v encodes as %d, %v; want %d", want, back, err, n)
		}
		archived, ok := keys.DaysSinceOnset(n).InArchive().Get()
		if want := -14 <= n && n <= 14; ok != want || ok && int64(archived) != n {
			t.Errorf("%d in an archive: got %d, %t; want present %t", n, archived, ok, want)
		}
	}
}

func TestParseDaysSinceOnsetExhaustively(t *testing.T) {
	all := encoding
	for n := int64(math.MinInt16); n <= math.MaxInt16; n++ {
		checkParseOnset(t, n, all)
	}
	for _, n := range []int64{math.MinInt64, math.MinInt32, -251658241, -65536, 65536, 65536 + 3, 1<<32 + 3, math.MaxInt32, math.MaxInt64} {
		checkParseOnset(t, n, all)
	}
}

func checkParseOnset(t *testing.T, n int64, all map[int64]keys.Onset) {
	t.Helper()
	got, err := keys.ParseDaysSinceOnset(n)
	if _, valid := all[n]; valid {
		if err != nil || int64(got) != n {
			t.Errorf("%d: got %d, %v", n, got, err)
		}
		return
	}
	if !errors.Is(err, &keys.Rejection{Field: keys.FieldDaysSinceOnset, Reason: keys.ReasonRange}) || got != 0 {
		t.Errorf("%d: got %d, %v; want 0 and a rejection", n, got, err)
	}
}

func TestOnsetGolden(t *testing.T) {
	tests := []struct {
		n    int64
		want keys.Onset
	}{
		{-14, keys.Onset{Status: keys.OnsetKnown, Days: -14}},
		{-3, keys.Onset{Status: keys.OnsetKnown, Days: -3}},
		{0, keys.Onset{Status: keys.OnsetKnown}},
		{14, keys.Onset{Status: keys.OnsetKnown, Days: 14}},
		{86, keys.Onset{Status: keys.OnsetInRange, Days: -14, Range: 1}},
		{100, keys.Onset{Status: keys.OnsetInRange, Range: 1}},
		{698, keys.Onset{Status: keys.OnsetInRange, Days: -2, Range: 7}},
		{1914, keys.Onset{Status: keys.OnsetInRange, Days: 14, Range: 19}},
		{1986, keys.Onset{Status: keys.OnsetUnknown, Days: -14}},
		{2000, keys.Onset{Status: keys.OnsetUnknown}},
		{2014, keys.Onset{Status: keys.OnsetUnknown, Days: 14}},
		{2990, keys.Onset{Status: keys.OnsetAsymptomatic, Days: -10}},
		{3997, keys.Onset{Status: keys.OnsetStatusUnknown, Days: -3}},
		{4014, keys.Onset{Status: keys.OnsetStatusUnknown, Days: 14}},
	}
	for _, tt := range tests {
		d, err := keys.ParseDaysSinceOnset(tt.n)
		if err != nil {
			t.Errorf("%d: %v", tt.n, err)
		}
		if got, _ := d.Onset(); got != tt.want {
			t.Errorf("%d: got %+v, want %+v", tt.n, got, tt.want)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	tests := []struct {
		name  string
		onset keys.Onset
	}{
		{"15 days before", keys.Onset{Days: -15}},
		{"15 days after", keys.Onset{Days: 15}},
		{"no range", keys.Onset{Status: keys.OnsetInRange}},
		{"range of 20 days", keys.Onset{Status: keys.OnsetInRange, Range: 20}},
		{"negative range", keys.Onset{Status: keys.OnsetInRange, Range: -1}},
		{"huge range", keys.Onset{Status: keys.OnsetInRange, Range: math.MaxInt}},
		{"huge days", keys.Onset{Days: math.MaxInt}},
		{"range with a known onset", keys.Onset{Status: keys.OnsetKnown, Range: 7}},
		{"range with an unknown onset", keys.Onset{Status: keys.OnsetUnknown, Range: 7}},
		{"range without symptoms", keys.Onset{Status: keys.OnsetAsymptomatic, Range: -7}},
		{"no such status", keys.Onset{Status: 5}},
		{"no such status at all", keys.Onset{Status: 255}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.onset.Encode()
			if !errors.Is(err, &keys.Rejection{Field: keys.FieldDaysSinceOnset, Reason: keys.ReasonRange}) || got != 0 {
				t.Errorf("got %d, %v; want 0 and a rejection", got, err)
			}
		})
	}
}

func TestOnsetStatusNames(t *testing.T) {
	got := fmt.Sprint(keys.OnsetKnown, keys.OnsetInRange, keys.OnsetUnknown, keys.OnsetAsymptomatic, keys.OnsetStatusUnknown, keys.OnsetStatus(5))
	if want := "known in range unknown asymptomatic status unknown OnsetStatus(5)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzParseDaysSinceOnset(f *testing.F) {
	for _, n := range []int64{-15, -14, 0, 14, 15, 85, 86, 1914, 1915, 1985, 1986, 4014, 4015, 65536, math.MinInt64, math.MaxInt64} {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, n int64) {
		d, err := keys.ParseDaysSinceOnset(n)
		if err != nil {
			checkRejection(t, err, keys.FieldDaysSinceOnset)
			return
		}
		onset, ok := d.Onset()
		if !ok {
			t.Fatalf("%d parses and is no onset", n)
		}
		if back, err := onset.Encode(); err != nil || int64(back) != n {
			t.Errorf("%d is %+v, which is %d, %v", n, onset, back, err)
		}
	})
}
