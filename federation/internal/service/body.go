package service

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
)

// Body reads the body of a request, up to a limit in bytes. The error is a
// [*Refusal].
func Body(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	tooLarge := Refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("body: more than %d bytes", limit))
	if r.ContentLength > limit {
		return nil, tooLarge
	}
	body, err := read(http.MaxBytesReader(w, r.Body, limit), limit)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, Refuse(http.StatusRequestTimeout, "body: too slow")
	case err != nil:
		return nil, Refuse(http.StatusBadRequest, "body: cut off")
	}
	return body, nil
}

// read reads up to the end, of what gives an error beyond a limit. Room is made for
// what has come, since the length is only what the caller says, and at most for the
// limit.
func read(r io.Reader, limit int64) ([]byte, error) {
	const first = 32 << 10
	body := make([]byte, 0, first)
	for {
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, err
		case len(body) == cap(body):
			more := make([]byte, len(body), min(2*int64(cap(body)), max(limit, first)+1)) // 1 for what is too much
			copy(more, body)
			body = more
		}
	}
}
