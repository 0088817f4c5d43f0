package signing

import (
	"errors"
	"fmt"
)

// Error is what every function of this package fails with.
type Error struct {
	// Subject names what is wrong: a field of the format, a file, an
	// environment variable, a key by its identity.
	Subject string
	Err     error
}

// Error returns the subject and what is wrong with it.
func (e *Error) Error() string { return fmt.Sprintf("signing: %s: %v", e.Subject, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

var (
	// ErrBadSignature is a signature that is not one of the digest by the key.
	ErrBadSignature = errors.New("signature does not verify")

	// ErrNoSigner is a time at which no signer of a [Ring] is valid.
	ErrNoSigner = errors.New("no signer is valid")

	// ErrTooManySigners is more signers than an archive can name.
	ErrTooManySigners = errors.New("too many signers")

	// ErrUnsupportedKey is a key that is not on P-256, or not a key at all.
	ErrUnsupportedKey = errors.New("not an ECDSA key on P-256")

	// ErrTooLarge is text longer than this package reads.
	ErrTooLarge = errors.New("too large")
)

func fail(subject, format string, args ...any) *Error {
	return &Error{Subject: subject, Err: fmt.Errorf(format, args...)}
}
