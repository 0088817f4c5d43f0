package main

import (
	"strings"
	"testing"
)

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
