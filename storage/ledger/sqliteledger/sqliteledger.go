package sqliteledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// Options of a [Store]. The zero value is what a back end wants.
type Options struct {
	// Clock makes a ledger for replays, which runs by it. Whether a ledger is
	// one is written into its file: one that is cannot be opened without a
	// clock, and one that is not cannot be opened with one. Nil is the clock of
	// the machine.
	Clock func() time.Time

	// ReadOnly opens a ledger that exists, for reading. Every method that
	// changes it gives [ErrReadOnly].
	ReadOnly bool

	// Patience is how long a step waits for those of other processes before it
	// gives [ErrBusy]. Zero is 30 seconds.
	Patience time.Duration
}

const defaultPatience = 30 * time.Second

// Store keeps a ledger in a file. It may be used from several goroutines at
// once, and a file from several stores and processes of one host.
type Store struct {
	path     string
	opts     Options
	identity ledger.Identity

	readers *sql.DB
	resting chan *session // that read, and wait here to be used again

	writers *sql.DB       // of one connection
	writer  chan *session // which waits here while nobody writes

	closed atomic.Bool
	trace  func(query string) // see session
}

var _ ledger.Store = (*Store)(nil)

// Open opens the ledger at path, and makes it, readable by its owner alone, if
// there is none. The directory must exist. The error is an [*Error], and
// satisfies errors.Is(err, [ledger.ErrReplay]) where the ledger and opts.Clock
// do not go together.
func Open(ctx context.Context, path string, opts *Options) (*Store, error) {
	s := &Store{path: path, resting: make(chan *session, maxResting)}
	if opts != nil {
		s.opts = *opts
	}
	if s.opts.Patience == 0 {
		s.opts.Patience = defaultPatience
	}
	if err := s.open(ctx); err != nil {
		s.Close()
		return nil, s.wrap("open", err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	// Connections are opened as they are needed, and the process may be in
	// another directory by then.
	file, err := filepath.Abs(s.path)
	if err != nil {
		return err
	}
	if err := s.prepareFile(file); err != nil {
		return err
	}
	if s.readers, err = s.openReaders(file); err != nil {
		return err
	}
	if s.opts.ReadOnly {
		return s.check(ctx)
	}
	if s.writers, err = s.openWriters(file); err != nil {
		return err
	}
	w, err := s.newSession(ctx, s.writers)
	if err != nil {
		return err
	}
	s.writer = make(chan *session, 1)
	s.writer <- w
	return s.prepareSchema(ctx, w)
}

// Close waits for the step that is under way and closes the file, as soon as the
// last iterator that reads from it is done.
func (s *Store) Close() error {
	s.closed.Store(true)
	s.dismiss()
	var errs []error
	if s.readers != nil {
		errs = append(errs, s.readers.Close())
	}
	if s.writer != nil {
		if w, open := <-s.writer; open {
			close(s.writer)
			errs = append(errs, w.close())
		}
	}
	if s.writers != nil {
		errs = append(errs, s.writers.Close())
	}
	return s.wrap("close", errors.Join(errs...))
}

// Format prints where the ledger is, whatever the verb, and nothing of what it
// holds.
func (s *Store) Format(f fmt.State, _ rune) { io.WriteString(f, "sqliteledger.Store("+s.path+")") }

// now returns the time by the ledger's clock.
func (s *Store) now() time.Time {
	clock := time.Now
	if s.opts.Clock != nil {
		clock = s.opts.Clock
	}
	return clock().UTC().Truncate(time.Microsecond)
}

// write runs step in the one transaction that may write at a time.
func (s *Store) write(ctx context.Context, op string, step func(*tx) error) error {
	return s.wrap(op, s.writeStep(ctx, step))
}

func (s *Store) writeStep(ctx context.Context, step func(*tx) error) error {
	return s.withWriter(ctx, func(w *session) error { return w.write(ctx, s.opts.Patience, step) })
}

// withWriter lends the connection that writes.
func (s *Store) withWriter(ctx context.Context, f func(*session) error) error {
	if s.opts.ReadOnly {
		return ErrReadOnly
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case w, open := <-s.writer:
		if !open {
			return ErrClosed
		}
		defer func() { s.writer <- w }()
		return f(w)
	}
}

// read runs step in a transaction that reads.
func (s *Store) read(ctx context.Context, op string, step func(*tx) error) error {
	return s.wrap(op, s.readStep(ctx, step))
}

func (s *Store) readStep(ctx context.Context, step func(*tx) error) error {
	r, err := s.reader(ctx)
	if err != nil {
		return err
	}
	sound := false
	defer func() { s.rest(r, sound) }()
	err = r.read(ctx, step)
	_, stopped := err.(givenError)
	sound = err == nil || stopped
	return err
}

// errStopped ends a step whose consumer wants no more.
var errStopped = errors.New("stopped")

// sequence yields what step finds in one reading transaction.
func sequence[T any](ctx context.Context, s *Store, op string, step func(t *tx, yield func(T) error) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		err := s.read(ctx, op, func(t *tx) error {
			return step(t, func(v T) error {
				if !yield(v, nil) {
					return givenError{errStopped}
				}
				return nil
			})
		})
		if err != nil && err != errStopped {
			var none T
			yield(none, err)
		}
	}
}
