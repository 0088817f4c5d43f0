package storagetest

import (
	"context"
	"errors"
	"io"
	"iter"
	"testing"

	"github.com/gaenkit/gaen/storage"
)

func TestPrefixedIsAWrapper(t *testing.T) {
	TestWrapper(t, func(b storage.Bucket) storage.Bucket { return prefixed(t, b) })
}

func TestFaultyIsAWrapper(t *testing.T) {
	TestWrapper(t, func(b storage.Bucket) storage.Bucket { return Faulty(b, nil) })
}

// bareWrapper forwards the four methods only, and is made worse by what is in it.
type bareWrapper struct{ storage.Bucket }

// replacingWrapper falls back to an unconditional put.
type replacingWrapper struct{ storage.Bucket }

func (w replacingWrapper) Replace(ctx context.Context, name, etag string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	a, err := storage.Replace(ctx, w.Bucket, name, etag, r, opts)
	if errors.Is(err, errors.ErrUnsupported) {
		return w.Put(ctx, name, r, opts)
	}
	return a, err
}

// assertingWrapper takes for granted that what it wraps can do everything.
type assertingWrapper struct{ storage.Bucket }

func (w assertingWrapper) DeleteAll(ctx context.Context, names []string) error {
	d, ok := w.Bucket.(storage.BatchDeleter)
	if !ok {
		return errors.New("cannot delete")
	}
	return d.DeleteAll(ctx, names)
}

// forgettingWrapper passes on half of the options.
type forgettingWrapper struct{ storage.Bucket }

func (w forgettingWrapper) Put(ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	return w.Bucket.Put(ctx, name, r, &storage.PutOptions{ContentType: opts.ContentType, ContentEncoding: opts.ContentEncoding, CacheControl: opts.CacheControl, Metadata: opts.Metadata})
}

// opaqueWrapper makes new errors of those it gets.
type opaqueWrapper struct{ storage.Bucket }

func opaque(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(err.Error())
}

func (w opaqueWrapper) Get(ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
	rc, a, err := w.Bucket.Get(ctx, name)
	return rc, a, opaque(err)
}

func (w opaqueWrapper) List(ctx context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
	return func(yield func(storage.Attributes, error) bool) {
		for a, err := range w.Bucket.List(ctx, prefix) {
			if !yield(a, opaque(err)) {
				return
			}
		}
	}
}

func TestWrapperClausesCatch(t *testing.T) {
	broken := map[string]func(storage.Bucket) storage.Bucket{
		"wrapper-forwards-capabilities": func(b storage.Bucket) storage.Bucket { return bareWrapper{b} },
		"wrapper-without-replace":       func(b storage.Bucket) storage.Bucket { return replacingWrapper{b} },
		"wrapper-falls-back":            func(b storage.Bucket) storage.Bucket { return assertingWrapper{b} },
		"wrapper-forwards-options":      func(b storage.Bucket) storage.Bucket { return forgettingWrapper{b} },
		"wrapper-forwards-errors":       func(b storage.Bucket) storage.Bucket { return opaqueWrapper{b} },
	}
	for _, c := range wrapperClauses {
		if broken[c.name] == nil {
			t.Errorf("no broken wrapper shows that %q catches anything", c.name)
			continue
		}
		if err := c.check(t.Context(), broken[c.name]); err == nil {
			t.Errorf("the clause %q passes a wrapper that breaks it", c.name)
		}
	}
}
