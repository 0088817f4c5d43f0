package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/memstore"
)

// A wrapperClause is a clause about what a wrapper makes of what it wraps.
type wrapperClause struct {
	name  string
	must  string
	check func(ctx context.Context, wrap func(storage.Bucket) storage.Bucket) error
}

var wrapperClauses = []wrapperClause{
	{"wrapper-forwards-capabilities", "What the wrapped bucket can do beyond a Bucket, the wrapper must do by it: one Replace, DeleteAll or Stat is one there.", forwardsCapabilities},
	{"wrapper-without-replace", "Around a bucket without Replace, Replace must satisfy errors.Is(err, errors.ErrUnsupported) and put nothing.", withoutReplace},
	{"wrapper-falls-back", "Around a bucket without DeleteAll and Stat, the wrapper's must work by Delete and Get.", fallsBack},
	{"wrapper-forwards-options", "The wrapper must pass on all of PutOptions, conditions and ACL too.", forwardsOptions},
	{"wrapper-forwards-errors", "The wrapper must keep what errors.Is and storage.Retryable say of the wrapped bucket's errors.", forwardsErrors},
}

// TestWrapper checks that the wrapper that wrap puts around a bucket forwards
// what that bucket can do beyond a [storage.Bucket], its options and its
// errors. Run [Test] on a wrapper around a memstore for the rest.
func TestWrapper(t *testing.T, wrap func(storage.Bucket) storage.Bucket) {
	for _, c := range wrapperClauses {
		t.Run(c.name, func(t *testing.T) {
			if err := c.check(t.Context(), wrap); err != nil {
				t.Errorf("%v\n\tclause: %s", err, c.must)
			}
		})
	}
}

func forwardsCapabilities(ctx context.Context, wrap func(storage.Bucket) storage.Bucket) error {
	inner := Faulty(memstore.New(nil), nil)
	b := wrap(inner)
	a, err := put(ctx, b, "a", "one")
	if err != nil {
		return err
	}
	if _, err := storage.Replace(ctx, b, "a", a.ETag, strings.NewReader("two"), nil); err != nil {
		return err
	}
	if _, err := storage.Stat(ctx, b, "a"); err != nil {
		return err
	}
	if err := storage.DeleteAll(ctx, b, []string{"a", "b"}); err != nil {
		return err
	}
	return wantOps(inner, OpPut, OpReplace, OpStat, OpDeleteAll)
}

func wantOps(f *FaultyBucket, want ...string) error {
	var got []string
	for _, c := range f.Calls() {
		got = append(got, c.Op)
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("the wrapped bucket was called by %q, want %q", got, want)
	}
	return nil
}

func withoutReplace(ctx context.Context, wrap func(storage.Bucket) storage.Bucket) error {
	b := wrap(Minimal(memstore.New(nil)))
	a, err := put(ctx, b, "a", "one")
	if err != nil {
		return err
	}
	for _, etag := range []string{a.ETag, "other"} {
		_, err := storage.Replace(ctx, b, "a", etag, strings.NewReader("two"), nil)
		if err := wantIs("Replace", err, errors.ErrUnsupported); err != nil {
			return err
		}
	}
	return wantContent(ctx, b, "a", "one")
}

func fallsBack(ctx context.Context, wrap func(storage.Bucket) storage.Bucket) error {
	b := wrap(Minimal(memstore.New(nil)))
	if _, err := storage.Put(ctx, b, "a", strings.NewReader("content"), fullOptions()); err != nil {
		return err
	}
	if err := putAll(ctx, b, "b", "c"); err != nil {
		return err
	}
	a, err := storage.Stat(ctx, b, "a")
	if err != nil {
		return err
	}
	if a.Name != "a" || a.Size != 7 || !maps.Equal(a.Metadata, fullOptions().Metadata) {
		return fmt.Errorf("Stat: got %+v", a)
	}
	if err := storage.DeleteAll(ctx, b, []string{"a", "b"}); err != nil {
		return err
	}
	return wantList(ctx, b, "", "c")
}

// optionsSpy keeps the options of the last Put or Replace.
type optionsSpy struct {
	*memstore.Bucket
	last storage.PutOptions
}

func (s *optionsSpy) Put(ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	s.last = *opts
	return s.Bucket.Put(ctx, name, r, opts)
}

func (s *optionsSpy) Replace(ctx context.Context, name, etag string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	s.last = *opts
	return s.Bucket.Replace(ctx, name, etag, r, opts)
}

func forwardsOptions(ctx context.Context, wrap func(storage.Bucket) storage.Bucket) error {
	spy := &optionsSpy{Bucket: memstore.New(nil)}
	b := wrap(spy)
	want := fullOptions()
	want.ACL, want.IfAbsent = storage.PublicRead, true
	a, err := storage.Put(ctx, b, "a", strings.NewReader("one"), want)
	if err != nil {
		return err
	}
	if err := sameOptions(spy.last, *want); err != nil {
		return fmt.Errorf("Put: %w", err)
	}
	want.IfAbsent = false
	if _, err := storage.Replace(ctx, b, "a", a.ETag, strings.NewReader("two"), want); err != nil {
		return err
	}
	if err := sameOptions(spy.last, *want); err != nil {
		return fmt.Errorf("Replace: %w", err)
	}
	return nil
}

func sameOptions(got, want storage.PutOptions) error {
	same := got.ContentType == want.ContentType && got.ContentEncoding == want.ContentEncoding &&
		got.CacheControl == want.CacheControl && got.ACL == want.ACL && got.IfAbsent == want.IfAbsent &&
		maps.Equal(got.Metadata, want.Metadata)
	if same {
		return nil
	}
	return fmt.Errorf("the wrapped bucket got the options %+v, want %+v", got, want)
}

func forwardsErrors(ctx context.Context, wrap func(storage.Bucket) storage.Bucket) error {
	b := wrap(memstore.New(nil))
	if _, err := create(ctx, b, "a", "one"); err != nil {
		return err
	}
	_, existErr := create(ctx, b, "a", "two")
	_, preconditionErr := storage.Replace(ctx, b, "a", "other", strings.NewReader("two"), nil)
	_, statErr := storage.Stat(ctx, b, "b")
	err := errors.Join(
		wantIs("create of what exists", existErr, fs.ErrExist),
		wantIs("Replace under another ETag", preconditionErr, storage.ErrPrecondition),
		wantIs("Stat of nothing", statErr, fs.ErrNotExist),
		wantAbsent(ctx, b, "b"))
	if err != nil {
		return err
	}
	broken := wrap(Faulty(memstore.New(nil), func(context.Context, Call) Verdict { return Fail }))
	for op, err := range everyError(ctx, broken, "a", "x") {
		if err := wantIs(op, err, ErrFault); err != nil {
			return err
		}
		if !storage.Retryable(err) {
			return fmt.Errorf("%s: %v is no longer retryable", op, err)
		}
	}
	return nil
}
