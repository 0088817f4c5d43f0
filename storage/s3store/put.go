package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/gaenkit/gaen/storage"
)

// noType is the content type that S3 gives to objects without one. It is sent,
// because the client would send another, and read as none.
const noType = "binary/octet-stream"

// While another request about the same object is under way, S3 answers a
// conditional one neither yes nor no (409 ConditionalRequestConflict). It is
// asked again, for about 3 s.
const (
	conflictTries = 7
	conflictPause = 50 * time.Millisecond // doubled each time
)

// Put implements [storage.Bucket].
func (b *Bucket) Put(ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	if b.readOnly {
		return storage.Attributes{}, ErrReadOnly
	}
	in := b.putInput(name, opts)
	if !opts.IfAbsent {
		a, err := b.put(ctx, in, r)
		return a, anonymous(err, fs.ErrNotExist, storage.ErrPrecondition)
	}
	in.IfNoneMatch = aws.String("*")
	a, err := b.put(ctx, in, r)
	if errors.Is(err, storage.ErrPrecondition) {
		return storage.Attributes{}, fmt.Errorf("%w: %v", fs.ErrExist, err)
	}
	return a, anonymous(err, fs.ErrNotExist)
}

// Replace implements [storage.Replacer].
func (b *Bucket) Replace(ctx context.Context, name, etag string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	if b.readOnly {
		return storage.Attributes{}, ErrReadOnly
	}
	if !b.replaces {
		return storage.Attributes{}, fmt.Errorf("the server has no conditional replace: %w", errors.ErrUnsupported)
	}
	match, ok := quoted(etag)
	if !ok {
		return storage.Attributes{}, fmt.Errorf("%w: no object has the ETag %.100q", storage.ErrPrecondition, etag)
	}
	in := b.putInput(name, opts)
	in.IfMatch = match
	a, err := b.put(ctx, in, r)
	if errors.Is(err, fs.ErrNotExist) {
		return storage.Attributes{}, fmt.Errorf("%w: there is none: %v", storage.ErrPrecondition, err)
	}
	return a, err
}

// anonymous returns err without being any of the answers, which make no sense
// where they were given.
func anonymous(err error, answers ...error) error {
	for _, answer := range answers {
		if errors.Is(err, answer) {
			return errors.New(err.Error())
		}
	}
	return err
}

func (b *Bucket) putInput(name string, opts *storage.PutOptions) *s3.PutObjectInput {
	in := &s3.PutObjectInput{
		Bucket:      &b.bucket,
		Key:         b.key(name),
		ContentType: aws.String(noType),
		Metadata:    opts.Metadata,
	}
	if opts.ContentType != "" {
		in.ContentType = &opts.ContentType
	}
	if opts.ContentEncoding != "" {
		in.ContentEncoding = &opts.ContentEncoding
	}
	if opts.CacheControl != "" {
		in.CacheControl = &opts.CacheControl
	}
	if opts.ACL == storage.PublicRead {
		in.ACL = types.ObjectCannedACLPublicRead
	}
	return in
}

// put stores r by one request, or as many as it takes to get a definite
// answer.
func (b *Bucket) put(ctx context.Context, in *s3.PutObjectInput, r io.Reader) (storage.Attributes, error) {
	content, err := newSource(ctx, r, b.maxBuffer)
	if err != nil {
		return storage.Attributes{}, err
	}
	in.Body, in.ContentLength = content, &content.size
	for try := 1; ; try++ {
		out, err := b.client.PutObject(ctx, in, once)
		if err == nil {
			return written(content.size, out)
		}
		if content.err != nil {
			return storage.Attributes{}, content.err
		}
		err = b.explain(ctx, err)
		if !errors.Is(err, errConflict) || try == conflictTries {
			return storage.Attributes{}, err
		}
		if err := pause(ctx, conflictPause<<(try-1)); err != nil {
			return storage.Attributes{}, err
		}
		if err := content.rewind(); err != nil {
			return storage.Attributes{}, err
		}
	}
}

func written(size int64, out *s3.PutObjectOutput) (storage.Attributes, error) {
	a := storage.Attributes{Size: size, ETag: unquoted(out.ETag)}
	if a.ETag == "" {
		return storage.Attributes{}, errors.New("the server gave no ETag for what it stored")
	}
	return a, nil
}

// pause waits between half of d and d, so that those who met do not meet
// again.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d/2 + rand.N(d/2)):
		return nil
	}
}
