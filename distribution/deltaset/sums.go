package deltaset

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
)

// format of the tree; another number is another format.
const layoutVersion = "gaen-deltaset 1"

// MaxSums is the size of the largest SHA256SUMS that is read.
const MaxSums = 32 << 20

// ErrSums is a SHA256SUMS that is malformed. The error names line and field.
var ErrSums = errors.New("deltaset: malformed SHA256SUMS")

// Sums is a SHA256SUMS: a header in comments, and a line for each file.
type Sums struct {
	Ledger   string // identity, in hexadecimal
	Package  string
	Folder   string        // whose files it lists; "." for the one at the top, which lists all
	Interval time.Duration // of one number
	Files    Files
	Days     int   // of keys that are relevant; see [Options]
	Newest   int64 // interval
	Snapshot int64 // the newest one; -1 if there is none
	Made     time.Time
	Next     time.Duration // the interval of the tree that follows; 0 for none

	Entries []Entry // by folder and interval
}

// An Entry is one file in a SHA256SUMS.
type Entry struct {
	SHA256 string // in hexadecimal
	Path   string // below the folder of the SHA256SUMS
}

// End returns the end of the newest interval.
func (s *Sums) End() time.Time { return s.grid().endOf(s.Newest) }

func (s *Sums) grid() grid { return grid{s.Interval, s.Files} }

// text returns the file.
func (s *Sums) text() []byte {
	var b bytes.Buffer
	for _, h := range s.header() {
		fmt.Fprintf(&b, "# %s: %s\n", h[0], h[1])
	}
	for _, e := range s.Entries {
		fmt.Fprintf(&b, "%s  %s\n", e.SHA256, e.Path)
	}
	return b.Bytes()
}

// header returns names and values, in their order.
func (s *Sums) header() [][2]string {
	snapshot, next := "-", "-"
	if s.Snapshot >= 0 {
		snapshot = strconv.FormatInt(s.Snapshot, 10)
	}
	if s.Next != 0 {
		next = subfolder(s.Next)
	}
	return [][2]string{
		{"layout", layoutVersion},
		{"ledger", s.Ledger},
		{"package", s.Package},
		{"folder", s.Folder},
		{"files", string(s.Files)},
		{"interval", strconv.FormatInt(int64(s.Interval/time.Second), 10)},
		{"days", strconv.Itoa(s.Days)},
		{"newest", strconv.FormatInt(s.Newest, 10)},
		{"snapshot", snapshot},
		{"made", s.Made.UTC().Format(time.RFC3339)},
		{"next", next},
	}
}

// ParseSums reads a SHA256SUMS. It takes nothing that is not as it is written.
func ParseSums(text []byte) (*Sums, error) {
	s := &Sums{}
	if len(text) > MaxSums {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(text))
	}
	rest := string(text)
	for _, h := range s.header() {
		line, after, _ := strings.Cut(rest, "\n")
		value, ok := strings.CutPrefix(line, "# "+h[0]+": ")
		if !ok {
			return nil, fmt.Errorf("%w: no %s in its place", ErrSums, h[0])
		}
		if err := s.set(h[0], value); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrSums, h[0], err)
		}
		rest = after
	}
	for line := range strings.Lines(rest) {
		sum, path, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if b, err := hex.DecodeString(sum); !ok || err != nil || len(b) != 32 {
			return nil, fmt.Errorf("%w: file %d: want a sum, two spaces, a name", ErrSums, len(s.Entries)+1)
		}
		s.Entries = append(s.Entries, Entry{sum, path})
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	if !bytes.Equal(s.text(), text) {
		return nil, fmt.Errorf("%w: not as it is written", ErrSums)
	}
	return s, nil
}

// set reads one field of the header.
func (s *Sums) set(name, value string) (err error) {
	switch name {
	case "layout":
		if value != layoutVersion {
			return fmt.Errorf("want %s", layoutVersion)
		}
	case "ledger":
		s.Ledger = value
		if b, err := hex.DecodeString(value); err != nil || len(b) != 16 {
			return errors.New("no identity")
		}
	case "package":
		s.Package = value
		_, err = keys.ParseRegion(value)
	case "folder":
		s.Folder = value
	case "files":
		s.Files = Files(value)
	case "interval":
		s.Interval, err = parseSeconds(value)
	case "days":
		s.Days, err = parseInt[int](value, 1000)
	case "newest":
		s.Newest, err = parseInt[int64](value, maxNumber)
	case "snapshot":
		if s.Snapshot = -1; value != "-" {
			s.Snapshot, err = parseInt[int64](value, maxNumber)
		}
	case "made":
		s.Made, err = time.Parse(time.RFC3339, value)
	case "next":
		if seconds, ok := strings.CutPrefix(value, "i"); ok {
			s.Next, err = parseSeconds(seconds)
		}
	}
	return err
}

// parseSeconds reads an interval.
func parseSeconds(text string) (time.Duration, error) {
	n, err := parseInt(text, int64(day/time.Second))
	if d := time.Duration(n) * time.Second; err == nil && dividesDay(d) {
		return d, nil
	}
	return 0, errors.New("not whole minutes that divide a day")
}

// parseInt reads a number of at most limit.
func parseInt[T int | int64](text string, limit T) (T, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > int64(limit) {
		return 0, errors.New("no number in its range")
	}
	return T(n), nil
}

// check sees to it that every file is one of the tree, and none is listed twice or
// is newer than the newest.
func (s *Sums) check() error {
	if s.Files != ByInterval && s.Files != ByDay {
		return fmt.Errorf("%w: files", ErrSums)
	}
	if s.Days == 0 {
		return fmt.Errorf("%w: days", ErrSums)
	}
	seen := make(map[string]bool, len(s.Entries))
	for i, e := range s.Entries {
		path := e.Path
		if s.Folder != "." {
			path = s.Folder + "/" + path
		}
		if p, ok := s.grid().parse(path); !ok || p.n > s.Newest || seen[path] {
			return fmt.Errorf("%w: file %d is none, is there twice, or is newer than the newest", ErrSums, i+1)
		}
		seen[path] = true
	}
	return nil
}

// parseLatest reads the file of that name: a number and a newline.
func parseLatest(text []byte) (int64, error) {
	line, ok := strings.CutSuffix(string(text), "\n")
	n, err := parseInt[int64](line, maxNumber)
	if !ok || err != nil || strconv.FormatInt(n, 10) != line {
		return 0, errors.New("deltaset: latest is no number")
	}
	return n, nil
}

// maxLatest and maxSignature are the sizes of the largest of these files.
const (
	maxLatest    = 32
	maxSignature = 256
)
