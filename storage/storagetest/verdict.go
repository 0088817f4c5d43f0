package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"time"
)

// A Call is one request to a [FaultyBucket] or a [FaultyTransport].
type Call struct {
	N    int    // its number in the order of calls, from 1
	Op   string // OpGet, ...; of a transport the method, http.MethodGet, ...
	Name string // the object; for OpList the prefix, for OpDeleteAll the names, separated by spaces; of a transport the URL's path and query
}

// A Verdict is what becomes of a [Call]: one of those below, or a status of
// HTTP from 400 to 599, such as Verdict(http.StatusServiceUnavailable), with
// which the server answers without having done anything.
//
// A bucket whose server answers so fails with [ErrFault]; with 401 and 403 the
// error satisfies errors.Is(err, [fs.ErrPermission]) too.
type Verdict int

const (
	// Pass lets the call through.
	Pass Verdict = iota

	// Fail has the call fail before its effect, with [ErrFault].
	Fail

	// FailAfter has the call take effect and then fail with [ErrFault]: the
	// answer is lost. A Get fails as it is, a List after its last object. If
	// the call fails by itself, it fails with its own error.
	FailAfter

	// Half has the call break half way. A Get's body ends after half of its
	// bytes, as if it were whole. A List yields half of the objects and then
	// [ErrFault], a DeleteAll deletes half of the names and then fails. A Put,
	// Create or Replace reads some of its reader and then fails; nothing is
	// stored. Others Fail.
	Half

	// Partial has a List end after half of the objects, and a Get after half of
	// the bytes, as if that were all. Others Pass.
	Partial

	// Stale has a List yield what the last List of the same prefix did that
	// was passed and came to its end; nothing if there was none. Others Pass.
	Stale

	// Trickle has a Get's body come in 16 pieces, 1 ms apart. Others Pass. Of a
	// transport's answers, those of unknown length come in pieces of 4 KiB.
	Trickle
)

// ErrFault is the error of a call that was made to fail. It is worth another
// try (storage.Retryable), unless the verdict was 401 or 403.
var ErrFault = errors.New("storagetest: fault on purpose")

func (v Verdict) status() bool { return 400 <= v && v < 600 }

// before reports whether the call fails before its effect.
func (v Verdict) before() bool { return v == Fail || v.status() }

// harmless reports whether a call that is neither a Get nor a List passes.
func (v Verdict) harmless() bool { return v == Pass || v == Partial || v == Stale || v == Trickle }

// fault returns the error of a call with this verdict.
func (v Verdict) fault() error {
	switch {
	case v == http.StatusUnauthorized || v == http.StatusForbidden:
		return fmt.Errorf("%w: %w", ErrFault, fs.ErrPermission)
	case v.status():
		return fmt.Errorf("%w: %d %s", ErrFault, v, http.StatusText(int(v)))
	default:
		return ErrFault
	}
}

// body is a reader with another's Close.
type body struct {
	io.Reader
	io.Closer
}

const (
	tricklePieces = 16
	tricklePause  = time.Millisecond
	unknownPiece  = 4096 // of a body of unknown length
)

// trickle reads r, of size bytes or, if that is negative, of unknown length, in
// small pieces.
type trickle struct {
	ctx  context.Context // of the call whose body this is
	r    io.Reader
	size int64
}

func (t *trickle) Read(p []byte) (int, error) {
	select {
	case <-t.ctx.Done():
		return 0, t.ctx.Err()
	case <-time.After(tricklePause):
	}
	piece := max(t.size/tricklePieces, 1)
	if t.size < 0 {
		piece = unknownPiece
	}
	return t.r.Read(p[:min(int64(len(p)), piece)])
}
