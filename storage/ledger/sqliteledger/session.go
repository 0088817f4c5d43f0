package sqliteledger

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"
)

// A session is one connection and the statements prepared on it. It has one
// transaction at a time.
type session struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	trace func(query string) // told of what is prepared; nil but in a test
}

func (s *Store) newSession(ctx context.Context, db *sql.DB) (*session, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &session{conn: conn, stmts: map[string]*sql.Stmt{}, trace: s.trace}, nil
}

// maxResting is how many reading sessions are kept for the next callers. There
// is no limit to those in use: each belongs to a caller, who may need another
// before it is done.
const maxResting = 4

// reader returns a session to read with.
func (s *Store) reader(ctx context.Context) (*session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.closed.Load() {
		return nil, ErrClosed
	}
	select {
	case r := <-s.resting:
		return r, nil
	default:
		return s.newSession(ctx, s.readers)
	}
}

// rest keeps a session for the next caller. One that is not sound, because it
// met an error or was interrupted, is closed.
func (s *Store) rest(r *session, sound bool) {
	if !sound {
		r.close()
		return
	}
	select {
	case s.resting <- r:
	default:
		r.close()
	}
	if s.closed.Load() {
		s.dismiss()
	}
}

// dismiss closes the sessions that rest.
func (s *Store) dismiss() {
	for {
		select {
		case r := <-s.resting:
			r.close()
		default:
			return
		}
	}
}

func (s *session) close() error {
	for _, stmt := range s.stmts {
		stmt.Close()
	}
	return s.conn.Close()
}

// run executes a statement that is not worth preparing.
func (s *session) run(ctx context.Context, query string) error {
	_, err := s.conn.ExecContext(ctx, query)
	return err
}

// write runs step in a transaction that excludes every other writer, in this
// process and in others. It waits for them as long as patience lasts.
func (s *session) write(ctx context.Context, patience time.Duration, step func(*tx) error) error {
	if err := s.beginWrite(ctx, patience); err != nil {
		return err
	}
	// Once begun, a step is carried through: an interrupted connection would
	// have to be thrown away, and the statements prepared on it.
	ctx = context.WithoutCancel(ctx)
	committed := false
	defer func() {
		if !committed { // step may have panicked
			s.run(ctx, "ROLLBACK")
		}
	}()
	t := newTx(ctx, s)
	if err := step(t); err != nil {
		return err
	}
	if err := t.countRemoval(); err != nil {
		return err
	}
	if err := s.run(ctx, "COMMIT"); err != nil {
		return err
	}
	committed = true
	return nil
}

// beginWrite begins a transaction that may write.
func (s *session) beginWrite(ctx context.Context, patience time.Duration) error {
	return retry(ctx, patience, func(ctx context.Context) error { return s.run(ctx, "BEGIN IMMEDIATE") })
}

// retry calls f again and again while somebody else has a lock that it needs.
// SQLite would wait by itself, and not notice that ctx is done.
func retry(ctx context.Context, patience time.Duration, f func(context.Context) error) error {
	start := time.Now()
	for {
		err := f(context.WithoutCancel(ctx))
		if code(err) != codeBusy || time.Since(start) > patience {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// read runs step in a transaction that sees the ledger as it is at one moment,
// and keeps nobody from writing.
func (s *session) read(ctx context.Context, step func(*tx) error) error {
	if err := s.run(ctx, "BEGIN"); err != nil {
		return err
	}
	defer s.end(context.WithoutCancel(ctx))
	return step(newTx(ctx, s))
}

// end ends a reading transaction. A connection on which that fails is not used
// again.
func (s *session) end(ctx context.Context) {
	if err := s.run(ctx, "ROLLBACK"); err != nil {
		s.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
}
