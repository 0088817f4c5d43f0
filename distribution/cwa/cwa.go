package cwa

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/export"
)

// Options of a [Layout]. The zero value is the tree as the German back end
// serves it from its object store.
type Options struct {
	// Path has the segments of the addresses.
	Path Path

	// Index is the name of the file that a directory and an archive are kept
	// as where names are paths of a file system, "index" in the seed document.
	// Empty is none: an object store lets a directory and an object share a
	// name.
	Index string

	// HourDigits is the least number of digits of an hour: 1 as the server
	// writes, hour/5, or 2 as the seed document has it, hour/05. 0 is 1.
	HourDigits int

	// Days and HourDays are for how many days archives of days and of hours are
	// kept; 0 is 14.
	Days     int
	HourDays int

	// Hash is what the metadata "cwa-hash" holds. Empty is [HashSHA256].
	Hash Hash

	// Shared leaves the lists of versions and of countries to others, who publish
	// countries of their own in the same tree, or other things beside it: they are
	// read, and never written or deleted. Who keeps them must list the countries
	// published here.
	Shared bool

	// Offset moves all windows: hour h is [h+Offset, h+1+Offset).
	Offset time.Duration

	// Archive says how archives are written.
	Archive export.WriteOptions
}

// Path has the segments of the addresses; an empty one is the German back
// end's.
type Path struct {
	Prefix        string // before everything, without slashes at its ends; none
	Version       string // "version"
	VersionName   string // "v1"
	DiagnosisKeys string // "diagnosis-keys"
	Country       string // "country"
	Date          string // "date"
	Hour          string // "hour"
}

// Layout is the tree of archives that the Corona-Warn-App reads.
type Layout struct {
	opts Options
	root string // of all countries: version/v1/diagnosis-keys/country
}

var (
	_ distribution.Layout = (*Layout)(nil)
	_ distribution.Sharer = (*Layout)(nil)
)

const (
	day  = "day"
	hour = "hour"
)

// New returns the layout. The error names the field that makes no sense.
func New(opts *Options) (*Layout, error) {
	l := &Layout{}
	if opts != nil {
		l.opts = *opts
	}
	o := &l.opts
	for _, d := range []struct {
		field *string
		def   string
	}{
		{&o.Path.Version, "version"},
		{&o.Path.VersionName, "v1"},
		{&o.Path.DiagnosisKeys, "diagnosis-keys"},
		{&o.Path.Country, "country"},
		{&o.Path.Date, "date"},
		{&o.Path.Hour, "hour"},
		{(*string)(&o.Hash), string(HashSHA256)},
	} {
		if *d.field == "" {
			*d.field = d.def
		}
	}
	for _, n := range []struct {
		field *int
		def   int
	}{{&o.HourDigits, 1}, {&o.Days, 14}, {&o.HourDays, 14}} {
		if *n.field == 0 {
			*n.field = n.def
		}
	}
	l.root = l.versions() + "/" + o.Path.VersionName + "/" + o.Path.DiagnosisKeys + "/" + o.Path.Country
	return l, o.check()
}

var segment = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*$`)

func (o *Options) check() error {
	for _, s := range []struct{ field, value string }{
		{"Path.Version", o.Path.Version},
		{"Path.VersionName", o.Path.VersionName},
		{"Path.DiagnosisKeys", o.Path.DiagnosisKeys},
		{"Path.Country", o.Path.Country},
		{"Path.Date", o.Path.Date},
		{"Path.Hour", o.Path.Hour},
		{"Index", o.Index},
	} {
		if !segment.MatchString(s.value) && !(s.field == "Index" && s.value == "") {
			return fmt.Errorf("cwa: Options.%s: %q is no segment of a path", s.field, s.value)
		}
	}
	for s := range strings.SplitSeq(o.Path.Prefix, "/") {
		if o.Path.Prefix != "" && !segment.MatchString(s) {
			return fmt.Errorf("cwa: Options.Path.Prefix: %q is no path", o.Path.Prefix)
		}
	}
	switch {
	case o.HourDigits != 1 && o.HourDigits != 2:
		return fmt.Errorf("cwa: Options.HourDigits: %d, want 1 or 2", o.HourDigits)
	case o.Days < 1:
		return fmt.Errorf("cwa: Options.Days: %d, want at least 1", o.Days)
	case o.HourDays < 1:
		return fmt.Errorf("cwa: Options.HourDays: %d, want at least 1", o.HourDays)
	case o.Hash != HashSHA256 && o.Hash != HashMD5:
		return fmt.Errorf("cwa: Options.Hash: %q, want %q or %q", o.Hash, HashSHA256, HashMD5)
	case o.Offset <= -time.Hour || o.Offset >= time.Hour:
		return errors.New("cwa: Options.Offset: want less than an hour either way")
	}
	return nil
}

// Name returns "cwa".
func (l *Layout) Name() string { return "cwa" }

// Spans returns hours and days.
func (l *Layout) Spans() []distribution.Span {
	return []distribution.Span{
		{Name: hour, Length: time.Hour, Retain: days(l.opts.HourDays)},
		{Name: day, Length: 24 * time.Hour, Retain: days(l.opts.Days)},
	}
}

func days(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }

// Shares returns the option Shared.
func (l *Layout) Shares() bool { return l.opts.Shared }

// Offset returns the option of that name.
func (l *Layout) Offset() time.Duration { return l.opts.Offset }

// Archive returns the option of that name.
func (l *Layout) Archive() *export.WriteOptions { return &l.opts.Archive }
