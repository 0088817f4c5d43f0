package pgledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A tx is one attempt at a step: a transaction, or a savepoint in the caller's.
type tx struct {
	session
	ctx   context.Context // of the one call that the transaction is for
	store *Store
	log   logLock

	conn    *pgxpool.Conn // of a transaction
	inner   pgx.Tx        // or a savepoint
	opening *pgx.Batch    // what begins it, sent with what comes first
	done    bool
}

// session is a connection or a transaction, as far as it concerns what is done in
// it.
type session interface {
	Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// A logLock is a lock of the log, which is the table of cuts. What they are for
// stands in the package's documentation.
type logLock string

const (
	unlocked  logLock = ""
	followLog logLock = "ROW SHARE"           // Accept of what is known: excludes Release
	thinLog   logLock = "SHARE ROW EXCLUSIVE" // Remove: excludes Release and Remove
	extendLog logLock = "EXCLUSIVE"           // Release: excludes all three
)

// A plan is how the transaction of a step begins.
type plan struct {
	isolation isolation
	lock      logLock
}

type isolation string

const (
	eachQuery isolation = "READ COMMITTED"  // each query sees what is committed when it begins
	oneMoment isolation = "REPEATABLE READ" // all see what was when the first began
)

var (
	// errAgain says that what a step read has changed before it could be locked.
	errAgain = errors.New("changed by others meanwhile")

	// errKnown says that a step meets units that are known, and must be begun
	// with a lock of the log.
	errKnown = errors.New("known units")
)

// maxAttempts is how often a step is tried. One that lost a race finds what the
// winner stored and waits for locks from then on, so that a third attempt is
// rare.
const maxAttempts = 30

// write runs step in a transaction, again as long as others get in its way.
func (s *Store) write(ctx context.Context, op string, p plan, step func(*tx) error) error {
	return s.wrap(op, s.writeStep(ctx, p, step))
}

func (s *Store) writeStep(ctx context.Context, p plan, step func(*tx) error) (err error) {
	if s.opts.ReadOnly {
		return ErrReadOnly
	}
	for attempt := range maxAttempts {
		err = s.attempt(ctx, p, step)
		switch {
		case errors.Is(err, errKnown):
			p.lock = followLog
			continue
		case !repeatable(err):
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrBusy, plain(err))
}

// repeatable reports whether a step came to nothing because of others.
func repeatable(err error) bool {
	c := code(err)
	return errors.Is(err, errAgain) || c == codeSerialization || c == codeDeadlock
}

// pause waits a little, longer from attempt to attempt.
func pause(ctx context.Context, attempt int) error {
	if attempt == 0 {
		return ctx.Err()
	}
	limit := time.Millisecond << min(attempt, 7)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(rand.N(limit)):
		return nil
	}
}

func (s *Store) attempt(ctx context.Context, p plan, step func(*tx) error) error {
	t, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer t.end()
	t.prepare(p)
	if err := step(t); err != nil {
		return err
	}
	return t.commit()
}

func (s *Store) begin(ctx context.Context) (*tx, error) {
	t := &tx{ctx: ctx, store: s, opening: &pgx.Batch{}}
	var err error
	if s.outer != nil {
		t.inner, err = s.outer.Begin(ctx)
		t.session = t.inner
		return t, err
	}
	t.conn, err = s.pool.Acquire(ctx)
	t.session = t.conn
	return t, err
}

// settings make a commit wait until it is on the disk, where the role or the
// database says otherwise; a setting that waits for more stays. Plans are made
// once for each connection, look rows up by indexes, however small the tables
// were then, and are not compiled.
const settings = `SELECT
	CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', true) END,
	set_config('plan_cache_mode', 'force_generic_plan', true), set_config('jit', 'off', true),
	set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)`

// settingsWithin are for a transaction of the caller's, whose plans are not ours
// to choose.
const settingsWithin = `SELECT
	CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', true) END,
	current_setting('transaction_isolation') = 'read committed'`

// prepare settles how a transaction that writes begins. The lock comes first: a
// transaction that sees one moment must see it when it has the lock, and any
// query settles which.
func (t *tx) prepare(p plan) {
	if t.inner == nil {
		t.opening.Queue(`BEGIN ISOLATION LEVEL ` + string(p.isolation) + ` READ WRITE`)
	}
	if t.log = p.lock; p.lock != unlocked {
		t.opening.Queue(t.in(`LOCK TABLE gaen.cut IN ` + string(p.lock) + ` MODE`))
	}
	if t.inner == nil {
		t.opening.Queue(settings)
		return
	}
	t.opening.Queue(settingsWithin).QueryRow(func(row pgx.Row) error {
		var ignored *string
		var suits bool
		if err := row.Scan(&ignored, &suits); err != nil || suits {
			return err
		}
		return fmt.Errorf("%w: its isolation is not read committed", ErrInTx)
	})
}

// open begins the transaction, if that has not been sent yet.
func (t *tx) open() error {
	b := t.opening
	if t.opening = nil; b == nil || b.Len() == 0 {
		return nil
	}
	return t.SendBatch(t.ctx, b).Close()
}

// commit makes what was done last. What is interrupted here may have happened or
// not, so it is not interrupted.
func (t *tx) commit() error {
	ctx := context.WithoutCancel(t.ctx)
	if t.inner != nil {
		return t.inner.Commit(ctx)
	}
	if err := t.open(); err != nil {
		return err
	}
	tag, err := t.Exec(ctx, "COMMIT")
	if err == nil && tag.String() != "COMMIT" {
		return pgx.ErrTxCommitRollback
	}
	t.done = err == nil
	return err
}

// rollbackTimeout is how long the end of an attempt may take when its context is
// done. The pool closes the connection if it was not enough.
const rollbackTimeout = 5 * time.Second

// end gives up the attempt, unless it was committed.
func (t *tx) end() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), rollbackTimeout)
	defer cancel()
	if t.inner != nil {
		t.inner.Rollback(ctx) // after a commit it does nothing
		return
	}
	if !t.done && t.opening == nil && !t.conn.Conn().IsClosed() {
		t.Exec(ctx, "ROLLBACK")
	}
	t.conn.Release()
}

// read runs step in a transaction that sees the ledger as it is at one moment,
// or in the caller's.
func (s *Store) read(ctx context.Context, op string, step func(*tx) error) error {
	return s.wrap(op, s.readStep(ctx, step))
}

func (s *Store) readStep(ctx context.Context, step func(*tx) error) error {
	t, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer t.end()
	if t.inner == nil {
		t.opening.Queue(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`)
		t.opening.Queue(settings)
	}
	return step(t)
}

func (t *tx) in(query string) string { return t.store.in(query) }

// exec executes a statement and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	if err := t.open(); err != nil {
		return 0, err
	}
	tag, err := t.Exec(t.ctx, t.in(query), args...)
	return tag.RowsAffected(), err
}

// each calls row for each row of a query, when dest is filled.
func (t *tx) each(query string, args []any, dest []any, row func() error) error {
	if err := t.open(); err != nil {
		return err
	}
	rows, err := t.Query(t.ctx, t.in(query), args...)
	if err != nil {
		return err
	}
	return scanAll(rows, dest, row)
}

func scanAll(rows pgx.Rows, dest []any, row func() error) error {
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		if err := row(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// has reports whether a query has any row.
func (t *tx) has(query string, args ...any) (found bool, err error) {
	err = t.each(`SELECT EXISTS (`+query+`)`, args, []any{&found}, func() error { return nil })
	return found, err
}

// A batch is statements that are sent together and carried out in their order,
// which takes the time of one.
type batch struct {
	pgx.Batch
	tx     *tx
	checks []func() error // of what was found, when all has been carried out
}

func (t *tx) batch() *batch { return &batch{tx: t} }

// each adds a query, and what is called for each of its rows.
func (b *batch) each(query string, args []any, dest []any, row func() error) {
	b.Queue(b.tx.in(query), args...).Query(func(rows pgx.Rows) error { return scanAll(rows, dest, row) })
}

// exec adds a statement that may change any number of rows.
func (b *batch) exec(query string, args ...any) { b.Queue(b.tx.in(query), args...) }

// execAll adds a statement that must change n rows: fewer means that others were
// faster.
func (b *batch) execAll(n int, query string, args ...any) {
	b.Queue(b.tx.in(query), args...).Exec(func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() != int64(n) {
			return errAgain
		}
		return nil
	})
}

// send carries the statements out. After an error none that follows has been.
func (b *batch) send() error {
	if b.Len() == 0 {
		return nil
	}
	if opening := b.tx.opening; opening != nil {
		b.QueuedQueries = append(opening.QueuedQueries, b.QueuedQueries...)
		b.tx.opening = nil
	}
	if err := b.tx.SendBatch(b.tx.ctx, &b.Batch).Close(); err != nil {
		return err
	}
	for _, check := range b.checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}
