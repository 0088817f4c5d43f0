package sqliteledger

import (
	"context"
	"errors"
	"fmt"

	"modernc.org/sqlite"

	"github.com/gaenkit/gaen/storage/ledger"
)

var (
	// ErrNotLedger: the file is no ledger of this package, but somebody else's
	// database or no database at all.
	ErrNotLedger = errors.New("not a ledger")

	// ErrNewer: a later version of this package made the ledger.
	ErrNewer = errors.New("made by a later version")

	// ErrReadOnly: the ledger can be read and not written.
	ErrReadOnly = errors.New("read-only")

	// ErrCorrupt: the file is damaged. Restore it from a copy; consumers will
	// notice that the ledger went back.
	ErrCorrupt = errors.New("damaged")

	// ErrFull: there is no room for what was to be stored, and nothing of it
	// is.
	ErrFull = errors.New("no room left")

	// ErrBusy: other processes kept the ledger locked for longer than
	// [Options.Patience].
	ErrBusy = errors.New("locked by others")

	// ErrClosed: the store has been closed.
	ErrClosed = errors.New("closed")
)

// Error says what failed on which file. What a [ledger.Store] promises, such as
// a [*ledger.ConflictError], and the errors of a context stand by themselves.
type Error struct {
	Op   string // "open", "accept", "release", …
	Path string
	Err  error // one of this package's or of io/fs, with SQLite's own behind it
}

// Error names the operation and the file.
func (e *Error) Error() string { return "sqliteledger: " + e.Op + " " + e.Path + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// codeBusy is SQLite's code for a lock that somebody else has. Codes are told
// apart by their low byte.
const codeBusy = 5

// meanings are what SQLite's codes mean here.
var meanings = map[int]error{
	codeBusy: ErrBusy,
	8:        ErrReadOnly,
	11:       ErrCorrupt,
	13:       ErrFull,
	26:       ErrNotLedger,
}

// code returns SQLite's code of an error, 0 if it is not one of SQLite's.
func code(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
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

// wrap says which operation failed on which file, unless the error says enough
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
	if meaning, ok := meanings[code(err)]; ok {
		err = fmt.Errorf("%w: %w", meaning, err)
	}
	return &Error{Op: op, Path: s.path, Err: err}
}
