package keys_test

import (
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/keys"
)

func TestParseRegion(t *testing.T) {
	tests := []struct {
		name string
		code string
		want string // "" if it is refused
	}{
		{"country", "DE", "DE"},
		{"part of the United Kingdom", "GB-EAW", "GB-EAW"},
		{"state", "US-WA", "US-WA"},
		{"three letters", "MX-CMX", "MX-CMX"},
		{"M.49 number of Latin America", "419", "419"},
		{"source system", "CHGS", "CHGS"},
		{"eight characters", "AB-CD-EF", "AB-CD-EF"},
		{"lower case", "gb-sct", "GB-SCT"},
		{"mixed case", "De", "DE"},
		{"letter and digit", "A1", "A1"},

		{name: "empty", code: ""},
		{name: "one letter", code: "D"},
		{name: "nine characters", code: "ABCDEFGHI"},
		{name: "hyphen first", code: "-DE"},
		{name: "hyphen last", code: "DE-"},
		{name: "hyphens only", code: "--"},
		{name: "comma", code: "DE,FR"},
		{name: "space before", code: " DE"},
		{name: "space after", code: "DE "},
		{name: "underscore", code: "DE_BY"},
		{name: "parent folder", code: "../etc"},
		{name: "current folder", code: "."},
		{name: "absolute path", code: "/DE"},
		{name: "folder", code: "DE/hour"},
		{name: "backslash", code: `DE\..`},
		{name: "percent", code: "%2e%2e"},
		{name: "query", code: "DE?x=1"},
		{name: "header", code: "DE\r\nX:1"},
		{name: "newline", code: "DE\n"},
		{name: "NUL", code: "DE\x00"},
		{name: "NULs only", code: "\x00\x00\x00"},
		{name: "escape", code: "\x1b[31m"},
		{name: "delete", code: "DE\x7f"},
		{name: "shell", code: "$(id)"},
		{name: "SQL", code: "DE';--"},
		{name: "HTML", code: "<b>"},
		{name: "umlaut", code: "DÄ"},
		{name: "Cyrillic", code: "ДЕ"},
		{name: "full width", code: "ＤＥ"},
		{name: "small letter that folds to K", code: "D\u212a"},
		{name: "dotless i", code: "Dı"},
		{name: "right to left", code: "\u202eED"},
		{name: "zero width", code: "D\u200bE"},
		{name: "flag", code: "🇩🇪"},
		{name: "not UTF-8", code: "\xff\xfe"},
		{name: "a megabyte", code: strings.Repeat("D", 1<<20)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := keys.ParseRegion(tt.code)
			if got.String() != tt.want || got.IsZero() != (tt.want == "") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if tt.want == "" {
				checkRejection(t, err, keys.FieldRegion)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestParseRegionBytes has every byte at the beginning, in the middle and at the
// end of a code.
func TestParseRegionBytes(t *testing.T) {
	for c := range 256 {
		for _, code := range []string{string([]byte{byte(c), 'A'}), string([]byte{'A', byte(c), 'A'}), string([]byte{'A', byte(c)})} {
			r, err := keys.ParseRegion(code)
			if want := wellFormed(strings.ToUpper(code)); (err == nil) != want || want && r.String() != strings.ToUpper(code) {
				t.Errorf("%q: got %q, %v", code, r, err)
			}
		}
	}
}

func TestParseRegionReasons(t *testing.T) {
	tests := []struct {
		code   string
		reason keys.Reason
	}{
		{"", keys.ReasonLength},
		{"D", keys.ReasonLength},
		{"ABCDEFGHI", keys.ReasonLength},
		{"D.", keys.ReasonMalformed},
		{"DE-", keys.ReasonMalformed},
	}
	for _, tt := range tests {
		if _, err := keys.ParseRegion(tt.code); !errors.Is(err, &keys.Rejection{Field: keys.FieldRegion, Reason: tt.reason}) {
			t.Errorf("%q: got %v, want the reason %s", tt.code, err, tt.reason)
		}
	}
}

func TestMustRegion(t *testing.T) {
	if got := keys.MustRegion("IE").String(); got != "IE" {
		t.Errorf("got %s", got)
	}
	defer func() {
		if text, _ := recover().(string); !strings.HasPrefix(text, "keys: MustRegion") {
			t.Errorf("panicked with %q", text)
		}
	}()
	keys.MustRegion("..")
}

func TestRegionText(t *testing.T) {
	type form struct {
		Origin  keys.Region  `json:"origin"`
		Visited keys.Regions `json:"visited"`
	}
	for _, want := range []string{
		`{"origin":"","visited":""}`,
		`{"origin":"GB-EAW","visited":"419,CHGS,DE"}`,
	} {
		var f form
		if err := json.Unmarshal([]byte(want), &f); err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		if got, err := json.Marshal(f); err != nil || string(got) != want {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
	}
}

func TestUnmarshalRegionRefuses(t *testing.T) {
	de := keys.MustRegion("DE")
	for _, text := range []string{"D", "D.", "DE,FR", strings.Repeat("D", 1<<20)} {
		r := de
		if err := r.UnmarshalText([]byte(text)); err == nil || r != de {
			t.Errorf("%.10q: got %s, %v; want an error and no change", text, r, err)
		}
	}
	if r := de; r.UnmarshalText(nil) != nil || !r.IsZero() {
		t.Errorf("empty text: got %s, want none", r)
	}
}

// TestHostileRegionsAreCheap hands over a megabyte at a time, and expects to be
// told off without its being copied, split or searched.
func TestHostileRegionsAreCheap(t *testing.T) {
	const size = 1 << 20
	letters, commas := strings.Repeat("D", size), strings.Repeat(",", size)
	lettersText, commasText, empty := []byte(letters), []byte(commas), make([]string, size/8)
	many := make([]string, size/8)
	for i := range many {
		many[i] = "DE"
	}
	tests := []struct {
		name  string
		parse func() error
	}{
		{"region", func() error { _, err := keys.ParseRegion(letters); return err }},
		{"region text", func() error { return new(keys.Region).UnmarshalText(lettersText) }},
		{"one long code", func() error { _, err := keys.ParseRegions("DE", letters); return err }},
		{"many codes", func() error { _, err := keys.ParseRegions(many...); return err }},
		{"many empty codes", func() error { _, err := keys.ParseRegions(empty...); return err }},
		{"text of one code", func() error { return new(keys.Regions).UnmarshalText(lettersText) }},
		{"text of no codes", func() error { return new(keys.Regions).UnmarshalText(commasText) }},
		{"test type", func() error { _, err := keys.ParseTestType(letters); return err }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkRejection(t, tt.parse(), keys.FieldRegion, keys.FieldVisitedCountries, keys.FieldTestType)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range 100 {
				tt.parse()
			}
			runtime.ReadMemStats(&after)
			if each := (after.TotalAlloc - before.TotalAlloc) / 100; each > 4<<10 {
				t.Errorf("allocates %d bytes to refuse a megabyte", each)
			}
		})
	}
}

func FuzzParseRegion(f *testing.F) {
	for _, code := range []string{"DE", "gb-eaw", "419", "CHGS", "", "-", "D-", "../..", "DE\r\nX: 1", "Д", "\x00\x00", "AB-CD-EF", "ABCDEFGHI"} {
		f.Add(code)
	}
	f.Fuzz(func(t *testing.T, code string) {
		r, err := keys.ParseRegion(code)
		if err != nil {
			checkRejection(t, err, keys.FieldRegion)
			if !r.IsZero() {
				t.Errorf("got the region %q along with an error", r)
			}
			return
		}
		if r.IsZero() || !wellFormed(r.String()) || !strings.EqualFold(r.String(), code) {
			t.Errorf("%q parses as %q", code, r)
		}
		if again, err := keys.ParseRegion(r.String()); err != nil || again != r {
			t.Errorf("%q parses as %q, %v", r, again, err)
		}
		var back keys.Region
		text, _ := r.MarshalText()
		if err := back.UnmarshalText(text); err != nil || back != r {
			t.Errorf("%q comes back as %q, %v", r, back, err)
		}
	})
}

// wellFormed is a second opinion on what a region is.
func wellFormed(code string) bool {
	inner := strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")
	return inner == "" && 2 <= len(code) && len(code) <= 8 && code[0] != '-' && code[len(code)-1] != '-'
}
