package deltaset

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/storage"
)

// Options of a [Layout]. The zero value is a delta set by the hour, of plain
// files.
type Options struct {
	// Prefix is what all names begin with, without slashes at its ends; empty is
	// "deltaset".
	Prefix string

	// Interval is the time that a file of exposures or retractions covers: whole
	// minutes that divide a day, and a multiple of the ledger's grid; 0 is an hour.
	Interval time.Duration

	// Subfolder has the tree below a folder i<seconds>/ of each package: since the
	// interval is not the one that the delta set began with.
	Subfolder bool

	// Next is the interval of the tree that follows this one, which is to be found
	// below i<seconds>/. Its clients go there.
	Next time.Duration

	// Files says what the files are; empty is [ByInterval].
	Files Files

	// Snapshot is how often there is a snapshot, a multiple of Interval that divides
	// a day; 0 is an hour, or Interval if that is longer or does not divide it.
	// Snapshots is how many of the newest are kept; 0 is 3.
	Snapshot  time.Duration
	Snapshots int

	// Days is for how many days of keys a snapshot is, the day that it is of among
	// them; 0 is 14. Exposures of older keys are not published. Policy.PruneAge must
	// be as long.
	Days int

	// Retain is for how many days exposures and retractions are kept; 0 is 14. Who
	// was away for longer begins again with a snapshot.
	Retain int

	// Announce has the retractions say which keys are no longer relevant, for
	// clients that do not go by the keys' days. Policy.PruneAge must be two days
	// longer than Days.
	Announce bool

	// Gzip has the files stored compressed, with a content encoding that says so:
	// for object stores that hand it out. Web servers that read plain files
	// compress on their own.
	Gzip bool
}

// Files says how a delta set is cut into files.
type Files string

const (
	// ByInterval has one file of exposures and one of retractions an interval, empty
	// ones too: exposures/494000.
	ByInterval Files = "interval"

	// ByDay has one for each day of keys that something happened to in the interval,
	// compressed for good: active/26030123-20513.gz.
	ByDay Files = "day"
)

// The spans of the layout.
const (
	interval = "interval"
	snapshot = "snapshot"
)

// Layout is a delta set.
type Layout struct {
	opts Options
}

var (
	_ distribution.Encoder          = (*Layout)(nil)
	_ distribution.AttributeChecker = (*Layout)(nil)
)

// New returns the layout. The error names the field that makes no sense.
func New(opts *Options) (*Layout, error) {
	l := &Layout{}
	if opts != nil {
		l.opts = *opts
	}
	o := &l.opts
	o.Prefix = cmp.Or(o.Prefix, "deltaset")
	o.Interval = cmp.Or(o.Interval, time.Hour)
	o.Files = cmp.Or(o.Files, ByInterval)
	o.Snapshots = cmp.Or(o.Snapshots, 3)
	o.Days = cmp.Or(o.Days, 14)
	o.Retain = cmp.Or(o.Retain, 14)
	if o.Snapshot == 0 {
		o.Snapshot = o.Interval
		if o.Interval > 0 && time.Hour%o.Interval == 0 {
			o.Snapshot = time.Hour
		}
	}
	return l, o.check()
}

var segment = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*$`)

const day = 24 * time.Hour

// dividesDay reports whether d is whole minutes and divides a day.
func dividesDay(d time.Duration) bool {
	return d >= time.Minute && d%time.Minute == 0 && day%d == 0
}

func (o *Options) check() error {
	for s := range strings.SplitSeq(o.Prefix, "/") {
		if !segment.MatchString(s) {
			return fmt.Errorf("deltaset: Options.Prefix: %q is no path", o.Prefix)
		}
	}
	switch {
	case !dividesDay(o.Interval):
		return fmt.Errorf("deltaset: Options.Interval: %s is not whole minutes that divide a day", o.Interval)
	case o.Next != 0 && !dividesDay(o.Next):
		return fmt.Errorf("deltaset: Options.Next: %s is not whole minutes that divide a day", o.Next)
	case o.Next == o.Interval:
		return fmt.Errorf("deltaset: Options.Next: %s is the interval itself", o.Next)
	case o.Files != ByInterval && o.Files != ByDay:
		return fmt.Errorf("deltaset: Options.Files: %q, want %q or %q", o.Files, ByInterval, ByDay)
	case !dividesDay(o.Snapshot) || o.Snapshot%o.Interval != 0:
		return fmt.Errorf("deltaset: Options.Snapshot: %s is not whole intervals that divide a day", o.Snapshot)
	case o.Snapshots < 1:
		return fmt.Errorf("deltaset: Options.Snapshots: %d, want at least 1", o.Snapshots)
	case o.Days < 1:
		return fmt.Errorf("deltaset: Options.Days: %d, want at least 1", o.Days)
	case o.Retain < 1:
		return fmt.Errorf("deltaset: Options.Retain: %d, want at least 1", o.Retain)
	case o.Gzip && o.Files == ByDay:
		return fmt.Errorf("deltaset: Options.Gzip: files by day are compressed already")
	}
	return nil
}

// Name returns "deltaset", or with a subfolder "deltaset-i900".
func (l *Layout) Name() string {
	if l.opts.Subfolder {
		return "deltaset-" + subfolder(l.opts.Interval)
	}
	return "deltaset"
}

// Spans returns intervals and snapshots.
func (l *Layout) Spans() []distribution.Span {
	o := &l.opts
	return []distribution.Span{
		{Name: interval, Length: o.Interval, Retain: time.Duration(o.Retain) * day, Days: o.Days, Expire: o.Announce},
		{Name: snapshot, Length: o.Snapshot, State: true, Keep: o.Snapshots, Days: o.Days},
	}
}

// Offset returns 0: interval n begins n intervals after the epoch.
func (l *Layout) Offset() time.Duration { return 0 }

// Archive returns nil, since there are no archives.
func (l *Layout) Archive() *export.WriteOptions { return nil }

// Indexes returns nil; they come from [Layout.Catalogue].
func (l *Layout) Indexes([]string, []distribution.File) []distribution.Index { return nil }

// FileOptions returns the attributes of a file. Whether it is compressed it says
// itself.
func (l *Layout) FileOptions(a *distribution.Archive) (storage.PutOptions, error) {
	if l.opts.Files == ByDay {
		return storage.PutOptions{ContentType: "application/gzip"}, nil
	}
	return storage.PutOptions{ContentType: textPlain, ContentEncoding: encodingOf(a.Bytes)}, nil
}

// encodingOf returns the content encoding of a file by the interval.
func encodingOf(stored []byte) string {
	if isGzip(stored) {
		return "gzip"
	}
	return ""
}

// CheckAttributes returns an error if a file has another content encoding than it is
// stored in: clients would not undo it, or undo too much.
func (l *Layout) CheckAttributes(stored []byte, a storage.Attributes) error {
	want := ""
	if l.opts.Files == ByInterval {
		want = encodingOf(stored)
	}
	if a.ContentEncoding != want {
		return fmt.Errorf("deltaset: its content encoding is %.20q, want %q", a.ContentEncoding, want)
	}
	return nil
}

const textPlain = "text/plain; charset=utf-8"

// IndexOptions returns the attributes of an index. Caches keep the latest number
// for half a minute.
func (l *Layout) IndexOptions(i distribution.Index) storage.PutOptions {
	switch {
	case strings.HasSuffix(i.Name, "/"+latestName):
		return storage.PutOptions{ContentType: textPlain, CacheControl: "public,max-age=30"}
	case strings.HasSuffix(i.Name, signatureSuffix):
		return storage.PutOptions{ContentType: "application/octet-stream"}
	}
	return storage.PutOptions{ContentType: textPlain}
}
