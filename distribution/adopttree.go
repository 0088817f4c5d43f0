package distribution

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/signing"
)

// foreignTree is what another system has published.
type foreignTree struct {
	files   []*foreignFile         // by package, span and time
	indexes map[string]*indexEntry // by name
}

// foreignFile is one archive of it.
type foreignFile struct {
	File
	object
	content *export.Content
	signers []signing.Identity
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// read reads the tree: indexes, and every file of the publisher's packages.
func (a *adoption) read(ctx context.Context) error {
	a.tree = &foreignTree{indexes: map[string]*indexEntry{}}
	for _, name := range sortedKeys(a.listed) {
		f, ok := a.layout.Parse(name)
		switch {
		case !ok:
		case a.pkg(f.Package) != nil:
			a.tree.files = append(a.tree.files, &foreignFile{File: f, object: object{Name: name}})
		case !a.shares():
			a.refuse(name, "is of package %s, which is not published here", f.Package)
		}
	}
	if err := a.followIndexes(ctx); err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(a.opts.Parallel)
	for _, f := range a.tree.files {
		group.Go(func() error { return a.readFile(groupCtx, f) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	slices.SortFunc(a.tree.files, func(f, g *foreignFile) int {
		return cmp.Or(cmp.Compare(f.Package, g.Package), cmp.Compare(f.Span, g.Span), f.Window.Start.Compare(g.Window.Start))
	})
	if len(a.tree.files) == 0 && len(a.found.Refused) == 0 {
		a.refuse(a.layout.Prefix(), "has no file of the layout %s", a.layout.Name())
	}
	return a.refused()
}

// followIndexes reads the indexes, and refuses a tree of which they name what is not
// there. One that is missing, or that nobody could read, is written anew.
func (a *adoption) followIndexes(ctx context.Context) error {
	var failed error
	read := func(name string) ([]byte, error) {
		content, attrs, err := a.get(ctx, name, maxObject)
		switch {
		case err == nil:
			i := Index{Name: name, Content: content}
			a.tree.indexes[name] = &indexEntry{name: name, indexState: indexState{ETag: attrs.ETag, SHA256: i.digest()}}
		case !errors.Is(err, fs.ErrNotExist):
			failed = err
		}
		return content, err
	}
	files, _, err := a.layout.Follow(read)
	switch {
	case failed != nil:
		return failed
	case errors.Is(err, ErrNoIndexes):
		return nil
	case err != nil:
		a.found.Warnings = append(a.found.Warnings, "indexes: "+err.Error())
	}
	named := map[string]bool{}
	for _, f := range files {
		name := a.layout.Object(f)
		if a.pkg(f.Package) != nil && !a.isListed(name) && !named[name] {
			a.refuse(name, "an index names it, and it is not there")
		}
		named[name] = true
	}
	return a.ownIndexes(read)
}

// ownIndexes keeps the indexes that the layout would write over the files that are
// there, and no others: those are other people's.
func (a *adoption) ownIndexes(read func(string) ([]byte, error)) error {
	var files []File
	for _, f := range a.tree.files {
		files = append(files, f.File)
	}
	own := map[string]bool{}
	for _, i := range a.layout.Indexes(a.packageNames(), files) {
		own[i.Name] = true
		if _, known := a.tree.indexes[i.Name]; !known && a.isListed(i.Name) { // of hours that no day is listed for
			if _, err := read(i.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	maps.DeleteFunc(a.tree.indexes, func(name string, e *indexEntry) bool {
		return !own[name]
	})
	return nil
}

// readFile reads one archive, and refuses it unless it is what its name says, signed
// by somebody who is trusted.
func (a *adoption) readFile(ctx context.Context, f *foreignFile) error {
	body, attrs, err := a.get(ctx, f.Name, maxObject)
	switch {
	case errors.Is(err, errAbsent), err == nil && attrs.ETag != a.listed[f.Name].ETag:
		return fmt.Errorf("%w: %s", ErrChanged, f.Name)
	case err != nil:
		return fmt.Errorf("distribution: %s: %w", f.Name, err)
	}
	archive, err := export.Open(bytes.NewReader(body), int64(len(body)), &export.ReadOptions{Format: a.layout.Archive().Format})
	if err != nil {
		a.refuse(f.Name, "%v", err)
		return nil
	}
	verified, err := archive.Verify(a.trusted, a.expected(f))
	if err != nil {
		a.refuse(f.Name, "%v", err)
		return nil
	}
	if c, ok := a.layout.(AttributeChecker); ok {
		if err := c.CheckAttributes(body, attrs); err != nil {
			a.refuse(f.Name, "%v", err)
		}
	}
	if f.content, err = verified.Content(); err != nil {
		a.refuse(f.Name, "%v", err)
		return nil
	}
	if a.layout.Archive().NoRegion {
		f.content.Region = a.pkg(f.Package).region()
	}
	if n := len(f.content.RevisedKeys); n > 0 {
		a.refuse(f.Name, "has %d revised keys, of which only who wrote them knows what they were", n)
	}
	digest := archive.Info().SHA256
	f.object = object{Name: f.Name, ETag: attrs.ETag, Size: attrs.Size, SHA256: hex.EncodeToString(digest[:])}
	f.signers = verified.SignedBy
	return nil
}

// expected returns what the header of a file must say. An open file may end with
// what is in it, or with its window.
func (a *adoption) expected(f *foreignFile) *export.Expectation {
	want := &export.Expectation{Region: a.pkg(f.Package).region(), Start: f.Window.Start, End: f.Window.End}
	if a.layout.Archive().NoRegion {
		want.Region = ""
	}
	if a.span(f.Span).Open {
		want.End = time.Time{}
	}
	return want
}
