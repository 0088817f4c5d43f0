package distribution

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/gaenkit/gaen/storage"
)

// errAbsent is how a run notes that there is no such object, apart from every
// failure to find out.
var errAbsent = fs.ErrNotExist

// retry repeats an operation of the bucket that failed and may succeed.
func (p *Publisher) retry(ctx context.Context, op func() error) error {
	pause := p.opts.Pause
	for try := 1; ; try++ {
		err := op()
		if err == nil || try == p.opts.Tries || !storage.Retryable(err) || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
		pause *= 2
	}
}

func (p *Publisher) stat(ctx context.Context, name string) (a storage.Attributes, err error) {
	err = p.retry(ctx, func() error {
		a, err = storage.Stat(ctx, p.bucket, name)
		return err
	})
	return a, err
}

// get returns an object of ours, which is no larger than limit.
func (p *Publisher) get(ctx context.Context, name string, limit int64) (content []byte, a storage.Attributes, err error) {
	err = p.retry(ctx, func() error {
		content, a, err = storage.ReadAll(ctx, p.bucket, name, limit)
		return err
	})
	return content, a, err
}

// maxObject is the size of the largest archive or index that is read back.
const maxObject = 64 << 20

// put writes an object: one that must not exist yet if etag is empty, otherwise
// in place of the version with that ETag. An error that satisfies errors.Is(err,
// fs.ErrExist) may mean that an earlier attempt did succeed. Where the bucket
// cannot compare ETags it writes all the same, and the next run compares and
// repairs. With a staging bucket, the object is written there first.
func (p *Publisher) put(ctx context.Context, name, etag string, content []byte, opts storage.PutOptions) (a storage.Attributes, err error) {
	if opts.CacheControl == "" {
		opts.CacheControl = fmt.Sprintf("public,max-age=%d", int(p.opts.MaxAge/time.Second))
	}
	if p.opts.PublicRead {
		opts.ACL = storage.PublicRead
	}
	if err := p.stage(ctx, name, content, opts); err != nil {
		return storage.Attributes{}, fmt.Errorf("staging: %w", err)
	}
	opts.IfAbsent = etag == ""
	err = p.retry(ctx, func() error {
		a, err = p.attempt(ctx, name, etag, content, &opts)
		return err
	})
	return a, err
}

func (p *Publisher) attempt(ctx context.Context, name, etag string, content []byte, opts *storage.PutOptions) (storage.Attributes, error) {
	if etag != "" {
		a, err := storage.Replace(ctx, p.bucket, name, etag, bytes.NewReader(content), opts)
		if !errors.Is(err, errors.ErrUnsupported) {
			return a, err
		}
	}
	return storage.Put(ctx, p.bucket, name, bytes.NewReader(content), opts)
}

// stage writes an object to the staging bucket, if there is one.
func (p *Publisher) stage(ctx context.Context, name string, content []byte, opts storage.PutOptions) error {
	if p.opts.Staging == nil {
		return nil
	}
	opts.ACL = storage.BucketACL
	return p.retry(ctx, func() error {
		_, err := storage.Put(ctx, p.opts.Staging, name, bytes.NewReader(content), &opts)
		return err
	})
}
