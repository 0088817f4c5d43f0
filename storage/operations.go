package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"strings"
)

// Get opens the object for reading, and the caller closes it. If there is no
// such object, the error satisfies errors.Is(err, fs.ErrNotExist), and no
// other error does. A body that ends before its size gives
// [io.ErrUnexpectedEOF]; when ctx ends, so does the body. An object may be of
// any size; [ReadAll] reads one with a limit.
func Get(ctx context.Context, b Bucket, name string) (io.ReadCloser, Attributes, error) {
	if err := begin(ctx, name); err != nil {
		return nil, Attributes{}, fail(ctx, "get", name, err)
	}
	rc, a, err := b.Get(ctx, name)
	if err != nil {
		return nil, Attributes{}, fail(ctx, "get", name, err)
	}
	if a.Size < 0 {
		rc.Close()
		return nil, Attributes{}, fail(ctx, "get", name, fmt.Errorf("the bucket gave a size of %d bytes", a.Size))
	}
	a.Name = name
	return &body{ctx: ctx, name: name, rc: rc, left: a.Size}, a, nil
}

// ReadAll returns the object's content. If that is more than limit bytes, the
// error satisfies errors.Is(err, [ErrTooLarge]) and nothing is read.
func ReadAll(ctx context.Context, b Bucket, name string, limit int64) (content []byte, _ Attributes, err error) {
	rc, a, err := Get(ctx, b, name)
	if err != nil {
		return nil, Attributes{}, err
	}
	defer rc.Close()
	if a.Size > limit {
		err = fmt.Errorf("%w: %d bytes, want at most %d", ErrTooLarge, a.Size, limit)
		return nil, Attributes{}, fail(ctx, "get", name, err)
	}
	content = make([]byte, a.Size)
	if _, err := io.ReadFull(rc, content); err != nil {
		return nil, Attributes{}, fail(ctx, "get", name, err)
	}
	if err := atEnd(rc); err != nil {
		return nil, Attributes{}, fail(ctx, "get", name, err)
	}
	return content, a, nil
}

// Put stores all of r under name, or leaves what was there. With
// opts.IfAbsent, the error satisfies errors.Is(err, fs.ErrExist) if there is
// an object already. Any other error leaves open whether the object was
// stored, unless it is one of r. opts may be nil and is not kept; a read of r
// that blocks is not interrupted by ctx.
func Put(ctx context.Context, b Bucket, name string, r io.Reader, opts *PutOptions) (Attributes, error) {
	o, err := beginPut(ctx, name, opts)
	if err != nil {
		return Attributes{}, fail(ctx, "put", name, err)
	}
	a, err := b.Put(ctx, name, input(ctx, r), o)
	if err != nil {
		return Attributes{}, fail(ctx, "put", name, err)
	}
	return stored(a, name, o), nil
}

// Delete removes the object; it succeeds if there is none.
func Delete(ctx context.Context, b Bucket, name string) error {
	if err := begin(ctx, name); err != nil {
		return fail(ctx, "delete", name, err)
	}
	return fail(ctx, "delete", name, b.Delete(ctx, name))
}

// List yields the objects whose names begin with the bytes of prefix, in
// ascending byte order, each once, and stops after the first error. The prefix
// is any string and no directory: "hour/1" lists hour/1, hour/10 and hour/1/x.
// The empty prefix lists everything.
//
// Only Name, Size, ETag and Modified are set. What lies in the store under a
// name that [CheckName] refuses is left out, since it could not be read. There
// is no request before the sequence is ranged over, it may be ranged over
// again, and the loop may be left early.
func List(ctx context.Context, b Bucket, prefix string) iter.Seq2[Attributes, error] {
	return func(yield func(Attributes, error) bool) {
		last := ""
		for a, err := range listed(ctx, b, prefix) {
			if err == nil {
				err = checkListed(ctx, a.Name, prefix, last)
			}
			if err != nil {
				yield(Attributes{}, fail(ctx, "list", prefix, err))
				return
			}
			last = a.Name
			if !ValidName(a.Name) {
				continue
			}
			if !yield(Attributes{Name: a.Name, Size: a.Size, ETag: a.ETag, Modified: a.Modified}, nil) {
				return
			}
		}
	}
}

// listed is b.List, or ctx's error if that is over.
func listed(ctx context.Context, b Bucket, prefix string) iter.Seq2[Attributes, error] {
	if err := ctx.Err(); err != nil {
		return func(yield func(Attributes, error) bool) { yield(Attributes{}, err) }
	}
	return b.List(ctx, prefix)
}

// checkListed holds the order, because callers merge listings and some stores
// that speak S3 do not order theirs: a merge of such would delete at random.
func checkListed(ctx context.Context, name, prefix, last string) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !strings.HasPrefix(name, prefix):
		return fmt.Errorf("the bucket listed %q, which has another prefix", shown(name))
	case name <= last:
		return fmt.Errorf("the bucket listed %q after %q", shown(name), shown(last))
	default:
		return nil
	}
}

func begin(ctx context.Context, name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	return ctx.Err()
}

// beginPut is begin and returns opts checked, not nil, and of the bucket's own.
func beginPut(ctx context.Context, name string, opts *PutOptions) (*PutOptions, error) {
	if err := begin(ctx, name); err != nil {
		return nil, err
	}
	if opts == nil {
		return &PutOptions{}, nil
	}
	if err := opts.Check(); err != nil {
		return nil, err
	}
	o := *opts
	o.Metadata = maps.Clone(opts.Metadata)
	return &o, nil
}

// stored completes what the bucket said of an object that was just put.
func stored(a Attributes, name string, o *PutOptions) Attributes {
	a.Name = name
	a.ContentType, a.ContentEncoding, a.CacheControl = o.ContentType, o.ContentEncoding, o.CacheControl
	a.Metadata = nil
	if len(o.Metadata) > 0 {
		a.Metadata = maps.Clone(o.Metadata)
	}
	return a
}

// atEnd returns nil if r has nothing more to give.
func atEnd(r io.Reader) error {
	_, err := io.ReadFull(r, make([]byte, 1))
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
