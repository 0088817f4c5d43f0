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
// bucket of the same server, and looks at what is there with examples/verify.
func TestDistribute(t *testing.T) {
	programs, dir := t.TempDir(), t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "../..", "-tags", "cloud", "-o", programs, "./examples/distribute", "./examples/verify")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// By its own name, so that clients of other processes may read by paths.
	s := start(t, fakestorage.Options{Scheme: "http", Host: "127.0.0.1", PublicHost: "127.0.0.1"})
	for _, name := range []string{"tree", "ledger"} {
		s.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: name})
	}
	run := func(status int, says []string, program string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), filepath.Join(programs, program), args...)
		cmd.Env = append(os.Environ(), "STORAGE_EMULATOR_HOST="+s.URL())
		out, err := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != status {
			t.Fatalf("%s %v exits with %d, want %d (%v):\n%s", program, args, got, status, err, out)
		}
		for _, text := range says {
			if !strings.Contains(string(out), text) {
				t.Errorf("%s %v does not say %q:\n%s", program, args, text, out)
			}
		}
	}
	for _, said := range []string{"\nverified: ", " 0 archives written"} { // by the first run, by the second
		run(0, []string{said}, "distribute", "-generate=40", "-days", "2", "-now", "2026-03-10T12:00:00Z",
			"-dir", t.TempDir(), "-out", "gs://tree/v", "-ledger", "bucket+gs://ledger", "-set", "api.indexName=",
			"-set", "paths.privateKey="+filepath.Join(dir, "private.pem"), "-set", "paths.publicKey="+filepath.Join(dir, "public.txt"))
	}
	key, plot := filepath.Join(dir, "public.txt"), filepath.Join(dir, "trends.svg")
	run(0, []string{"100 windows with", "EUR  2026-03-09       24", "cwa, with the ledger: ", "\nverified\n"}, "verify", "-key", key, "-set", "api.indexName=",
		"-trends", "-plot", plot, "-compare", "gs://tree/v", "-ledger", "bucket+gs://ledger", "gs://tree/v")
	if _, err := os.Stat(plot); err != nil {
		t.Error(err)
	}
	run(5, []string{"privacy, of the tree: ", "privacy, of the ledger: "}, "verify", "-key", key, "-set", "api.indexName=",
		"-privacy", "-ledger", "bucket+gs://ledger", "gs://tree/v")
	run(4, []string{"too old: DE"}, "verify", "-key", key, "-set", "api.indexName=", "-max-age", "2h", "gs://tree/v")
	b, err := gcsstore.New(t.Context(), s.Client(), "tree", &gcsstore.Options{Prefix: "v/"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := storage.Stat(t.Context(), b, "version/v1/diagnosis-keys/country/DE/date"); err != nil {
		t.Error(err)
	}
}
