package bucketledger_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/bucketledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/memstore"
)

// restless opens the ledger anew for every call: whatever a call sees has been
// written, read and replayed.
type restless struct {
	bucket storage.Bucket
	opts   *bucketledger.Options
}

// TestRestless holds to the suite a ledger that no two calls of have any memory in
// common, so that the model of the suite is held against replayed segments and
// restored snapshots alone.
func TestRestless(t *testing.T) {
	for _, every := range []int{2, 50} {
		open := func(_ *testing.T, clock func() time.Time) ledger.Store {
			return &restless{memstore.New(nil), &bucketledger.Options{Clock: clock, MaxSegments: every}}
		}
		ledgertest.Test(t, open, &ledgertest.Options{
			Histories: volume(15, 1),
			Reopen:    func(_ *testing.T, s ledger.Store) ledger.Store { return s },
			Second:    func(_ *testing.T, s ledger.Store) ledger.Store { return s },
		})
	}
}

func (r *restless) open(ctx context.Context) (*bucketledger.Store, error) {
	return bucketledger.Open(ctx, r.bucket, r.opts)
}

func with[T any](ctx context.Context, r *restless, call func(*bucketledger.Store) (T, error)) (v T, err error) {
	if err := ctx.Err(); err != nil {
		return v, err
	}
	s, err := r.open(ctx)
	if err != nil {
		return v, err
	}
	return call(s)
}

func (r *restless) Accept(ctx context.Context, in *ledger.Intake) error {
	_, err := with(ctx, r, func(s *bucketledger.Store) (any, error) { return nil, s.Accept(ctx, in) })
	return err
}

func (r *restless) Release(ctx context.Context, rel *ledger.Release) (ledger.Cut, error) {
	return with(ctx, r, func(s *bucketledger.Store) (ledger.Cut, error) { return s.Release(ctx, rel) })
}

func (r *restless) Log(ctx context.Context, after int64) (*ledger.Log, error) {
	return with(ctx, r, func(s *bucketledger.Store) (*ledger.Log, error) { return s.Log(ctx, after) })
}

func (r *restless) Registers(ctx context.Context, prefix string) ([]ledger.Register, error) {
	return with(ctx, r, func(s *bucketledger.Store) ([]ledger.Register, error) { return s.Registers(ctx, prefix) })
}

func (r *restless) Swap(ctx context.Context, nonce ledger.Nonce, swaps []ledger.Swap) error {
	_, err := with(ctx, r, func(s *bucketledger.Store) (any, error) { return nil, s.Swap(ctx, nonce, swaps) })
	return err
}

func (r *restless) Remove(ctx context.Context, rem *ledger.Removal) (int, error) {
	return with(ctx, r, func(s *bucketledger.Store) (int, error) { return s.Remove(ctx, rem) })
}

func (r *restless) Read(ctx context.Context, from, to int64) iter.Seq2[*ledger.Unit, error] {
	return func(yield func(*ledger.Unit, error) bool) {
		s, err := r.open(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		s.Read(ctx, from, to)(yield)
	}
}

func (r *restless) Find(ctx context.Context, q ledger.Query) iter.Seq2[*ledger.Record, error] {
	return func(yield func(*ledger.Record, error) bool) {
		s, err := r.open(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		s.Find(ctx, q)(yield)
	}
}
