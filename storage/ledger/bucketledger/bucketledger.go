package bucketledger

import (
	"context"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// Options of a [Store]. The zero value is what a back end wants.
type Options struct {
	// Clock makes a ledger for replays, which runs by it. Whether a ledger is
	// one is written into every object of it: one that is cannot be opened
	// without a clock, and one that is not cannot be opened with one. Nil is the
	// clock of the machine, which is checked against the bucket's.
	Clock func() time.Time

	// MaxSegments is how many segments there may be beyond the last snapshot
	// before the next is made, with or without their size being a reason. Zero
	// is 1000: what one request lists.
	MaxSegments int
}

const defaultSegments = 1000

// Store keeps a ledger in a bucket, and its present state in memory. It may be
// used from several goroutines at once, and a bucket from several stores and
// processes.
type Store struct {
	bucket storage.Bucket
	opts   Options

	// turn is held by whoever looks into the bucket or takes a step.
	turn chan struct{}

	// What follows is for the holder of turn.
	memory   *memledger.Store // the state at the last place of trail; nil before there is any
	identity ledger.Identity
	trail    []place // the last places, ascending
	seen     string  // the ETag under which the last place was found in the bucket

	snapshot  int64 // the number of the snapshot that the state began with
	stateSize int64 // its size in bytes
	logSize   int64 // that of the segments since
	removed   bool  // one of them removed what is now to be gone from the bucket
	litter    bool  // a checkpoint was not brought to its end

	skew error // what the clock of the bucket said of ours
}

var _ ledger.Store = (*Store)(nil)

// Open opens the ledger in a bucket, and makes one if there is none. What lies
// elsewhere than under gaen/ is neither read nor written. The error is an
// [*Error], and satisfies errors.Is(err, [ledger.ErrReplay]) where the ledger and
// opts.Clock do not go together.
func Open(ctx context.Context, b storage.Bucket, opts *Options) (*Store, error) {
	s := &Store{bucket: b, turn: make(chan struct{}, 1)}
	if opts != nil {
		s.opts = *opts
	}
	switch {
	case s.opts.MaxSegments < 0:
		return nil, fail("open", "", fmt.Errorf("Options.MaxSegments: %d is negative", s.opts.MaxSegments))
	case s.opts.MaxSegments == 0:
		s.opts.MaxSegments = defaultSegments
	}
	if err := s.follow(ctx); err != nil {
		return nil, fail("open", "", err)
	}
	if err := s.probe(ctx); err != nil {
		return nil, fail("open", "", err)
	}
	for s.memory == nil {
		if err := s.begin(ctx); err != nil && err != errBeaten {
			return nil, fail("open", "", err)
		}
		if err := s.follow(ctx); err != nil {
			return nil, fail("open", "", err)
		}
	}
	return s, nil
}

// Exists reports whether a ledger lies in a bucket, whatever its state. It only
// reads.
func Exists(ctx context.Context, b storage.Bucket) (bool, error) {
	for _, prefix := range []string{logPrefix, statePrefix} {
		for _, err := range storage.List(ctx, b, prefix) {
			return err == nil, fail("read the log", "", err)
		}
	}
	return false, nil
}

// begin makes the first segment, which holds nothing but the identity.
func (s *Store) begin(ctx context.Context) error {
	s.memory = memledger.New(s.memoryOptions())
	s.memory.View(func(st *memledger.State) { s.identity = st.Identity })
	err := s.append(ctx, &memledger.Step{})
	if err != nil {
		s.memory, s.identity = nil, ledger.Identity{}
	}
	return err
}

func (s *Store) memoryOptions() *memledger.Options {
	return &memledger.Options{Clock: s.opts.Clock, Journal: s.append}
}

// Format prints the identity, whatever the verb, and nothing of what the ledger
// holds.
func (s *Store) Format(f fmt.State, _ rune) {
	io.WriteString(f, "bucketledger.Store("+s.identity.String()+")")
}

// now returns the time by the clock of this process.
func (s *Store) now() time.Time {
	if s.opts.Clock != nil {
		return s.opts.Clock()
	}
	return time.Now()
}

// take waits for this goroutine's turn. The function that it returns ends it.
func (s *Store) take(ctx context.Context) (end func(), err error) {
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// present returns the state as the bucket has it now.
func (s *Store) present(ctx context.Context) (*memledger.Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	end, err := s.take(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if err := s.follow(ctx); err != nil {
		return nil, err
	}
	return s.memory, nil
}

// write has a step decided and taken on the state as the bucket has it, again
// and again as long as others were faster.
func (s *Store) write(ctx context.Context, step func(*memledger.Store) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	end, err := s.take(ctx)
	if err != nil {
		return err
	}
	defer end()
	for {
		if err := s.follow(ctx); err != nil {
			return err
		}
		if err := s.ready(ctx); err != nil {
			return err
		}
		if err := step(s.memory); err != errBeaten {
			if err == nil {
				s.upkeep(ctx)
			}
			return err
		}
	}
}

// Accept implements [ledger.Store].
func (s *Store) Accept(ctx context.Context, in *ledger.Intake) error {
	return s.write(ctx, func(m *memledger.Store) error { return m.Accept(ctx, in) })
}

// Release implements [ledger.Store].
func (s *Store) Release(ctx context.Context, r *ledger.Release) (cut ledger.Cut, err error) {
	err = s.write(ctx, func(m *memledger.Store) error {
		cut, err = m.Release(ctx, r)
		return err
	})
	return cut, err
}

// Swap implements [ledger.Store].
func (s *Store) Swap(ctx context.Context, nonce ledger.Nonce, swaps []ledger.Swap) error {
	return s.write(ctx, func(m *memledger.Store) error { return m.Swap(ctx, nonce, swaps) })
}

// Remove implements [ledger.Store]. When it has removed fewer units than it was
// allowed to, so that there are no more, a snapshot without them takes the place
// of every object that held one; if that fails, the units are removed from the
// ledger, the error says why they are not yet from the bucket, and the next such
// Remove or [Store.Checkpoint] sees to that.
func (s *Store) Remove(ctx context.Context, r *ledger.Removal) (n int, err error) {
	err = s.write(ctx, func(m *memledger.Store) error {
		n, err = m.Remove(ctx, r)
		return err
	})
	if err != nil || n == r.Limit {
		return n, err
	}
	return n, s.scrub(ctx)
}

// Read implements [ledger.Store].
func (s *Store) Read(ctx context.Context, from, to int64) iter.Seq2[*ledger.Unit, error] {
	return sequence(ctx, s, func(m *memledger.Store) iter.Seq2[*ledger.Unit, error] { return m.Read(ctx, from, to) })
}

// Find implements [ledger.Store].
func (s *Store) Find(ctx context.Context, q ledger.Query) iter.Seq2[*ledger.Record, error] {
	return sequence(ctx, s, func(m *memledger.Store) iter.Seq2[*ledger.Record, error] { return m.Find(ctx, q) })
}

func sequence[T any](ctx context.Context, s *Store, of func(*memledger.Store) iter.Seq2[*T, error]) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		m, err := s.present(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		of(m)(yield)
	}
}

// Log implements [ledger.Store].
func (s *Store) Log(ctx context.Context, after int64) (*ledger.Log, error) {
	m, err := s.present(ctx)
	if err != nil {
		return nil, err
	}
	return m.Log(ctx, after)
}

// Registers implements [ledger.Store].
func (s *Store) Registers(ctx context.Context, prefix string) ([]ledger.Register, error) {
	m, err := s.present(ctx)
	if err != nil {
		return nil, err
	}
	return m.Registers(ctx, prefix)
}
