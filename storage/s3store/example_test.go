package s3store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"strings"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/s3store"
)

// Two machines create the same archive: one wins, the other finds it there.
func Example() {
	// A server for the example. In earnest the client is
	// s3.NewFromConfig(cfg), with cfg of config.LoadDefaultConfig.
	server := httptest.NewServer(gofakes3.New(s3mem.New(), gofakes3.WithAutoBucket(true)).Server())
	defer server.Close()
	client := newClient(server.URL, nil)

	ctx := context.Background()
	for _, machine := range []string{"one", "two"} {
		bucket, err := s3store.New(ctx, client, "our-keys", nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		_, err = storage.Put(ctx, bucket, "DE/2020-06-11", strings.NewReader("archive"), &storage.PutOptions{
			ContentType:  "application/zip",
			CacheControl: "public,max-age=300",
			IfAbsent:     true,
		})
		fmt.Println(machine, errors.Is(err, fs.ErrExist))
	}
	// Output:
	// one false
	// two true
}

// What is wrong with the set-up is said at once.
func ExampleNew() {
	server := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	defer server.Close()

	_, err := s3store.New(context.Background(), newClient(server.URL, nil), "our-kyes", &s3store.Options{PublicRead: true})
	fmt.Println(errors.Is(err, s3store.ErrNoBucket), storage.Retryable(err))
	fmt.Println(err.Error()[:53])
	// Output:
	// true false
	// s3store: bucket "our-kyes": the bucket does not exist
}
