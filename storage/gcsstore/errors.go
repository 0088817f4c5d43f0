package gcsstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	gcs "cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"

	"github.com/gaenkit/gaen/storage"
)

// What is wrong with the set-up. Both satisfy errors.Is(err, fs.ErrInvalid), so
// that nobody tries again ([storage.Retryable]).
var (
	// ErrNoBucket says that there is no such bucket.
	ErrNoBucket error = misconfigured("the bucket does not exist")

	// ErrClock says that our clock and the server's are too far apart.
	ErrClock error = misconfigured("the clock is wrong")
)

// ErrNoConditions says that the server does not honour conditional create
// (ifGenerationMatch=0), as some emulators. It satisfies
// errors.Is(err, errors.ErrUnsupported).
var ErrNoConditions = fmt.Errorf("the server has no conditional create: %w", errors.ErrUnsupported)

// ErrReadOnly says that the bucket was opened by Options.ReadOnly. It satisfies
// errors.Is(err, errors.ErrUnsupported).
var ErrReadOnly = fmt.Errorf("opened for reading only: %w", errors.ErrUnsupported)

type misconfigured string

func (m misconfigured) Error() string        { return string(m) }
func (m misconfigured) Is(target error) bool { return target == fs.ErrInvalid }

// errNoACL: most buckets are so by now.
var errNoACL = fmt.Errorf("the bucket makes no single objects public; make all of them so by IAM and put with storage.BucketACL: %w", errors.ErrUnsupported)

// errMissing is a 404, which does not say whether the object or the bucket is
// missing.
var errMissing = errors.New("not found")

// kindOf returns what err is to storage, or nil for what may pass.
func kindOf(err error) error {
	if api, ok := errors.AsType[*googleapi.Error](err); ok {
		return kindOfAnswer(api)
	}
	if errors.Is(err, gcs.ErrObjectNotExist) || errors.Is(err, gcs.ErrBucketNotExist) {
		return errMissing
	}
	return nil
}

func kindOfAnswer(e *googleapi.Error) error {
	switch {
	case isACL(e):
		return errNoACL
	case e.Code == http.StatusNotFound:
		return errMissing
	case e.Code == http.StatusPreconditionFailed:
		return storage.ErrPrecondition
	case e.Code == http.StatusForbidden && isRate(e):
		return nil
	case e.Code == http.StatusUnauthorized || e.Code == http.StatusForbidden:
		return fs.ErrPermission
	case e.Code == http.StatusMethodNotAllowed || e.Code == http.StatusNotImplemented:
		return errors.ErrUnsupported
	case e.Code == http.StatusRequestTimeout || e.Code == http.StatusConflict || e.Code == http.StatusTooManyRequests:
		return nil
	case e.Code == http.StatusRequestEntityTooLarge:
		return storage.ErrTooLarge
	case 400 <= e.Code && e.Code < 500:
		return fs.ErrInvalid
	default:
		return nil
	}
}

// isACL reports whether the bucket refused an ACL: 400 where access is uniform,
// 412 where public access is prevented. Only the text tells the latter from a
// condition that did not hold.
func isACL(e *googleapi.Error) bool {
	text := strings.ToLower(e.Message + e.Body)
	uniform := e.Code == http.StatusBadRequest && strings.Contains(text, "uniform bucket-level access")
	prevented := e.Code == http.StatusPreconditionFailed &&
		(strings.Contains(text, "public access prevention") || strings.Contains(text, "publicaccessprevention"))
	return uniform || prevented
}

// isRate reports whether a 403 says "too fast", as some older answers do.
func isRate(e *googleapi.Error) bool {
	for _, item := range e.Errors {
		if strings.HasSuffix(strings.ToLower(item.Reason), "ratelimitexceeded") {
			return true
		}
	}
	return false
}

// explain returns err, which the client gave, as storage wants it.
func (b *Bucket) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	kind := kindOf(err)
	if kind == errMissing {
		if missing := b.exists(ctx); missing != nil {
			return missing
		}
		kind = fs.ErrNotExist
	}
	return as(kind, err)
}

// exists returns nil if the bucket does. It lists, because to look at the
// bucket itself takes a permission that nothing else here does.
func (b *Bucket) exists(ctx context.Context) error {
	q := &gcs.Query{Prefix: b.prefix + probePrefix}
	if err := q.SetAttrSelection([]string{"Name"}); err != nil {
		return err
	}
	_, err := b.handle.Objects(ctx, q).Next()
	if err == nil || err == iterator.Done {
		return nil
	}
	return explainList(err)
}

// explainList returns the error of a listing, where only the bucket can be
// missing.
func explainList(err error) error {
	kind := kindOf(err)
	if kind == errMissing {
		kind = ErrNoBucket
	}
	return as(kind, err)
}

// as returns err as one of a kind, and of no other that is an answer of the
// server. A client without its file of credentials gives an error that
// satisfies errors.Is(err, fs.ErrNotExist), and the object is there all the
// same.
func as(kind, err error) error {
	text := err
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
		text = errors.New(err.Error())
	}
	if kind == nil {
		return text
	}
	return fmt.Errorf("%w: %w", kind, text)
}
