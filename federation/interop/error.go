package interop

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/jsontext"
)

// An Error is what a [Client]'s calls fail with. It holds nothing that the server
// sent but its status, since servers quote in their messages what they were sent.
type Error struct {
	Op     string // "download" or "upload"
	Status int    // of the answer; 0 if there was none
	Class  error  // of package federation's: what to do about it

	// RetryAfter is how long the server asked to be left alone; 0 if it did not.
	RetryAfter time.Duration

	Err error // what is wrong
}

// Error returns what was done and what is wrong.
func (e *Error) Error() string {
	s := "interop: " + e.Op + ": "
	if e.Status != 0 {
		s += fmt.Sprintf("status %d: ", e.Status)
	}
	s += e.Err.Error()
	if e.RetryAfter > 0 {
		s += fmt.Sprintf("; to be asked again in %s", e.RetryAfter)
	}
	return s
}

// RetryIn is what [federation.RetryAfter] goes by.
func (e *Error) RetryIn() time.Duration { return e.RetryAfter }

// Unwrap returns the class and the cause.
func (e *Error) Unwrap() []error { return []error{e.Class, e.Err} }

var (
	errNoSigner = errors.New("this client has no signer, and only downloads")
	errOrigin   = errors.New("a key of an origin that the token is not for")
)

// unavailable is the error of a call that got no answer, or one that says nothing.
func unavailable(op string, status int, format string, args ...any) *Error {
	return &Error{Op: op, Status: status, Class: federation.ErrUnavailable, Err: fmt.Errorf(format, args...)}
}

// answered returns the error that an answer amounts to.
func answered(op string, status int, header http.Header, body []byte) *Error {
	e := &Error{Op: op, Status: status, RetryAfter: retryAfter(header.Get("Retry-After"), time.Now())}
	e.Class, e.Err = meaning(op, status, body)
	return e
}

// meaning returns what to do about an answer, and why. The interoperability
// service has one status, 500, for three different things: the JWS is signed with
// a key that it does not know, the content is not to its liking, and it is broken
// (spec/interop, measured).
func meaning(op string, status int, body []byte) (class, why error) {
	upload := op == opUpload
	switch {
	case status == http.StatusUnauthorized:
		return federation.ErrDenied, errors.New("the server does not accept the token")
	case status == http.StatusForbidden:
		return federation.ErrDenied, errors.New("the server does not allow this")
	case status == http.StatusTooManyRequests:
		return federation.ErrThrottled, errors.New("too many requests")
	case status == http.StatusGone && !upload:
		return federation.ErrGone, errors.New("no longer kept")
	case upload && (status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge || status == http.StatusUnprocessableEntity):
		return federation.ErrRefused, errors.New("the server does not take the content")
	case upload && status == http.StatusInternalServerError && says(body, "message", "no key found"):
		return federation.ErrDenied, errors.New("the server does not know the key that the upload is signed with")
	case upload && status == http.StatusInternalServerError && refusedBySQL(body):
		return federation.ErrRefused, errors.New("the server's database does not take the content")
	case status >= 300 && status < 400:
		return federation.ErrUnavailable, errors.New("redirects are not followed: the token is for the configured server")
	}
	return federation.ErrUnavailable, errors.New("not an answer of the protocol")
}

// says reports whether a field of the answer holds exactly this.
func says(body []byte, field, want string) bool {
	got, ok := member(body, field)
	return ok && got == want
}

// refusedBySQL reports whether the answer is an error of PostgreSQL about data: of
// the classes 22, data exception, or 23, integrity constraint violation.
func refusedBySQL(body []byte) bool {
	code, ok := member(body, "code")
	return ok && len(code) == 5 && (strings.HasPrefix(code, "22") || strings.HasPrefix(code, "23"))
}

// notUUID is PostgreSQL's code for a text that is not of a column's type: what a
// tag is to the server that is not a UUID.
const notUUID = "22P02"

// member returns the string that an answer has in a field.
func member(body []byte, field string) (string, bool) {
	v, ok := jsontext.Parse(body)
	if !ok {
		return "", false
	}
	var found [1]jsontext.Value
	if v.Once([]string{field}, found[:]) != "" {
		return "", false
	}
	text, ok := found[0].Text()
	return string(text), ok
}

// maxRetryAfter is the longest pause that a server is believed to want.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads the header: seconds, or a date (RFC 9110, 10.2.3).
func retryAfter(header string, now time.Time) time.Duration {
	d := time.Duration(0)
	if seconds, err := strconv.ParseUint(header, 10, 32); err == nil {
		d = time.Duration(seconds) * time.Second
	} else if t, err := http.ParseTime(header); err == nil {
		d = t.Sub(now).Round(time.Second)
	}
	return min(max(d, 0), maxRetryAfter)
}

// safe returns an error of net/http as it may be shown. What is not known to be
// about the connection may quote the answer.
func safe(err error) error {
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(err, known) {
			return known
		}
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return e
	}
	if e, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return e
	}
	return errors.New("no answer of HTTP")
}
