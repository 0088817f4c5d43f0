package cwa

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/gaenkit/gaen/distribution"
)

// Indexes returns the lists of hours, days, countries and versions, in this
// order: JSON arrays, ascending, without spaces; hours are numbers. A country's
// days are those with an archive of the whole day, so the present day is not
// among them; its hours are listed all the same, and apps ask for them by the
// date. The lists of countries and versions are left out where they are shared.
func (l *Layout) Indexes(packages []string, listed []distribution.File) []distribution.Index {
	t := tree{}
	for _, pkg := range packages {
		t[pkg] = country{hours: map[string][]int{}}
	}
	for _, f := range listed {
		t.add(l, f)
	}
	return l.indexes(t)
}

// tree is what is listed, by country.
type tree map[string]country

type country struct {
	days  []string
	hours map[string][]int // by date
}

func (t tree) add(l *Layout, f distribution.File) {
	c := t[f.Package]
	date := l.dateOf(f.Window)
	if f.Span == day {
		c.days = append(c.days, date)
	} else {
		c.hours[date] = append(c.hours[date], l.hourOf(f.Window))
	}
	t[f.Package] = c
}

func (l *Layout) indexes(t tree) []distribution.Index {
	var indexes []distribution.Index
	add := func(path string, list any) {
		indexes = append(indexes, distribution.Index{Name: l.object(path), Content: encode(list)})
	}
	countries := slices.Sorted(maps.Keys(t))
	for _, name := range countries {
		for _, date := range slices.Sorted(maps.Keys(t[name].hours)) {
			hours := t[name].hours[date]
			slices.Sort(hours)
			add(l.hours(name, date), hours)
		}
	}
	for _, name := range countries {
		slices.Sort(t[name].days)
		add(l.dates(name), append([]string{}, t[name].days...))
	}
	if l.opts.Shared {
		return indexes
	}
	add(l.root, countries)
	add(l.versions(), []string{l.opts.Path.VersionName})
	return indexes
}

// encode returns a list as JSON, without the newline that an encoder adds.
func encode(list any) []byte {
	b, err := json.Marshal(list)
	if err != nil {
		panic("cwa: index: " + err.Error()) // lists of strings and numbers
	}
	return b
}
