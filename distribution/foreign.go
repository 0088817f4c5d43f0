package distribution

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/storage"
)

// checkForeign refuses a bucket in which the layout's names are used by somebody
// else, or by this ledger before it went back.
func (r *run) checkForeign(ctx context.Context) error {
	if err := r.checkNames(); err != nil {
		return err
	}
	planned := r.plannedNames()
	for name := range r.listed {
		if f, ours := r.layout.Parse(name); !ours || planned[name] || r.shares() && r.pkg(f.Package) == nil {
			continue
		}
		// Another run may have deleted it, and then its plan, since it was listed.
		if _, err := r.stat(ctx, name); errors.Is(err, errAbsent) {
			continue
		} else if err != nil {
			return err
		}
		return fmt.Errorf("%w: %s", ErrForeign, name)
	}
	return r.checkReplaced(ctx)
}

// checkNames refuses a layout that gives files other names than those by which they
// are there: indexes would name what is not. A tree that was moved as a whole is not
// there by its old names.
func (r *run) checkNames() error {
	for _, c := range r.state.plans {
		if !c.published() || r.pkg(c.pkg) == nil || r.span(c.Span).Length == 0 {
			continue
		}
		for i, f := range c.files() {
			if was, is := c.Objects[i].Name, r.layout.Object(f); was != is && r.isListed(was) {
				return fmt.Errorf("distribution: %s was published as that, and layout %s names it %s: what it names files by stays as it is; other names take an output, and a place, of their own",
					was, r.layout.Name(), is)
			}
		}
	}
	return nil
}

// plannedNames returns the names of all files that plans are about.
func (r *run) plannedNames() map[string]bool {
	names := map[string]bool{}
	for _, c := range r.state.plans {
		for _, f := range c.files() {
			names[r.layout.Object(f)] = true
		}
		if span, ok := openSpan(r.layout); ok { // also of a window that has no plan yet, or one without files
			names[r.openName(c.pkg, span, c.Start)] = true
		}
	}
	return names
}

// openName returns the name of the file of an open span that a time is in.
func (r *run) openName(pkg string, span Span, t time.Time) string {
	return r.layout.Object(File{Package: pkg, Span: span.Name, Window: windowAt(r.layout, span, t), Parts: 1})
}

// maxEvidence is how many archives are read that are not this ledger's before
// the bucket is taken for somebody else's.
const maxEvidence = 20

// checkReplaced refuses a bucket in which the names are those of plans and the
// archives are not: the tree of another ledger that publishes the same packages.
// One by one they would be taken for damaged, and written over. It looks only
// where not one archive with keys is as it was written; in a tree that was
// copied, ETags are others and contents the same.
func (r *run) checkReplaced(ctx context.Context) error {
	for _, c := range r.state.plans {
		if c.published() && c.telling() && r.intact(c) {
			return nil
		}
	}
	var first string
	evidence := 0
	for _, c := range r.state.plans {
		for _, o := range c.Objects {
			a, listed := r.listed[o.Name]
			if !listed || a.ETag == o.ETag && a.Size == o.Size {
				continue
			}
			switch whose, _, _, err := r.whose(ctx, o); {
			case err != nil:
				return err
			case whose == ours && c.telling():
				return nil
			case whose == others:
				if evidence++; evidence == 1 {
					first = o.Name
				}
			}
			if evidence == maxEvidence {
				return replacedError(first)
			}
		}
	}
	if evidence > 0 {
		return replacedError(first)
	}
	return nil
}

func replacedError(name string) error {
	return fmt.Errorf("%w: nothing is as it was published, and %s is somebody else's", ErrForeign, name)
}

// telling reports whether the plan's files tell this ledger's tree from another:
// windows without keys look the same in both.
func (p *plan) telling() bool {
	keys, revised := p.keys()
	return keys+revised > 0
}

// ownership is whose an archive is.
type ownership uint8

const (
	nobodys ownership = iota // damaged, or gone
	ours                     // a trusted key signed it, and it says what was published
	others                   // an archive with another content or another signature
)

// whose reads an object that is not as it was written.
func (r *run) whose(ctx context.Context, o object) (ownership, []byte, storage.Attributes, error) {
	content, attrs, err := r.get(ctx, o.Name, max(maxObject, 2*o.Size))
	switch {
	case errors.Is(err, errAbsent) || errors.Is(err, storage.ErrTooLarge):
		return nobodys, nil, attrs, nil
	case err != nil:
		return nobodys, nil, attrs, err
	}
	return r.whoseContent(o, content), content, attrs, nil
}

// whoseContent returns whose the content of an object is.
func (r *run) whoseContent(o object, content []byte) ownership {
	if e, ok := r.layout.(Encoder); ok {
		return whoseEncoded(e, o, content)
	}
	a, err := export.Open(bytes.NewReader(content), int64(len(content)), &export.ReadOptions{Format: r.layout.Archive().Format})
	if err != nil {
		return nobodys
	}
	digest := a.Info().SHA256
	if _, err := a.Verify(r.trusted, nil); err != nil || hex.EncodeToString(digest[:]) != o.SHA256 {
		return others
	}
	return ours
}
