package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/storage"
)

func TestRetryable(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errors.New("503"), true},
		{io.ErrUnexpectedEOF, true},
		{&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, true},
		{fs.ErrNotExist, false},
		{fs.ErrExist, false},
		{fs.ErrPermission, false},
		{fs.ErrInvalid, false},
		{errors.ErrUnsupported, false},
		{storage.ErrPrecondition, false},
		{storage.ErrInvalidName, false},
		{storage.ErrInvalidOptions, false},
		{storage.ErrTooLarge, false},
		{context.Canceled, false},
		{context.DeadlineExceeded, false},
		{errors.Join(errors.New("503"), fs.ErrPermission), false},
	} {
		if got := storage.Retryable(tt.err); got != tt.want {
			t.Errorf("Retryable(%v) = %v", tt.err, got)
		}
		wrapped := &storage.Error{Op: "get", Name: "a", Err: fmt.Errorf("step: %w", tt.err)}
		if tt.err != nil && storage.Retryable(wrapped) != tt.want {
			t.Errorf("Retryable(%v) = %v", wrapped, !tt.want)
		}
	}
}

// TestRetryableTimeOut tells the caller's deadline from the store's: the
// time-out of an http.Client is a DeadlineExceeded too.
func TestRetryableTimeOut(t *testing.T) {
	b := &stub{err: fmt.Errorf("Client.Timeout exceeded: %w", context.DeadlineExceeded)}
	if err := storage.Delete(t.Context(), b, "a"); !storage.Retryable(err) {
		t.Errorf("%v is not retryable, but it was the store that gave up", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	b.before = cancel
	if err := storage.Delete(ctx, b, "a"); storage.Retryable(err) {
		t.Errorf("%v is retryable, but it was the caller who gave up", err)
	}
}

func TestErrorText(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  storage.Error
		want string
	}{
		{"plain", storage.Error{Op: "get", Name: "a/b", Err: fs.ErrNotExist}, `storage: get "a/b": file does not exist`},
		{"not to be trusted", storage.Error{Op: "put", Name: "a\nb", Err: storage.ErrInvalidName}, `storage: put "a\nb": invalid name`},
		{"long", storage.Error{Op: "put", Name: strings.Repeat("n", 5000), Err: storage.ErrInvalidName}, `storage: put "` + strings.Repeat("n", 64) + `...": invalid name`},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestErrorIsKept shows that the bucket that failed names the object, not the
// wrapper around it.
func TestErrorIsKept(t *testing.T) {
	p, err := storage.Prefixed(&stub{err: errors.New("503")}, "DE/")
	if err != nil {
		t.Fatal(err)
	}
	err = storage.Delete(t.Context(), p, "index")
	if want := `storage: delete "DE/index": 503`; err.Error() != want {
		t.Errorf("got %s, want %s", err, want)
	}
}
