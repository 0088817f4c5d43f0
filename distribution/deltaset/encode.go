package deltaset

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
)

// MaxFile is the size of the largest file that is read, uncompressed: a snapshot
// of some twenty million keys.
const MaxFile = 1 << 30

// ErrTooLarge is a file beyond a limit, compressed or not.
var ErrTooLarge = errors.New("deltaset: too large")

// Kinds returns the files of an interval. By day, there is always that of the keys
// of the interval's own day, so that an interval without events has a file, too.
func (l *Layout) Kinds(span distribution.Span, c *export.Content) []string {
	if l.opts.Files == ByInterval {
		return []string{exposures, retractions}
	}
	kinds := []string{active + "-" + strconv.Itoa(keys.IntervalAt(c.Start).Day())}
	for _, folder := range l.opts.Files.folders() {
		for _, r := range records(&span, folder, c) {
			kinds = append(kinds, folder+"-"+strconv.Itoa(r.Key.RollingStartIntervalNumber.Day()))
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// records returns what a folder's file says of a window's content, in no order. A
// key that is new or changed is exposed, unless it is not relevant any more; one
// that is gone is retracted. What is revised and neither ceases to be relevant.
func records(span *distribution.Span, folder string, c *export.Content) []Record {
	var out []Record
	expose := folder == exposures || folder == active || folder == snapshot
	add := func(k keys.TemporaryExposureKey, reason Reason) {
		if expose == (reason == "") {
			out = append(out, Record{k, reason})
		}
	}
	for _, k := range c.Keys {
		if span.Relevant(&k, c.End) {
			add(k, "")
		}
	}
	for _, k := range c.RevisedKeys {
		switch {
		case k.ReportType == keys.Some(keys.ReportRevoked):
			add(k, Revoked)
		case span.Relevant(&k, c.End):
			add(k, "")
		case span.Expire:
			add(k, Expired)
		}
	}
	return out
}

// Encode returns a file: its records, sorted by key data.
func (l *Layout) Encode(f distribution.File, c *export.Content) (*distribution.Encoded, error) {
	span := l.span(f.Span)
	p := l.placeOf(f)
	list := records(&span, p.folder, c)
	if l.opts.Files == ByDay && f.Span == interval {
		list = slices.DeleteFunc(list, func(r Record) bool { return r.Key.RollingStartIntervalNumber.Day() != p.day })
	}
	byKey := func(a, b Record) int { return bytes.Compare(a.Key.KeyData[:], b.Key.KeyData[:]) }
	if !slices.IsSortedFunc(list, byKey) {
		slices.SortFunc(list, byKey)
	}
	text := make([]byte, 0, len(list)*60)
	for i := range list {
		text = appendRecord(text, &list[i])
	}
	return l.encoded(text)
}

func (l *Layout) span(name string) distribution.Span {
	spans := l.Spans()
	if name == snapshot {
		return spans[1]
	}
	return spans[0]
}

// encoded returns a text as it is stored.
func (l *Layout) encoded(text []byte) (*distribution.Encoded, error) {
	e := &distribution.Encoded{Bytes: text, SHA256: sha256.Sum256(text), Content: sha256.Sum256(text)}
	if !l.opts.Gzip && l.opts.Files == ByInterval {
		return e, nil
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(text)
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("deltaset: %w", err)
	}
	e.Bytes = b.Bytes()
	if l.opts.Files == ByDay {
		e.SHA256 = sha256.Sum256(e.Bytes)
	}
	return e, nil
}

// Decode reads a file back. Whether it is compressed it says itself, so that
// [Options.Gzip] may change.
func (l *Layout) Decode(f distribution.File, stored []byte) (*distribution.Encoded, *export.Content, error) {
	plain := io.Reader(bytes.NewReader(stored))
	if l.opts.Files == ByDay || isGzip(stored) {
		z, err := gzip.NewReader(bytes.NewReader(stored))
		if err != nil {
			return nil, nil, fmt.Errorf("deltaset: %w", err)
		}
		plain = z
	}
	hash := sha256.New()
	c := &export.Content{Start: f.Window.Start, End: f.Window.End, Region: f.Package}
	folder := l.placeOf(f).folder
	gone := folder == retractions || folder == retracted
	for r, err := range readRecords(io.TeeReader(&limited{r: plain, left: MaxFile}, hash), gone) {
		if err != nil {
			return nil, nil, fmt.Errorf("deltaset: %w", err)
		}
		if gone {
			if r.Reason == Revoked {
				r.Key.ReportType = keys.Some(keys.ReportRevoked)
			}
			c.RevisedKeys = append(c.RevisedKeys, r.Key)
		} else {
			c.Keys = append(c.Keys, r.Key)
		}
	}
	e := &distribution.Encoded{Bytes: stored, Content: [32]byte(hash.Sum(nil))}
	e.SHA256 = e.Content
	if l.opts.Files == ByDay {
		e.SHA256 = sha256.Sum256(stored)
	}
	return e, c, nil
}

// isGzip reports whether a file is compressed; no record begins so.
func isGzip(b []byte) bool { return strings.HasPrefix(string(b[:min(2, len(b))]), "\x1f\x8b") }

// limited reads up to left bytes and fails if there are more.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(b []byte) (int, error) {
	if int64(len(b)) > l.left+1 {
		b = b[:l.left+1]
	}
	n, err := l.r.Read(b)
	if l.left -= int64(n); l.left < 0 {
		return 0, ErrTooLarge
	}
	return n, err
}
