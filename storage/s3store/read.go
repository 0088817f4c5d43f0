package s3store

import (
	"context"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/gaenkit/gaen/storage"
)

// Get implements [storage.Bucket].
func (b *Bucket) Get(ctx context.Context, name string) (io.ReadCloser, storage.Attributes, error) {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.bucket, Key: b.key(name)}, once)
	if err != nil {
		return nil, storage.Attributes{}, b.explain(ctx, err)
	}
	return out.Body, headers{
		out.ContentLength, out.ETag, out.LastModified, out.ContentType, out.ContentEncoding, out.CacheControl, out.Metadata,
	}.attributes(), nil
}

// Stat implements [storage.Stater].
func (b *Bucket) Stat(ctx context.Context, name string) (storage.Attributes, error) {
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.bucket, Key: b.key(name)}, once)
	if err != nil {
		return storage.Attributes{}, b.explain(ctx, err)
	}
	return headers{
		out.ContentLength, out.ETag, out.LastModified, out.ContentType, out.ContentEncoding, out.CacheControl, out.Metadata,
	}.attributes(), nil
}

// headers is what answers to GET and HEAD have in common.
type headers struct {
	length                    *int64
	etag                      *string
	modified                  *time.Time
	kind, encoding, cacheCtrl *string
	metadata                  map[string]string
}

func (h headers) attributes() storage.Attributes {
	a := storage.Attributes{
		Size:            -1, // which storage refuses
		ETag:            unquoted(h.etag),
		Modified:        aws.ToTime(h.modified),
		ContentType:     aws.ToString(h.kind),
		ContentEncoding: aws.ToString(h.encoding),
		CacheControl:    aws.ToString(h.cacheCtrl),
	}
	if h.length != nil {
		a.Size = *h.length
	}
	if a.ContentType == noType {
		a.ContentType = ""
	}
	if len(h.metadata) > 0 {
		a.Metadata = h.metadata
	}
	return a
}
