package s3store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/gaenkit/gaen/storage"
)

// What is wrong with the set-up. All satisfy errors.Is(err, fs.ErrInvalid), so
// that nobody tries again ([storage.Retryable]).
var (
	// ErrNoBucket says that there is no such bucket.
	ErrNoBucket error = misconfigured("the bucket does not exist")

	// ErrRegion says that the bucket is in another region than the client's.
	ErrRegion error = misconfigured("the bucket is in another region")

	// ErrClock says that our clock and the server's are too far apart.
	ErrClock error = misconfigured("the clock is wrong")
)

// ErrNoConditions says that the server does not honour conditional create
// (If-None-Match), without which of two publishers none wins. It satisfies
// errors.Is(err, errors.ErrUnsupported).
var ErrNoConditions = fmt.Errorf("the server has no conditional create: %w", errors.ErrUnsupported)

// ErrFull says that the server has no room for what was to be put (507, or a
// quota that is used up). Nothing of it was stored, and
// somebody may make room, so it may be tried again.
var ErrFull = errors.New("the server has no room")

// ErrReadOnly says that the bucket was opened by Options.ReadOnly. It satisfies
// errors.Is(err, errors.ErrUnsupported).
var ErrReadOnly = fmt.Errorf("opened for reading only: %w", errors.ErrUnsupported)

type misconfigured string

func (m misconfigured) Error() string        { return string(m) }
func (m misconfigured) Is(target error) bool { return target == fs.ErrInvalid }

// kinds says what storage is told of an error code of S3; nil is what may pass.
// Codes that are not in it go by their status.
var kinds = map[string]error{
	"NoSuchKey":                     fs.ErrNotExist,
	"NoSuchBucket":                  ErrNoBucket,
	"PreconditionFailed":            storage.ErrPrecondition,
	"ConditionalRequestConflict":    errConflict,
	"PermanentRedirect":             ErrRegion,
	"AuthorizationHeaderMalformed":  ErrRegion, // signed for another region
	"RequestTimeTooSkewed":          ErrClock,
	"AccessDenied":                  fs.ErrPermission,
	"ExpiredToken":                  fs.ErrPermission,
	"InvalidToken":                  fs.ErrPermission,
	"AccessControlListNotSupported": errNoACL,
	"NotImplemented":                errors.ErrUnsupported,
	"QuotaExceeded":                 ErrFull, // with 403, by Ceph
	"KeyTooLongError":               storage.ErrInvalidName,
	"EntityTooLarge":                storage.ErrTooLarge,
	"ExistingObjectIsDirectory":     errNoFolder,
	"ObjectParentIsFile":            errNoFolder,

	// With status 400, but nothing that a repeat could not cure.
	"BadDigest":                 nil,
	"IncompleteBody":            nil,
	"RequestTimeout":            nil,
	"SlowDown":                  nil,
	"InternalError":             nil,
	"ServiceUnavailable":        nil,
	"XAmzContentSHA256Mismatch": nil,
}

var (
	// errConflict: another request about this object is being carried out.
	errConflict = errors.New("a concurrent request has not ended")

	// errNoACL: the bucket is owned as AWS makes them since 2023.
	errNoACL = fmt.Errorf("the bucket takes no ACLs; make its objects public by a policy and put with storage.BucketACL: %w", errors.ErrUnsupported)

	// errNoFolder: gateways to file systems, such as versitygw.
	errNoFolder = fmt.Errorf("the server cannot have an object and others below its name: %w", errors.ErrUnsupported)

	// errMissing is a 404 that does not say whether the object or the bucket is
	// missing, as all answers to HEAD.
	errMissing = errors.New("not found")
)

// kindOf returns what err is to storage, or nil for what may pass.
func kindOf(err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		if kind, known := kinds[api.ErrorCode()]; known {
			return kind
		}
	}
	if r, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return kindOfStatus(r.HTTPStatusCode())
	}
	return nil
}

func kindOfStatus(status int) error {
	switch {
	case status == http.StatusNotFound:
		return errMissing
	case status == http.StatusMovedPermanently || status == http.StatusTemporaryRedirect:
		return ErrRegion
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fs.ErrPermission
	case status == http.StatusPreconditionFailed:
		return storage.ErrPrecondition
	case status == http.StatusInsufficientStorage:
		return ErrFull
	case status == http.StatusMethodNotAllowed || status == http.StatusNotImplemented:
		return errors.ErrUnsupported
	case status == http.StatusRequestTimeout || status == http.StatusConflict || status == http.StatusTooManyRequests:
		return nil
	case 400 <= status && status < 500:
		return fs.ErrInvalid
	default:
		return nil
	}
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
	return b.as(kind, err)
}

// exists returns nil if the bucket does.
func (b *Bucket) exists(ctx context.Context) error {
	_, err := b.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.bucket}, once)
	if err == nil {
		return nil
	}
	kind := kindOf(err)
	if kind == errMissing {
		kind = ErrNoBucket
	}
	return b.as(kind, err)
}

// as returns err as one of a kind, and of no other that is an answer of the
// server. A client without its file of credentials gives an error that
// satisfies errors.Is(err, fs.ErrNotExist), and the object is there all the
// same.
func (b *Bucket) as(kind, err error) error {
	var text = err
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
		text = errors.New(err.Error())
	}
	switch kind {
	case nil:
		return text
	case ErrRegion:
		return fmt.Errorf("%w%s: %w", kind, b.regions(err), text)
	default:
		return fmt.Errorf("%w: %w", kind, text)
	}
}

// regions names the bucket's region, if the server did, and the client's.
func (b *Bucket) regions(err error) string {
	theirs := ""
	if r, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && r.Response != nil {
		theirs = r.Response.Header.Get("X-Amz-Bucket-Region")
	}
	if theirs == "" {
		return fmt.Sprintf(" (the client's is %q)", b.client.Options().Region)
	}
	return fmt.Sprintf(" (%q, the client's is %q)", theirs, b.client.Options().Region)
}
