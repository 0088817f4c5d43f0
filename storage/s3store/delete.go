package s3store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/gaenkit/gaen/storage"
)

// Delete implements [storage.Bucket].
func (b *Bucket) Delete(ctx context.Context, name string) error {
	if b.readOnly {
		return ErrReadOnly
	}
	_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.bucket, Key: b.key(name)}, once)
	err = b.explain(ctx, err)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // as some servers say that are not AWS's
	}
	return err
}

// maxBatch is how many objects S3 deletes by one request.
const maxBatch = 1000

// DeleteAll implements [storage.BatchDeleter]. It makes a request for every
// 1,000 objects.
func (b *Bucket) DeleteAll(ctx context.Context, names []string) error {
	if b.readOnly {
		return ErrReadOnly // and again by storage, which deletes one by one then
	}
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	single := slices.DeleteFunc(slices.Clone(names), xmlHolds)
	batched := slices.DeleteFunc(names, func(name string) bool { return !xmlHolds(name) })
	var errs []error
	for batch := range slices.Chunk(batched, maxBatch) {
		err := b.deleteBatch(ctx, batch)
		if errors.Is(err, errors.ErrUnsupported) {
			return err // storage deletes one by one then
		}
		errs = append(errs, err)
	}
	for _, name := range single {
		errs = append(errs, failed(name, b.Delete(ctx, name)))
	}
	return errors.Join(errs...)
}

// xmlHolds reports whether the name survives in a document of XML. These two
// are turned into U+FFFD on the way, which is another object's name.
func xmlHolds(name string) bool { return !strings.ContainsAny(name, "\ufffe\uffff") }

// deleteBatch returns an error for each object that may still be there.
func (b *Bucket) deleteBatch(ctx context.Context, names []string) error {
	in := &s3.DeleteObjectsInput{Bucket: &b.bucket, Delete: &types.Delete{Quiet: aws.Bool(true)}}
	for _, name := range names {
		in.Delete.Objects = append(in.Delete.Objects, types.ObjectIdentifier{Key: b.key(name)})
	}
	var errs []error
	out, err := b.client.DeleteObjects(ctx, in, once)
	if err != nil {
		err = anonymous(b.explain(ctx, err), fs.ErrNotExist)
		for _, name := range names {
			errs = append(errs, failed(name, err))
		}
		return errors.Join(errs...)
	}
	for _, e := range out.Errors {
		errs = append(errs, failed(strings.TrimPrefix(aws.ToString(e.Key), b.prefix), b.refusal(e)))
	}
	return errors.Join(errs...)
}

// refusal returns what the server said of one object of a batch, or nil if it
// said that there is none.
func (b *Bucket) refusal(e types.Error) error {
	code := aws.ToString(e.Code)
	if kinds[code] == fs.ErrNotExist {
		return nil
	}
	return b.as(kinds[code], fmt.Errorf("api error %w", &smithy.GenericAPIError{Code: code, Message: aws.ToString(e.Message)}))
}

// failed returns err as that of one object's deletion.
func failed(name string, err error) error {
	if err == nil {
		return nil
	}
	return &storage.Error{Op: "delete", Name: name, Err: err}
}
