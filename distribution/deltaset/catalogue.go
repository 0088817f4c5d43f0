package deltaset

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/signing"
)

// Catalogue returns the indexes: for each package, SHA256SUMS of its folders and
// then of all, each before its signatures, then latest; and last the list of the
// packages. A package of which no interval is published has none.
func (l *Layout) Catalogue(c *distribution.Catalogue) []distribution.Index {
	var indexes []distribution.Index
	packages := slices.Sorted(slices.Values(c.Packages))
	var list strings.Builder
	for _, pkg := range packages {
		sums := l.sumsOf(c, pkg)
		if sums == nil {
			continue
		}
		list.WriteString(pkg + "\n")
		folders := l.opts.Files.folders()
		for _, folder := range []string{folders[0], folders[1], snapshot, "."} {
			indexes = append(indexes, l.signed(sums.of(folder), c.Signers)...)
		}
		indexes = append(indexes, distribution.Index{
			Name:    l.root(pkg) + latestName,
			Content: strconv.AppendInt(nil, sums.Newest, 10),
		})
		last := &indexes[len(indexes)-1]
		last.Content = append(last.Content, '\n')
	}
	return append(indexes, distribution.Index{Name: l.packages(), Content: []byte(list.String())})
}

// sumsOf returns the sums of all files of a package, nil if there is no interval.
func (l *Layout) sumsOf(c *distribution.Catalogue, pkg string) *Sums {
	s := &Sums{
		Ledger:   c.Ledger.String(),
		Package:  pkg,
		Folder:   ".",
		Interval: l.opts.Interval,
		Files:    l.opts.Files,
		Days:     l.opts.Days,
		Newest:   -1,
		Snapshot: -1,
		Next:     l.opts.Next,
	}
	places := map[place]string{}
	for _, f := range c.Files {
		if f.Package != pkg {
			continue
		}
		p := l.placeOf(f.File)
		places[p] = f.SHA256
		if f.Span == snapshot {
			s.Snapshot = max(s.Snapshot, p.n)
		} else if p.n > s.Newest {
			s.Newest, s.Made = p.n, f.Completed
		}
	}
	if s.Newest < 0 {
		return nil
	}
	for _, p := range slices.SortedFunc(maps.Keys(places), place.compare) {
		s.Entries = append(s.Entries, Entry{places[p], l.grid().path(p)})
	}
	return s
}

// of returns the sums of one folder.
func (s *Sums) of(folder string) *Sums {
	if folder == "." {
		return s
	}
	part := *s
	part.Folder, part.Entries = folder, nil
	for _, e := range s.Entries {
		if name, ok := strings.CutPrefix(e.Path, folder+"/"); ok {
			part.Entries = append(part.Entries, Entry{e.SHA256, name})
		}
	}
	return &part
}

// signed returns a SHA256SUMS and its signatures. While keys overlap, the one
// without a name stays by the older, for whoever has only that; each has one by
// its name.
func (l *Layout) signed(s *Sums, signers []signing.Identity) []distribution.Index {
	text, at := s.text(), l.root(s.Package)
	if s.Folder != "." {
		at += s.Folder + "/"
	}
	indexes := []distribution.Index{{Name: at + sumsName, Content: text}}
	sign := func(as, by signing.Identity) {
		indexes = append(indexes, distribution.Index{Name: at + signatureName(as), Content: text, SignedBy: by})
	}
	if len(signers) > 1 {
		for _, id := range signers {
			sign(id, id)
		}
	}
	sign(signing.Identity{}, signers[len(signers)-1])
	return indexes
}
