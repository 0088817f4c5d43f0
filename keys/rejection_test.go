package keys_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/gaenkit/gaen/keys"
)

var reasons = []keys.Reason{
	keys.ReasonLength, keys.ReasonZero, keys.ReasonMalformed, keys.ReasonMissing, keys.ReasonRange, keys.ReasonTooMany,
	keys.ReasonNotAllowed, keys.ReasonTooOld, keys.ReasonInFuture, keys.ReasonEmbargo,
}

// maxRejectionText is far more than any rejection needs, and far less than what
// hostile input could put into one that repeats it.
const maxRejectionText = 200

// checkRejection fails unless err is a rejection for one of the fields, with a
// reason that exists and a text that is fit for a line of a log.
func checkRejection(t *testing.T, err error, fields ...keys.Field) {
	t.Helper()
	r, ok := errors.AsType[*keys.Rejection](err)
	if !ok {
		t.Fatalf("%v is a %T, want a rejection", err, err)
	}
	if !slices.Contains(fields, r.Field) {
		t.Errorf("%v: is for the field %q, want one of %q", err, r.Field, fields)
	}
	if !slices.Contains(reasons, r.Reason) {
		t.Errorf("%v: there is no reason %q", err, r.Reason)
	}
	text := err.Error()
	if len(text) > maxRejectionText {
		t.Errorf("the text has %d bytes", len(text))
	}
	for _, c := range text {
		if c < ' ' || c > '~' {
			t.Fatalf("%q holds the character %U", text, c)
		}
	}
}

func TestRejectionText(t *testing.T) {
	r := &keys.Rejection{Field: keys.FieldRollingPeriod, Reason: keys.ReasonRange}
	if got, want := r.Error(), "keys: rolling_period: range"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	r.Detail = "200, want 1 .. 144"
	if got, want := r.Error(), "keys: rolling_period: range: 200, want 1 .. 144"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRejectionIs(t *testing.T) {
	err := fmt.Errorf("key 7: %w", &keys.Rejection{Field: keys.FieldOrigin, Reason: keys.ReasonMissing, Detail: "every key has one"})
	tests := []struct {
		name   string
		target error
		want   bool
	}{
		{"any", &keys.Rejection{}, true},
		{"field", &keys.Rejection{Field: keys.FieldOrigin}, true},
		{"reason", &keys.Rejection{Reason: keys.ReasonMissing}, true},
		{"both", &keys.Rejection{Field: keys.FieldOrigin, Reason: keys.ReasonMissing}, true},
		{"detail does not count", &keys.Rejection{Field: keys.FieldOrigin, Detail: "other"}, true},
		{"other field", &keys.Rejection{Field: keys.FieldConsent, Reason: keys.ReasonMissing}, false},
		{"other reason", &keys.Rejection{Field: keys.FieldOrigin, Reason: keys.ReasonRange}, false},
		{"nil rejection", (*keys.Rejection)(nil), false},
		{"something else", keys.ErrNotMarshalled, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := errors.Is(err, tt.target); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}
