package distribution

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
)

// VerifyOptions say what a published tree must meet.
type VerifyOptions struct {
	// Now and MaxAge ask for freshness: every package's newest base window must
	// have ended no longer than MaxAge before Now. A zero MaxAge asks nothing.
	Now    time.Time
	MaxAge time.Duration

	// Regions are what archives say of packages whose region is not their name.
	Regions map[string]string

	// NoAttributes says that the bucket has none, such as a copy of the tree in a
	// folder: what an [AttributeChecker] would look at is not there.
	NoAttributes bool

	Parallel int // archives read at the same time; 0 is 4
}

// A Finding is one thing that is wrong with a published tree.
type Finding struct {
	Object  string `json:"object"`
	Problem string `json:"problem"`
}

// String returns the object and what is wrong with it.
func (f Finding) String() string { return f.Object + ": " + f.Problem }

// A TreeReport is what a published tree was found to be.
type TreeReport struct {
	Indexes  int
	Archives int
	Keys     int // in base windows
	Revised  int
	Bytes    int64
	Newest   map[string]time.Time // the end of a package's newest base window
	Unlisted []string             // archives that no index names, such as those past their retention
	Findings []Finding
}

// Verify reads a published tree as a phone does, from its indexes down, and
// checks everything that can be checked from outside: that every file named is
// there, signed by a trusted key, and what its name says; that windows follow
// each other without a gap; that no two files of a package have the same bounds;
// that a day holds what its hours say. What is wrong is in the report; the error
// is for what could not be read.
func Verify(ctx context.Context, b storage.Bucket, layout Layout, trusted *signing.TrustList, opts *VerifyOptions) (*TreeReport, error) {
	v := &verifier{
		bucket:  b,
		layout:  layout,
		trusted: trusted,
		report:  &TreeReport{Newest: map[string]time.Time{}},
		read:    map[File]*export.Content{},
		latest:  map[line]time.Time{},
	}
	if opts != nil {
		v.opts = *opts
	}
	v.opts.Parallel = cmp.Or(v.opts.Parallel, 4)
	return v.report, v.verify(ctx)
}

type verifier struct {
	bucket  storage.Bucket
	layout  Layout
	trusted *signing.TrustList
	opts    VerifyOptions

	listed bool               // the layout has no indexes
	latest map[line]time.Time // where the newest window begins

	mu     sync.Mutex
	report *TreeReport
	read   map[File]*export.Content // base windows of the days that are being compared
	sums   map[File]string          // what the indexes of an [Encoder] say of files
}

func (v *verifier) found(object, format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Findings = append(v.report.Findings, Finding{object, fmt.Sprintf(format, args...)})
}

func (v *verifier) verify(ctx context.Context) error {
	files, err := v.follow(ctx)
	if err != nil {
		return err
	}
	if err := v.unlisted(ctx, files); err != nil {
		return err
	}
	v.sequences(files)
	v.freshness(files)
	v.noteLatest(files)
	for _, group := range v.groups(files) {
		if err := v.archives(ctx, group); err != nil {
			return err
		}
		v.compare(group)
	}
	slices.SortFunc(v.report.Findings, func(a, b Finding) int {
		return strings.Compare(a.String(), b.String())
	})
	return nil
}

// follow returns the files that the indexes name, or all where there are none.
func (v *verifier) follow(ctx context.Context) ([]File, error) {
	var failed error
	read := func(name string) ([]byte, error) {
		content, _, err := storage.ReadAll(ctx, v.bucket, name, maxObject)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = err
		}
		return content, err
	}
	files, indexes, err := v.survey(read)
	if errors.Is(err, ErrNoIndexes) {
		v.listed = true
		return v.list(ctx)
	}
	if failed != nil {
		return nil, failed
	}
	v.report.Indexes = len(indexes)
	if err != nil {
		v.found("indexes", "%v", err)
	}
	return files, nil
}

// list returns the files of a layout without indexes, by package, span and time.
func (v *verifier) list(ctx context.Context) ([]File, error) {
	var files []File
	for a, err := range storage.List(ctx, v.bucket, v.layout.Prefix()) {
		if err != nil {
			return nil, err
		}
		if f, ok := v.layout.Parse(a.Name); ok {
			files = append(files, f)
		}
	}
	slices.SortFunc(files, func(a, b File) int {
		return cmp.Or(cmp.Compare(a.Package, b.Package), cmp.Compare(a.Span, b.Span), a.Window.Start.Compare(b.Window.Start), cmp.Compare(a.Part, b.Part))
	})
	return files, nil
}

// unlisted notes the archives that no index names. They are no fault: those
// past their retention stay for a while. A bucket that cannot be listed, such as a
// server of the web, has none that anybody could find.
func (v *verifier) unlisted(ctx context.Context, files []File) error {
	named := map[string]bool{}
	for _, f := range files {
		named[v.layout.Object(f)] = true
	}
	for a, err := range storage.List(ctx, v.bucket, v.layout.Prefix()) {
		switch {
		case errors.Is(err, errors.ErrUnsupported) && !v.listed:
			return nil
		case err != nil:
			return err
		}
		if _, ok := v.layout.Parse(a.Name); ok && !named[a.Name] {
			v.report.Unlisted = append(v.report.Unlisted, a.Name)
		}
	}
	return nil
}

// sequences finds gaps and repetitions in the windows of each package.
func (v *verifier) sequences(files []File) {
	last := map[string]File{}
	for _, f := range files {
		line := f.Package + " " + f.Span
		before, ok := last[line]
		last[line] = f
		switch {
		case !ok || (f.Part > 0 || f.Kind > before.Kind) && f.Window == before.Window:
		case !f.Window.Start.After(before.Window.Start):
			v.found(v.layout.Object(f), "listed after %s, which is later", v.layout.Object(before))
		case f.Window.Start.After(before.Window.End) && !spanOf(v.layout, f.Span).State:
			v.found(v.layout.Object(f), "follows %s with a gap between", v.layout.Object(before))
		}
	}
}

func (v *verifier) freshness(files []File) {
	for _, f := range files {
		if f.Span == base(v.layout).Name && f.Window.End.After(v.report.Newest[f.Package]) {
			v.report.Newest[f.Package] = f.Window.End
		}
	}
	for pkg, end := range v.report.Newest {
		if v.opts.MaxAge > 0 && v.opts.Now.Sub(end) > v.opts.MaxAge {
			v.found(pkg, "the newest window ended at %s, more than %s ago", end.UTC().Format(time.RFC3339), v.opts.MaxAge)
		}
	}
}

// groups returns the files of each package and day, so that a roll-up can be
// compared with what it is made of.
func (v *verifier) groups(files []File) [][]File {
	var groups [][]File
	index := map[string]int{}
	for _, f := range files {
		day := f.Package + windowAt(v.layout, Span{Length: 24 * time.Hour}, f.Window.Start).String()
		i, ok := index[day]
		if !ok {
			i = len(groups)
			index[day] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], f)
	}
	return groups
}

// archives reads and verifies files, several at a time.
func (v *verifier) archives(ctx context.Context, files []File) error {
	clear(v.read)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(v.opts.Parallel)
	for _, f := range files {
		group.Go(func() error { return v.archive(ctx, f) })
	}
	return group.Wait()
}

func (v *verifier) archive(ctx context.Context, f File) error {
	name := v.layout.Object(f)
	content, attributes, err := storage.ReadAll(ctx, v.bucket, name, v.limit())
	switch {
	case errors.Is(err, fs.ErrNotExist) && v.listed:
		return nil // deleted since
	case errors.Is(err, fs.ErrNotExist):
		v.found(name, "an index names it, and it is not there")
		return nil
	case errors.Is(err, storage.ErrTooLarge):
		v.found(name, "%v", err)
		return nil
	case err != nil:
		return err
	}
	c, err := v.open(f, content)
	if checker, ok := v.layout.(AttributeChecker); ok && err == nil && !v.opts.NoAttributes {
		err = checker.CheckAttributes(content, attributes)
	}
	if err != nil {
		v.found(name, "%v", err)
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.read[f] = c
	v.report.Archives++
	v.report.Bytes += int64(len(content))
	if f.Span == base(v.layout).Name {
		v.report.Keys += len(c.Keys)
		v.report.Revised += len(c.RevisedKeys)
	}
	return nil
}

// open verifies one archive: its signatures, that it is what its name says, and
// that phones take everything in it.
func (v *verifier) open(f File, archive []byte) (*export.Content, error) {
	if e, ok := v.layout.(Encoder); ok {
		return v.openEncoded(e, f, archive)
	}
	a, err := export.Open(bytes.NewReader(archive), int64(len(archive)), &export.ReadOptions{Format: v.layout.Archive().Format, Hold: true})
	if err != nil {
		return nil, err
	}
	verified, err := a.Verify(v.trusted, v.expectation(f, a.Header()))
	if err != nil {
		return nil, err
	}
	unnamed := v.layout.Archive().NoRegion
	for _, r := range verified.Remarks {
		if r.Name != export.RemarkRegion || !unnamed {
			v.found(v.layout.Object(f), "%s: %s", r.Name, r.Detail)
		}
	}
	c, err := verified.Content()
	if err != nil {
		return nil, err
	}
	if unnamed {
		c.Region = f.Package
	}
	return c, c.Check()
}

// expectation returns what the header of a file must say.
func (v *verifier) expectation(f File, h export.Header) *export.Expectation {
	want := &export.Expectation{Region: f.Package, Start: f.Window.Start, End: f.Window.End.Add(time.Duration(f.Part) * time.Second)}
	if r, ok := v.opts.Regions[f.Package]; ok {
		want.Region = r
	}
	if v.layout.Archive().NoRegion {
		want.Region = ""
	}
	if v.isOpen(f, h.End) {
		want.End = h.End
	}
	return want
}

// noteLatest notes where the newest windows begin. The files are in the order of
// time.
func (v *verifier) noteLatest(files []File) {
	for _, f := range files {
		v.latest[line{f.Package, f.Span}] = f.Window.Start
	}
}

// isOpen reports whether a file may end there before its window does: if it is the
// newest of an open span, and a base window ends there.
func (v *verifier) isOpen(f File, end time.Time) bool {
	span, ok := openSpan(v.layout)
	return ok && f.Span == span.Name && f.Window.Start.Equal(v.latest[line{f.Package, f.Span}]) &&
		f.Window.Start.Before(end) && end.Before(f.Window.End) && f.Window.End.Sub(end)%base(v.layout).Length == 0
}
