package s3store_test

import (
	"maps"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/s3store"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// etagOfContent is every S3's deviation.
const etagOfContent = "S3 computes ETags from the content alone"

// servers are what the suite is run against, with what they cannot do.
var servers = []struct {
	name string
	on   func(testing.TB) *s3.Client
	opts *s3store.Options
	skip map[string]string
}{
	{name: "gofakes3", on: onFake},
	{name: "gofakes3-tls", on: onFakeTLS},
	{name: "gofakes3-prefix", on: onFake, opts: &s3store.Options{Prefix: "tenants/7/"}, skip: map[string]string{
		"longest-names": "the prefix is part of the 1,024 bytes",
	}},
	{name: "versitygw", on: onVersity, skip: foldersAreNoObjects},
}

// foldersAreNoObjects is versitygw's deviation where its back end is a file
// system, in all clauses that put an object d and another d/x.
var foldersAreNoObjects = func() map[string]string {
	skip := make(map[string]string)
	for _, clause := range []string{
		"object-and-prefix", "put-if-absent", "put-if-absent-same-content", "put-if-absent-different-content",
		"delete", "delete-all", "list-order", "list-each-once", "list-prefix-is-bytes", "list-read-your-writes",
	} {
		skip[clause] = "versitygw on a file system cannot have an object and others below its name"
	}
	return skip
}()

func TestBucket(t *testing.T) {
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			if testing.Short() && s.name != "gofakes3" {
				t.Skip("-short: gofakes3 will do")
			}
			client := s.on(t)
			skip := map[string]string{"etag-changes-with-attributes": etagOfContent}
			maps.Copy(skip, s.skip)
			storagetest.Test(t, func(t *testing.T) storage.Bucket { return open(t, client, s.opts) },
				&storagetest.Options{Skip: skip})
		})
	}
}
