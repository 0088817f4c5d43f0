package interop

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/keys"
)

func TestInteger(t *testing.T) {
	for _, tt := range []struct {
		text   string
		want   int64
		reason keys.Reason // "" if it is one
	}{
		{"144", 144, ""},
		{"-5", -5, ""},
		{"-0", 0, ""},
		{`"144"`, 144, ""},
		{`"-1"`, -1, ""},
		{`"\u0031"`, 1, ""},
		{"9223372036854775807", 1<<63 - 1, ""},
		{"9223372036854775808", 0, keys.ReasonRange},
		{"1.0", 0, keys.ReasonMalformed},
		{"1e2", 0, keys.ReasonMalformed},
		{`""`, 0, keys.ReasonMalformed},
		{`" 1"`, 0, keys.ReasonMalformed},
		{`"0x10"`, 0, keys.ReasonMalformed},
		{`"1_0"`, 0, keys.ReasonMalformed},
		{`"CONFIRMED_TEST"`, 0, keys.ReasonMalformed},
		{"true", 0, keys.ReasonMalformed},
		{"[1]", 0, keys.ReasonMalformed},
		{"{}", 0, keys.ReasonMalformed},
	} {
		v, ok := parse([]byte(tt.text))
		if !ok {
			t.Fatal(tt.text)
		}
		got, err := v.integer(keys.FieldReportType)
		if tt.reason == "" {
			if err != nil || got != tt.want {
				t.Errorf("%s: got %d, %v", tt.text, got, err)
			}
		} else if !errors.Is(err, &keys.Rejection{Field: keys.FieldReportType, Reason: tt.reason}) {
			t.Errorf("%s: got %d, %v, want the reason %s", tt.text, got, err, tt.reason)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"", " ", "{", `{"a":1}x`, `{"a":1}{}`, "[1,]", "{a:1}", "nul", "\xef\xbb\xbf{}",
		strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
		strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000),
	} {
		if v, ok := parse([]byte(text)); ok {
			t.Errorf("%.20q is taken for %.20q", text, v)
		}
	}
}

func TestOnce(t *testing.T) {
	for _, tt := range []struct{ text, twice, a string }{
		{`{"a":1,"b":[{"a":2}],"c":3,"c":4}`, "", "1"},
		{`{"A":1,"a":2}`, "", "2"},
		{`{"a":1,"a":1}`, "a", ""},
		{`{"a":null,"a":1}`, "a", ""},
		{`{"b":"}{","\u0061":1}`, "", "1"},
		{`{"a":1,"\u0061":2}`, "a", ""},
		{`{}`, "", ""},
	} {
		v, ok := parse([]byte(tt.text))
		if !ok {
			t.Fatal(tt.text)
		}
		into := make([]value, 2)
		if twice := v.once([]string{"a", "b"}, into); twice != tt.twice || twice == "" && string(into[0]) != tt.a {
			t.Errorf("%s: %q twice, a is %s", tt.text, twice, into[0])
		}
	}
}

// FuzzValue holds what is read in place against what encoding/json reads.
func FuzzValue(f *testing.F) {
	for _, text := range []string{
		`{"a":1,"b":[true,null,"x\"y\\"],"c":{}}`, ` [ 1 , "2" , [ ] , { } ] `, `"\u00e4\ud83d\ude00\ud800"`, "-1.5e3", "null",
		`{"":"\\\\\"","]":"}"}`, "\"\xff\"", `[[[[]]]]`, `{"a":{"b":{"c":[{"d":"]"}]}}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, ok := parse(text)
		if ok != json.Valid(text) {
			t.Fatal("parse takes another text than json.Valid")
		}
		if !ok {
			return
		}
		var want any
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if got := tree(t, v); !reflect.DeepEqual(got, want) {
			t.Errorf("%q\ngot  %#v\nwant %#v", text, got, want)
		}
	})
}

// tree returns a value as encoding/json gives it.
func tree(t *testing.T, v value) any {
	switch {
	case v.isObject():
		m := map[string]any{}
		for name, val := range v.members() {
			m[string(name)] = tree(t, val)
		}
		return m
	case v.isArray():
		list := []any{}
		for e := range v.elements() {
			list = append(list, tree(t, e))
		}
		return list
	case v.isString():
		s, ok := v.text()
		if !ok {
			t.Fatalf("%s is no text", v)
		}
		return s
	case v.isNumber():
		return json.Number(v)
	case v.absent():
		return nil
	}
	return string(v) == "true"
}
