package storage

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	// MaxNameLength is the length of the longest name in bytes: S3's limit.
	MaxNameLength = 1024

	// MaxSegmentLength is the length of the longest segment of a name in
	// bytes: the limit of every file system in use. A name that is valid is
	// valid in every bucket, so that a team can move.
	MaxSegmentLength = 255
)

// ValidName reports whether [CheckName] accepts name.
func ValidName(name string) bool { return CheckName(name) == nil }

// CheckName returns nil if name can be the name of an object, else an error
// that satisfies errors.Is(err, [ErrInvalidName]) and says why it cannot.
//
// A name is 1 to [MaxNameLength] bytes of valid UTF-8, in one or more segments
// separated by '/'. A segment is 1 to [MaxSegmentLength] bytes, does not begin
// with '.', and has neither backslash nor control characters. So there is no
// "..", no leading, trailing or double slash, and nothing that a file system,
// a shell or a URL takes for something else.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: empty", ErrInvalidName)
	case len(name) > MaxNameLength:
		return fmt.Errorf("%w: %d bytes, want at most %d", ErrInvalidName, len(name), MaxNameLength)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: not valid UTF-8", ErrInvalidName)
	}
	for segment := range strings.SplitSeq(name, "/") {
		if why := badSegment(segment); why != "" {
			return fmt.Errorf("%w: %s", ErrInvalidName, why)
		}
	}
	return nil
}

func badSegment(s string) string {
	switch {
	case s == "":
		return "an empty segment"
	case s[0] == '.':
		return "a segment begins with '.'"
	case len(s) > MaxSegmentLength:
		return fmt.Sprintf("a segment of %d bytes, want at most %d", len(s), MaxSegmentLength)
	case strings.ContainsFunc(s, forbidden):
		return "a backslash or a control character"
	default:
		return ""
	}
}

// forbidden reports whether r may not be in a name: C0 and C1 controls, DEL,
// the backslash, and the line separators that logs and terminals obey.
func forbidden(r rune) bool {
	return r < ' ' || r == '\\' || 0x7f <= r && r <= 0x9f || r == '\u2028' || r == '\u2029'
}
