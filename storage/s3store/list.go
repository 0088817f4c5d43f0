package s3store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/gaenkit/gaen/storage"
)

// List implements [storage.Bucket]. It makes a request for every 1,000
// objects.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
	return func(yield func(storage.Attributes, error) bool) {
		for page, err := range b.pages(ctx, b.prefix+text(prefix)) {
			if err != nil {
				yield(storage.Attributes{}, err)
				return
			}
			for _, o := range page.Contents {
				a, err := b.listed(page, o)
				if err == nil && !strings.HasPrefix(a.Name, prefix) {
					continue
				}
				if !yield(a, err) || err != nil {
					return
				}
			}
		}
	}
}

// text returns the longest beginning of prefix that can be sent: S3 knows
// UTF-8 only. What is listed is compared with all of it.
func text(prefix string) string {
	for i, r := range prefix {
		if r == utf8.RuneError && !strings.HasPrefix(prefix[i:], "\ufffd") {
			return prefix[:i]
		}
	}
	return prefix
}

func (b *Bucket) pages(ctx context.Context, prefix string) iter.Seq2[*s3.ListObjectsV2Output, error] {
	return func(yield func(*s3.ListObjectsV2Output, error) bool) {
		// Encoded, because one key of somebody's with a control character,
		// which XML cannot hold, would make the whole listing unreadable.
		in := &s3.ListObjectsV2Input{Bucket: &b.bucket, Prefix: &prefix, EncodingType: types.EncodingTypeUrl}
		for {
			out, err := b.client.ListObjectsV2(ctx, in, once)
			if err != nil {
				yield(nil, anonymous(b.explain(ctx, err), fs.ErrNotExist))
				return
			}
			if !yield(out, nil) || !aws.ToBool(out.IsTruncated) {
				return
			}
			last := aws.ToString(in.ContinuationToken)
			in.ContinuationToken = out.NextContinuationToken
			if next := aws.ToString(in.ContinuationToken); next == "" || next == last {
				yield(nil, errors.New("the server gave no way to the next page of a listing"))
				return
			}
		}
	}
}

func (b *Bucket) listed(page *s3.ListObjectsV2Output, o types.Object) (storage.Attributes, error) {
	key := aws.ToString(o.Key)
	if page.EncodingType == types.EncodingTypeUrl {
		decoded, err := url.QueryUnescape(key)
		if err != nil {
			return storage.Attributes{}, fmt.Errorf("the server listed a key that is not encoded as it says: %.100q", key)
		}
		key = decoded
	}
	name, ok := strings.CutPrefix(key, b.prefix)
	if !ok {
		return storage.Attributes{}, fmt.Errorf("the server listed %.100q, which is not below %q", key, b.prefix)
	}
	return storage.Attributes{
		Name:     name,
		Size:     aws.ToInt64(o.Size),
		ETag:     unquoted(o.ETag),
		Modified: aws.ToTime(o.LastModified),
	}, nil
}
