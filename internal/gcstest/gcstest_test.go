// Package gcstest_test runs the suite for buckets against gcsstore and
// fake-gcs-server. It is a module of its own, because the server brings 200
// modules that nobody who uses the library is to see.
package gcstest_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	gcs "cloud.google.com/go/storage"
	"github.com/fsouza/fake-gcs-server/fakestorage"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/gcsstore"
	"github.com/gaenkit/gaen/storage/storagetest"
)

var buckets atomic.Int64

func newServer(t *testing.T) *fakestorage.Server {
	t.Helper()
	return start(t, fakestorage.Options{Scheme: "http", Host: "127.0.0.1"})
}

func start(t *testing.T, opts fakestorage.Options) *fakestorage.Server {
	t.Helper()
	s, err := fakestorage.NewServerWithOptions(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func open(t *testing.T, s *fakestorage.Server, opts *gcsstore.Options) *gcsstore.Bucket {
	t.Helper()
	name := fmt.Sprintf("gaen-test-%d", buckets.Add(1))
	s.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: name})
	b, err := gcsstore.New(t.Context(), s.Client(), name, opts)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBucket(t *testing.T) {
	for name, tt := range map[string]struct {
		opts *gcsstore.Options
		skip map[string]string
	}{
		"whole":  {},
		"public": {opts: &gcsstore.Options{PublicRead: true}},
		"prefix": {opts: &gcsstore.Options{Prefix: "tenants/7/"}, skip: map[string]string{
			"longest-names": "the prefix is part of the 1,024 bytes",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			storagetest.Test(t, func(t *testing.T) storage.Bucket { return open(t, s, tt.opts) },
				&storagetest.Options{Skip: tt.skip})
		})
	}
}

// TestPublicRead: the server keeps ACLs, so that one can look.
func TestPublicRead(t *testing.T) {
	s := newServer(t)
	b := open(t, s, nil)
	bucket := fmt.Sprintf("gaen-test-%d", buckets.Load())
	for name, acl := range map[string]storage.ACL{"private": storage.BucketACL, "public": storage.PublicRead} {
		if _, err := storage.Put(t.Context(), b, name, strings.NewReader("x"), &storage.PutOptions{ACL: acl}); err != nil {
			t.Fatal(err)
		}
		rules, err := s.Client().Bucket(bucket).Object(name).ACL().List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		public := slices.ContainsFunc(rules, func(r gcs.ACLRule) bool { return r.Entity == gcs.AllUsers && r.Role == gcs.RoleReader })
		if public != (acl == storage.PublicRead) {
			t.Errorf("%s: public: %v; %v", name, public, rules)
		}
	}
}

func TestNoBucket(t *testing.T) {
	_, err := gcsstore.New(t.Context(), newServer(t).Client(), "none", nil)
	if !errors.Is(err, gcsstore.ErrNoBucket) || errors.Is(err, fs.ErrNotExist) || storage.Retryable(err) {
		t.Errorf("got %v, want ErrNoBucket", err)
	}
}

// TestNewLeavesNothing behind.
func TestNewLeavesNothing(t *testing.T) {
	s := newServer(t)
	open(t, s, nil)
	objects, _, err := s.ListObjectsWithOptions(fmt.Sprintf("gaen-test-%d", buckets.Load()), fakestorage.ListOptions{})
	if err != nil || len(objects) > 0 {
		t.Errorf("left %d objects, %v", len(objects), err)
	}
}

// Two machines create the same archive: one wins, the other finds it there.
func Example() {
	server := fakestorage.NewServer(nil)
	defer server.Stop()
	server.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: "our-keys"})

	ctx := context.Background()
	for _, machine := range []string{"one", "two"} {
		bucket, err := gcsstore.New(ctx, server.Client(), "our-keys", nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		_, err = storage.Put(ctx, bucket, "DE/2020-06-11", strings.NewReader("archive"), &storage.PutOptions{IfAbsent: true})
		fmt.Println(machine, errors.Is(err, fs.ErrExist))
	}
	// Output:
	// one false
	// two true
}
