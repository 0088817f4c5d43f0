package gcsstore

import (
	"context"
	"iter"
	"strings"
	"unicode/utf8"

	gcs "cloud.google.com/go/storage"
	"google.golang.org/api/iterator"

	"github.com/gaenkit/gaen/storage"
)

// listedAttributes are those of a listing: answers are shorter without the
// rest.
var listedAttributes = []string{"Name", "Size", "Generation", "Metageneration", "Updated"}

// List implements [storage.Bucket]. It makes a request for every 1,000
// objects.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
	return func(yield func(storage.Attributes, error) bool) {
		q := &gcs.Query{Prefix: b.prefix + text(prefix)}
		if err := q.SetAttrSelection(listedAttributes); err != nil {
			yield(storage.Attributes{}, err)
			return
		}
		for it := b.handle.Objects(ctx, q); ; {
			o, err := it.Next()
			if err == iterator.Done {
				return
			}
			if err != nil {
				yield(storage.Attributes{}, explainList(err))
				return
			}
			a := attributes(o)
			a.Name = strings.TrimPrefix(o.Name, b.prefix)
			if strings.HasPrefix(a.Name, prefix) && !yield(a, nil) {
				return
			}
		}
	}
}

// text returns the longest beginning of prefix that can be sent: Cloud Storage
// knows UTF-8 only. What is listed is compared with all of it.
func text(prefix string) string {
	for i, r := range prefix {
		if r == utf8.RuneError && !strings.HasPrefix(prefix[i:], "\ufffd") {
			return prefix[:i]
		}
	}
	return prefix
}
