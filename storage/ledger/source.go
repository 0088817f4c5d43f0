package ledger

import (
	"fmt"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Source is who brings keys: this back end's own submissions, or a federation
// server by the name its instance was given. Sources are names of the
// configuration, not strings from outside: 1 to 64 of a-z, 0-9, '.', '_', '-'.
type Source string

const (
	// Own is the source of this back end's own submissions.
	Own Source = "own"

	// Operator is the people who run the ledger. It brings no keys.
	Operator Source = "operator"
)

// Check returns an error if s is not a name a source may have.
func (s Source) Check() error {
	if len(s) < 1 || len(s) > 64 {
		return fmt.Errorf("ledger: source name of %d bytes, want 1 to 64", len(s))
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return fmt.Errorf("ledger: source name %q: byte %d is not of a-z, 0-9, '.', '_', '-'", s, i)
		}
	}
	return nil
}

// Sources is a set of sources: their names in ascending order with commas
// between them.
type Sources string

// All returns the sources in ascending order.
func (s Sources) All() iter.Seq[Source] {
	return func(yield func(Source) bool) {
		for name := range strings.SplitSeq(string(s), ",") {
			if name != "" && !yield(Source(name)) {
				return
			}
		}
	}
}

// Has reports whether the set holds source.
func (s Sources) Has(source Source) bool {
	for have := range s.All() {
		if have == source {
			return true
		}
	}
	return false
}

// maxUploadID is the length of the longest upload id in bytes.
const maxUploadID = 200

// checkUploadID judges the name of an upload, which may come from outside.
func checkUploadID(id string) error {
	if len(id) < 1 || len(id) > maxUploadID || !utf8.ValidString(id) {
		return fmt.Errorf("ledger: upload id of %d bytes, want 1 to %d of UTF-8", len(id), maxUploadID)
	}
	if strings.ContainsFunc(id, unicode.IsControl) {
		return fmt.Errorf("ledger: upload id with a control character")
	}
	return nil
}
