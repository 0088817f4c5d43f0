package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/gaenkit/gaen/federation"
)

// An Answer is what a server said.
type Answer struct {
	protocol, op string

	Status int
	Header http.Header
	Body   []byte
}

// Failure returns the error that an answer amounts to, of a class and for a reason.
// How long the server asked to be left alone is in it.
func (a *Answer) Failure(class, why error) *federation.Error {
	return &federation.Error{
		Protocol: a.protocol, Op: a.op, Status: a.Status, Class: class, Err: why,
		RetryAfter: retryAfter(a.Header.Get("Retry-After"), time.Now()),
	}
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

// Safe returns an error of net/http as it may be shown. What is not known to be
// about the connection may quote the answer.
func Safe(err error) error {
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
