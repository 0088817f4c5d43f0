package bucketledger

import "errors"

var (
	// ErrNotLedger: an object under gaen/ is none that this package writes.
	ErrNotLedger = errors.New("not part of a ledger")

	// ErrNewer: a later version of this package wrote an object.
	ErrNewer = errors.New("written by a later version")

	// ErrCorrupt: an object is not as it was written. Restore the bucket from a
	// copy; consumers will notice that the ledger went back.
	ErrCorrupt = errors.New("damaged")

	// ErrGap: a segment is missing that must be there, as after a restore that
	// was not complete.
	ErrGap = errors.New("missing")

	// ErrNoCreate: the bucket does not keep two writers from creating the same
	// object, so it cannot carry a ledger.
	ErrNoCreate = errors.New("the bucket cannot create an object only if there is none")

	// ErrClock: the clock of this process and that of the bucket differ by more
	// than 5 minutes. No step is taken until they agree.
	ErrClock = errors.New("the clock is off")

	// ErrUncertain: it cannot be told whether the step was taken, because others
	// have gone on far beyond it. Read the ledger before it is repeated.
	ErrUncertain = errors.New("not known whether it was stored")
)

// Error says what failed, and at which object where it was one. What a
// [github.com/gaenkit/gaen/storage/ledger.Store] promises stands by itself.
type Error struct {
	Op   string // "open", "read the log", "write", "checkpoint"
	Name string // of the object; empty if it is not about one
	Err  error
}

// Error names the operation and the object.
func (e *Error) Error() string {
	if e.Name == "" {
		return "bucketledger: " + e.Op + ": " + e.Err.Error()
	}
	return "bucketledger: " + e.Op + ": " + e.Name + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// fail returns err as an [*Error], unless it is one.
func fail(op, name string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return &Error{Op: op, Name: name, Err: err}
}
