package cms

import (
	"errors"
	"fmt"
)

// Reason is what is wrong, in general, for errors.Is:
//
//	errors.Is(err, cms.ReasonExpired)
//
// Reasons are few, short and stable, so that a server can count and show them.
// The gateway answers 400 for each of the first two groups.
type Reason string

const (
	// Of a signature.
	ReasonTooLarge    Reason = "too-large"     // beyond a limit
	ReasonMalformed   Reason = "malformed"     // not base64 on one line, or not SignedData
	ReasonAttached    Reason = "attached"      // it brings content of its own
	ReasonSigners     Reason = "signers"       // not of exactly one signer
	ReasonExtras      Reason = "extras"        // it holds what the signature does not cover
	ReasonCertificate Reason = "certificate"   // the signer's certificate is not in it, or cannot be used
	ReasonAlgorithm   Reason = "algorithm"     // another algorithm than those this package takes
	ReasonAttributes  Reason = "attributes"    // signed attributes are missing or contradict the rest
	ReasonSignature   Reason = "bad-signature" // the content, or who signed it, is another

	// Of a certificate.
	ReasonExpired     Reason = "expired"       // its time is over
	ReasonNotYet      Reason = "not-yet-valid" // its time has not begun
	ReasonCountry     Reason = "country"       // it does not name one country, or not the listed one
	ReasonUnlisted    Reason = "unlisted"      // it is not listed for this use
	ReasonRevoked     Reason = "revoked"       // it is listed as revoked
	ReasonUnavailable Reason = "unavailable"   // whether it is listed could not be found out; status 503
	ReasonAnchor      Reason = "anchor"        // the trust anchor has not signed it

	// Of the side that signs or is set up.
	ReasonOptions Reason = "options" // a key, certificate, entry or option with which nothing can be done
	ReasonSigner  Reason = "signer"  // the signer failed
)

// Error returns the reason's name.
func (r Reason) Error() string { return string(r) }

// Error is what every function of this package fails with. It never holds any
// part of the content or of a key.
type Error struct {
	Reason  Reason
	Subject string // what is wrong: "signature algorithm", "certificate", "entries[1].country"
	Err     error
}

// Error returns the subject and what is wrong with it.
func (e *Error) Error() string { return fmt.Sprintf("cms: %s: %v", e.Subject, e.Err) }

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
