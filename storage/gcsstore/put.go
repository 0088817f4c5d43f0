package gcsstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"

	gcs "cloud.google.com/go/storage"

	"github.com/gaenkit/gaen/storage"
)

// Put implements [storage.Bucket].
func (b *Bucket) Put(ctx context.Context, name string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	if b.readOnly {
		return storage.Attributes{}, ErrReadOnly
	}
	object := b.object(name)
	if opts.IfAbsent {
		object = object.If(gcs.Conditions{DoesNotExist: true})
	}
	a, err := b.put(ctx, object, r, opts)
	switch {
	case opts.IfAbsent && errors.Is(err, storage.ErrPrecondition):
		return storage.Attributes{}, fmt.Errorf("%w: %v", fs.ErrExist, err)
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, storage.ErrPrecondition):
		return storage.Attributes{}, errors.New(err.Error()) // no answer to a Put
	}
	return attributesOf(a), err
}

// Replace implements [storage.Replacer].
func (b *Bucket) Replace(ctx context.Context, name, etag string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	if b.readOnly {
		return storage.Attributes{}, ErrReadOnly
	}
	v, ok := parseETag(etag)
	if !ok {
		return storage.Attributes{}, fmt.Errorf("%w: no object has the ETag %.100q", storage.ErrPrecondition, etag)
	}
	object := b.object(name).If(gcs.Conditions{GenerationMatch: v.generation, MetagenerationMatch: v.metageneration})
	a, err := b.put(ctx, object, r, opts)
	if errors.Is(err, fs.ErrNotExist) {
		return storage.Attributes{}, fmt.Errorf("%w: there is none: %v", storage.ErrPrecondition, err)
	}
	return attributesOf(a), err
}

func attributesOf(a *gcs.ObjectAttrs) storage.Attributes {
	if a == nil {
		return storage.Attributes{}
	}
	return attributes(a)
}

// put stores r by one request. All of r has been read once before that begins,
// so that one that fails never leaves half of itself to a server that takes the
// end of a connection for the end of an object, as emulators do.
func (b *Bucket) put(ctx context.Context, object *gcs.ObjectHandle, r io.Reader, opts *storage.PutOptions) (*gcs.ObjectAttrs, error) {
	content, sum, err := b.readOnce(ctx, r)
	if err != nil {
		return nil, err
	}
	own, cancel := context.WithCancel(ctx)
	defer cancel() // of a request that failed, and is not closed
	w := object.NewWriter(own)
	w.ChunkSize = 0 // one request
	w.CRC32C, w.SendCRC32C = sum, true
	w.ForceEmptyContentType = true
	w.ContentType, w.ContentEncoding, w.CacheControl = opts.ContentType, opts.ContentEncoding, opts.CacheControl
	w.Metadata = opts.Metadata
	if opts.ACL == storage.PublicRead {
		w.PredefinedACL = "publicRead"
	}
	if _, err := io.Copy(w, content); err != nil {
		return nil, b.explain(ctx, err)
	}
	if err := w.Close(); err != nil {
		return nil, b.explain(ctx, err)
	}
	return w.Attrs(), nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// readOnce returns r's content, to be read again, and its CRC-32C. A reader that
// cannot seek is read into memory.
func (b *Bucket) readOnce(ctx context.Context, r io.Reader) (io.Reader, uint32, error) {
	h := crc32.New(castagnoli)
	if s, ok := r.(io.ReadSeeker); ok {
		start, err := s.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, 0, err
		}
		if _, err := io.Copy(h, s); err != nil {
			return nil, 0, err
		}
		_, err = s.Seek(start, io.SeekStart)
		return s, h.Sum32(), err
	}
	content, err := io.ReadAll(io.LimitReader(r, b.maxBuffer+1))
	if err != nil {
		return nil, 0, err
	}
	if int64(len(content)) > b.maxBuffer {
		return nil, 0, fmt.Errorf("%w of %d bytes for readers that cannot seek (Options.MaxBuffer)", storage.ErrTooLarge, b.maxBuffer)
	}
	h.Write(content)
	return bytes.NewReader(content), h.Sum32(), ctx.Err()
}
