package s3test_test

import (
	"strings"
	"testing"

	"github.com/gaenkit/gaen/internal/s3test"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/s3store"
)

// TestCopy expects a copy to have what the original has, with the same
// attributes, whatever it had before, and to go its own way.
func TestCopy(t *testing.T) {
	server := s3test.Start(t, "a", "c")
	open := func(name string) storage.Bucket {
		t.Helper()
		b, err := s3store.New(t.Context(), s3test.Client(server.URL), name, nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	put := func(b storage.Bucket, name, content string) storage.Attributes {
		t.Helper()
		a, err := storage.Put(t.Context(), b, name, strings.NewReader(content), &storage.PutOptions{ContentType: "text/plain", Metadata: map[string]string{"k": "v"}})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	original := open("a")
	first := put(original, "one", "1")
	put(original, "two", "2")
	put(open("c"), "old", "3")
	for _, to := range []string{"b", "c"} { // one is made, one was there
		server.Copy(t, "a", to)
		b := open(to)
		put(b, "two", "changed")
		if n := server.Count(t, to); n != 2 {
			t.Errorf("%s: %d objects, want 2", to, n)
		}
		content, a, err := storage.ReadAll(t.Context(), b, "one", 10)
		if err != nil || string(content) != "1" || a.ETag != first.ETag || a.ContentType != "text/plain" || a.Metadata["k"] != "v" {
			t.Errorf("%s: %q, %+v, %v", to, content, a, err)
		}
	}
	if content, _, err := storage.ReadAll(t.Context(), original, "two", 10); err != nil || string(content) != "2" {
		t.Errorf("the original has %q, %v", content, err)
	}
}
