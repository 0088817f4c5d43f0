package filestore

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/gaenkit/gaen/storage"
)

// maxRaces is how often an operation begins anew because another was faster.
const maxRaces = 100

var errRaces = errors.New("the object changed faster than it could be read")

// Get implements [storage.Bucket].
func (b *Bucket) Get(ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
	var f *os.File
	a, err := b.version(ctx, name, func() (fs.FileInfo, error) {
		if f != nil {
			f.Close()
		}
		var fi fs.FileInfo
		var err error
		f, fi, err = b.open(name)
		return fi, err
	})
	if err != nil {
		if f != nil {
			f.Close()
		}
		return nil, storage.Attributes{}, err
	}
	return f, a, nil
}

// Stat implements [storage.Stater].
func (b *Bucket) Stat(ctx context.Context, name string) (storage.Attributes, error) {
	return b.version(ctx, name, func() (fs.FileInfo, error) { return b.stat(name) })
}

func (b *Bucket) stat(name string) (fs.FileInfo, error) {
	_, fi, err := b.find(name)
	if err == nil && fi == nil {
		return nil, fs.ErrNotExist
	}
	return fi, err
}

// version returns the attributes of the version of an object that look finds.
// A version without a sidecar has no attributes, unless it was replaced
// between the look at the one and at the other; then look again. Sidecars are
// removed only after their version has gone, so one that is missing while its
// version is still in place was never there.
func (b *Bucket) version(ctx context.Context, name string, look func() (fs.FileInfo, error)) (storage.Attributes, error) {
	for range maxRaces {
		fi, err := look()
		if err != nil {
			return storage.Attributes{}, err
		}
		a, err := b.readSidecar(attributes(name, fi))
		if !absent(err) {
			return a, err
		}
		if again, err := b.stat(name); err == nil && etag(again) == a.ETag {
			return a, nil
		}
		if err := ctx.Err(); err != nil {
			return storage.Attributes{}, err
		}
	}
	return storage.Attributes{}, errRaces
}
