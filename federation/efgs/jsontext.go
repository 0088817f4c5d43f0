package efgs

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// JSON is looked at in place once [json.Valid] has found a whole text good: a value
// is a part of it without the space around it. encoding/json by itself takes KEYDATA
// for keyData and the last of two, and fails as a whole where one key of a thousand
// has a string for a number.

// membersOf stores those members of an object that have one of the names, in the
// order of the names; null counts as none. It reports false if the text is no JSON
// object. Twice is a name that comes twice, of which readers disagree which counts.
func membersOf(text []byte, names []string, into [][]byte) (twice string, ok bool) {
	if !json.Valid(text) { // which also bounds how deep it is
		return "", false
	}
	return membersIn(bytes.TrimSpace(text), names, into)
}

// membersIn is membersOf for a value.
func membersIn(v []byte, names []string, into [][]byte) (twice string, ok bool) {
	if len(v) == 0 || v[0] != '{' {
		return "", false
	}
	for name, rest := next(v[1:]); name != nil; {
		var member []byte
		member, rest = next(rest)
		known, _ := text(name)
		for i := range names {
			if string(known) != names[i] || isNull(member) {
				continue
			}
			if into[i] != nil {
				twice = names[i]
			}
			into[i] = member
		}
		name, rest = next(rest)
	}
	return twice, true
}

// isList reports whether a value is an array, or nothing.
func isList(v []byte) bool { return v == nil || v[0] == '[' }

func isNull(v []byte) bool { return v[0] == 'n' }

// elements returns the elements of an array; none of nothing.
func elements(v []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if v == nil {
			return
		}
		for e, rest := next(v[1:]); e != nil; e, rest = next(rest) {
			if !yield(e) {
				return
			}
		}
	}
}

// text returns what a string says; nothing if there is none. It may share the
// value's memory.
func text(v []byte) ([]byte, bool) {
	if v == nil {
		return nil, true
	}
	if v[0] != '"' {
		return nil, false
	}
	inner := v[1 : len(v)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return inner, true
	}
	var s string
	err := json.Unmarshal(v, &s)
	return []byte(s), err == nil
}

// next returns the value that follows in an array or object, and what is after it;
// nil at the end.
func next(b []byte) (v, rest []byte) {
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

// length returns the length of the value at the beginning of b. It counts, where
// recursion would let the sender choose how deep the stack is.
func length(b []byte) int {
	if b[0] == '"' {
		return lengthOfString(b)
	}
	depth := 0
	for i := 0; ; i++ {
		if depth == 0 && (i == len(b) || i > 0 && bytes.IndexByte([]byte(" \t\r\n,]}"), b[i]) >= 0) {
			return i
		}
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

func lengthOfString(b []byte) int {
	for i := 1; ; i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}
