package interop

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/jsontext"
)

// protocol is what errors call it.
const protocol = "interop"

// An Error is what a [Client]'s calls fail with. Its Op is "download" or "upload".
type Error = federation.Error

var (
	errNoSigner = errors.New("this client has no signer, and only downloads")
	errOrigin   = errors.New("a key of an origin that the token is not for")
)

// unavailable is the error of a call that got no answer, or one that says nothing.
func unavailable(op string, status int, format string, args ...any) *Error {
	return &Error{Protocol: protocol, Op: op, Status: status, Class: federation.ErrUnavailable, Err: fmt.Errorf(format, args...)}
}

// denied is the error of a call that is not made, since it would not be granted.
func denied(op string, why error) *Error {
	return &Error{Protocol: protocol, Op: op, Class: federation.ErrDenied, Err: why}
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
