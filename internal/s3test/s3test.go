// Package s3test is a server of S3 for tests, in the test's own process, which
// checks signatures, checksums and conditions as the real ones do. It enforces
// no ACLs and keeps everything in memory.
package s3test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/rclone/gofakes3"
)

// KeyID, Secret and Region are what clients must say.
const (
	KeyID  = "gaentestkey"
	Secret = "gaentestsecret"
	Region = "us-east-1"
)

// A Server is one that runs.
type Server struct {
	URL     string
	backend gofakes3.Backend
}

// Start starts a server with these buckets, which is stopped with the test.
func Start(tb testing.TB, buckets ...string) *Server {
	tb.Helper()
	backend := NewBackend()
	for _, name := range buckets {
		if err := backend.CreateBucket(tb.Context(), name); err != nil {
			tb.Fatal(err)
		}
	}
	s := httptest.NewServer(Handler(backend))
	tb.Cleanup(s.Close)
	return &Server{URL: s.URL, backend: backend}
}

// Make makes an empty bucket.
func (s *Server) Make(tb testing.TB, bucket string) {
	tb.Helper()
	if err := s.backend.CreateBucket(tb.Context(), bucket); err != nil {
		tb.Fatal(err)
	}
}

// Count returns how many objects a bucket has.
func (s *Server) Count(tb testing.TB, bucket string) int {
	tb.Helper()
	objects, err := s.backend.ListBucket(tb.Context(), bucket, nil, gofakes3.ListBucketPage{})
	if err != nil {
		tb.Fatal(err)
	}
	return len(objects.Contents)
}

// Copy makes a bucket with the objects of another, which have the same ETags, or
// has one that is there hold just them.
func (s *Server) Copy(tb testing.TB, from, to string) {
	tb.Helper()
	if err := s.copy(tb.Context(), from, to); err != nil {
		tb.Fatalf("copying bucket %s: %v", from, err)
	}
}

func (s *Server) copy(ctx context.Context, from, to string) error {
	if err := s.empty(ctx, to); err != nil {
		return err
	}
	objects, err := s.backend.ListBucket(ctx, from, nil, gofakes3.ListBucketPage{})
	if err != nil {
		return err
	}
	for _, o := range objects.Contents {
		object, err := s.backend.GetObject(ctx, from, o.Key, nil)
		if err != nil {
			return err
		}
		_, err = s.backend.PutObject(ctx, to, o.Key, object.Metadata, object.Contents, object.Size)
		object.Contents.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// empty makes a bucket, or deletes what is in it.
func (s *Server) empty(ctx context.Context, name string) error {
	if exists, err := s.backend.BucketExists(ctx, name); err != nil {
		return err
	} else if !exists {
		return s.backend.CreateBucket(ctx, name)
	}
	objects, err := s.backend.ListBucket(ctx, name, nil, gofakes3.ListBucketPage{})
	if err != nil {
		return err
	}
	for _, o := range objects.Contents {
		if _, err := s.backend.DeleteObject(ctx, name, o.Key); err != nil {
			return err
		}
	}
	return nil
}

// Handler is a server that checks signatures.
func Handler(backend gofakes3.Backend) http.Handler {
	return gofakes3.New(backend, gofakes3.WithV4Auth(map[string]string{KeyID: Secret})).Server()
}

// Place returns where a bucket is, as the programs under examples name it.
func (s *Server) Place(bucket string) string {
	return "s3://" + bucket + "?" + url.Values{"endpoint": {s.URL}, "region": {Region}}.Encode()
}

// Client returns a client of a server.
func Client(url string) *s3.Client { return ClientVia(url, nil) }

// ClientVia returns a client that sends its requests by a transport; nil is its
// own.
func ClientVia(url string, via http.RoundTripper) *s3.Client {
	var client s3.HTTPClient
	if via != nil {
		client = &http.Client{Transport: via}
	}
	return s3.New(s3.Options{
		HTTPClient:   client,
		BaseEndpoint: &url,
		UsePathStyle: true,
		Region:       Region,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: KeyID, SecretAccessKey: Secret}, nil
		}),
	})
}

// Environment are the variables by which clients know who they are.
func Environment() map[string]string {
	return map[string]string{
		"AWS_ACCESS_KEY_ID":           KeyID,
		"AWS_SECRET_ACCESS_KEY":       Secret,
		"AWS_EC2_METADATA_DISABLED":   "true",
		"AWS_CONFIG_FILE":             "/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	}
}
