package storage

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
)

// Prefixed returns the part of b whose names begin with prefix, as a bucket of
// its own, in which they do not. The prefix ends in '/' and is a name without
// it: "DE/" or "tenants/7/". Errors name the objects as b knows them. What b
// can do beyond a Bucket, the view can too.
func Prefixed(b Bucket, prefix string) (Bucket, error) {
	if prefix == "" {
		return nil, fmt.Errorf("storage: prefix: %w: empty", ErrInvalidName)
	}
	if err := CheckPrefix(prefix); err != nil {
		return nil, fmt.Errorf("storage: prefix %w", err)
	}
	return &prefixed{b: b, prefix: prefix}, nil
}

type prefixed struct {
	b      Bucket
	prefix string
}

var (
	_ Bucket       = (*prefixed)(nil)
	_ Replacer     = (*prefixed)(nil)
	_ BatchDeleter = (*prefixed)(nil)
	_ Stater       = (*prefixed)(nil)
)

// cut returns a as the view shows it.
func (p *prefixed) cut(a Attributes) Attributes {
	a.Name = strings.TrimPrefix(a.Name, p.prefix)
	return a
}

func (p *prefixed) Get(ctx context.Context, name string) (io.ReadCloser, Attributes, error) {
	rc, a, err := Get(ctx, p.b, p.prefix+name)
	return rc, p.cut(a), err
}

func (p *prefixed) Put(ctx context.Context, name string, r io.Reader, opts *PutOptions) (Attributes, error) {
	a, err := Put(ctx, p.b, p.prefix+name, r, opts)
	return p.cut(a), err
}

func (p *prefixed) Delete(ctx context.Context, name string) error {
	return Delete(ctx, p.b, p.prefix+name)
}

func (p *prefixed) List(ctx context.Context, prefix string) iter.Seq2[Attributes, error] {
	return func(yield func(Attributes, error) bool) {
		for a, err := range List(ctx, p.b, p.prefix+prefix) {
			if !yield(p.cut(a), err) {
				return
			}
		}
	}
}

func (p *prefixed) Replace(ctx context.Context, name, etag string, r io.Reader, opts *PutOptions) (Attributes, error) {
	a, err := Replace(ctx, p.b, p.prefix+name, etag, r, opts)
	return p.cut(a), err
}

func (p *prefixed) DeleteAll(ctx context.Context, names []string) error {
	full := make([]string, len(names))
	for i, name := range names {
		full[i] = p.prefix + name
	}
	return DeleteAll(ctx, p.b, full)
}

func (p *prefixed) Stat(ctx context.Context, name string) (Attributes, error) {
	a, err := Stat(ctx, p.b, p.prefix+name)
	return p.cut(a), err
}
