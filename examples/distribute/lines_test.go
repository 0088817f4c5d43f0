package main

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
)

// TestReadLine reads lines around the limits of the buffer and of a line. The
// line after one that is too long must be whole.
func TestReadLine(t *testing.T) {
	long := strings.Repeat("x", maxObject)
	for _, tt := range []struct {
		name, text string
		want       []string // "" where the line is too long
	}{
		{"nothing", "", nil},
		{"one without an end", "a", []string{"a"}},
		{"two", "a\nb\n", []string{"a\n", "b\n"}},
		{"an empty one", "\nb", []string{"\n", "b"}},
		{"longer than the buffer", long[:40] + "\nb", []string{long[:40] + "\n", "b"}},
		{"the longest", long[1:] + "\nb\n", []string{long[1:] + "\n", "b\n"}},
		{"too long", long + "\nb\n", []string{"", "b\n"}},
		{"much too long, at the end", "a\n" + long + long, []string{"a\n", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := bufio.NewReaderSize(strings.NewReader(tt.text), 16)
			for i, want := range tt.want {
				line, err := readLine(in)
				if errors.Is(err, errLongLine) != (want == "") || err != nil && want != "" || string(line) != want {
					t.Fatalf("line %d: %d bytes, %v; want %d bytes", i, len(line), err, len(want))
				}
			}
			if _, err := readLine(in); err != io.EOF {
				t.Errorf("after the last line: %v, want EOF", err)
			}
		})
	}
}
