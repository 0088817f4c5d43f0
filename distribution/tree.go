package distribution

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
)

// A Tree reads what is published in one layout, file by file, as a phone finds it:
// for whoever wants to know what it says, and not only whether it is right, which
// is [Verify]'s to find. It holds the list of files and no content. Its methods may
// be called from several goroutines at once.
type Tree struct {
	v     verifier
	files []File
}

// OpenTree finds the files of a tree: those that its indexes name, or all where
// there are none. Of opts it takes Regions alone. What is wrong with the indexes
// does not keep it from what they name; [Tree.Findings] has it. The error is for
// what could not be read.
func OpenTree(ctx context.Context, b storage.Bucket, layout Layout, trusted *signing.TrustList, opts *VerifyOptions) (*Tree, error) {
	t := &Tree{v: verifier{bucket: b, layout: layout, trusted: trusted, report: &TreeReport{}, latest: map[line]time.Time{}}}
	if opts != nil {
		t.v.opts = *opts
	}
	var err error
	if t.files, err = t.v.follow(ctx); err != nil {
		return nil, err
	}
	t.v.noteLatest(t.files)
	return t, nil
}

// Layout returns the layout of the tree.
func (t *Tree) Layout() Layout { return t.v.layout }

// Files returns the files, each package's and span's in the order of time.
func (t *Tree) Files() []File { return slices.Clone(t.files) }

// Findings returns what was found to be wrong with the indexes when the tree was
// opened.
func (t *Tree) Findings() []Finding {
	t.v.mu.Lock()
	defer t.v.mu.Unlock()
	return slices.Clone(t.v.report.Findings)
}

// Base reports whether a file is of a base window, and not a roll-up or a state.
func (t *Tree) Base(f File) bool { return f.Span == base(t.v.layout).Name }

// Span returns the span of a file.
func (t *Tree) Span(f File) Span { return spanOf(t.v.layout, f.Span) }

// ErrUnreadable: a file of a tree is not there, not signed by a trusted key, or not
// what its name says.
var ErrUnreadable = errors.New("distribution: not a file that a phone would read")

// Read returns what a file says, and its attributes, with its size as it was read. The
// content is the caller's. If no phone could read it, the error names it and satisfies
// errors.Is(err, [ErrUnreadable]); any other is of the bucket.
func (t *Tree) Read(ctx context.Context, f File) (*export.Content, storage.Attributes, error) {
	name := t.v.layout.Object(f)
	stored, attrs, err := storage.ReadAll(ctx, t.v.bucket, name, t.v.limit())
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, storage.ErrTooLarge):
		return nil, storage.Attributes{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	case err != nil:
		return nil, storage.Attributes{}, err
	}
	c, err := t.v.open(f, stored)
	if err != nil {
		return nil, storage.Attributes{}, fmt.Errorf("%w: %s: %w", ErrUnreadable, name, err)
	}
	attrs.Size = int64(len(stored))
	return c, attrs, nil
}
