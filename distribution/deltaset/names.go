package deltaset

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
)

// Names of indexes.
const (
	sumsName        = "SHA256SUMS"
	signatureSuffix = ".sig"
	latestName      = "latest"
	packagesName    = "packages"
)

// The folders of a delta set.
const (
	exposures   = "exposures"
	retractions = "retractions"
	active      = "active" // by day
	retracted   = "retracted"
)

// folders returns those of the deltas: what was exposed first.
func (f Files) folders() [2]string {
	if f == ByDay {
		return [2]string{active, retracted}
	}
	return [2]string{exposures, retractions}
}

// subfolder returns the folder of a tree whose interval is not the first.
func subfolder(d time.Duration) string { return fmt.Sprintf("i%d", int64(d/time.Second)) }

// signatureName returns the name of a signature beside SHA256SUMS; of the zero
// identity, that which everybody looks for first.
func signatureName(id signing.Identity) string {
	if id == (signing.Identity{}) {
		return sumsName + signatureSuffix
	}
	return sumsName + "." + id.String() + signatureSuffix
}

// A grid is what gives the files of one tree their names.
type grid struct {
	interval time.Duration
	files    Files
}

// numberOf returns the number of the interval that ends at end.
func (g grid) numberOf(end time.Time) int64 { return end.Unix()/int64(g.interval/time.Second) - 1 }

// endOf returns the end of interval n.
func (g grid) endOf(n int64) time.Time {
	return time.Unix((n+1)*int64(g.interval/time.Second), 0).UTC()
}

// place is where a file of a tree lies, and what it is of.
type place struct {
	folder string
	n      int64
	day    int // by day, outside snapshots
}

// path returns the name of a file below the tree's folder.
func (g grid) path(p place) string {
	if g.files != ByDay {
		return p.folder + "/" + strconv.FormatInt(p.n, 10)
	}
	stamp := g.endOf(p.n).Format(g.stamp())
	if p.folder == snapshot {
		return p.folder + "/" + stamp + ".gz"
	}
	return fmt.Sprintf("%s/%s-%d.gz", p.folder, stamp, p.day)
}

// stamp returns how the end of an interval stands in names by day.
func (g grid) stamp() string {
	if g.interval%time.Hour == 0 {
		return "06010215"
	}
	return "0601021504"
}

// parse is the inverse of path: it takes nothing that path does not return.
func (g grid) parse(path string) (place, bool) {
	folder, name, ok := strings.Cut(path, "/")
	if !ok {
		return place{}, false
	}
	p := place{folder: folder}
	folders := g.files.folders()
	if folder != snapshot && folder != folders[0] && folder != folders[1] {
		return place{}, false
	}
	if g.files == ByDay {
		stamp, ofDay, dayed := strings.Cut(strings.TrimSuffix(name, ".gz"), "-")
		end, err := time.Parse(g.stamp(), stamp)
		if err != nil {
			return place{}, false
		}
		p.n = g.numberOf(end)
		if dayed {
			p.day, _ = strconv.Atoi(ofDay)
		}
	} else if p.n, _ = strconv.ParseInt(name, 10, 64); p.n > maxNumber {
		return place{}, false
	}
	return p, p.n >= 0 && p.day >= 0 && g.path(p) == path
}

// maxNumber is more than the number of any minute.
const maxNumber = 1 << 40

func (l *Layout) grid() grid { return grid{l.opts.Interval, l.opts.Files} }

// Prefix returns what all names begin with.
func (l *Layout) Prefix() string { return l.opts.Prefix + "/" }

// root returns the folder of a package's tree, with a slash.
func (l *Layout) root(pkg string) string {
	if l.opts.Subfolder {
		return l.Prefix() + pkg + "/" + subfolder(l.opts.Interval) + "/"
	}
	return l.Prefix() + pkg + "/"
}

// packages returns the name of the list of packages.
func (l *Layout) packages() string {
	if l.opts.Subfolder {
		return l.Prefix() + packagesName + "." + subfolder(l.opts.Interval)
	}
	return l.Prefix() + packagesName
}

// Object returns the name of a file. A snapshot has the number of the last
// interval that it knows of.
func (l *Layout) Object(f distribution.File) string {
	return l.root(f.Package) + l.grid().path(l.placeOf(f))
}

func (l *Layout) placeOf(f distribution.File) place {
	p := place{folder: snapshot, n: l.grid().numberOf(f.Window.End)}
	if f.Span != snapshot {
		folder, ofDay, _ := strings.Cut(f.Kind, "-")
		p.folder = folder
		p.day, _ = strconv.Atoi(ofDay)
	}
	return p
}

// Parse returns the file of that name. It takes exactly the names that Object
// returns.
func (l *Layout) Parse(name string) (distribution.File, bool) {
	rest, ok := strings.CutPrefix(name, l.Prefix())
	if !ok {
		return distribution.File{}, false
	}
	pkg, _, _ := strings.Cut(rest, "/")
	if r, err := keys.ParseRegion(pkg); err != nil || r.String() != pkg {
		return distribution.File{}, false
	}
	path, ok := strings.CutPrefix(name, l.root(pkg))
	if !ok {
		return distribution.File{}, false
	}
	p, ok := l.grid().parse(path)
	if !ok {
		return distribution.File{}, false
	}
	return l.fileAt(pkg, p)
}

func (l *Layout) fileAt(pkg string, p place) (distribution.File, bool) {
	end := l.grid().endOf(p.n)
	f := distribution.File{Package: pkg, Span: interval, Parts: 1}
	length := l.opts.Interval
	if p.folder == snapshot {
		f.Span, length = snapshot, l.opts.Snapshot
	} else {
		f.Kind = p.folder
		if l.opts.Files == ByDay {
			f.Kind += "-" + strconv.Itoa(p.day)
		}
	}
	f.Window = distribution.Window{Start: end.Add(-length), End: end}
	return f, end.Truncate(length).Equal(end)
}
