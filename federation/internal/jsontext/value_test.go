package jsontext

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"", " ", "{", `{"a":1}x`, `{"a":1}{}`, "[1,]", "{a:1}", "nul", "\xef\xbb\xbf{}",
		strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
		strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000),
	} {
		if v, ok := Parse([]byte(text)); ok {
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
		v, ok := Parse([]byte(tt.text))
		if !ok {
			t.Fatal(tt.text)
		}
		into := make([]Value, 2)
		if twice := v.Once([]string{"a", "b"}, into); twice != tt.twice || twice == "" && string(into[0]) != tt.a {
			t.Errorf("%s: %q twice, a is %s", tt.text, twice, into[0])
		}
	}
}

// TestOfAnotherKind: what is asked of a value of another kind, or of none, is
// nothing.
func TestOfAnotherKind(t *testing.T) {
	for _, text := range []string{"", "null", "true", "7", `"[{"`, "[]", "{}", "[1,[2]]", `{"a":{"b":1}}`} {
		v := Value(text)
		elements, members := 0, 0
		for range v.Elements() {
			elements++
		}
		for range v.Members() {
			members++
		}
		if v.IsArray() != strings.HasPrefix(text, "[") || elements != map[string]int{"[1,[2]]": 2}[text] {
			t.Errorf("%s: %d elements", text, elements)
		}
		if v.IsObject() != strings.HasPrefix(text, "{") || members != map[string]int{`{"a":{"b":1}}`: 1}[text] {
			t.Errorf("%s: %d members", text, members)
		}
		if got, ok := v.Text(); ok != v.IsString() || string(got) != map[bool]string{true: "[{"}[ok] {
			t.Errorf("%s: says %q, %t", text, got, ok)
		}
		if v.IsNumber() != (text == "7") || v.IsAbsent() != (text == "" || text == "null") {
			t.Errorf("%s: a number is %t, absent %t", text, v.IsNumber(), v.IsAbsent())
		}
	}
}

// TestRoomBehind: what is appended to a part of a text does not change the rest.
func TestRoomBehind(t *testing.T) {
	text := []byte(`{"a":"b","c":[1,2]}`)
	v, ok := Parse(text)
	if !ok {
		t.Fatal("not valid")
	}
	for name, member := range v.Members() {
		_ = append(name, 'x')
		_ = append(member, 'x')
		if s, ok := member.Text(); ok {
			_ = append(s, 'x')
		}
		for e := range member.Elements() {
			_ = append(e, 'x')
		}
	}
	if string(text) != `{"a":"b","c":[1,2]}` {
		t.Errorf("the text is now %s", text)
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
		v, ok := Parse(text)
		if ok != json.Valid(text) {
			t.Fatal("Parse takes another text than json.Valid")
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
func tree(t *testing.T, v Value) any {
	switch {
	case v.IsObject():
		m := map[string]any{}
		for name, val := range v.Members() {
			m[string(name)] = tree(t, val)
		}
		return m
	case v.IsArray():
		list := []any{}
		for e := range v.Elements() {
			list = append(list, tree(t, e))
		}
		return list
	case v.IsString():
		s, ok := v.Text()
		if !ok {
			t.Fatalf("%s is no text", v)
		}
		return string(s)
	case v.IsNumber():
		return json.Number(v)
	case v.IsAbsent():
		return nil
	}
	return string(v) == "true"
}
