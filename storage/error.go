package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

var (
	// ErrPrecondition says that [Replace] found another version of the object
	// than the one it was to replace, or none.
	ErrPrecondition = errors.New("the object is not the version expected")

	// ErrInvalidName says that no object can have this name; see [CheckName].
	// It satisfies errors.Is(err, fs.ErrInvalid).
	ErrInvalidName error = invalid("invalid name")

	// ErrInvalidOptions says that no bucket can keep these attributes; see
	// [PutOptions.Check]. It satisfies errors.Is(err, fs.ErrInvalid).
	ErrInvalidOptions error = invalid("invalid options")

	// ErrTooLarge says that an object is larger than the reader's limit.
	ErrTooLarge = errors.New("the object is larger than the limit")
)

// invalid is the text of an error of the family of [fs.ErrInvalid].
type invalid string

func (i invalid) Error() string        { return string(i) }
func (i invalid) Is(target error) bool { return target == fs.ErrInvalid }

// Error says which operation failed on which object, and why.
type Error struct {
	Op   string // "get", "put", "replace", "delete", "list" or "stat"
	Name string // as the bucket that failed knows it; for "list" the prefix
	Err  error

	// storesOwn is set where Err says that a context ended, but the caller's
	// had not: the store gave up by itself.
	storesOwn bool
}

// Error returns operation, name and cause.
func (e *Error) Error() string { return fmt.Sprintf("storage: %s %q: %v", e.Op, shown(e.Name), e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// shown returns name, cut where it is too long to be one: errors end in logs.
func shown(name string) string {
	if len(name) > MaxNameLength {
		return name[:64] + "..."
	}
	return name
}

// fail returns err as an [*Error]. One that comes from a bucket below, behind
// a wrapper, already names the object and is kept.
func fail(ctx context.Context, op, name string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return &Error{Op: op, Name: name, Err: err, storesOwn: contextError(err) && ctx.Err() == nil}
}

// Retryable reports whether the operation that returned err may succeed if it
// is simply repeated: time-outs and failures of networks and servers, and
// everything that is not known to be final.
//
// Final are the definite answers ([fs.ErrNotExist], [fs.ErrExist],
// [ErrPrecondition], [ErrTooLarge]), what is wrong in itself ([fs.ErrInvalid],
// which [ErrInvalidName] and [ErrInvalidOptions] are), what is not allowed or
// not possible ([fs.ErrPermission], [errors.ErrUnsupported]), and the end of
// the caller's context. A deadline that was not the caller's but the store's
// own, such as that of an [net/http.Client], is worth another try.
//
// Where err joins several ([DeleteAll]), one that is final makes all final.
func Retryable(err error) bool {
	if err == nil {
		return false
	}
	for _, final := range finals {
		if errors.Is(err, final) {
			return false
		}
	}
	if contextError(err) {
		e, ok := errors.AsType[*Error](err)
		return ok && e.storesOwn
	}
	return true
}

var finals = []error{
	fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, fs.ErrInvalid,
	ErrPrecondition, ErrTooLarge, errors.ErrUnsupported,
}

func contextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
