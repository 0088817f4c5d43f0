package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"sync"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/memstore"
)

// Overlay is a bucket as it would be: what is put or deleted stays in memory, and
// the bucket below is only read.
type Overlay struct {
	below storage.Bucket
	above *memstore.Bucket

	replacing sync.Mutex

	mu   sync.Mutex
	gone map[string]bool // of those below
}

var (
	_ storage.Bucket   = (*Overlay)(nil)
	_ storage.Stater   = (*Overlay)(nil)
	_ storage.Replacer = (*Overlay)(nil)
)

// NewOverlay returns one over a bucket.
func NewOverlay(below storage.Bucket) *Overlay {
	return &Overlay{below: below, above: memstore.New(nil), gone: map[string]bool{}}
}

// Get opens an object, of those above first.
func (o *Overlay) Get(ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
	body, a, err := storage.Get(ctx, o.above, name)
	if !errors.Is(err, fs.ErrNotExist) {
		return body, a, err
	}
	if o.isGone(name) {
		return nil, storage.Attributes{}, fs.ErrNotExist
	}
	return storage.Get(ctx, o.below, name)
}

// Stat implements [storage.Stater].
func (o *Overlay) Stat(ctx context.Context, name string) (storage.Attributes, error) {
	a, err := storage.Stat(ctx, o.above, name)
	if !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	if o.isGone(name) {
		return storage.Attributes{}, fs.ErrNotExist
	}
	return storage.Stat(ctx, o.below, name)
}

func (o *Overlay) isGone(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.gone[name]
}

// Put keeps an object in memory.
func (o *Overlay) Put(ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	if !opts.IfAbsent || o.isGone(name) {
		return storage.Put(ctx, o.above, name, r, opts)
	}
	switch _, err := storage.Stat(ctx, o.below, name); {
	case err == nil:
		return storage.Attributes{}, fmt.Errorf("%w: below", fs.ErrExist)
	case !errors.Is(err, fs.ErrNotExist):
		return storage.Attributes{}, err
	}
	return storage.Put(ctx, o.above, name, r, opts)
}

// Replace implements [storage.Replacer].
func (o *Overlay) Replace(ctx context.Context, name, etag string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	o.replacing.Lock() // of those with one ETag, one wins
	defer o.replacing.Unlock()
	a, err := o.Stat(ctx, name)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return storage.Attributes{}, err
	case err != nil || a.ETag != etag:
		return storage.Attributes{}, storage.ErrPrecondition
	}
	return storage.Put(ctx, o.above, name, r, opts)
}

// Changes returns the names of what was put, and of what was deleted and is there
// below.
func (o *Overlay) Changes(ctx context.Context) (put, deleted []string, err error) {
	for a, err := range storage.List(ctx, o.above, "") {
		if err != nil {
			return nil, nil, err
		}
		put = append(put, a.Name)
	}
	for a, err := range storage.List(ctx, o.below, "") {
		if err != nil {
			return nil, nil, err
		}
		if o.isGone(a.Name) && !slices.Contains(put, a.Name) {
			deleted = append(deleted, a.Name)
		}
	}
	return put, deleted, nil
}

// Delete has an object be gone.
func (o *Overlay) Delete(ctx context.Context, name string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gone[name] = true
	return storage.Delete(ctx, o.above, name)
}

// List yields the objects of both.
func (o *Overlay) List(ctx context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
	return func(yield func(storage.Attributes, error) bool) {
		all, err := o.all(ctx, prefix)
		if err != nil {
			yield(storage.Attributes{}, err)
			return
		}
		for _, a := range all {
			if !yield(a, nil) {
				return
			}
		}
	}
}

func (o *Overlay) all(ctx context.Context, prefix string) (all []storage.Attributes, err error) {
	above := map[string]bool{}
	for a, err := range storage.List(ctx, o.above, prefix) {
		if err != nil {
			return nil, err
		}
		above[a.Name] = true
		all = append(all, a)
	}
	for a, err := range storage.List(ctx, o.below, prefix) {
		if err != nil {
			return nil, err
		}
		if !above[a.Name] && !o.isGone(a.Name) {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, func(a, b storage.Attributes) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}
