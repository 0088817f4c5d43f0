package pgledger

import (
	"errors"
	"testing"
	"time"
)

func TestCheckClock(t *testing.T) {
	now := time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name     string
		database time.Duration
		ok       bool
	}{
		{name: "the same", ok: true},
		{name: "ahead a little", database: maxSkew, ok: true},
		{name: "behind a little", database: -maxSkew, ok: true},
		{name: "ahead", database: maxSkew + 2*time.Second},
		{name: "behind", database: -maxSkew - time.Second},
	} {
		err := checkClock(now, now.Add(tt.database), now.Add(time.Second))
		if tt.ok != (err == nil) || !tt.ok && !errors.Is(err, ErrClock) {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{"ü": "ü", "a\x00b": "a\uFFFDb", "a\xffb": "a\uFFFDb", "": ""} {
		if got := text(in); got != want {
			t.Errorf("text(%q) is %q, want %q", in, got, want)
		}
	}
}
