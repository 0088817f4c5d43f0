package interop

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"strconv"
	"unicode/utf8"

	"github.com/gaenkit/gaen/keys"
)

// A value is one value in a text that [json.Valid] found good, without the space
// around it; nil if there is none. It shares the text's memory.
//
// It is looked at in place, since encoding/json by itself takes KEYDATA for
// keyData and the last of two, and fails as a whole where one exposure of a
// thousand has a string for a number.
type value []byte

// parse returns the value that a text is. Whatever is nested deeper than
// encoding/json goes (10,000 levels) is none.
func parse(text []byte) (value, bool) {
	if !json.Valid(text) {
		return nil, false
	}
	return bytes.Trim(text, " \t\r\n"), true
}

// absent reports whether there is no value, or null.
func (v value) absent() bool { return len(v) == 0 || v[0] == 'n' }

func (v value) isObject() bool { return len(v) > 0 && v[0] == '{' }
func (v value) isArray() bool  { return len(v) > 0 && v[0] == '[' }
func (v value) isString() bool { return len(v) > 0 && v[0] == '"' }
func (v value) isNumber() bool { return len(v) > 0 && (v[0] == '-' || '0' <= v[0] && v[0] <= '9') }

// elements returns the elements of an array.
func (v value) elements() iter.Seq[value] {
	return func(yield func(value) bool) {
		for e, rest := next(v[1:]); e != nil; e, rest = next(rest) {
			if !yield(e) {
				return
			}
		}
	}
}

// members returns the names and values of an object, in order. A name may come
// more than once.
func (v value) members() iter.Seq2[[]byte, value] {
	return func(yield func([]byte, value) bool) {
		for name, rest := next(v[1:]); name != nil; {
			var val value
			val, rest = next(rest)
			if !yield(name.unquoted(), val) {
				return
			}
			name, rest = next(rest)
		}
	}
}

// next returns the value that follows in an array or object, and what is after
// it; nil at the end.
func next(b []byte) (v value, rest []byte) {
	i := 0
	for b[i] <= ' ' || b[i] == ',' || b[i] == ':' {
		i++
	}
	if b[i] == ']' || b[i] == '}' {
		return nil, nil
	}
	n := length(b[i:])
	return b[i : i+n], b[i+n:]
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

// lengthOfNested counts, where recursion would let the sender choose how deep
// the stack is.
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

// unquoted returns what a string says. It shares the string's memory if that has
// no escapes.
func (v value) unquoted() []byte {
	inner := v[1 : len(v)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return inner
	}
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		return nil // not of a text that is valid
	}
	return []byte(s)
}

// text returns the string that v is.
func (v value) text() (string, bool) {
	if !v.isString() {
		return "", false
	}
	return string(v.unquoted()), true
}

// integer returns the whole number that v is, or says as a string: one server of
// the field takes "144" for 144, and hands out what it took.
func (v value) integer(field keys.Field) (int64, error) {
	digits := []byte(v)
	switch {
	case v.isString():
		digits = v.unquoted()
	case !v.isNumber():
		return 0, &keys.Rejection{Field: field, Reason: keys.ReasonMalformed, Detail: "not a number"}
	}
	n, err := strconv.ParseInt(string(digits), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, &keys.Rejection{Field: field, Reason: keys.ReasonRange, Detail: "more than 64 bits"}
	case err != nil:
		return 0, &keys.Rejection{Field: field, Reason: keys.ReasonMalformed, Detail: "not a whole number"}
	}
	return n, nil
}

// once stores what an object says under some names, in the order of the names,
// and passes over all others. It returns the first name that comes twice, of which
// readers disagree which counts; empty if there is none.
func (v value) once(names []string, into []value) (twice string) {
	for name, val := range v.members() {
		for i := range names {
			if names[i] != string(name) {
				continue
			}
			if into[i] != nil {
				return names[i]
			}
			into[i] = val
			break
		}
	}
	return ""
}
