package storagetest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/memstore"
	"github.com/gaenkit/gaen/storage/storagetest"
)

func newOurBucket(*testing.T) storage.Bucket { return memstore.New(nil) }

// The whole test of a bucket.
func ExampleTest() {
	_ = func(t *testing.T) { // func TestBucket(t *testing.T)
		storagetest.Test(t, func(t *testing.T) storage.Bucket { return newOurBucket(t) }, &storagetest.Options{
			Skip: map[string]string{"etag-changes-with-attributes": "S3 computes ETags from the content alone"},
		})
	}
}

// A job is run once for every call that it makes, and dies at that call, after
// its effect; the next run must put everything right.
func ExampleFaulty() {
	job := func(ctx context.Context, b storage.Bucket) error {
		for _, name := range []string{"archive", "index"} {
			if _, err := storage.Put(ctx, b, name, strings.NewReader(name), nil); err != nil {
				return err
			}
		}
		return nil
	}
	ctx := context.Background()
	for n := 1; ; n++ {
		bucket := memstore.New(nil)
		err := job(ctx, storagetest.Faulty(bucket, storagetest.FailFrom(n, storagetest.FailAfter)))
		if err == nil {
			fmt.Println("done: no call with number", n)
			return
		}
		fmt.Println(err)
		fmt.Println("next run:", job(ctx, bucket))
	}
	// Output:
	// storage: put "archive": storagetest: fault on purpose
	// next run: <nil>
	// storage: put "index": storagetest: fault on purpose
	// next run: <nil>
	// done: no call with number 3
}

// Any client of HTTP can be given a bad day: here the answer to the second
// request is lost, and the others are slow.
func ExampleTransport() {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	hook := storagetest.Delay(time.Millisecond, storagetest.FailAt(2, storagetest.FailAfter))
	client := &http.Client{Transport: storagetest.Transport(nil, hook)}
	for range 3 {
		resp, err := client.Get(server.URL)
		if err != nil {
			fmt.Println(errors.Is(err, storagetest.ErrFault), errors.Is(err, syscall.ECONNRESET))
			continue
		}
		resp.Body.Close()
		fmt.Println(resp.Status)
	}
	// Output:
	// 404 Not Found
	// true true
	// 404 Not Found
}
