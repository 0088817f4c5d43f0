package efgs

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
	"time"

	"github.com/gaenkit/gaen/federation"
)

// An Error is what a [Client]'s calls fail with. It holds nothing that the gateway
// sent but its status, since servers quote in their messages what they were sent.
type Error struct {
	Op     string // "download", "upload", "audit" or "callback"
	Status int    // of the answer; 0 if there was none
	Class  error  // of package federation's: what to do about it

	// RetryAfter is how long the gateway asked to be left alone; 0 if it did not.
	RetryAfter time.Duration

	Err error // what is wrong
}

// Error returns what was done and what is wrong.
func (e *Error) Error() string {
	s := "efgs: " + e.Op + ": "
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
	errOrigin   = errors.New("a key of another origin than this client's country")
)

// unavailable is the error of a call that got no answer, or one that says nothing.
func unavailable(op string, status int, format string, args ...any) *Error {
	return &Error{Op: op, Status: status, Class: federation.ErrUnavailable, Err: fmt.Errorf(format, args...)}
}

// failed returns the error that an answer amounts to.
func failed(op string, a *answer) *Error {
	e := &Error{Op: op, Status: a.status, RetryAfter: retryAfter(a.header.Get("Retry-After"), time.Now())}
	e.Class, e.Err = meaning(op, a.status)
	return e
}

// meaning returns what to do about an answer, and why.
func meaning(op string, status int) (class, why error) {
	upload := op == opUpload
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return federation.ErrDenied, errors.New("the gateway does not know the certificate, or not for this")
	case status == http.StatusTooManyRequests:
		return federation.ErrThrottled, errors.New("too many requests")
	case status == http.StatusGone && op == opDownload:
		return federation.ErrGone, errors.New("no longer kept")
	case upload && (status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge):
		// The gateway says 400 to one key that is too old, to a bad signature and to
		// an origin that is not the certificate's, and the texts do not tell which
		// (EFGS 233).
		return federation.ErrRefused, errors.New("the gateway does not take the content")
	case op == opCallback && status == http.StatusBadRequest:
		return federation.ErrRefused, errors.New("the gateway does not take the URL")
	case status == http.StatusNotAcceptable || status == http.StatusUnsupportedMediaType:
		return federation.ErrUnavailable, errors.New("the gateway does not speak this version of the format")
	case status >= 300 && status < 400:
		return federation.ErrUnavailable, errors.New("redirects are not followed")
	}
	return federation.ErrUnavailable, errors.New("not an answer of the protocol")
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
