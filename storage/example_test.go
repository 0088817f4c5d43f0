package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/memstore"
)

func Example() {
	ctx := context.Background()
	bucket := memstore.New(nil)
	_, err := storage.Put(ctx, bucket, "DE/index", strings.NewReader(`["2020-06-11"]`), &storage.PutOptions{
		ContentType:  "application/json",
		CacheControl: "public, max-age=300",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	const maxIndex = 1 << 20
	content, a, err := storage.ReadAll(ctx, bucket, "DE/index", maxIndex)
	fmt.Println(string(content), a.ContentType, err)

	_, _, err = storage.ReadAll(ctx, bucket, "FR/index", maxIndex)
	fmt.Println(err, errors.Is(err, fs.ErrNotExist))
	// Output:
	// ["2020-06-11"] application/json <nil>
	// storage: get "FR/index": file does not exist true
}

// A prefix is bytes: to list what is below hour/1, write "hour/1/".
func ExampleList() {
	ctx := context.Background()
	bucket := memstore.New(nil)
	for _, name := range []string{"hour/1", "hour/1/part", "hour/10", "hour/2"} {
		if _, err := storage.Put(ctx, bucket, name, strings.NewReader("x"), nil); err != nil {
			fmt.Println(err)
		}
	}
	for _, prefix := range []string{"hour/1", "hour/1/"} {
		fmt.Println(prefix)
		for a, err := range storage.List(ctx, bucket, prefix) {
			fmt.Println("\t", a.Name, err)
		}
	}
	// Output:
	// hour/1
	// 	 hour/1 <nil>
	// 	 hour/1/part <nil>
	// 	 hour/10 <nil>
	// hour/1/
	// 	 hour/1/part <nil>
}

// Of two who create the same object one wins; nothing is overwritten.
func ExamplePut_ifAbsent() {
	ctx := context.Background()
	bucket := memstore.New(nil)
	for _, content := range []string{"one", "two"} {
		_, err := storage.Put(ctx, bucket, "archive", strings.NewReader(content), &storage.PutOptions{IfAbsent: true})
		fmt.Println(content, err, errors.Is(err, fs.ErrExist))
	}
	// Output:
	// one <nil> false
	// two storage: put "archive": file already exists true
}

// An index is replaced only if it still is the one that was read.
func ExampleReplace() {
	ctx := context.Background()
	bucket := memstore.New(nil)
	read, err := storage.Put(ctx, bucket, "index", strings.NewReader("[1]"), nil)
	fmt.Println(err)
	for _, content := range []string{"[1,2]", "[1,3]"} {
		_, err := storage.Replace(ctx, bucket, "index", read.ETag, strings.NewReader(content), nil)
		fmt.Println(content, errors.Is(err, storage.ErrPrecondition))
	}
	// Output:
	// <nil>
	// [1,2] false
	// [1,3] true
}

func ExamplePrefixed() {
	ctx := context.Background()
	bucket := memstore.New(nil)
	de, err := storage.Prefixed(bucket, "DE/")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = storage.Put(ctx, de, "index", strings.NewReader("[]"), nil)
	fmt.Println(err)
	for a := range storage.List(ctx, bucket, "") {
		fmt.Println(a.Name)
	}
	// Output:
	// <nil>
	// DE/index
}
