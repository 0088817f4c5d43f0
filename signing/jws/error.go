package jws

import (
	"errors"
	"fmt"
)

// Reason is what is wrong, in general, for errors.Is:
//
//	errors.Is(err, jws.ReasonExpired)
//
// Reasons are few, short and stable: a server maps them to a status, counts and
// shows them. Status is what a server of the interoperability protocol should
// answer where it has nothing better.
type Reason string

const (
	// Of a message or a token.
	ReasonTooLarge  Reason = "too-large"     // beyond a limit; status 413
	ReasonMalformed Reason = "malformed"     // not compact serialization, or not the JSON it should be; 400
	ReasonAlgorithm Reason = "algorithm"     // the header names another algorithm than the one agreed on, or none; 400
	ReasonHeader    Reason = "header"        // the header brings or points to a key, or asks for an extension; 400
	ReasonSignature Reason = "bad-signature" // none of the keys verifies it; 401

	// Of a token alone: status 401, but for the last.
	ReasonClaims      Reason = "claims"        // a claim is missing or makes no sense
	ReasonExpired     Reason = "expired"       // its time is over
	ReasonNotYet      Reason = "not-yet-valid" // it was issued, or is valid from, later than now
	ReasonTooLong     Reason = "too-long"      // it is good for longer than tokens may be
	ReasonRevoked     Reason = "revoked"       // the operator has withdrawn it
	ReasonUnavailable Reason = "unavailable"   // whether it is revoked could not be found out; 503

	// Of the side that signs or is set up.
	ReasonOptions Reason = "options" // keys or options with which nothing can be signed or verified
	ReasonSigner  Reason = "signer"  // the signer failed
)

// Error returns the reason's name.
func (r Reason) Error() string { return string(r) }

// Error is what every function of this package fails with. It never holds any
// part of a message, a token, a key or a secret, but for Nation.
type Error struct {
	Reason  Reason
	Subject string // what is wrong: "header", "claim exp", "keys[1]", "Options.Lifetime"

	// Nation is the id in a token that the operator's own key has signed and
	// that is not good all the same, expired for instance, so that the operator
	// knows whom to tell. Otherwise it is empty.
	Nation string

	Err error
}

// Error returns the subject and what is wrong with it.
func (e *Error) Error() string {
	if e.Nation != "" {
		return fmt.Sprintf("jws: token of %s: %s: %v", e.Nation, e.Subject, e.Err)
	}
	return fmt.Sprintf("jws: %s: %v", e.Subject, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the error's [Reason].
func (e *Error) Is(target error) bool {
	r, ok := target.(Reason)
	return ok && r == e.Reason
}

func fail(reason Reason, subject, format string, args ...any) *Error {
	return &Error{Reason: reason, Subject: subject, Err: fmt.Errorf(format, args...)}
}

// asError returns err as one of ours, which it may be already.
func asError(reason Reason, subject string, err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return &Error{Reason: reason, Subject: subject, Err: err}
}
