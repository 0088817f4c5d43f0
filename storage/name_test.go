package storage_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gaenkit/gaen/storage"
)

func TestCheckName(t *testing.T) {
	longest := strings.Repeat("0123456789abcde/", 63) + "0123456789abcdef"
	for _, tt := range []struct {
		name, why string // why is "" for a valid name
	}{
		{"a", ""},
		{"version/v1/diagnosis-keys/country/DE/date/2020-06-11/hour/5", ""},
		{"a.", ""},
		{"a..b/c...", ""},
		{" ", ""},
		{"日本/ü", ""},
		{"\ufffd", ""}, // the character, not what stands for a broken one
		{strings.Repeat("a", 255), ""},
		{longest, ""},
		{"", "empty"},
		{longest + "0", "1025 bytes"},
		{strings.Repeat("a", 256), "256 bytes"},
		{strings.Repeat("a", 1<<20), "1048576 bytes"},
		{"/a", "empty segment"},
		{"a/", "empty segment"},
		{"a//b", "empty segment"},
		{"/", "empty segment"},
		{".", "begins with '.'"},
		{"..", "begins with '.'"},
		{"a/../b", "begins with '.'"},
		{"a/.b", "begins with '.'"},
		{`a\b`, "backslash"},
		{"a\x00", "control"},
		{"a\nb", "control"},
		{"a\x7f", "control"},
		{"a\u0080", "control"},
		{"a\u009f", "control"},
		{"a\u2028b", "control"},
		{"a\u2029b", "control"},
		{"a\xff", "UTF-8"},
		{"a\xed\xa0\x80", "UTF-8"},
	} {
		err := storage.CheckName(tt.name)
		if storage.ValidName(tt.name) != (tt.why == "") {
			t.Errorf("ValidName(%.40q) = %v", tt.name, tt.why != "")
		}
		switch {
		case tt.why == "" && err != nil:
			t.Errorf("CheckName(%.40q) = %v", tt.name, err)
		case tt.why == "":
		case !errors.Is(err, storage.ErrInvalidName) || !errors.Is(err, fs.ErrInvalid) || errors.Is(err, storage.ErrInvalidOptions):
			t.Errorf("CheckName(%.40q) = %v, want ErrInvalidName, which is an fs.ErrInvalid", tt.name, err)
		case !strings.Contains(err.Error(), tt.why):
			t.Errorf("CheckName(%.40q) = %v, want a word of %s", tt.name, err, tt.why)
		}
	}
}

// FuzzCheckName holds that a name that is accepted is a path that io/fs takes,
// hides nothing, and is cut into segments without loss.
func FuzzCheckName(f *testing.F) {
	for _, s := range []string{"a", "a/b", "..", "a/./b", "a\\b", "\x00", "ü", "a/.object", "/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if !storage.ValidName(name) {
			return
		}
		if !fs.ValidPath(name) || !utf8.ValidString(name) || len(name) > storage.MaxNameLength {
			t.Errorf("%q is accepted", name)
		}
		for segment := range strings.SplitSeq(name, "/") {
			if segment == "" || segment[0] == '.' || len(segment) > storage.MaxSegmentLength || !storage.ValidName(segment) {
				t.Errorf("%q is accepted with the segment %q", name, segment)
			}
		}
		if strings.ContainsAny(name, "\\\x00\r\n\t\x1b\x7f") {
			t.Errorf("%q is accepted", name)
		}
	})
}
