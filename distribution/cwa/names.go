package cwa

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/keys"
)

// versions returns the path of the list of versions, the root of the tree.
func (l *Layout) versions() string {
	if l.opts.Path.Prefix == "" {
		return l.opts.Path.Version
	}
	return l.opts.Path.Prefix + "/" + l.opts.Path.Version
}

// Prefix returns what all names begin with.
func (l *Layout) Prefix() string { return l.versions() }

// object returns the object that a path stands for.
func (l *Layout) object(path string) string {
	if l.opts.Index == "" {
		return path
	}
	return path + "/" + l.opts.Index
}

// dates returns the path of a country's days, date that of one day, and hours
// that of a day's hours.
func (l *Layout) dates(country string) string { return l.root + "/" + country + "/" + l.opts.Path.Date }

func (l *Layout) date(country, date string) string { return l.dates(country) + "/" + date }

func (l *Layout) hours(country, date string) string {
	return l.date(country, date) + "/" + l.opts.Path.Hour
}

// dateOf and hourOf name a window. With an offset, what begins at h+offset is
// still hour h.
func (l *Layout) dateOf(w distribution.Window) string {
	return w.Start.UTC().Add(-l.opts.Offset).Format(time.DateOnly)
}

func (l *Layout) hourOf(w distribution.Window) int {
	return w.Start.UTC().Add(-l.opts.Offset).Hour()
}

// Object returns the name of an archive: that of a day is the day's own path,
// that of an hour lies below it.
func (l *Layout) Object(f distribution.File) string {
	if f.Span == day {
		return l.object(l.date(f.Package, l.dateOf(f.Window)))
	}
	return l.object(fmt.Sprintf("%s/%0*d", l.hours(f.Package, l.dateOf(f.Window)), l.opts.HourDigits, l.hourOf(f.Window)))
}

// Parse returns the file of that name. It takes exactly the names that Object
// returns: not hour/05 for hour/5, not the 30th of February.
func (l *Layout) Parse(name string) (distribution.File, bool) {
	f, ok := l.parse(name)
	return f, ok && l.Object(f) == name
}

func (l *Layout) parse(name string) (distribution.File, bool) {
	rest, ok := strings.CutPrefix(name, l.root+"/")
	if !ok {
		return distribution.File{}, false
	}
	if l.opts.Index != "" {
		if rest, ok = strings.CutSuffix(rest, "/"+l.opts.Index); !ok {
			return distribution.File{}, false
		}
	}
	// country/date/2020-06-11 or country/date/2020-06-11/hour/5
	parts := strings.Split(rest, "/")
	if len(parts) != 3 && len(parts) != 5 {
		return distribution.File{}, false
	}
	if r, err := keys.ParseRegion(parts[0]); err != nil || r.String() != parts[0] {
		return distribution.File{}, false
	}
	date, err := time.Parse(time.DateOnly, parts[2])
	if err != nil {
		return distribution.File{}, false
	}
	f := distribution.File{Package: parts[0], Span: day, Parts: 1}
	start, length := date, 24*time.Hour
	if len(parts) == 5 {
		h, err := strconv.Atoi(parts[4])
		if err != nil || h < 0 || h > 23 {
			return distribution.File{}, false
		}
		f.Span = hour
		start, length = date.Add(time.Duration(h)*time.Hour), time.Hour
	}
	start = start.Add(l.opts.Offset)
	f.Window = distribution.Window{Start: start, End: start.Add(length)}
	return f, true
}
