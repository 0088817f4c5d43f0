package pgledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gaenkit/gaen/storage/ledger"
)

// Options of a [Store]. The zero value is what a back end wants.
type Options struct {
	// Schema is where the ledger's tables are: 1 to 63 of a-z, 0-9 and '_',
	// beginning with a letter. Empty is "gaen".
	Schema string

	// Clock makes a ledger for replays, which runs by it. Whether a ledger is
	// one is written into it: one that is cannot be opened without a clock, and
	// one that is not cannot be opened with one. Nil is the clock of the
	// database.
	Clock func() time.Time

	// ReadOnly opens a ledger that exists, for reading, as on a standby. Every
	// method that changes it gives [ErrReadOnly].
	ReadOnly bool

	// NoMigrations is for teams that run [Migrations] with a tool of their own:
	// a ledger whose schema is not the latest is an error, and not changed.
	NoMigrations bool
}

const (
	defaultSchema = "gaen"
	maxSchema     = 63 // PostgreSQL cuts longer names off
)

func (o *Options) check() error {
	if o.Schema == "" {
		o.Schema = defaultSchema
	}
	const letters, others = "abcdefghijklmnopqrstuvwxyz", "0123456789_"
	switch {
	case len(o.Schema) > maxSchema, strings.Trim(o.Schema, letters+others) != "", !strings.Contains(letters, o.Schema[:1]):
		return fmt.Errorf("Options.Schema: %q is not 1 to %d of a-z, 0-9 and '_', beginning with a letter", o.Schema, maxSchema)
	case strings.HasPrefix(o.Schema, "pg_"):
		return fmt.Errorf("Options.Schema: %q is reserved by PostgreSQL", o.Schema)
	}
	return nil
}

// minConns is how many connections a pool must have: a loop over what Read
// yields keeps one, and may call other methods.
const minConns = 2

// Store keeps a ledger in a schema of a PostgreSQL database. It may be used from
// several goroutines, processes and hosts at once.
type Store struct {
	pool     *pgxpool.Pool
	opts     Options
	identity ledger.Identity
	standby  bool
	queries  *sync.Map // as written here, to as they name the schema

	outer pgx.Tx // the caller's, if the store is bound to one
}

var _ ledger.Store = (*Store)(nil)

// Open opens the ledger in a schema of the database that pool is connected to,
// and makes it if there is none. The pool stays the caller's; it needs 2
// connections at least. The error is an [*Error], and satisfies errors.Is(err,
// [ledger.ErrReplay]) where the ledger and opts.Clock do not go together.
// Whatever can be found wrong is found before anything is changed.
func Open(ctx context.Context, pool *pgxpool.Pool, opts *Options) (*Store, error) {
	s := &Store{pool: pool, queries: &sync.Map{}}
	if opts != nil {
		s.opts = *opts
	}
	if err := s.opts.check(); err != nil {
		return nil, s.wrap("open", err)
	}
	if n := pool.Config().MaxConns; n < minConns {
		return nil, s.wrap("open", fmt.Errorf("a pool of %d connections, want %d or more", n, minConns))
	}
	if err := s.open(ctx); err != nil {
		return nil, s.wrap("open", err)
	}
	return s, nil
}

// WithTx returns the store as seen from within a transaction of the caller's,
// whose isolation must be read committed, so that keys are accepted together
// with what the team stores in its own tables, or not at all:
//
//	tx, err := pool.Begin(ctx)
//	// spend the submission's token in tx
//	receipt, err := l.With(store.WithTx(tx)).Accept(ctx, delivery)
//	err = tx.Commit(ctx)
//
// Accept, Swap, Find, Registers and Log work in it; a step is a savepoint. What
// they answer is durable only when the caller has committed, and its locks are
// held until then: see the package's documentation. Release, Read and Remove
// give [ErrInTx]. The handle is for one goroutine, as the transaction is.
func (s *Store) WithTx(tx pgx.Tx) *Store {
	bound := *s
	bound.outer = tx
	return &bound
}

// Format prints where the ledger is, whatever the verb, and nothing of what it
// holds.
func (s *Store) Format(f fmt.State, _ rune) {
	io.WriteString(f, "pgledger.Store("+s.opts.Schema+")")
}

// in returns a query with the ledger's schema in place of "gaen", which those in
// this package are written with.
func (s *Store) in(query string) string {
	if q, ok := s.queries.Load(query); ok {
		return q.(string)
	}
	q := strings.ReplaceAll(query, "gaen.", pgx.Identifier{s.opts.Schema}.Sanitize()+".")
	s.queries.Store(query, q)
	return q
}

// now returns the time by the ledger's clock, given that of the database.
func (s *Store) now(database time.Time) time.Time {
	if s.opts.Clock != nil {
		database = s.opts.Clock()
	}
	return database.UTC().Truncate(time.Microsecond)
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
