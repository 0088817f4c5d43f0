package federation

import (
	"errors"
	"fmt"
	"time"
)

// Classes of what goes wrong between a client and a server. Errors of protocols
// satisfy errors.Is with one of them.
var (
	// ErrDenied: the server does not accept the credentials, or not for this (401,
	// 403).
	ErrDenied = errors.New("federation: denied")

	// ErrThrottled: the server asks for less (429).
	ErrThrottled = errors.New("federation: throttled")

	// ErrRefused: the server took the credentials and refused the content (400,
	// 413, 422). Nothing was stored.
	ErrRefused = errors.New("federation: content refused")

	// ErrGone: what was asked for is no longer kept (410). Whatever had not been
	// read is lost.
	ErrGone = errors.New("federation: no longer kept")

	// ErrUnavailable: no answer, or one that says nothing (5xx, a body that cannot
	// be read). What was asked may have happened or not.
	ErrUnavailable = errors.New("federation: unavailable")
)

// ErrOvertaken: another process ran the same instance at the same time, and got
// ahead. Nothing was lost; the next run goes on from where that one is.
var ErrOvertaken = errors.New("federation: another run of the same instance got ahead")

// An Error is what calls of a protocol's client fail with. It holds nothing that the
// server sent but its status, since servers quote in their messages what they were
// sent.
type Error struct {
	Protocol string // the name of its package
	Op       string // what was done: "download", "upload"
	Status   int    // of the answer; 0 if there was none
	Class    error  // one of those above: what to do about it

	// RetryAfter is how long the server asked to be left alone; 0 if it did not.
	RetryAfter time.Duration

	Err error // what is wrong
}

// Error returns what was done and what is wrong.
func (e *Error) Error() string {
	s := e.Protocol + ": " + e.Op + ": "
	if e.Status != 0 {
		s += fmt.Sprintf("status %d: ", e.Status)
	}
	s += e.Err.Error()
	if e.RetryAfter > 0 {
		s += fmt.Sprintf("; to be asked again in %s", e.RetryAfter)
	}
	return s
}

// RetryIn is what [RetryAfter] goes by.
func (e *Error) RetryIn() time.Duration { return e.RetryAfter }

// Unwrap returns the class and the cause.
func (e *Error) Unwrap() []error { return []error{e.Class, e.Err} }

// RetryAfter returns for how long a server wants to be left alone, counted from its
// answer, if it said so. Errors of protocols tell by a method RetryIn, which returns
// 0 where it did not.
//
// A run that is told so calls the server no more, whatever else it met; reports
// have it for whoever schedules.
func RetryAfter(err error) (time.Duration, bool) {
	var told interface {
		error
		RetryIn() time.Duration
	}
	if !errors.As(err, &told) || told.RetryIn() <= 0 {
		return 0, false
	}
	return told.RetryIn(), true
}
