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

// overlay is a bucket as it would be: what is put or deleted stays in memory, and
// the bucket below is only read.
type overlay struct {
	below storage.Bucket
	above *memstore.Bucket

	mu   sync.Mutex
	gone map[string]bool // of those below
}

var (
	_ storage.Bucket = (*overlay)(nil)
	_ storage.Stater = (*overlay)(nil)

	_ storage.Replacer = (*overlay)(nil)
)

func newOverlay(below storage.Bucket) *overlay {
	return &overlay{below: below, above: memstore.New(nil), gone: map[string]bool{}}
}

// Get opens an object, of those above first.
func (o *overlay) Get(ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
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
func (o *overlay) Stat(ctx context.Context, name string) (storage.Attributes, error) {
	a, err := storage.Stat(ctx, o.above, name)
	if !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	if o.isGone(name) {
		return storage.Attributes{}, fs.ErrNotExist
	}
	return storage.Stat(ctx, o.below, name)
}

func (o *overlay) isGone(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.gone[name]
}

// Put keeps an object in memory.
func (o *overlay) Put(ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
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

// Replace keeps an object in memory, if it is as it was read.
func (o *overlay) Replace(ctx context.Context, name, etag string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	had, err := o.Stat(ctx, name)
	if err != nil || had.ETag != etag {
		return storage.Attributes{}, fmt.Errorf("%w: it is another, or gone", storage.ErrPrecondition)
	}
	return storage.Put(ctx, o.above, name, r, opts)
}

// Delete has an object be gone.
func (o *overlay) Delete(ctx context.Context, name string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gone[name] = true
	return storage.Delete(ctx, o.above, name)
}

// List yields the objects of both.
func (o *overlay) List(ctx context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
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

func (o *overlay) all(ctx context.Context, prefix string) (all []storage.Attributes, err error) {
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
