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

// A Call is one request to a [FaultyBucket].
type Call struct {
	N    int    // its number in the order of calls, from 1
	Op   string // OpGet, ...
	Name string // the object; for OpList the prefix, for OpDeleteAll the names, separated by spaces
}

// A Verdict is what becomes of a [Call].
type Verdict int

const (
	// Pass lets the call through.
	Pass Verdict = iota

	// Fail has the call fail before its effect, with [ErrFault].
	Fail

	// FailAfter has the call take effect and then fail with [ErrFault]: the
	// answer is lost. A Get fails as it is, a List after its last object. If
	// the call fails by itself, it fails with its own error.
	FailAfter

	// Half has the call break half way. A Get's body ends after half of its
	// bytes, as if it were whole. A List yields half of the objects and then
	// [ErrFault], a DeleteAll deletes half of the names and then fails. A Put,
	// Create or Replace reads some of its reader and then fails; nothing is
	// stored. Others Fail.
	Half
)

// A Hook is called before each call and decides what becomes of it. It may
// wait, as long as the ctx of the call lets it, to play a runner that is paused
// or a store that is slow; calls go on meanwhile.
type Hook func(ctx context.Context, c Call) Verdict

// ErrFault is the error of a call that was made to fail. It is worth another
// try ([storage.Retryable]).
var ErrFault = errors.New("storagetest: fault on purpose")

// FailEach returns a hook that gives each call the verdict for its number, and
// passes those that have none.
func FailEach(verdicts map[int]Verdict) Hook {
	return func(_ context.Context, c Call) Verdict { return verdicts[c.N] }
}

// FailAt returns a hook that gives the verdict to the call with number n and
// passes all others.
func FailAt(n int, v Verdict) Hook { return FailEach(map[int]Verdict{n: v}) }

// FailFrom returns a hook that gives the verdict to the call with number n and
// fails all that come after: the process dies at that call.
func FailFrom(n int, v Verdict) Hook {
	return func(_ context.Context, c Call) Verdict {
		switch {
		case c.N < n:
			return Pass
		case c.N == n:
			return v
		default:
			return Fail
		}
	}
}

// FaultyBucket is a bucket in which calls fail on purpose. Use [Faulty].
type FaultyBucket struct {
	b    storage.Bucket
	hook Hook

	mu    sync.Mutex
	calls []Call
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
	if hook == nil {
		hook = func(context.Context, Call) Verdict { return Pass }
	}
	return &FaultyBucket{b: b, hook: hook}
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
	return f.hook(ctx, c)
}

// Get implements [storage.Bucket].
func (f *FaultyBucket) Get(ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
	v := f.call(ctx, OpGet, name)
	if v == Fail {
		return nil, storage.Attributes{}, ErrFault
	}
	rc, a, err := storage.Get(ctx, f.b, name)
	switch {
	case err != nil:
		return nil, storage.Attributes{}, err
	case v == FailAfter:
		rc.Close()
		return nil, storage.Attributes{}, ErrFault
	case v == Half:
		rc = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(rc, a.Size/2), rc}
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
	switch v {
	case Pass:
		return storage.DeleteAll(ctx, f.b, names)
	case Fail:
		do = nil
	case Half:
		do, failed = names[:len(names)/2], names[len(names)/2:]
	}
	errs := []error{storage.DeleteAll(ctx, f.b, do)}
	for _, name := range failed {
		errs = append(errs, &storage.Error{Op: "delete", Name: name, Err: ErrFault})
	}
	return errors.Join(errs...)
}

// around does what the verdict says with a call that has no half.
func around(v Verdict, do func() error) error {
	switch v {
	case Pass:
		return do()
	case FailAfter:
		if err := do(); err != nil {
			return err
		}
	}
	return ErrFault
}

// List implements [storage.Bucket].
func (f *FaultyBucket) List(ctx context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
	return func(yield func(storage.Attributes, error) bool) {
		v := f.call(ctx, OpList, prefix)
		if v == Pass {
			storage.List(ctx, f.b, prefix)(yield)
			return
		}
		for _, a := range f.listed(ctx, v, prefix) {
			if !yield(a, nil) {
				return
			}
		}
		yield(storage.Attributes{}, ErrFault)
	}
}

// listed returns what a List with this verdict yields before it fails.
func (f *FaultyBucket) listed(ctx context.Context, v Verdict, prefix string) (all []storage.Attributes) {
	if v == Fail {
		return nil
	}
	for a, err := range storage.List(ctx, f.b, prefix) {
		if err != nil {
			return all
		}
		all = append(all, a)
	}
	if v == Half {
		return all[:len(all)/2]
	}
	return all
}
