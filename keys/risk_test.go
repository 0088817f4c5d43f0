package keys_test

import (
	"errors"
	"math"
	"testing"

	"github.com/gaenkit/gaen/keys"
)

func TestParseTransmissionRiskLevel(t *testing.T) {
	tests := []struct {
		n       int64
		want    keys.Optional[keys.TransmissionRiskLevel]
		refused bool
	}{
		{n: 0, want: keys.Some(keys.TransmissionRiskLevel(0))}, // a level, not "none"
		{n: 1, want: keys.Some(keys.TransmissionRiskLevel(1))},
		{n: 7, want: keys.Some(keys.TransmissionRiskLevel(7))},
		{n: 8, want: keys.Some(keys.TransmissionRiskLevel(8))},
		{n: math.MaxInt32},
		{n: -1, refused: true},
		{n: 9, refused: true},
		{n: 255, refused: true},
		{n: 256, refused: true},
		{n: 256 + 3, refused: true},
		{n: math.MaxInt32 - 1, refused: true},
		{n: math.MaxInt32 + 1, refused: true},
		{n: math.MinInt32, refused: true},
		{n: 1<<32 + 3, refused: true},
		{n: math.MaxInt64, refused: true},
		{n: math.MinInt64, refused: true},
	}
	for _, tt := range tests {
		got, err := keys.ParseTransmissionRiskLevel(tt.n)
		if got != tt.want {
			t.Errorf("%d: got %v, want %v", tt.n, got, tt.want)
		}
		want := &keys.Rejection{Field: keys.FieldTransmissionRisk, Reason: keys.ReasonRange}
		if tt.refused && !errors.Is(err, want) || !tt.refused && err != nil {
			t.Errorf("%d: got error %v", tt.n, err)
		}
		if back := keys.TransmissionRiskNumber(got); !tt.refused && int64(back) != tt.n {
			t.Errorf("%d comes back as %d", tt.n, back)
		}
	}
}
