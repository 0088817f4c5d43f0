package federation_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
)

// TestError: an error says what is known, and is of its class and its cause.
func TestError(t *testing.T) {
	why := errors.New("wrong")
	for _, tt := range []struct {
		err  federation.Error
		want string
	}{
		{federation.Error{Protocol: "p", Op: "ask", Class: federation.ErrDenied, Err: why}, "p: ask: wrong"},
		{federation.Error{Protocol: "p", Op: "ask", Status: 403, Class: federation.ErrDenied, Err: why}, "p: ask: status 403: wrong"},
		{federation.Error{Protocol: "p", Op: "ask", Status: 403, Class: federation.ErrDenied, Err: why, RetryAfter: time.Minute},
			"p: ask: status 403: wrong; to be asked again in 1m0s"},
	} {
		var err error = &tt.err
		if err.Error() != tt.want || !errors.Is(err, federation.ErrDenied) || !errors.Is(err, why) || errors.Is(err, federation.ErrGone) {
			t.Errorf("got %v, want %s", err, tt.want)
		}
		if d, ok := federation.RetryAfter(err); d != tt.err.RetryAfter || ok != (d > 0) {
			t.Errorf("%v: told %s, %t", err, d, ok)
		}
	}
}
