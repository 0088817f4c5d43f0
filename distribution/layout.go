package distribution

import (
	"errors"
	"fmt"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A Window is the time [Start, End) that a file stands for.
type Window struct {
	Start, End time.Time
}

// String returns the window's bounds.
func (w Window) String() string {
	return w.Start.UTC().Format(time.RFC3339) + "/" + w.End.UTC().Format(time.RFC3339)
}

// A Span is one kind of file of a layout, by the time it covers: hours, days.
type Span struct {
	Name   string        // "hour"; unique in the layout
	Length time.Duration // windows begin at whole multiples since the epoch, plus the layout's offset
	Retain time.Duration // how long a file stays after the end of the day its window begins in
	Parts  bool          // whether a window may have several files

	// State has a file say all that is shown at the end of its window, instead of
	// what was written in it: a snapshot. Only an [Encoder] may have such a span,
	// and it may be as long as the base. Keep is how many of the newest windows
	// have a file then; Retain means nothing.
	State bool
	Keep  int

	// Days is for how many days of keys a file of an [Encoder] is: see
	// [Span.Relevant]. 0 is any; a span of State needs it.
	Days int

	// Expire has a file of an [Encoder] say, too, which keys cease to be relevant
	// with its window: they are among the revised ones, as they were shown.
	Expire bool

	// Each has files stay for Retain after their own windows' ends.
	Each bool

	// Open has a roll-up's file be there before its window is over: it holds the
	// base windows completed so far, and is replaced whenever there are more, for
	// the last time when the window is over. Its Window ends with the last of
	// them. One span of a layout may be open, and the bucket must be able to
	// replace on a condition.
	Open bool
}

// Relevant reports whether the day that a key begins in is one of the last Days
// at t, that of t among them.
func (s *Span) Relevant(k *keys.TemporaryExposureKey, t time.Time) bool {
	return s.Days == 0 || k.RollingStartIntervalNumber.Day() >= s.firstDay(t)
}

// firstDay returns the number of the oldest day that is relevant at t.
func (s *Span) firstDay(t time.Time) int { return keys.IntervalAt(t).Day() - s.Days + 1 }

// A File is one file of a package.
type File struct {
	Package string
	Span    string
	Window  Window
	Kind    string // of several files of one window, where the layout is an [Encoder]
	Part    int    // from 0
	Parts   int    // 1 where the span has none
}

// An Index is a file that lists others. Of all files of a tree, only indexes
// are ever replaced.
type Index struct {
	Name    string
	Content []byte

	// SignedBy makes the file a signature instead: that of Content, by the signer
	// with this identity, as ASN.1 DER. It is signed again only if Content or
	// signer are others.
	SignedBy signing.Identity
}

// A Layout says what the files of a published tree are: their names, their
// spans, their attributes, and the indexes that list them. Its methods must be
// pure functions, and safe for concurrent use.
type Layout interface {
	// Name is how plans remember the layout.
	Name() string

	// Spans returns the kinds of files, the base first: every number of the log
	// is in one base window of a package. The others are roll-ups, whose
	// windows must be made of whole base windows.
	Spans() []Span

	// Offset moves all windows by as much.
	Offset() time.Duration

	// Object returns the name of a file. Different files must have different
	// names. An open file must have one name wherever its Window ends.
	Object(f File) string

	// Parse must be the inverse of Object: the file that has this name, and
	// whether there is one. Indexes are no files.
	Parse(name string) (File, bool)

	// Prefix is what all names of the layout begin with.
	Prefix() string

	// Indexes returns all indexes over the listed files, leaves before roots.
	// packages are all packages, also those without a file. A layout without
	// indexes always returns none. Those of an [Encoder] come from its Catalogue
	// instead.
	Indexes(packages []string, listed []File) []Index

	// Follow must find the files that the indexes name, from the root down, as a
	// phone does, with read, whose error satisfies errors.Is(err,
	// fs.ErrNotExist) if there is no such object. It returns the names of the
	// indexes too, and goes on where one is missing or cannot be understood; the
	// error joins what was wrong. A layout without indexes returns [ErrNoIndexes].
	Follow(read func(name string) ([]byte, error)) (files []File, indexes []string, err error)

	// Archive says how archives are written.
	Archive() *export.WriteOptions

	// FileOptions and IndexOptions say with what attributes an object is
	// stored. IfAbsent and ACL are the publisher's to set, and CacheControl, unless
	// the layout has something kept for a shorter time.
	FileOptions(a *Archive) (storage.PutOptions, error)
	IndexOptions(i Index) storage.PutOptions
}

// An AttributeChecker is a layout whose objects' attributes can be wrong.
type AttributeChecker interface {
	// CheckAttributes must return an error if an archive was not stored with the
	// attributes that it should have.
	CheckAttributes(archive []byte, a storage.Attributes) error
}

// A Sharer is a layout whose tree others may publish packages in, too.
type Sharer interface {
	// Shares reports whether they do. What is of packages that a publisher does not
	// have is left alone then, and is no sign of another ledger.
	Shares() bool
}

// shares reports whether there may be packages of others.
func (p *Publisher) shares() bool {
	s, ok := p.layout.(Sharer)
	return ok && s.Shares()
}

// ErrNoIndexes is what [Layout.Follow] of a layout without indexes returns: phones
// find its files by their names alone.
var ErrNoIndexes = errors.New("distribution: the layout has no indexes")

// base returns the layout's base span.
func base(l Layout) Span { return l.Spans()[0] }

// openSpan returns the layout's open span, if it has one.
func openSpan(l Layout) (Span, bool) {
	for _, s := range l.Spans() {
		if s.Open {
			return s, true
		}
	}
	return Span{}, false
}

// windowAt returns the window of a span that t lies in.
func windowAt(l Layout, s Span, t time.Time) Window {
	start := t.UTC().Add(-l.Offset()).Truncate(s.Length).Add(l.Offset())
	return Window{start, start.Add(s.Length)}
}

// retiredAt returns when the files of a window have been kept long enough.
// Unless the span says otherwise, everything of a day retires together, so that
// indexes change once a day.
func retiredAt(l Layout, s Span, w Window) time.Time {
	if s.Each {
		return windowAt(l, s, w.Start).End.Add(s.Retain)
	}
	day := windowAt(l, Span{Length: 24 * time.Hour}, w.Start)
	return day.End.Add(s.Retain)
}

// checkLayout sees to it that the spans fit each other and the ledger's grid.
func checkLayout(l Layout, policy *ledger.Policy) error {
	grid := policy.Grid
	spans := l.Spans()
	if len(spans) == 0 {
		return fmt.Errorf("distribution: layout %s has no spans", l.Name())
	}
	b := spans[0]
	if b.Length < grid || b.Length%grid != 0 {
		return fmt.Errorf("distribution: layout %s: windows of %s are no whole multiple of the ledger's grid of %s", l.Name(), b.Length, grid)
	}
	open := 0
	for i, s := range spans {
		if err := checkEncoded(l, &s, i == 0, policy.PruneAge); err != nil {
			return err
		}
		if s.Open {
			open++
		}
		switch {
		case open > 1:
			return fmt.Errorf("distribution: layout %s has several open spans", l.Name())
		case s.Open && (i == 0 || s.Parts):
			return fmt.Errorf("distribution: layout %s: span %s is open, which base windows and files in parts cannot be", l.Name(), s.Name)
		case s.Length%b.Length != 0 || (24*time.Hour)%s.Length != 0:
			return fmt.Errorf("distribution: layout %s: span %s of %s is not made of whole windows of %s in a day", l.Name(), s.Name, s.Length, b.Length)
		case s.Retain < 24*time.Hour && !s.State:
			return fmt.Errorf("distribution: layout %s: span %s is kept for %s, at least a day", l.Name(), s.Name, s.Retain)
		}
	}
	return nil
}
