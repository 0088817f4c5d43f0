package ledgertest

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/gaenkit/gaen/storage/ledger"
)

// The operations that a [Call] names.
const (
	OpAccept    = "accept"
	OpRelease   = "release"
	OpRead      = "read"
	OpLog       = "log"
	OpRegisters = "registers"
	OpSwap      = "swap"
	OpFind      = "find"
	OpRemove    = "remove"
)

// A Call is one call of a [FaultyStore].
type Call struct {
	N  int // its number in the order of calls, from 1
	Op string
}

// A Verdict is what becomes of a [Call].
type Verdict int

const (
	// Pass lets the call through.
	Pass Verdict = iota

	// Fail has the call fail before its effect, with [ErrFault].
	Fail

	// FailAfter has the call take effect and then fail with [ErrFault]: the
	// answer is lost. A Read or Find fails after what it yields.
	FailAfter
)

// A Hook is called before each call and decides what becomes of it. It may wait,
// or use the store itself, to play what happens meanwhile.
type Hook func(ctx context.Context, c Call) Verdict

// ErrFault is the error of a call that was made to fail.
var ErrFault = errors.New("ledgertest: fault on purpose")

// FaultyStore is a store in which calls fail on purpose. Use [Faulty].
type FaultyStore struct {
	store ledger.Store
	hook  Hook

	mu    sync.Mutex
	calls []Call
}

var _ ledger.Store = (*FaultyStore)(nil)

// Faulty returns s with faults where the hook wants them; a nil hook passes all.
// A Read or Find counts when it is ranged over.
func Faulty(s ledger.Store, hook Hook) *FaultyStore {
	if hook == nil {
		hook = func(context.Context, Call) Verdict { return Pass }
	}
	return &FaultyStore{store: s, hook: hook}
}

// Calls returns the calls made so far, failed ones too, in order.
func (f *FaultyStore) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

func (f *FaultyStore) call(ctx context.Context, op string) Verdict {
	f.mu.Lock()
	c := Call{N: len(f.calls) + 1, Op: op}
	f.calls = append(f.calls, c)
	f.mu.Unlock()
	return f.hook(ctx, c)
}

// do makes a call that has an effect.
func (f *FaultyStore) do(ctx context.Context, op string, effect func() error) error {
	v := f.call(ctx, op)
	if v == Fail {
		return ErrFault
	}
	if err := effect(); err != nil {
		return err
	}
	if v == FailAfter {
		return ErrFault
	}
	return nil
}

// Accept implements [ledger.Store].
func (f *FaultyStore) Accept(ctx context.Context, in *ledger.Intake) error {
	return f.do(ctx, OpAccept, func() error { return f.store.Accept(ctx, in) })
}

// Release implements [ledger.Store].
func (f *FaultyStore) Release(ctx context.Context, r *ledger.Release) (cut ledger.Cut, err error) {
	err = f.do(ctx, OpRelease, func() (err error) { cut, err = f.store.Release(ctx, r); return err })
	return cut, err
}

// Swap implements [ledger.Store].
func (f *FaultyStore) Swap(ctx context.Context, nonce ledger.Nonce, swaps []ledger.Swap) error {
	return f.do(ctx, OpSwap, func() error { return f.store.Swap(ctx, nonce, swaps) })
}

// Remove implements [ledger.Store].
func (f *FaultyStore) Remove(ctx context.Context, r *ledger.Removal) (n int, err error) {
	err = f.do(ctx, OpRemove, func() (err error) { n, err = f.store.Remove(ctx, r); return err })
	return n, err
}

// Log implements [ledger.Store].
func (f *FaultyStore) Log(ctx context.Context, after int64) (log *ledger.Log, err error) {
	err = f.do(ctx, OpLog, func() (err error) { log, err = f.store.Log(ctx, after); return err })
	return log, err
}

// Registers implements [ledger.Store].
func (f *FaultyStore) Registers(ctx context.Context, prefix string) (found []ledger.Register, err error) {
	err = f.do(ctx, OpRegisters, func() (err error) { found, err = f.store.Registers(ctx, prefix); return err })
	return found, err
}

// Read implements [ledger.Store].
func (f *FaultyStore) Read(ctx context.Context, from, to int64) iter.Seq2[*ledger.Unit, error] {
	return faultySeq(ctx, f, OpRead, func() iter.Seq2[*ledger.Unit, error] { return f.store.Read(ctx, from, to) })
}

// Find implements [ledger.Store].
func (f *FaultyStore) Find(ctx context.Context, q ledger.Query) iter.Seq2[*ledger.Record, error] {
	return faultySeq(ctx, f, OpFind, func() iter.Seq2[*ledger.Record, error] { return f.store.Find(ctx, q) })
}

func faultySeq[T any](ctx context.Context, f *FaultyStore, op string, seq func() iter.Seq2[*T, error]) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		v := f.call(ctx, op)
		if v == Fail {
			yield(nil, ErrFault)
			return
		}
		for x, err := range seq() {
			if !yield(x, err) {
				return
			}
		}
		if v == FailAfter {
			yield(nil, ErrFault)
		}
	}
}
