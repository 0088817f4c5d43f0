package cwa

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/gaenkit/gaen/distribution"
)

// Follow reads the indexes from the root down. The index of a day's hours is
// named by no other; it is looked for on every listed day, and on the day after
// the last, which has hours before it has an archive of its own. It may be
// missing, where hours are kept for fewer days.
func (l *Layout) Follow(read func(name string) ([]byte, error)) ([]distribution.File, []string, error) {
	f := &follower{layout: l, read: read}
	var versions, countries []string
	f.list(l.versions(), &versions)
	f.list(l.root, &countries)
	for _, name := range countries {
		f.country(name)
	}
	return f.files, f.indexes, errors.Join(f.errs...)
}

type follower struct {
	layout  *Layout
	read    func(string) ([]byte, error)
	files   []distribution.File
	indexes []string
	errs    []error
}

// list reads an index into a slice. It reports whether there is one.
func (f *follower) list(path string, list any) bool {
	name := f.layout.object(path)
	content, err := f.read(name)
	if err == nil {
		f.indexes = append(f.indexes, name)
		err = json.Unmarshal(content, list)
	}
	if err != nil {
		f.errs = append(f.errs, fmt.Errorf("%s: %w", name, err))
		return !errors.Is(err, fs.ErrNotExist)
	}
	return true
}

func (f *follower) country(name string) {
	var dates []string
	f.list(f.layout.dates(name), &dates)
	last := ""
	for _, date := range dates {
		f.file(f.layout.date(name, date))
		f.hours(name, date)
		last = max(last, date)
	}
	if next, err := time.Parse(time.DateOnly, last); err == nil {
		f.hours(name, next.AddDate(0, 0, 1).Format(time.DateOnly))
	}
}

func (f *follower) hours(name, date string) {
	before := len(f.errs)
	var hours []int
	if !f.list(f.layout.hours(name, date), &hours) {
		f.errs = f.errs[:before]
	}
	for _, h := range hours {
		f.file(fmt.Sprintf("%s/%0*d", f.layout.hours(name, date), f.layout.opts.HourDigits, h))
	}
}

// file adds the file that a path stands for.
func (f *follower) file(path string) {
	name := f.layout.object(path)
	file, ok := f.layout.Parse(name)
	if !ok {
		f.errs = append(f.errs, fmt.Errorf("%s: an index names it, and it is no archive of the layout", name))
		return
	}
	f.files = append(f.files, file)
}
