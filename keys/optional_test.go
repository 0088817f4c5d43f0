package keys_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/gaenkit/gaen/keys"
)

func TestOptional(t *testing.T) {
	var none keys.Optional[keys.DaysSinceOnset]
	zero := keys.Some(keys.DaysSinceOnset(0))
	if none == zero {
		t.Error("no onset is an onset today")
	}
	if again := keys.Some(keys.DaysSinceOnset(0)); zero != again {
		t.Error("equal values make different optionals")
	}
	if v, ok := none.Get(); v != 0 || ok || none.Present() {
		t.Errorf("absent: got %d, %t", v, ok)
	}
	if v, ok := zero.Get(); v != 0 || !ok || !zero.Present() {
		t.Errorf("zero: got %d, %t", v, ok)
	}
	if got := none.Or(5); got != 5 {
		t.Errorf("absent or 5: got %d", got)
	}
	if got := zero.Or(5); got != 0 {
		t.Errorf("0 or 5: got %d", got)
	}
}

func TestOptionalPrints(t *testing.T) {
	tests := []struct {
		format string
		value  any
		want   string
	}{
		{"%v", keys.Some(keys.ReportSelfReport), "SELF_REPORT"},
		{"%s", keys.Some(keys.ReportSelfReport), "SELF_REPORT"},
		{"%d", keys.Some(keys.ReportSelfReport), "3"},
		{"%-3d|", keys.Some(-7), "-7 |"},
		{"%#v", keys.Some("a"), `"a"`},
		{"%+v", struct{ O keys.Optional[int] }{keys.Some(4)}, "{O:4}"},
		{"%v", keys.Optional[int]{}, "absent"},
		{"%d", keys.Optional[int]{}, "absent"},
		{"%v", []keys.Optional[int]{keys.Some(0), {}}, "[0 absent]"},
	}
	for _, tt := range tests {
		if got := fmt.Sprintf(tt.format, tt.value); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.format, got, tt.want)
		}
	}
	if some, none := keys.Some(keys.ReportRevoked), (keys.Optional[int]{}); some.String() != "REVOKED" || none.String() != "absent" {
		t.Errorf("got %q and %q", some.String(), none.String())
	}
}

func TestOptionalJSON(t *testing.T) {
	type form struct {
		Onset keys.Optional[keys.DaysSinceOnset] `json:"onset"`
		Level keys.Optional[int]                 `json:"level,omitzero"`
		Where keys.Optional[keys.Region]         `json:"where,omitzero"`
	}
	tests := []struct {
		name string
		form form
		json string
	}{
		{"absent", form{}, `{"onset":null}`},
		{"zeros", form{Onset: keys.Some(keys.DaysSinceOnset(0)), Level: keys.Some(0)}, `{"onset":0,"level":0}`},
		{"values", form{keys.Some(keys.DaysSinceOnset(-3)), keys.Some(7), keys.Some(keys.MustRegion("DE"))}, `{"onset":-3,"level":7,"where":"DE"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := json.Marshal(tt.form)
			if err != nil || string(got) != tt.json {
				t.Errorf("got %s, %v; want %s", got, err, tt.json)
			}
			back := form{Onset: keys.Some(keys.DaysSinceOnset(9))} // null must clear it
			if err := json.Unmarshal(got, &back); err != nil || back != tt.form {
				t.Errorf("came back as %+v, %v", back, err)
			}
		})
	}
	back := form{Level: keys.Some(1)}
	if err := json.Unmarshal([]byte(`{"level":"high"}`), &back); err == nil || back.Level != keys.Some(1) {
		t.Errorf("got %v, %v; want an error and no change", back.Level, err)
	}
}
