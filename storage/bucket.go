package storage

import (
	"context"
	"fmt"
	"io"
	"iter"
	"time"
)

// A Bucket is a flat set of named objects. It is what a store implements; use
// it through the functions of this package ([Get], [Put], [Delete], [List]),
// which check what a Bucket may rely on: names follow [CheckName], options
// [PutOptions.Check], and ctx is not over when a method is called.
//
// Methods must be safe to call from several goroutines at once. What a
// successful Put or Delete did must be seen by every Get and List that begins
// after it returned, in whatever process.
//
// A method must not return [context.Canceled] or [context.DeadlineExceeded]
// as its own time-out where it can avoid it; see [Retryable].
//
// The suite in storagetest checks every "must" below.
type Bucket interface {
	// Get opens the object for reading. If there is none, the error must
	// satisfy errors.Is(err, fs.ErrNotExist); if it is not known whether there
	// is one, the error must not. The attributes must be complete and of the
	// same version of the object as the body, which must yield exactly Size
	// bytes or an error, as they were stored: no transparent decompression.
	// The caller closes the body and may change the attributes.
	Get(ctx context.Context, name string) (io.ReadCloser, Attributes, error)

	// Put must either store all of r under name, with its attributes, or leave
	// what was there before, also when r fails or ctx is cancelled half way. No
	// reader may see the one version's content with the other's attributes, or
	// parts of both. opts is never nil and must not be kept, nor anything that
	// r hands out. r is read from where it stands; if it is an [io.Seeker], the
	// store may use that to learn its length and to repeat a request.
	//
	// With opts.IfAbsent, an object that exists must be left alone and the
	// error satisfy errors.Is(err, fs.ErrExist), whatever its content; of any
	// number of concurrent creators, in whatever process, exactly one must win.
	//
	// A store that cannot give what opts asks for, such as an ACL, must return
	// an error that satisfies errors.Is(err, errors.ErrUnsupported) and store
	// nothing.
	//
	// Put returns the attributes of what it stored; Size and ETag must be set.
	Put(ctx context.Context, name string, r io.Reader, opts *PutOptions) (Attributes, error)

	// Delete removes the object. It must succeed if there is none, and must not
	// touch any other: not those below name + "/", not name with more bytes.
	Delete(ctx context.Context, name string) error

	// List must yield the objects whose names begin with the bytes of prefix,
	// in ascending byte order of name, each once, and stop after the first
	// error that it yields. Any string is a prefix, the empty one too. Objects
	// that exist from beginning to end must be listed whatever is put or
	// deleted meanwhile; those put or deleted meanwhile may be.
	//
	// There must be no request before the sequence is ranged over; ranging
	// again must list again, and leaving the loop early must free what the
	// listing holds. The loop's body may call the bucket.
	//
	// Name, Size, ETag and Modified must be set; nothing else is looked at.
	// Names that CheckName refuses may be listed; the package function drops
	// them.
	List(ctx context.Context, prefix string) iter.Seq2[Attributes, error]
}

// Attributes is what a bucket knows of an object beside its content.
//
// [Get] and [Stat] give all of it; [Put] and [Replace] all but perhaps
// Modified; [List] gives Name, Size, ETag and Modified and leaves the rest
// zero.
type Attributes struct {
	Name string
	Size int64

	// ETag stands for one version of the object. It is opaque and never empty.
	// Two equal ETags of the same name mean equal content and equal other
	// attributes; it changes when either does. Whether it also changes when an
	// object is put again unchanged is up to the store.
	//
	// S3 computes ETags from the content alone. A store that cannot help it
	// declares the clause "etag-changes-with-attributes" a deviation.
	ETag string

	// Modified is when the object was put, by the store's clock, to the second
	// or better. It is for retention and for people; compare ETags to find out
	// whether something changed.
	Modified time.Time

	ContentType     string
	ContentEncoding string
	CacheControl    string

	// Metadata is the user's own; nil if there is none. It says nothing of who
	// may read the object.
	Metadata map[string]string
}

// PutOptions is how an object is to be stored. A nil *PutOptions is the zero
// value: no headers, the bucket's ACL, overwrite what is there.
type PutOptions struct {
	ContentType     string
	ContentEncoding string
	CacheControl    string

	// ACL says who may read the object.
	ACL ACL

	// Metadata is the user's own, such as the German back end's "cwa-hash".
	// Keys are of lower-case ASCII letters, digits and hyphens, since stores
	// carry them as header names, which do not keep their case.
	Metadata map[string]string

	// IfAbsent puts only if there is no object of this name; else the error
	// satisfies errors.Is(err, fs.ErrExist).
	IfAbsent bool
}

// ACL says who may read an object. The zero value leaves it to the bucket.
type ACL uint8

const (
	// BucketACL is what the bucket gives to all its objects.
	BucketACL ACL = iota

	// PublicRead lets everybody read the object.
	PublicRead
)

// String returns "bucket" or "public-read".
func (a ACL) String() string {
	switch a {
	case BucketACL:
		return "bucket"
	case PublicRead:
		return "public-read"
	default:
		return fmt.Sprintf("ACL(%d)", uint8(a))
	}
}
