// Package jsontext looks at JSON in place, as the protocols need it that judge one
// key of a thousand by itself.
//
// encoding/json by itself takes KEYDATA for keyData and the last of two, and fails
// as a whole where one key has a string for a number. Here [Parse] has the whole
// text found good by encoding/json; what is read of it after that cannot fail, and
// allocates nothing but for strings with escapes.
package jsontext

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// A Value is one value in a text that [json.Valid] found good, without the space
// around it; nil if there is none. It shares the text's memory.
type Value []byte

// Parse returns the value that a text is. Whatever is nested deeper than
// encoding/json goes (10,000 levels) is none.
func Parse(text []byte) (Value, bool) {
	if !json.Valid(text) {
		return nil, false
	}
	return bytes.Trim(text, " \t\r\n"), true
}

// IsAbsent reports whether there is no value, or null.
func (v Value) IsAbsent() bool { return len(v) == 0 || v[0] == 'n' }

// IsObject reports whether v is an object.
func (v Value) IsObject() bool { return len(v) > 0 && v[0] == '{' }

// IsArray reports whether v is an array.
func (v Value) IsArray() bool { return len(v) > 0 && v[0] == '[' }

// IsString reports whether v is a string.
func (v Value) IsString() bool { return len(v) > 0 && v[0] == '"' }

// IsNumber reports whether v is a number.
func (v Value) IsNumber() bool { return len(v) > 0 && (v[0] == '-' || '0' <= v[0] && v[0] <= '9') }

// Elements returns the elements of an array; none of what is no array.
func (v Value) Elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if !v.IsArray() {
			return
		}
		for e, rest := next(v[1:]); e != nil; e, rest = next(rest) {
			if !yield(e) {
				return
			}
		}
	}
}

// Members returns the names and values of an object, in order; none of what is no
// object. A name may come more than once.
func (v Value) Members() iter.Seq2[[]byte, Value] {
	return func(yield func([]byte, Value) bool) {
		if !v.IsObject() {
			return
		}
		for name, rest := next(v[1:]); name != nil; {
			var member Value
			member, rest = next(rest)
			if !yield(name.unquoted(), member) {
				return
			}
			name, rest = next(rest)
		}
	}
}

// Once stores what an object says under some names, in the order of the names, and
// passes over all others. It returns the first name that comes twice, of which
// readers disagree which counts; empty if there is none.
func (v Value) Once(names []string, into []Value) (twice string) {
	for name, member := range v.Members() {
		for i := range names {
			if names[i] != string(name) {
				continue
			}
			if into[i] != nil {
				return names[i]
			}
			into[i] = member
			break
		}
	}
	return ""
}

// Text returns what a string says; ok is false if v is none. It shares the string's
// memory if that has no escapes.
func (v Value) Text() (text []byte, ok bool) {
	if !v.IsString() {
		return nil, false
	}
	return v.unquoted(), true
}

func (v Value) unquoted() []byte {
	inner := v[1 : len(v)-1 : len(v)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return inner
	}
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		return nil // not of a text that is valid
	}
	return []byte(s)
}

// next returns the value that follows in an array or object, and what is after it;
// nil at the end.
func next(b []byte) (v Value, rest []byte) {
	i := 0
	for b[i] <= ' ' || b[i] == ',' || b[i] == ':' {
		i++
	}
	if b[i] == ']' || b[i] == '}' {
		return nil, nil
	}
	n := length(b[i:])
	return b[i : i+n : i+n], b[i+n:]
}

// length returns the length of the value at the beginning of b.
func length(b []byte) int {
	switch b[0] {
	case '"':
		return lengthOfString(b)
	case '{', '[':
		return lengthOfNested(b)
	}
	for i, c := range b {
		if c <= ' ' || c == ',' || c == ']' || c == '}' {
			return i
		}
	}
	return len(b)
}

func lengthOfString(b []byte) int {
	for i := 1; ; i++ {
		i += bytes.IndexByte(b[i:], '"')
		escapes := 0
		for b[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i + 1
		}
	}
}

// lengthOfNested counts, where recursion would let the sender choose how deep the
// stack is.
func lengthOfNested(b []byte) int {
	depth := 0
	for i := 0; ; i++ {
		switch b[i] {
		case '"':
			i += lengthOfString(b[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}
