package gcsstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/gaenkit/gaen/storage"
)

// replacedTries is how often Get begins anew where the object was replaced
// between its two requests.
const replacedTries = 20

// Get implements [storage.Bucket]. It makes two requests, one for the
// attributes and one for the content of just that version, because an answer
// with content does not say whether there is a content type.
func (b *Bucket) Get(ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
	var err error
	for range replacedTries {
		var a storage.Attributes
		if a, err = b.Stat(ctx, name); err != nil {
			return nil, storage.Attributes{}, err
		}
		v, _ := parseETag(a.ETag)
		// As stored: no decompression by the client or the server.
		r, openErr := b.object(name).Generation(v.generation).ReadCompressed(true).NewReader(ctx)
		if openErr == nil {
			return r, a, nil
		}
		if err = b.explain(ctx, openErr); !errors.Is(err, fs.ErrNotExist) {
			return nil, storage.Attributes{}, err
		}
	}
	return nil, storage.Attributes{}, fmt.Errorf("the object was replaced again and again: %v", err)
}

// Stat implements [storage.Stater].
func (b *Bucket) Stat(ctx context.Context, name string) (storage.Attributes, error) {
	a, err := b.object(name).Attrs(ctx)
	if err != nil {
		return storage.Attributes{}, b.explain(ctx, err)
	}
	return attributes(a), nil
}
