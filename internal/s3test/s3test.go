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
	URL string
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
	return &Server{URL: s.URL}
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
func Client(url string) *s3.Client {
	return s3.New(s3.Options{
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
