package storagetest

import (
	"context"
	"fmt"
	"slices"

	"github.com/gaenkit/gaen/storage"
)

var deleteClauses = []clause{
	{"delete", "Delete must remove the object and no other.", deleteOne},
	{"delete-missing", "Delete must succeed if there is no such object, and touch nothing.", deleteMissing},
	{"delete-all", "DeleteAll must remove the objects named and no others, whether they exist or not, and leave the names alone.", deleteAll},
	{"delete-all-past-one-request", "DeleteAll must take any number of names.", deleteAllMany},
}

var neighbours = []string{"h", "h/1", "h/1/x", "h/10", "h/19", "h/1x", "h/2"}

func deleteOne(ctx context.Context, b storage.Bucket) error {
	if err := putAll(ctx, b, neighbours...); err != nil {
		return err
	}
	left := slices.Clone(neighbours)
	for _, name := range []string{"h/1", "h", "h/2"} {
		if err := storage.Delete(ctx, b, name); err != nil {
			return err
		}
		left = slices.DeleteFunc(left, func(n string) bool { return n == name })
		if err := wantList(ctx, b, "", left...); err != nil {
			return fmt.Errorf("after Delete %q: %w", name, err)
		}
		if err := wantAbsent(ctx, b, name); err != nil {
			return err
		}
	}
	return nil
}

func deleteMissing(ctx context.Context, b storage.Bucket) error {
	if err := putAll(ctx, b, "a/b", "cd"); err != nil {
		return err
	}
	for _, name := range []string{"x", "x/y", "a", "a/b/c", "c", "cd/e", "a/x"} {
		for range 2 {
			if err := storage.Delete(ctx, b, name); err != nil {
				return err
			}
		}
	}
	return wantList(ctx, b, "", "a/b", "cd")
}

func deleteAll(ctx context.Context, b storage.Bucket) error {
	if err := putAll(ctx, b, neighbours...); err != nil {
		return err
	}
	names := []string{"h/2", "h/1", "nothing/here", "h", "h/1"}
	given := slices.Clone(names)
	if err := storage.DeleteAll(ctx, b, given); err != nil {
		return err
	}
	if !slices.Equal(given, names) {
		return fmt.Errorf("DeleteAll changed the names to %q", given)
	}
	if err := storage.DeleteAll(ctx, b, nil); err != nil {
		return err
	}
	return wantList(ctx, b, "", "h/1/x", "h/10", "h/19", "h/1x")
}

// manyObjects is more than two pages of S3 and GCS, and more than two batches.
const manyObjects = 2100

func deleteAllMany(ctx context.Context, b storage.Bucket) error {
	names := numbered("many/%04d", manyObjects)
	if err := putAll(ctx, b, append(names, "stays")...); err != nil {
		return err
	}
	if err := storage.DeleteAll(ctx, b, names); err != nil {
		return err
	}
	return wantList(ctx, b, "", "stays")
}
