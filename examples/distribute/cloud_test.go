//go:build cloud

package main

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/internal/s3test"
)

// onServers runs the program with a tree in S3, twice, and returns what it
// printed the second time.
func onServers(t *testing.T, place string) string {
	t.Helper()
	server := s3test.Start(t, "tree", "ledger")
	for name, value := range s3test.Environment() {
		t.Setenv(name, value)
	}
	if place == "" {
		place = "bucket+" + server.Place("ledger")
	}
	dir := t.TempDir()
	args := []string{
		"-dir", dir, "-ledger", place, "-out", server.Place("tree"), "-set", "api.indexName=",
		"-now", "2026-03-10T12:00:00Z", "-generate=40",
	}
	var first, second, errs bytes.Buffer
	if code := run(append(args, "-days", "3"), &first, &errs); code != exitDone {
		t.Fatalf("exits with %d: %s", code, errs.String())
	}
	if code := run(append(args, "-days", "3"), &second, &errs); code != exitDone {
		t.Fatalf("again: exits with %d: %s", code, errs.String())
	}
	if !strings.Contains(first.String(), "\nverified: ") {
		t.Errorf("did not verify what it published:\n%s", first.String())
	}
	for _, name := range []string{"www", "ledger.db"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s was made", name)
		}
	}
	return second.String()
}

func TestPostgresAndS3(t *testing.T) {
	pool := pgtest.Database(t)
	u, err := url.Parse(pool.Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("schema", "enx")
	u.RawQuery = q.Encode()
	said := onServers(t, u.String())
	if !strings.Contains(said, "\n0 archives written") && !strings.Contains(said, " 0 archives written") {
		t.Errorf("the second run wrote something:\n%s", said)
	}
	var n int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM enx.unit").Scan(&n); err != nil || n == 0 {
		t.Errorf("%d units in the schema, %v", n, err)
	}
}

func TestLedgerInBucket(t *testing.T) {
	said := onServers(t, "")
	if !strings.Contains(said, " 0 archives written") {
		t.Errorf("the second run wrote something:\n%s", said)
	}
}
