package privacy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/keys"
)

// OfTree reports what can be had from the files of published trees, those of all
// layouts that a client can see, by taking one from another. Files of one window,
// such as parts, are taken for one. Snapshots are not read: two of them differ by
// what the files between them say.
func OfTree(ctx context.Context, trees []*distribution.Tree, opts *Options) (*Report, error) {
	o, err := settle(opts)
	if err != nil {
		return nil, err
	}
	r := &treeReading{opts: o, report: &Report{Of: "tree"}, findings: findings{}, index: map[keys.KeyData][]*set{}}
	for _, s := range r.arrange(trees) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r.forget(s.window.End.Add(-r.longest))
		if err := r.read(ctx, s); err != nil {
			return nil, err
		}
		r.enter(s)
	}
	r.forget(r.report.To.Add(r.longest))
	r.report.Findings = r.findings.list()
	r.report.Blind = r.blind()
	return r.report, nil
}

// treeReading is one reading of trees.
type treeReading struct {
	opts     Options
	report   *Report
	findings findings
	longest  time.Duration // of a window
	states   int           // files that are snapshots

	active []*set
	index  map[keys.KeyData][]*set // the active sets that have a key
}

// line is a kind of files: the windows of one span of a package of a tree.
type line struct {
	tree      int
	pkg, span string
}

// set is what the files of one window show of keys for the first time: the new
// ones of a base window, those of all its base windows of a roll-up.
type set struct {
	tree   *distribution.Tree
	line   line
	base   bool
	window distribution.Window
	files  []distribution.File

	keys   []keys.KeyData
	days   map[int]int  // how many of them begin on which day
	pieces map[line]int // how many windows of another tree it shares keys with
}

// where names the line of a set.
func (s *set) where() string {
	return s.tree.Layout().Name() + " " + s.line.pkg + " " + s.line.span
}

// arrange returns the sets that files form, without their keys: by the ends of
// their windows, the shorter of two that end together first, so that the base
// windows of a roll-up come before it.
func (r *treeReading) arrange(trees []*distribution.Tree) []*set {
	type place struct {
		line
		start, end int64
	}
	at := map[place]*set{}
	var all []*set
	for i, t := range trees {
		for _, f := range t.Files() {
			if t.Span(f).State {
				r.states++
				continue
			}
			p := place{line{i, f.Package, f.Span}, f.Window.Start.UnixNano(), f.Window.End.UnixNano()}
			s := at[p]
			if s == nil {
				s = &set{tree: t, line: p.line, base: t.Base(f), window: f.Window, pieces: map[line]int{}}
				at[p] = s
				all = append(all, s)
			}
			s.files = append(s.files, f)
			r.longest = max(r.longest, f.Window.End.Sub(f.Window.Start))
		}
	}
	slices.SortStableFunc(all, func(a, b *set) int {
		return cmp.Or(a.window.End.Compare(b.window.End), -a.window.Start.Compare(b.window.Start))
	})
	return all
}

// read reads the files of a set. What cannot be verified is left out: it is for
// [distribution.Verify] to find.
func (r *treeReading) read(ctx context.Context, s *set) error {
	r.report.From = earlierUnlessZero(r.report.From, s.window.Start)
	r.report.To = later(r.report.To, s.window.End)
	said := map[keys.KeyData]int{} // the day
	for _, f := range s.files {
		c, _, err := s.tree.Read(ctx, f)
		if err != nil {
			if ctx.Err() != nil || !errors.Is(err, distribution.ErrUnreadable) {
				return err
			}
			r.report.Unread++
			continue
		}
		r.report.Files++
		for i := range c.Keys {
			said[c.Keys[i].KeyData] = c.Keys[i].RollingStartIntervalNumber.Day()
		}
		for i := range c.RevisedKeys {
			if k := &c.RevisedKeys[i]; !s.base && r.shownIn(s, k.KeyData) {
				said[k.KeyData] = k.RollingStartIntervalNumber.Day() // shown and taken back within the roll-up
			}
		}
	}
	s.days = map[int]int{}
	for k, day := range said {
		s.keys = append(s.keys, k)
		s.days[day]++
	}
	return nil
}

func earlierUnlessZero(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return earlier(a, b)
}

// shownIn reports whether a base window of a roll-up has a key as new.
func (r *treeReading) shownIn(s *set, k keys.KeyData) bool {
	return slices.ContainsFunc(r.index[k], func(b *set) bool {
		return b.base && b.line.tree == s.line.tree && b.line.pkg == s.line.pkg &&
			!b.window.Start.Before(s.window.Start) && !b.window.End.After(s.window.End)
	})
}

// enter compares a set with those that it overlaps, and keeps it for the next.
// Sets that have no key in common need no comparison: what the one has and the
// other has not is the one.
func (r *treeReading) enter(s *set) {
	r.judgeLength(s)
	r.judgeSize(sizeOf{len(s.keys), s.where(), s.window, Warning})
	shared := map[*set]int{}
	for _, k := range s.keys {
		for _, other := range r.index[k] {
			shared[other]++
		}
		r.index[k] = append(r.index[k], s)
	}
	for other, n := range shared {
		if other.window.Start.Before(s.window.End) && s.window.Start.Before(other.window.End) {
			r.pair(s, other, n)
		}
	}
	r.active = append(r.active, s)
}

// pair judges what two overlapping sets form that have n keys in common.
func (r *treeReading) pair(a, b *set, n int) {
	severity := Warning
	if a.line.pkg != b.line.pkg {
		severity = Notice // packages that select other keys differ by those
	}
	for _, p := range [][2]*set{{a, b}, {b, a}} {
		has, hasNot := p[0], p[1]
		r.judgeSize(sizeOf{has.relevantTo(hasNot) - n, has.where() + " without " + hasNot.where(), has.window, severity})
	}
	r.judgeSize(sizeOf{n, a.where() + " and " + b.where(), a.window, severity})
	if a.base && b.base && a.line.tree != b.line.tree {
		a.pieces[b.line]++
		b.pieces[a.line]++
	}
}

// relevantTo returns how many keys of a set are of days that another can have: what
// it has not for their day, their day tells already.
func (s *set) relevantTo(other *set) (n int) {
	span := other.tree.Span(other.files[0])
	for day, count := range s.days {
		k := keys.TemporaryExposureKey{RollingStartIntervalNumber: keys.StartOfDay(day)}
		if span.Relevant(&k, other.window.End) {
			n += count
		}
	}
	return n
}

// forget drops the sets that end no later than t: no other overlaps them.
func (r *treeReading) forget(t time.Time) {
	kept := r.active[:0]
	for _, s := range r.active {
		if s.window.End.After(t) {
			kept = append(kept, s)
			continue
		}
		r.judgePieces(s)
		for _, k := range s.keys {
			r.index[k] = slices.DeleteFunc(r.index[k], func(other *set) bool { return other == s })
			if len(r.index[k]) == 0 {
				delete(r.index, k)
			}
		}
	}
	clear(r.active[len(kept):])
	r.active = kept
}

// sizeOf is the size of a set, and what forms it.
type sizeOf struct {
	keys     int
	of       string
	window   distribution.Window
	severity Severity
}

func (r *treeReading) judgeSize(s sizeOf) {
	if s.keys == 0 {
		return
	}
	if r.report.Smallest == nil || s.keys < r.report.Smallest.Keys {
		r.report.Smallest = &SmallestSet{s.keys, s.of + ", " + s.window.String()}
	}
	if s.keys >= r.opts.MinKeys {
		return
	}
	r.findings.add(Finding{
		Rule: RuleSmallSet, Severity: s.severity, Where: s.of, Worst: s.window,
		Measured: float64(s.keys), Limit: float64(r.opts.MinKeys), Unit: "keys",
		Detail: fmt.Sprintf("%d keys, want at least %d", s.keys, r.opts.MinKeys),
		Do:     "find out by a report of the ledger whether they had waited for the longest time, came by federation, or are what the selectors and maps of two packages differ in",
	}, -float64(s.keys))
}

// judgeLength finds windows shorter than the grid.
func (r *treeReading) judgeLength(s *set) {
	d := s.window.End.Sub(s.window.Start)
	if s.base && d < r.opts.Finest {
		r.finer(s, d, fmt.Sprintf("files of %s, less than %s", d, r.opts.Finest))
	}
}

// judgePieces finds base windows that those of another tree cut into more pieces than
// the grid has in them. On one grid of cuts windows may begin at other minutes, and
// each cut is whole in one of each.
func (r *treeReading) judgePieces(s *set) {
	d := s.window.End.Sub(s.window.Start)
	for other, n := range s.pieces {
		if most := int(max(1, d/r.opts.Finest)); n > most {
			r.finer(s, d/time.Duration(n), fmt.Sprintf("its keys are in %d windows of another layout (%s %s), %d at most on a grid of %s", n, other.pkg, other.span, most, r.opts.Finest))
		}
	}
}

func (r *treeReading) finer(s *set, d time.Duration, detail string) {
	r.findings.add(Finding{
		Rule: RuleFiner, Severity: Warning, Where: s.where(), Worst: s.window,
		Measured: d.Minutes(), Limit: r.opts.Finest.Minutes(), Unit: "minutes", Detail: detail,
		Do: "publish all layouts of one ledger by one grid of cuts of an hour or longer",
	}, -d.Minutes())
}

func (r *treeReading) blind() []string {
	blind := []string{
		"uploads: which keys came together, and so how many are alone with their onset date",
		"whether what is small had waited, came by federation, or is all there was; and whether a threshold is ever reached",
		"which keys are padding, and whether it stands out",
		"what was published and is gone: whoever kept it can take that from other files, too",
	}
	if r.states > 0 {
		blind = append(blind, fmt.Sprintf("%d snapshots, which were not read: two differ by what the files between them say", r.states))
	}
	if r.report.Unread > 0 {
		blind = append(blind, fmt.Sprintf("%d files, which could not be read", r.report.Unread))
	}
	return blind
}
