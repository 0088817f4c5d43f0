package memstore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/memstore"
	"github.com/gaenkit/gaen/storage/storagetest"
)

func TestBucket(t *testing.T) {
	storagetest.Test(t, func(*testing.T) storage.Bucket { return memstore.New(nil) }, nil)
}

// TestReplaysAreEqual: the same puts give the same bucket, down to ETags and
// times, in whatever order.
func TestReplaysAreEqual(t *testing.T) {
	replay := func(names ...string) string {
		b := memstore.New(&memstore.Options{Now: func() time.Time { return time.Unix(1_600_000_000, 0) }})
		for _, name := range names {
			opts := &storage.PutOptions{ContentType: "text/plain", Metadata: map[string]string{"a": "1", "b": "2", "c": "3"}}
			if _, err := storage.Put(t.Context(), b, name, strings.NewReader(name), opts); err != nil {
				t.Fatal(err)
			}
		}
		var s strings.Builder
		for a, err := range storage.List(t.Context(), b, "") {
			fmt.Fprintln(&s, a, err)
		}
		return s.String()
	}
	if one, two := replay("a", "b", "c"), replay("c", "b", "a"); one != two || !strings.Contains(one, "2020-09-13") {
		t.Errorf("got\n%s\nand\n%s", one, two)
	}
}

func TestETagIsOfAllAttributes(t *testing.T) {
	b := memstore.New(nil)
	seen := make(map[string]int)
	for i, opts := range []*storage.PutOptions{
		nil,
		{ContentType: "x"}, {ContentEncoding: "x"}, {CacheControl: "x"}, {ACL: storage.PublicRead},
		{Metadata: map[string]string{"a": "b"}}, {Metadata: map[string]string{"a": `b" "c"="d`}},
		{Metadata: map[string]string{"a": "b", "c": "d"}}, {Metadata: map[string]string{"a": "b c=d"}},
	} {
		a, err := storage.Put(t.Context(), b, "a", strings.NewReader("content"), opts)
		if err != nil {
			t.Fatal(err)
		}
		if before, ok := seen[a.ETag]; ok {
			t.Errorf("options %d and %d give the same ETag", before, i)
		}
		seen[a.ETag] = i
	}
}

func ExampleNew() {
	bucket := memstore.New(nil)
	_, err := storage.Put(context.Background(), bucket, "DE/index", strings.NewReader("[]"), nil)
	fmt.Println(err)
	// Output: <nil>
}
