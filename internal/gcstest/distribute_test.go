package gcstest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fsouza/fake-gcs-server/fakestorage"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/gcsstore"
)

// TestDistribute publishes with examples/distribute to gs://, from a ledger in a
// bucket of the same server.
func TestDistribute(t *testing.T) {
	program := filepath.Join(t.TempDir(), "distribute")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "../..", "-tags", "cloud", "-o", program, "./examples/distribute")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// By its own name, so that clients of other processes may read by paths.
	s := start(t, fakestorage.Options{Scheme: "http", Host: "127.0.0.1", PublicHost: "127.0.0.1"})
	for _, name := range []string{"tree", "ledger"} {
		s.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: name})
	}
	for _, said := range []string{"\nverified: ", " 0 archives written"} { // by the first run, by the second
		run := exec.CommandContext(t.Context(), program, "-generate=40", "-days", "2", "-now", "2026-03-10T12:00:00Z",
			"-dir", t.TempDir(), "-out", "gs://tree/v", "-ledger", "bucket+gs://ledger", "-set", "api.indexName=",
			"-set", "paths.privateKey="+filepath.Join(filepath.Dir(program), "private.pem"))
		run.Env = append(os.Environ(), "STORAGE_EMULATOR_HOST="+s.URL())
		out, err := run.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if !strings.Contains(string(out), said) {
			t.Errorf("did not say %q:\n%s", said, out)
		}
	}
	b, err := gcsstore.New(t.Context(), s.Client(), "tree", &gcsstore.Options{Prefix: "v/"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := storage.Stat(t.Context(), b, "version/v1/diagnosis-keys/country/DE/date"); err != nil {
		t.Error(err)
	}
}
