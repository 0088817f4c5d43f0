package gcsstore

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/gaenkit/gaen/storage"
)

// Delete implements [storage.Bucket].
func (b *Bucket) Delete(ctx context.Context, name string) error {
	if b.readOnly {
		return ErrReadOnly
	}
	err := b.explain(ctx, b.object(name).Delete(ctx))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// DeleteAll implements [storage.BatchDeleter]. It makes a request for each
// object, several at a time.
func (b *Bucket) DeleteAll(ctx context.Context, names []string) error {
	if b.readOnly {
		return ErrReadOnly // and again by storage, which deletes one by one then
	}
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	errs := make([]error, len(names))
	var group errgroup.Group
	group.SetLimit(b.parallel)
	for i, name := range names {
		group.Go(func() error {
			if err := b.Delete(ctx, name); err != nil {
				errs[i] = &storage.Error{Op: "delete", Name: name, Err: err}
			}
			return nil
		})
	}
	group.Wait()
	return errors.Join(errs...)
}
