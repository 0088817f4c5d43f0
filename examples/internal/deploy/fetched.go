package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/gaenkit/gaen/storage"
)

// Limits are how much is read of a tree that may be anybody's; 0 is no limit.
type Limits struct {
	Objects int
	Bytes   int64
}

// ErrLimit says that a tree has more than is to be read of it.
var ErrLimit = errors.New("more than is to be read (-max-objects, -max-bytes)")

// Fetched is a bucket of which each object is read once: what has been read is kept in
// a temporary folder until it is closed, so that whoever looks at a tree in several
// ways asks its server once, and sees one state of every object. It only reads.
type Fetched struct {
	bucket storage.Bucket
	dir    string
	limits Limits
	tell   func(objects int, bytes int64)

	mu      sync.Mutex
	kept    map[string]kept
	objects int
	bytes   int64
}

// kept is what is known of an object that has been read.
type kept struct {
	file       string
	attributes storage.Attributes
}

// Fetch returns b, read once and within limits. tell, if it is not nil, is called
// after each object, one call at a time. Close removes what was kept.
func Fetch(b storage.Bucket, limits Limits, tell func(objects int, bytes int64)) (*Fetched, error) {
	dir, err := os.MkdirTemp("", "gaen-fetched-")
	if err != nil {
		return nil, err
	}
	if tell == nil {
		tell = func(int, int64) {}
	}
	return &Fetched{bucket: b, dir: dir, limits: limits, tell: tell, kept: map[string]kept{}}, nil
}

// Close removes what was kept.
func (f *Fetched) Close() error { return os.RemoveAll(f.dir) }

// Get opens an object.
func (f *Fetched) Get(ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
	f.mu.Lock()
	k, ok := f.kept[name]
	f.mu.Unlock()
	if !ok {
		var err error
		if k, err = f.fetch(ctx, name); err != nil {
			return nil, storage.Attributes{}, err
		}
	}
	file, err := os.Open(k.file)
	return file, k.attributes, err
}

// fetch reads an object. If another reader has been quicker, it is read twice and
// kept once.
func (f *Fetched) fetch(ctx context.Context, name string) (kept, error) {
	n, room, err := f.begin()
	if err != nil {
		return kept{}, err
	}
	body, a, err := f.bucket.Get(ctx, name)
	if err != nil {
		return kept{}, err
	}
	defer body.Close()
	k := kept{filepath.Join(f.dir, strconv.Itoa(n)), a}
	size, err := writeFile(k.file, io.LimitReader(body, room))
	if err != nil {
		return kept{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if first, ok := f.kept[name]; ok {
		return first, os.Remove(k.file)
	}
	if f.bytes += size; f.limits.Bytes > 0 && f.bytes > f.limits.Bytes {
		return kept{}, fmt.Errorf("%w: %d bytes", ErrLimit, f.limits.Bytes)
	}
	k.attributes.Size = size
	f.kept[name] = k
	f.tell(len(f.kept), f.bytes)
	return k, nil
}

// begin counts an object, and returns its number and how much of it may be read: one
// byte more than there is room for.
func (f *Fetched) begin() (n int, room int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.objects++
	if f.limits.Objects > 0 && f.objects > f.limits.Objects {
		return 0, 0, fmt.Errorf("%w: %d objects", ErrLimit, f.limits.Objects)
	}
	if room = 1 << 62; f.limits.Bytes > 0 {
		room = max(0, f.limits.Bytes-f.bytes) + 1
	}
	return f.objects, room, nil
}

func writeFile(path string, r io.Reader) (size int64, err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return io.Copy(file, r)
}

// List lists the bucket.
func (f *Fetched) List(ctx context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
	return f.bucket.List(ctx, prefix)
}

// Put is not possible.
func (f *Fetched) Put(context.Context, string, io.Reader, *storage.PutOptions) (storage.Attributes, error) {
	return storage.Attributes{}, errReadOnly
}

// Delete is not possible.
func (f *Fetched) Delete(context.Context, string) error { return errReadOnly }

// attributeless reports whether a bucket has no attributes, or not those that were given to
// its objects.
func attributeless(b storage.Bucket) bool {
	switch b := b.(type) {
	case *folder, *web:
		return true
	case *Fetched:
		return attributeless(b.bucket)
	}
	return false
}

// Listable reports whether a bucket can be listed.
func Listable(b storage.Bucket) bool {
	switch b := b.(type) {
	case *web:
		return false
	case *Fetched:
		return Listable(b.bucket)
	}
	return true
}
