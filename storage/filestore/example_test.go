//go:build unix

package filestore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/filestore"
)

// An object is the file of its name; one that is also a prefix is .object in
// the folder of its name.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "keys")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	bucket, err := filestore.New(dir, &filestore.Options{FileMode: 0o644})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer bucket.Close()
	for _, name := range []string{"date/2020-06-11", "date/2020-06-11/hour/5"} {
		if _, err := storage.Put(context.Background(), bucket, name, strings.NewReader("content of "+name), nil); err != nil {
			fmt.Println(err)
		}
		content, err := os.ReadFile(filepath.Join(dir, name))
		fmt.Println(string(content), err)
	}
	content, err := os.ReadFile(filepath.Join(dir, "date/2020-06-11/.object"))
	fmt.Println(string(content), err)
	// Output:
	// content of date/2020-06-11 <nil>
	// content of date/2020-06-11/hour/5 <nil>
	// content of date/2020-06-11 <nil>
}
