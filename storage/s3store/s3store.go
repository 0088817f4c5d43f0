package s3store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/gaenkit/gaen/storage"
)

// Options are the settings of a [Bucket]; nil and the zero value are the
// defaults.
type Options struct {
	// Prefix is what the keys of all objects begin with, for buckets shared
	// with others; it ends in '/'. Objects' names are without it, and have so
	// much less of S3's 1,024 bytes. The probe of [New] is below it too, so
	// that permissions may end there.
	Prefix string

	// PublicRead says that objects will be put with [storage.PublicRead], so
	// that New finds out whether the bucket takes that.
	PublicRead bool

	// ReadOnly is for those who read what others publish. New then asks for no
	// permission to write and finds out by reading alone; every method that
	// changes something gives [ErrReadOnly].
	ReadOnly bool

	// MaxBuffer is how many bytes of a reader that cannot seek a Put holds in
	// memory; [DefaultMaxBuffer] if zero.
	MaxBuffer int64
}

// DefaultMaxBuffer is four times the largest archive that phones accept.
const DefaultMaxBuffer = 64 << 20

// Bucket is a bucket of S3, or a part of one. Use [New].
type Bucket struct {
	client    *s3.Client
	bucket    string
	prefix    string
	maxBuffer int64
	readOnly  bool
	replaces  bool // the server honours If-Match
}

var (
	_ storage.Bucket       = (*Bucket)(nil)
	_ storage.Replacer     = (*Bucket)(nil)
	_ storage.BatchDeleter = (*Bucket)(nil)
	_ storage.Stater       = (*Bucket)(nil)
)

// newBucket checks the options.
func newBucket(client *s3.Client, bucket string, opts *Options) (*Bucket, error) {
	if opts == nil {
		opts = &Options{}
	}
	switch {
	case client == nil:
		return nil, errors.New("s3store: no client")
	case bucket == "":
		return nil, errors.New("s3store: no name of a bucket")
	case opts.MaxBuffer < 0:
		return nil, fmt.Errorf("s3store: Options.MaxBuffer: %d, want at least 0", opts.MaxBuffer)
	case opts.ReadOnly && opts.PublicRead:
		return nil, errors.New("s3store: Options.PublicRead: nothing will be put by Options.ReadOnly")
	}
	if err := storage.CheckPrefix(opts.Prefix); err != nil {
		return nil, fmt.Errorf("s3store: Options.Prefix: %w", err)
	}
	b := &Bucket{client: client, bucket: bucket, prefix: opts.Prefix, maxBuffer: opts.MaxBuffer, readOnly: opts.ReadOnly}
	if b.maxBuffer == 0 {
		b.maxBuffer = DefaultMaxBuffer
	}
	return b, nil
}

// key returns the key in the bucket of the object name.
func (b *Bucket) key(name string) *string { return aws.String(b.prefix + name) }

// once has a request made once, whatever the client would do: who calls the
// bucket repeats ([storage.Retryable]), and an answer to a second attempt that
// nobody knows of would be taken for one to the first.
func once(o *s3.Options) {
	o.Retryer = aws.NopRetryer{}
	o.DisableLogOutputChecksumValidationSkipped = true // libraries do not log
	// The client's default, which one that was made without a configuration
	// does not have: CRC-32 both ways.
	if o.RequestChecksumCalculation == 0 {
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
	}
	if o.ResponseChecksumValidation == 0 {
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenSupported
	}
}

// unquoted returns an ETag as attributes carry it. Servers quote theirs in
// headers and, most of them, in listings.
func unquoted(etag *string) string {
	e := aws.ToString(etag)
	if len(e) >= 2 && e[0] == '"' && e[len(e)-1] == '"' {
		return e[1 : len(e)-1]
	}
	return e
}

// quoted returns the header for an ETag, or false if no server gives such.
func quoted(etag string) (*string, bool) {
	odd := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '*' || r == ',' }
	if etag == "" || strings.ContainsFunc(etag, odd) {
		return nil, false
	}
	return aws.String(`"` + etag + `"`), true
}
