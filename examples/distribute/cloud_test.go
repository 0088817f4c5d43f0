//go:build cloud

package main

import (
	"bytes"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/internal/s3test"
	"github.com/gaenkit/gaen/storage/s3store"
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

// TestInboxInS3: the inbox is one that may only be read, in the bucket that the
// ledger lies in or beside another.
func TestInboxInS3(t *testing.T) {
	for _, inBucket := range []bool{true, false} {
		d := newDeployment(t, inBucket)
		d.faulty = "inbox"
		client := s3test.Client(d.direct)
		name := "inbox"
		if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
			t.Fatal(err)
		}
		b, err := s3store.New(t.Context(), client, "inbox", nil)
		if err != nil {
			t.Fatal(err)
		}
		denied := denied("PUT", "DELETE", "POST")
		d.fault.Store(&denied)
		takesInOnce(t, newMailbox(t, b), func(more ...string) []string {
			return inboxArgs(d.dir, d.s3.Place("inbox"), append(more, "-ledger", d.ledger, "-out", d.tree, "-set", "api.indexName=")...)
		})
	}
	d := newDeployment(t, true)
	client := s3test.Client(d.direct)
	b, err := s3store.New(t.Context(), client, "ledger", nil)
	if err != nil {
		t.Fatal(err)
	}
	takesInOnce(t, newMailbox(t, b), func(more ...string) []string {
		return inboxArgs(d.dir, d.s3.Place("ledger"), append(more, "-ledger", d.ledger, "-out", d.tree, "-set", "api.indexName=")...)
	})
}

// TestBadInboxInS3: an inbox that cannot be read stops a run before it changes
// anything.
func TestBadInboxInS3(t *testing.T) {
	d := newDeployment(t, true)
	d.works(t, 5)
	before := d.everything(t)
	var out, errs bytes.Buffer
	args := inboxArgs(d.dir, d.s3.Place("nowhere"), "-ledger", d.ledger, "-out", d.tree, "-set", "api.indexName=")
	if code := run(args, &out, &errs); code != exitStopped || strings.Count(errs.String(), "\n") != 1 ||
		!strings.Contains(errs.String(), "s3://nowhere?") || !strings.Contains(errs.String(), "the bucket does not exist") {
		t.Errorf("exits with %d: %s", code, errs.String())
	}
	if diff := difference(d.everything(t), before); diff != "" {
		t.Errorf("something was changed:\n%s", diff)
	}
}

// TestUnreadableInInbox: an object that cannot be read keeps no other from being
// taken in, nor what is due from being published.
func TestUnreadableInInbox(t *testing.T) {
	d := newDeployment(t, true)
	d.faulty = "ledger"
	b, err := s3store.New(t.Context(), s3test.Client(d.direct), "ledger", nil)
	if err != nil {
		t.Fatal(err)
	}
	m := newMailbox(t, b)
	m.put("mobile/LAB_RESULT/1_a.json")
	m.put("mobile/LAB_RESULT/2_b.json")
	no := fault(func(w http.ResponseWriter, r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "1_a.json") && refuse(w, r, 403, "AccessDenied")
	})
	d.fault.Store(&no)
	args := inboxArgs(d.dir, d.s3.Place("ledger"), "-ledger", d.ledger, "-out", d.tree, "-set", "api.indexName=")
	var out, errs bytes.Buffer
	if code := run(args, &out, &errs); code != exitIncomplete || strings.Count(errs.String(), "\n") != 1 || !strings.Contains(errs.String(), "1_a.json") {
		t.Errorf("exits with %d: %s", code, errs.String())
	}
	wantLine(t, out.String(), "inbox: 2 objects, 1 taken in")
	wantLine(t, out.String(), "verified: every signature")
	d.fault.Store(nil)
	wantLine(t, distribute(t, exitDone, args...), "inbox: 2 objects, 1 taken in, 1 known")
}

// TestDryRunOnServers says what would be published, and only reads.
func TestDryRunOnServers(t *testing.T) {
	d := newDeployment(t, true)
	readOnly := denied("PUT", "DELETE", "POST")
	for _, began := range []bool{false, true} {
		if began {
			d.works(t, 5)
		}
		before := d.everything(t)
		for _, faulty := range []string{"tree", "ledger"} {
			d.faulty = faulty
			d.fault.Store(&readOnly)
			code, out, errs := d.run(t, 8, "-dry-run")
			if code != exitDone || !strings.Contains(out, "would be published (dry run: nothing was changed)") ||
				!strings.Contains(out, "date/2026-03-10/hour/7 ") || strings.Contains(out, "date/2026-03-10/hour/4 ") == began {
				t.Errorf("began %v: exits with %d: %s\n%s", began, code, errs, out)
			}
		}
		d.fault.Store(nil)
		if diff := difference(d.everything(t), before); diff != "" {
			t.Errorf("began %v: something was changed:\n%s", began, diff)
		}
	}
	d.faulty = "tree"
	d.fault.Store(&badServers[1].do)
	d.fails(t, 8, []string{"s3:ListBucket is needed"}, "-dry-run")
	d.fault.Store(nil)
	d.fails(t, 8, []string{"-dry-run", "postgres://u:xxxxx@h/d", "backup"}, "-dry-run", "-ledger", "postgres://u:secretword@h/d")
	d.fails(t, 8, []string{"s3://tree?", "belong together"}, "-dry-run", "-ledger", misspelt(d.ledger))
}
