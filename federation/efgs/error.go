package efgs

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/gaenkit/gaen/federation"
)

// protocol is what errors call it.
const protocol = "efgs"

// An Error is what a [Client]'s calls fail with. Its Op is "download", "upload",
// "audit" or "callback".
type Error = federation.Error

var (
	errNoSigner = errors.New("this client has no signer, and only downloads")
	errOrigin   = errors.New("a key of another origin than this client's country")
)

// unavailable is the error of a call that got no answer, or one that says nothing.
func unavailable(op string, status int, format string, args ...any) *Error {
	return &Error{Protocol: protocol, Op: op, Status: status, Class: federation.ErrUnavailable, Err: fmt.Errorf(format, args...)}
}

// denied is the error of a call that is not made, since it would not be granted.
func denied(op string, why error) *Error {
	return &Error{Protocol: protocol, Op: op, Class: federation.ErrDenied, Err: why}
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
