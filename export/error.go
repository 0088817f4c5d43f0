package export

import (
	"errors"
	"fmt"
)

// Kind is what is wrong, in general, for errors.Is:
//
//	errors.Is(err, export.KindTruncated)
//
// Kinds are few, short and stable: they are counted, compared and shown.
type Kind string

const (
	// Of a file that is read.
	KindNotZip         Kind = "not-zip"         // no zip file: an error page, nothing at all, ...
	KindTruncated      Kind = "truncated"       // it begins well and ends too early
	KindDamaged        Kind = "damaged"         // a zip file with contents that do not come out
	KindTooLarge       Kind = "too-large"       // beyond one of the [Limits]
	KindZipBomb        Kind = "zip-bomb"        // export.bin inflates beyond the limit
	KindMissingEntry   Kind = "missing-entry"   // no export.bin, or no export.sig
	KindDuplicateEntry Kind = "duplicate-entry" // two of one of them
	KindHeader         Kind = "wrong-header"    // export.bin begins otherwise
	KindMalformed      Kind = "malformed"       // not the protocol buffers it should be
	KindKey            Kind = "malformed-key"   // one key; wraps a [keys.Rejection], its neighbours are fine
	KindChanged        Kind = "changed"         // not what it was when it was opened

	// Of an archive that is verified.
	KindUnsigned     Kind = "unsigned"      // there is no signature at all
	KindUntrusted    Kind = "untrusted"     // no signature names a trusted key
	KindBadSignature Kind = "bad-signature" // those that name a trusted key do not verify
	KindUnexpected   Kind = "unexpected"    // signed, and not the archive that was asked for

	// Of an archive that is written.
	KindContent Kind = "content" // keys or bounds that must not be published
	KindOptions Kind = "options" // options or signers of which no archive can be made
	KindSigner  Kind = "signer"  // a signer failed

	// Of the file or connection below.
	KindIO Kind = "io"
)

// Error returns the kind's name.
func (k Kind) Error() string { return string(k) }

// Error is what every function of this package fails with.
type Error struct {
	Kind    Kind
	Subject string // the entry, field or key: "export.sig", "keys[17]"
	Err     error  // never holds key data
}

// Error returns the subject and what is wrong with it.
func (e *Error) Error() string {
	if e.Subject == "" {
		return fmt.Sprintf("export: %v", e.Err)
	}
	return fmt.Sprintf("export: %s: %v", e.Subject, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the error's [Kind].
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == e.Kind
}

func fail(kind Kind, subject, format string, args ...any) *Error {
	return &Error{Kind: kind, Subject: subject, Err: fmt.Errorf(format, args...)}
}

// asError returns err as one of ours, which it may be already.
func asError(kind Kind, subject string, err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return &Error{Kind: kind, Subject: subject, Err: err}
}
