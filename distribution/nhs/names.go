package nhs

import (
	"strings"
	"time"

	"github.com/gaenkit/gaen/distribution"
)

// nameTime is how the end of a window stands in a name. A day ends at hour 00.
const nameTime = "2006010215"

// Prefix returns what all names begin with.
func (l *Layout) Prefix() string { return l.opts.Prefix + "/" }

// Object returns the name of a file, which is the end of its window, whole and not
// moved: distribution/daily/2020092200.zip is the 21st.
func (l *Layout) Object(f distribution.File) string {
	end := f.Window.Start.UTC().Add(lengthOf(f.Span) - l.offset)
	return l.Prefix() + f.Span + "/" + end.Format(nameTime) + ".zip"
}

func lengthOf(span string) time.Duration {
	if span == daily {
		return 24 * time.Hour
	}
	return 2 * time.Hour
}

// Parse returns the file of that name. It takes exactly the names that Object
// returns: no odd hour, no day that ends at noon, not the 30th of February.
func (l *Layout) Parse(name string) (distribution.File, bool) {
	rest, ok := strings.CutPrefix(name, l.Prefix())
	span, at, found := strings.Cut(rest, "/")
	if !ok || !found || span != daily && span != twoHourly {
		return distribution.File{}, false
	}
	end, err := time.Parse(nameTime, strings.TrimSuffix(at, ".zip"))
	length := lengthOf(span)
	if err != nil || !end.Truncate(length).Equal(end) {
		return distribution.File{}, false
	}
	end = end.Add(l.offset)
	f := distribution.File{
		Package: l.pkg, Span: span, Parts: 1,
		Window: distribution.Window{Start: end.Add(-length), End: end},
	}
	return f, l.Object(f) == name
}
