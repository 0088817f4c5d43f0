package storagetest

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/gaenkit/gaen/storage"
)

// The operations that a [Call] names. A Put with IfAbsent is OpCreate.
const (
	OpGet       = "get"
	OpStat      = "stat"
	OpPut       = "put"
	OpCreate    = "create"
	OpReplace   = "replace"
	OpDelete    = "delete"
	OpDeleteAll = "delete-all"
	OpList      = "list"
)

// FaultyBucket is a bucket in which calls fail on purpose. Use [Faulty].
type FaultyBucket struct {
	b    storage.Bucket
	hook Hook

	mu     sync.Mutex
	calls  []Call
	listed map[string][]storage.Attributes // by prefix, what was listed last
}

var (
	_ storage.Bucket       = (*FaultyBucket)(nil)
	_ storage.Replacer     = (*FaultyBucket)(nil)
	_ storage.BatchDeleter = (*FaultyBucket)(nil)
	_ storage.Stater       = (*FaultyBucket)(nil)
)

// Faulty returns b with faults where the hook wants them; a nil hook passes
// all. It can what b can; wrap [Minimal] to have each object's Delete be a
// call of its own. A List counts when it is ranged over.
func Faulty(b storage.Bucket, hook Hook) *FaultyBucket {
	return &FaultyBucket{b: b, hook: hook, listed: make(map[string][]storage.Attributes)}
}

// Calls returns the calls made so far, failed ones too, in order.
func (f *FaultyBucket) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Count returns the number of calls made so far of any of these operations.
func (f *FaultyBucket) Count(ops ...string) int {
	n := 0
	for _, c := range f.Calls() {
		if slices.Contains(ops, c.Op) {
			n++
		}
	}
	return n
}

func (f *FaultyBucket) call(ctx context.Context, op, name string) Verdict {
	f.mu.Lock()
	c := Call{N: len(f.calls) + 1, Op: op, Name: name}
	f.calls = append(f.calls, c)
	f.mu.Unlock()
	return f.hook.ask(ctx, c)
}

// Get implements [storage.Bucket].
func (f *FaultyBucket) Get(ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
	v := f.call(ctx, OpGet, name)
	if v.before() {
		return nil, storage.Attributes{}, v.fault()
	}
	rc, a, err := storage.Get(ctx, f.b, name)
	switch {
	case err != nil:
		return nil, storage.Attributes{}, err
	case v == FailAfter:
		rc.Close()
		return nil, storage.Attributes{}, ErrFault
	case v == Half || v == Partial:
		rc = body{io.LimitReader(rc, a.Size/2), rc}
	case v == Trickle:
		rc = body{&trickle{ctx, rc, a.Size}, rc}
	}
	return rc, a, nil
}

// Stat implements [storage.Stater].
func (f *FaultyBucket) Stat(ctx context.Context, name string) (a storage.Attributes, err error) {
	if _, ok := f.b.(storage.Stater); !ok {
		return storage.Attributes{}, errors.ErrUnsupported
	}
	err = around(f.call(ctx, OpStat, name), func() error {
		a, err = storage.Stat(ctx, f.b, name)
		return err
	})
	return a, err
}

// Put implements [storage.Bucket].
func (f *FaultyBucket) Put(ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	op := OpPut
	if opts.IfAbsent {
		op = OpCreate
	}
	return f.put(f.call(ctx, op, name), r, func() (storage.Attributes, error) { return storage.Put(ctx, f.b, name, r, opts) })
}

// Replace implements [storage.Replacer].
func (f *FaultyBucket) Replace(ctx context.Context, name, etag string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	if _, ok := f.b.(storage.Replacer); !ok {
		return storage.Attributes{}, errors.ErrUnsupported
	}
	return f.put(f.call(ctx, OpReplace, name), r, func() (storage.Attributes, error) {
		return storage.Replace(ctx, f.b, name, etag, r, opts)
	})
}

func (f *FaultyBucket) put(v Verdict, r io.Reader, do func() (storage.Attributes, error)) (a storage.Attributes, err error) {
	if v == Half {
		if _, err := r.Read(make([]byte, 1)); err != nil && err != io.EOF {
			return storage.Attributes{}, err
		}
	}
	err = around(v, func() error {
		a, err = do()
		return err
	})
	return a, err
}

// Delete implements [storage.Bucket].
func (f *FaultyBucket) Delete(ctx context.Context, name string) error {
	return around(f.call(ctx, OpDelete, name), func() error { return storage.Delete(ctx, f.b, name) })
}

// DeleteAll implements [storage.BatchDeleter].
func (f *FaultyBucket) DeleteAll(ctx context.Context, names []string) error {
	if _, ok := f.b.(storage.BatchDeleter); !ok {
		return errors.ErrUnsupported
	}
	v := f.call(ctx, OpDeleteAll, strings.Join(names, " "))
	do, failed := names, names
	switch {
	case v.harmless():
		return storage.DeleteAll(ctx, f.b, names)
	case v.before():
		do = nil
	case v == Half:
		do, failed = names[:len(names)/2], names[len(names)/2:]
	}
	errs := []error{storage.DeleteAll(ctx, f.b, do)}
	for _, name := range failed {
		errs = append(errs, &storage.Error{Op: "delete", Name: name, Err: v.fault()})
	}
	return errors.Join(errs...)
}

// around does what the verdict says with a call that has no half.
func around(v Verdict, do func() error) error {
	switch {
	case v.harmless():
		return do()
	case v == FailAfter:
		if err := do(); err != nil {
			return err
		}
	}
	return v.fault()
}

// List implements [storage.Bucket].
func (f *FaultyBucket) List(ctx context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
	return func(yield func(storage.Attributes, error) bool) {
		v := f.call(ctx, OpList, prefix)
		if v == Pass || v == Trickle {
			f.list(ctx, prefix)(yield)
			return
		}
		for _, a := range f.listedFor(ctx, v, prefix) {
			if !yield(a, nil) {
				return
			}
		}
		if v != Partial && v != Stale {
			yield(storage.Attributes{}, v.fault())
		}
	}
}

// list lists, and remembers what was listed to the end.
func (f *FaultyBucket) list(ctx context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
	return func(yield func(storage.Attributes, error) bool) {
		var all []storage.Attributes
		for a, err := range storage.List(ctx, f.b, prefix) {
			if !yield(a, err) || err != nil {
				return
			}
			all = append(all, a)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.listed[prefix] = all
	}
}

// listedFor returns what a List with this verdict yields before it ends.
func (f *FaultyBucket) listedFor(ctx context.Context, v Verdict, prefix string) (all []storage.Attributes) {
	switch {
	case v.before():
		return nil
	case v == Stale:
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.listed[prefix]
	}
	for a, err := range storage.List(ctx, f.b, prefix) {
		if err != nil {
			return all
		}
		all = append(all, a)
	}
	if v == Half || v == Partial {
		return all[:len(all)/2]
	}
	return all
}
