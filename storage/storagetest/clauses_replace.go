package storagetest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gaenkit/gaen/storage"
)

var replaceClauses = []clause{
	{"replace", "Replace must put, as Put does, if the object's ETag is the one given: the one that Put, Get, Stat, List or the last Replace gave.", replaceRight},
	{"replace-changed", "Replace must change nothing and satisfy errors.Is(err, storage.ErrPrecondition) if the object has another ETag.", replaceChanged},
	{"replace-missing", "Replace must create nothing and satisfy errors.Is(err, storage.ErrPrecondition) if there is no such object.", replaceMissing},
	{"replace-one-winner", "Of concurrent Replaces with one ETag exactly one must win.", replaceOneWinner},
	{"replace-failed-reader-keeps-old", "Replace must leave what was there if the reader fails.", replaceFailedReaderKeepsOld},
}

func replace(ctx context.Context, b storage.Bucket, name, etag, content string) (storage.Attributes, error) {
	a, err := storage.Replace(ctx, b, name, etag, strings.NewReader(content), fullOptions())
	if errors.Is(err, errors.ErrUnsupported) {
		return a, errNotOffered
	}
	return a, err
}

func replaceRight(ctx context.Context, b storage.Bucket) error {
	first, err := put(ctx, b, "a", "one")
	if err != nil {
		return err
	}
	second, err := replace(ctx, b, "a", first.ETag, "two")
	if err != nil {
		return err
	}
	if second.ETag == first.ETag || second.Size != 3 {
		return fmt.Errorf("Replace: got ETag %q, size %d; before: ETag %q", second.ETag, second.Size, first.ETag)
	}
	if err := wantVersion(ctx, b, second); err != nil {
		return err
	}
	got, err := storage.Stat(ctx, b, "a")
	if err != nil {
		return err
	}
	if err := sameAttributes(got, second); err != nil {
		return err
	}
	if _, err := replace(ctx, b, "a", got.ETag, "three"); err != nil {
		return err
	}
	return wantContent(ctx, b, "a", "three")
}

func replaceChanged(ctx context.Context, b storage.Bucket) error {
	first, err := put(ctx, b, "a", "one")
	if err != nil {
		return err
	}
	second, err := put(ctx, b, "a", "two")
	if err != nil {
		return err
	}
	other, err := put(ctx, b, "other", "other")
	if err != nil {
		return err
	}
	for _, etag := range []string{first.ETag, other.ETag, "", "*", "0", `"` + second.ETag + `"`, second.ETag + "0", "no ETag of anybody's", "\n"} {
		_, err := replace(ctx, b, "a", etag, "three")
		if errors.Is(err, errNotOffered) {
			return err
		}
		if err := wantIs(fmt.Sprintf("Replace with ETag %q", etag), err, storage.ErrPrecondition); err != nil {
			return err
		}
	}
	if err := wantVersion(ctx, b, second); err != nil {
		return err
	}
	return wantContent(ctx, b, "a", "two")
}

func replaceMissing(ctx context.Context, b storage.Bucket) error {
	gone, err := put(ctx, b, "a", "one")
	if err != nil {
		return err
	}
	if err := storage.Delete(ctx, b, "a"); err != nil {
		return err
	}
	for _, name := range []string{"a", "b"} {
		_, err := replace(ctx, b, name, gone.ETag, "two")
		if errors.Is(err, errNotOffered) {
			return err
		}
		if err := wantIs("Replace of nothing", err, storage.ErrPrecondition); err != nil {
			return err
		}
	}
	return wantList(ctx, b, "")
}

func replaceOneWinner(ctx context.Context, b storage.Bucket) error {
	last, err := put(ctx, b, "a", "before all")
	if err != nil {
		return err
	}
	if last, err = replace(ctx, b, "a", last.ETag, "at first"); err != nil {
		return err
	}
	for range 5 {
		etag := last.ETag
		err := oneWinner(ctx, b, "a", storage.ErrPrecondition, func(content string) (storage.Attributes, error) {
			return replace(ctx, b, "a", etag, content)
		})
		if err != nil {
			return err
		}
		if last, err = put(ctx, b, "a", "between"); err != nil {
			return err
		}
	}
	return nil
}

func replaceFailedReaderKeepsOld(ctx context.Context, b storage.Bucket) error {
	before, err := put(ctx, b, "a", "one")
	if err != nil {
		return err
	}
	_, err = storage.Replace(ctx, b, "a", before.ETag, failingReader("two", errReader), nil)
	if errors.Is(err, errors.ErrUnsupported) {
		return errNotOffered
	}
	if err := wantIs("Replace", err, errReader); err != nil {
		return err
	}
	if err := wantVersion(ctx, b, before); err != nil {
		return err
	}
	return wantContent(ctx, b, "a", "one")
}
