package pgledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gaenkit/gaen/storage/ledger"
)

var (
	// ErrNotLedger: the schema holds no ledger of this package, but somebody
	// else's tables or, where none may be made, none at all.
	ErrNotLedger = errors.New("not a ledger")

	// ErrOlder: the schema is of an earlier version, and migrations are the
	// team's own to run.
	ErrOlder = errors.New("of an earlier version")

	// ErrNewer: a later version of this package made the ledger.
	ErrNewer = errors.New("made by a later version")

	// ErrReadOnly: the ledger can be read and not written: it was opened so, or
	// the database is a standby or read-only.
	ErrReadOnly = errors.New("read-only")

	// ErrPermission: the role may not do what a ledger needs.
	ErrPermission = errors.New("no permission")

	// ErrServer: the server is too old, or the database not in UTF-8.
	ErrServer = errors.New("unsuitable server")

	// ErrClock: the clocks of this process and of the database are too far
	// apart.
	ErrClock = errors.New("clocks differ")

	// ErrLags: a standby has not come as far as the range that was asked for.
	// It satisfies errors.Is(err, [ledger.ErrWentBack]) too.
	ErrLags = fmt.Errorf("the standby lags: %w", ledger.ErrWentBack)

	// ErrCorrupt: what is stored cannot be what this package stored.
	ErrCorrupt = errors.New("damaged")

	// ErrFull: there is no room for what was to be stored, and nothing of it
	// is.
	ErrFull = errors.New("no room left")

	// ErrBusy: others kept a step from being made, however often it was
	// repeated. Nothing of it is stored.
	ErrBusy = errors.New("kept from it by others")

	// ErrInTx: the method is not for a store bound to a transaction, or the
	// transaction's isolation is not read committed.
	ErrInTx = errors.New("not in a transaction of the caller's")
)

// Error says what failed in which schema. What a [ledger.Store] promises, such as
// a [*ledger.ConflictError], and the errors of a context stand by themselves.
type Error struct {
	Op     string // "open", "accept", "release", …
	Schema string
	Err    error // one of this package's, with PostgreSQL's own behind it
}

// Error names the operation and the schema.
func (e *Error) Error() string { return "pgledger: " + e.Op + " " + e.Schema + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// PostgreSQL's codes, see https://www.postgresql.org/docs/current/errcodes-appendix.html.
const (
	codeSerialization = "40001"
	codeDeadlock      = "40P01"
	codeUnique        = "23505"
	codeUndefined     = "42P01"
	codeNoSchema      = "3F000"
)

// meanings are what PostgreSQL's codes mean here.
var meanings = map[string]error{
	"25006": ErrReadOnly,
	"42501": ErrPermission,
	"53100": ErrFull, // the disk
	"54000": ErrFull, // a limit of the program
	"XX001": ErrCorrupt,
	"XX002": ErrCorrupt,

	codeUndefined: ErrNotLedger,
	codeNoSchema:  ErrNotLedger,
}

// code returns PostgreSQL's code of an error, empty if it is not one of
// PostgreSQL's.
func code(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// plain returns an error without what PostgreSQL adds to say of which row it
// speaks, and where: that is key data.
func plain(err error) error {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	return &pgconn.PgError{
		Severity:       e.Severity,
		Code:           e.Code,
		Message:        e.Message,
		SchemaName:     e.SchemaName,
		TableName:      e.TableName,
		ConstraintName: e.ConstraintName,
	}
}

// givenError carries an error of a function that a method was given past
// [Store.wrap], since it must be returned as it is.
type givenError struct{ error }

// given marks err as that of a function that a method was given.
func given(err error) error {
	if err == nil {
		return nil
	}
	return givenError{err}
}

// wrap says which operation failed in which schema, unless the error says enough
// by itself.
func (s *Store) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(givenError); ok {
		return e.error
	}
	if _, ok := errors.AsType[*ledger.ConflictError](err); ok || err == ledger.ErrPruned ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	meaning, ok := meanings[code(err)]
	if err = plain(err); ok {
		err = fmt.Errorf("%w: %w", meaning, err)
	}
	return &Error{Op: op, Schema: s.opts.Schema, Err: err}
}
