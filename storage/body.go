package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// errTooLong says that a bucket gave more bytes than it had announced, as
// clients do that decompress behind their user's back.
var errTooLong = errors.New("the body is longer than the object's size")

// body holds what is promised of the reader of an object: exactly its size or
// an error, nothing once ctx is over, and errors with a name.
type body struct {
	ctx  context.Context // of the Get whose answer this is
	name string
	rc   io.ReadCloser
	left int64
	err  error
}

func (b *body) Read(p []byte) (int, error) {
	if b.err == nil {
		b.err = b.fail(b.ctx.Err())
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.rc.Read(p)
	b.left -= int64(n)
	switch {
	case b.left < 0:
		n, err = n+int(b.left), errTooLong
	case err == io.EOF && b.left > 0:
		err = io.ErrUnexpectedEOF
	}
	b.err = b.fail(err)
	return n, b.err
}

func (b *body) fail(err error) error {
	switch {
	case err == nil || err == io.EOF:
		return err
	case errors.Is(err, fs.ErrNotExist):
		// The object was there when it was opened; what failed is the read.
		err = fmt.Errorf("read: %v", err)
	}
	return fail(b.ctx, "get", b.name, err)
}

func (b *body) Close() error { return fail(b.ctx, "get", b.name, b.rc.Close()) }

// input returns r as one that ends when ctx does, so that a Put of a slow
// reader can be cancelled in every bucket. It is an [io.Seeker] if r is one.
func input(ctx context.Context, r io.Reader) io.Reader {
	in := ctxReader{ctx, r}
	if s, ok := r.(io.Seeker); ok {
		return struct {
			ctxReader
			io.Seeker
		}{in, s}
	}
	return in
}

type ctxReader struct {
	ctx context.Context // of the Put that reads
	r   io.Reader
}

func (c ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
