package distribution

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gaenkit/gaen/keys"
)

// A Difference is a window of which two trees say different things. The counts are
// of keys.
type Difference struct {
	Package string `json:"package"`
	Span    string `json:"span"`
	Window  Window `json:"window"`

	OnlyFirst  int    `json:"onlyFirst,omitempty"`  // that only the first has
	OnlySecond int    `json:"onlySecond,omitempty"` // that only the second has
	Otherwise  int    `json:"otherwise,omitempty"`  // that both have, with other metadata, or one as new and the other as revised
	Problem    string `json:"problem,omitempty"`    // with its bounds, or with reading it
}

// String returns the difference as a line.
func (d *Difference) String() string {
	s := fmt.Sprintf("%s %s %s: ", d.Package, d.Span, d.Window)
	if d.Problem != "" {
		return s + d.Problem
	}
	return s + fmt.Sprintf("%d keys only in the first, %d only in the second, %d otherwise", d.OnlyFirst, d.OnlySecond, d.Otherwise)
}

// A Comparison says in what two trees of one layout differ.
type Comparison struct {
	Windows     int          `json:"windows"` // that both have
	Keys        int          `json:"keys"`    // of those, in the first tree
	OnlyFirst   []Missing    `json:"onlyFirst"`
	OnlySecond  []Missing    `json:"onlySecond"`
	Differences []Difference `json:"differences"`
}

// Missing are windows that one of two trees has and the other has not.
type Missing struct {
	Package string `json:"package"`
	Span    string `json:"span"`
	Windows int    `json:"windows"`
	First   Window `json:"first"`
	Last    Window `json:"last"`
}

// String returns them as a line.
func (m *Missing) String() string {
	return fmt.Sprintf("%s %s: %d windows, %s to %s", m.Package, m.Span, m.Windows, m.First, m.Last)
}

// Equal reports whether the trees say the same.
func (c *Comparison) Equal() bool {
	return len(c.OnlyFirst)+len(c.OnlySecond)+len(c.Differences) == 0
}

// CompareTrees compares what two trees say, window by window: keys, revisions and
// bounds, whatever their files are called, signed with, or cut into. What is held is
// one window of each. The error is for what could not be read; a file that no phone
// could read is a difference.
func CompareTrees(ctx context.Context, first, second *Tree) (*Comparison, error) {
	c := &Comparison{OnlyFirst: []Missing{}, OnlySecond: []Missing{}, Differences: []Difference{}}
	if a, b := first.Layout().Name(), second.Layout().Name(); a != b {
		return nil, fmt.Errorf("distribution: trees of the layouts %s and %s", a, b)
	}
	have, others := first.windows(), second.windows()
	for _, w := range first.order() {
		if len(others[w]) == 0 {
			c.OnlyFirst = missing(c.OnlyFirst, w)
			continue
		}
		if err := c.compare(ctx, w, first.pile(have[w]), second.pile(others[w])); err != nil {
			return nil, err
		}
	}
	for _, w := range second.order() {
		if _, ok := have[w]; !ok {
			c.OnlySecond = missing(c.OnlySecond, w)
		}
	}
	return c, nil
}

// treeWindow is a window of a package's span.
type treeWindow struct {
	pkg, span string
	window    Window
}

func windowOf(f File) treeWindow { return treeWindow{f.Package, f.Span, f.Window} }

// windows returns the files of each window.
func (t *Tree) windows() map[treeWindow][]File {
	all := map[treeWindow][]File{}
	for _, f := range t.files {
		all[windowOf(f)] = append(all[windowOf(f)], f)
	}
	return all
}

// order returns the windows in the order of the files.
func (t *Tree) order() (windows []treeWindow) {
	seen := map[treeWindow]bool{}
	for _, f := range t.files {
		if w := windowOf(f); !seen[w] {
			seen[w] = true
			windows = append(windows, w)
		}
	}
	return windows
}

// missing adds a window to those that are missing of its span.
func missing(all []Missing, w treeWindow) []Missing {
	i := slices.IndexFunc(all, func(m Missing) bool { return m.Package == w.pkg && m.Span == w.span })
	if i < 0 {
		return append(all, Missing{Package: w.pkg, Span: w.span, Windows: 1, First: w.window, Last: w.window})
	}
	all[i].Windows++
	all[i].Last = w.window
	return all
}

// compare compares a window that both trees have.
func (c *Comparison) compare(ctx context.Context, w treeWindow, first, second *pile) error {
	d := Difference{Package: w.pkg, Span: w.span, Window: w.window}
	for _, p := range []*pile{first, second} {
		switch err := p.read(ctx); {
		case errors.Is(err, ErrUnreadable):
			d.Problem = err.Error()
		case err != nil:
			return err
		}
	}
	switch {
	case d.Problem != "":
	case first.window != second.window:
		d.Problem = fmt.Sprintf("the first covers %s, the second %s", first.window, second.window)
	default:
		d.count(first.keys, second.keys)
	}
	c.Windows++
	c.Keys += len(first.keys)
	if d.OnlyFirst+d.OnlySecond+d.Otherwise > 0 || d.Problem != "" {
		c.Differences = append(c.Differences, d)
	}
	return nil
}

// A pile is what the files of one window say together.
type pile struct {
	tree   *Tree
	files  []File
	window Window // as the first of them says
	keys   map[keys.KeyData]entry
}

func (t *Tree) pile(files []File) *pile {
	return &pile{tree: t, files: files, keys: map[keys.KeyData]entry{}}
}

func (p *pile) read(ctx context.Context) error {
	for i, f := range p.files {
		c, _, err := p.tree.Read(ctx, f)
		if err != nil {
			return err
		}
		if i == 0 {
			p.window = Window{c.Start.UTC(), c.End.UTC()}
		}
		enter(p.keys, c)
	}
	return nil
}

func (d *Difference) count(first, second map[keys.KeyData]entry) {
	for k, e := range first {
		switch other, ok := second[k]; {
		case !ok:
			d.OnlyFirst++
		case other != e:
			d.Otherwise++
		}
	}
	for k := range second {
		if _, ok := first[k]; !ok {
			d.OnlySecond++
		}
	}
}
