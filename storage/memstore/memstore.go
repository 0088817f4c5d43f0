package memstore

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gaenkit/gaen/storage"
)

// Options are the settings of a [Bucket]; nil and the zero value are the
// defaults.
type Options struct {
	// Now is the clock behind Attributes.Modified; [time.Now] if nil.
	Now func() time.Time
}

// Bucket is a bucket in memory. Use [New].
type Bucket struct {
	now func() time.Time

	mu      sync.RWMutex
	objects map[string]object
}

// object is one version of one object; it is never changed.
type object struct {
	attrs storage.Attributes
	data  []byte
}

var (
	_ storage.Bucket       = (*Bucket)(nil)
	_ storage.Replacer     = (*Bucket)(nil)
	_ storage.BatchDeleter = (*Bucket)(nil)
	_ storage.Stater       = (*Bucket)(nil)
)

// New returns an empty bucket.
func New(opts *Options) *Bucket {
	b := &Bucket{now: time.Now, objects: make(map[string]object)}
	if opts != nil && opts.Now != nil {
		b.now = opts.Now
	}
	return b
}

func (b *Bucket) find(name string) (object, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	o, ok := b.objects[name]
	if !ok {
		return object{}, fs.ErrNotExist
	}
	return o, nil
}

// attributes returns o's with a map of the caller's own.
func (o object) attributes() storage.Attributes {
	a := o.attrs
	a.Metadata = maps.Clone(a.Metadata)
	return a
}

// Get implements [storage.Bucket].
func (b *Bucket) Get(_ context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
	o, err := b.find(name)
	if err != nil {
		return nil, storage.Attributes{}, err
	}
	// Only Read: the WriterTo of a bytes.Reader would hand out our own bytes.
	body := struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(o.data), io.NopCloser(nil)}
	return body, o.attributes(), nil
}

// Stat implements [storage.Stater].
func (b *Bucket) Stat(_ context.Context, name string) (storage.Attributes, error) {
	o, err := b.find(name)
	if err != nil {
		return storage.Attributes{}, err
	}
	return o.attributes(), nil
}

// Put implements [storage.Bucket].
func (b *Bucket) Put(ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	return b.put(ctx, name, r, opts, func(_ object, exists bool) error {
		if exists && opts.IfAbsent {
			return fs.ErrExist
		}
		return nil
	})
}

// Replace implements [storage.Replacer].
func (b *Bucket) Replace(ctx context.Context, name, etag string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	return b.put(ctx, name, r, opts, func(old object, exists bool) error {
		switch {
		case !exists:
			return fmt.Errorf("%w: there is none", storage.ErrPrecondition)
		case old.attrs.ETag != etag:
			return fmt.Errorf("%w: its ETag is %s, expected %s", storage.ErrPrecondition, old.attrs.ETag, etag)
		default:
			return nil
		}
	})
}

// put stores r's content if allowed has nothing against it. All of r is read
// before anything is looked at, so that the decision and the change are one
// step.
func (b *Bucket) put(ctx context.Context, name string, r io.Reader, opts *storage.PutOptions, allowed func(old object, exists bool) error) (storage.Attributes, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return storage.Attributes{}, err
	}
	o := newObject(name, data, opts)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return storage.Attributes{}, err
	}
	old, exists := b.objects[name]
	if err := allowed(old, exists); err != nil {
		return storage.Attributes{}, err
	}
	o.attrs.Modified = b.now().UTC().Round(0) // comparable: no monotonic clock
	b.objects[name] = o
	return o.attributes(), nil
}

func newObject(name string, data []byte, opts *storage.PutOptions) object {
	a := storage.Attributes{
		Name:            name,
		Size:            int64(len(data)),
		ETag:            etag(data, opts),
		ContentType:     opts.ContentType,
		ContentEncoding: opts.ContentEncoding,
		CacheControl:    opts.CacheControl,
	}
	if len(opts.Metadata) > 0 {
		a.Metadata = maps.Clone(opts.Metadata)
	}
	return object{attrs: a, data: data}
}

// Delete implements [storage.Bucket].
func (b *Bucket) Delete(_ context.Context, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.objects, name)
	return nil
}

// DeleteAll implements [storage.BatchDeleter].
func (b *Bucket) DeleteAll(_ context.Context, names []string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range names {
		delete(b.objects, name)
	}
	return nil
}

// List implements [storage.Bucket]. It lists the bucket as it is when the
// sequence is ranged over.
func (b *Bucket) List(_ context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
	return func(yield func(storage.Attributes, error) bool) {
		for _, a := range b.snapshot(prefix) {
			if !yield(a, nil) {
				return
			}
		}
	}
}

func (b *Bucket) snapshot(prefix string) []storage.Attributes {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var all []storage.Attributes
	for name, o := range b.objects {
		if strings.HasPrefix(name, prefix) {
			all = append(all, o.attributes())
		}
	}
	slices.SortFunc(all, func(x, y storage.Attributes) int { return strings.Compare(x.Name, y.Name) })
	return all
}
