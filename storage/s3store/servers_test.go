package s3store_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/gaenkit/gaen/internal/s3test"
	"github.com/gaenkit/gaen/storage/s3store"
)

// The credentials of all servers that the tests start.
const (
	keyID  = s3test.KeyID
	secret = s3test.Secret
	region = s3test.Region
)

// newClient returns a client for a server of ours.
func newClient(url string, via http.RoundTripper) *s3.Client {
	if via == nil {
		via = http.DefaultTransport
	}
	return s3.New(s3.Options{
		BaseEndpoint: &url,
		UsePathStyle: true,
		Region:       region,
		HTTPClient:   &http.Client{Transport: via},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, nil
		}),
	})
}

// fakeHandler is a server of S3 in memory that checks signatures.
func fakeHandler() http.Handler { return s3test.Handler(s3test.NewBackend()) }

// served returns the address of a server that runs the handler, and a transport
// to it.
func served(tb testing.TB, h http.Handler) (string, http.RoundTripper) {
	tb.Helper()
	s := httptest.NewServer(h)
	tb.Cleanup(s.Close)
	return s.URL, s.Client().Transport
}

var buckets atomic.Int64

// newBucket makes a bucket on the client's server and returns its name.
func newBucket(tb testing.TB, client *s3.Client) string {
	tb.Helper()
	name := fmt.Sprintf("gaen-test-%d", buckets.Add(1))
	if _, err := client.CreateBucket(tb.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		tb.Fatal(err)
	}
	return name
}

// open returns a new, empty bucket on the client's server.
func open(tb testing.TB, client *s3.Client, opts *s3store.Options) *s3store.Bucket {
	tb.Helper()
	b, err := s3store.New(tb.Context(), client, newBucket(tb, client), opts)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// onFake returns a client of a gofakes3 of its own.
func onFake(tb testing.TB) *s3.Client {
	tb.Helper()
	return newClient(served(tb, fakeHandler()))
}

// onFakeTLS does over TLS, where the client sends checksums behind the body.
func onFakeTLS(tb testing.TB) *s3.Client {
	tb.Helper()
	s := httptest.NewUnstartedServer(fakeHandler())
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	s.StartTLS()
	tb.Cleanup(s.Close)
	return newClient(s.URL, s.Client().Transport)
}

// onVersity starts a versitygw and returns a client of it. The binary is the
// one that GAEN_VERSITYGW names, or on the PATH.
func onVersity(tb testing.TB) *s3.Client {
	tb.Helper()
	binary := os.Getenv("GAEN_VERSITYGW")
	if binary == "" {
		found, err := exec.LookPath("versitygw")
		if err != nil {
			tb.Skip("versitygw is neither on the PATH nor named by GAEN_VERSITYGW")
		}
		binary = found
	}
	url := "http://" + startVersity(tb, binary)
	return newClient(url, &http.Transport{MaxIdleConnsPerHost: 64})
}

// startVersity starts the server on a free port and returns its address when
// it answers. It is stopped by its process id.
func startVersity(tb testing.TB, binary string) string {
	tb.Helper()
	dir, err := filepath.Abs(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	address := freeAddress(tb)
	var output bytes.Buffer
	cmd := exec.Command(binary, "--port", address, "--quiet", "posix", dir)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+keyID, "ROOT_SECRET_KEY="+secret)
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tb.Cleanup(func() {
		stop(cmd, ended)
		if tb.Failed() {
			tb.Logf("versitygw said:\n%s", output.Bytes())
		}
	})
	if err := answers(address, ended); err != nil {
		tb.Fatalf("versitygw: %v\n%s", err, output.Bytes())
	}
	return address
}

func freeAddress(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// stop ends the process, gently at first, and waits for it.
func stop(cmd *exec.Cmd, ended <-chan error) {
	cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		cmd.Process.Kill()
		<-ended
	}
}

// answers waits until something listens.
func answers(address string, ended <-chan error) error {
	for range 200 {
		select {
		case err := <-ended:
			return fmt.Errorf("ended: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
		if c, err := net.Dial("tcp", address); err == nil {
			return c.Close()
		}
	}
	return errors.New("does not answer")
}
