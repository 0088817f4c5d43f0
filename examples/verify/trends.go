package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/gaenkit/gaen/distribution"
)

// A trend is what the base windows of one day of a package are together.
type trend struct {
	Day     string `json:"day"`
	Package string `json:"package"` // with the layout before it, if there are several
	Windows int    `json:"windows"`
	Keys    int    `json:"keys"`
	Revised int    `json:"revisedKeys"`
	Bytes   int64  `json:"bytes"`

	// Late is how many seconds after their windows' ends files were stored, on the
	// average, and Latest the most; nil if the store does not say when. Of a copy it
	// is when it was copied.
	Late   *float64 `json:"lateSeconds,omitempty"`
	Latest *float64 `json:"latestSeconds,omitempty"`

	dated int
	late  time.Duration
	most  time.Duration
}

// fileWindow is what several files of a package may be of.
type fileWindow struct {
	pkg    string
	window distribution.Window
}

// trendID names a trend.
type trendID struct{ day, pkg string }

// trends reads a tree and adds its days to those of others. What is held is the
// sums. Files that no phone could read are left out: they are found otherwise.
func trends(ctx context.Context, all map[trendID]*trend, t *distribution.Tree, name func(pkg string) string) error {
	var last fileWindow
	for _, f := range t.Files() {
		if !t.Base(f) {
			continue
		}
		c, a, err := t.Read(ctx, f)
		switch {
		case errors.Is(err, distribution.ErrUnreadable):
			continue
		case err != nil:
			return err
		}
		id := trendID{f.Window.End.Add(-1).UTC().Format(time.DateOnly), name(f.Package)}
		if all[id] == nil {
			all[id] = &trend{Day: id.day, Package: id.pkg}
		}
		d := all[id]
		d.Keys += len(c.Keys)
		d.Revised += len(c.RevisedKeys)
		d.Bytes += a.Size
		if w := (fileWindow{f.Package, f.Window}); w != last { // files of one window follow each other
			d.Windows++
			last = w
		}
		if !a.Modified.IsZero() {
			d.stored(a.Modified.Sub(f.Window.End))
		}
	}
	return nil
}

// stored notes how late a file was.
func (d *trend) stored(late time.Duration) {
	if d.dated == 0 || late > d.most {
		d.most = late
	}
	d.dated++
	d.late += late
	d.Late, d.Latest = new((d.late / time.Duration(d.dated)).Seconds()), new(d.most.Seconds())
}

// sorted returns trends by package and day.
func sorted(all map[trendID]*trend) []*trend {
	return slices.SortedFunc(maps.Values(all), func(a, b *trend) int {
		return cmp.Or(cmp.Compare(a.Package, b.Package), cmp.Compare(a.Day, b.Day))
	})
}

// table writes trends for people.
func table(w io.Writer, all []*trend) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "package\tday\twindows\tkeys\trevised\tbytes\tlate\tlatest\t")
	for _, d := range all {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\t\n", d.Package, d.Day, d.Windows, d.Keys, d.Revised, d.Bytes, lateness(d.Late), lateness(d.Latest))
	}
	t.Flush()
}

func lateness(seconds *float64) string {
	if seconds == nil {
		return "-"
	}
	return (time.Duration(*seconds) * time.Second).String()
}
