package gcsstore

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	gcs "cloud.google.com/go/storage"

	"github.com/gaenkit/gaen/storage"
)

// Options are the settings of a [Bucket]; nil and the zero value are the
// defaults.
type Options struct {
	// Prefix is what the names of all objects begin with in the bucket of
	// Cloud Storage, for buckets shared with others; it ends in '/'. Objects'
	// names here are without it, and have so much less of 1,024 bytes. The
	// probe of [New] is below it too, so that permissions may end there.
	Prefix string

	// PublicRead says that objects will be put with [storage.PublicRead], so
	// that New finds out whether the bucket takes that.
	PublicRead bool

	// ReadOnly is for those who read what others publish. New then asks for no
	// permission to write and finds out by reading alone; every method that
	// changes something gives [ErrReadOnly].
	ReadOnly bool

	// Parallel is how many objects DeleteAll deletes at a time, since the
	// client has no batches; 16 if zero.
	Parallel int

	// MaxBuffer is how many bytes of a reader that cannot seek a Put holds in
	// memory; [DefaultMaxBuffer] if zero.
	MaxBuffer int64
}

const defaultParallel = 16

// DefaultMaxBuffer is four times the largest archive that phones accept.
const DefaultMaxBuffer = 64 << 20

// Bucket is a bucket of Cloud Storage, or a part of one. Use [New].
type Bucket struct {
	handle    *gcs.BucketHandle
	prefix    string
	parallel  int
	maxBuffer int64
	readOnly  bool
}

var (
	_ storage.Bucket       = (*Bucket)(nil)
	_ storage.Replacer     = (*Bucket)(nil)
	_ storage.BatchDeleter = (*Bucket)(nil)
	_ storage.Stater       = (*Bucket)(nil)
)

// newBucket checks the options.
func newBucket(client *gcs.Client, bucket string, opts *Options) (*Bucket, error) {
	if opts == nil {
		opts = &Options{}
	}
	switch {
	case client == nil:
		return nil, errors.New("gcsstore: no client")
	case bucket == "":
		return nil, errors.New("gcsstore: no name of a bucket")
	case opts.Parallel < 0:
		return nil, fmt.Errorf("gcsstore: Options.Parallel: %d, want at least 0", opts.Parallel)
	case opts.MaxBuffer < 0:
		return nil, fmt.Errorf("gcsstore: Options.MaxBuffer: %d, want at least 0", opts.MaxBuffer)
	case opts.ReadOnly && opts.PublicRead:
		return nil, errors.New("gcsstore: Options.PublicRead: nothing will be put by Options.ReadOnly")
	}
	if err := storage.CheckPrefix(opts.Prefix); err != nil {
		return nil, fmt.Errorf("gcsstore: Options.Prefix: %w", err)
	}
	b := &Bucket{
		prefix:    opts.Prefix,
		parallel:  cmp.Or(opts.Parallel, defaultParallel),
		maxBuffer: cmp.Or(opts.MaxBuffer, DefaultMaxBuffer),
		readOnly:  opts.ReadOnly,
	}
	// Every request is made once: who calls the bucket repeats, and an answer
	// to a second attempt that nobody knows of would be taken for one to the
	// first.
	b.handle = client.Bucket(bucket).Retryer(gcs.WithPolicy(gcs.RetryNever))
	return b, nil
}

func (b *Bucket) object(name string) *gcs.ObjectHandle { return b.handle.Object(b.prefix + name) }

// version is what Cloud Storage counts: content by generations, and changes of
// a generation's attributes by metagenerations.
type version struct{ generation, metageneration int64 }

func (v version) etag() string { return fmt.Sprintf("%d-%d", v.metageneration, v.generation) }

// parseETag returns the version that an ETag of ours stands for.
func parseETag(etag string) (v version, ok bool) {
	m, g, _ := strings.Cut(etag, "-")
	generation, errG := strconv.ParseInt(g, 10, 64)
	metageneration, errM := strconv.ParseInt(m, 10, 64)
	v = version{generation, metageneration}
	return v, errG == nil && errM == nil && generation > 0 && metageneration > 0 && v.etag() == etag
}

// attributes returns what storage is told of an object.
func attributes(a *gcs.ObjectAttrs) storage.Attributes {
	s := storage.Attributes{
		Size:            a.Size,
		ETag:            version{a.Generation, a.Metageneration}.etag(),
		Modified:        a.Updated,
		ContentType:     a.ContentType,
		ContentEncoding: a.ContentEncoding,
		CacheControl:    a.CacheControl,
	}
	if len(a.Metadata) > 0 {
		s.Metadata = a.Metadata
	}
	return s
}
