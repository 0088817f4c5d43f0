//go:build cloud

package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rclone/gofakes3"

	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/internal/s3test"
)

// A fault changes what a server of S3 does with a request. It returns true where
// it has answered itself.
type fault func(w http.ResponseWriter, r *http.Request) bool

// refuse answers with an error of S3.
func refuse(w http.ResponseWriter, r *http.Request, status int, code string) bool {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>refused\non purpose</Message></Error>", code)
	}
	return true
}

// deployment is a server of S3 with two buckets, a database, and what a program
// is told of them.
type deployment struct {
	dir     string
	s3      *s3test.Server // as programs reach it
	direct  string         // without faults
	fault   atomic.Pointer[fault]
	faulty  string // the bucket that the fault is for
	pool    *pgxpool.Pool
	tree    string // places
	ledger  string
	program []string // further arguments
}

func newDeployment(t *testing.T, inBucket bool) *deployment {
	t.Helper()
	d := &deployment{dir: t.TempDir(), faulty: "tree"}
	backend := s3test.NewBackend()
	for _, name := range []string{"tree", "ledger"} {
		if err := backend.CreateBucket(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	inner := gofakes3.New(backend).Server() // without signatures: faults change what is signed
	direct := httptest.NewServer(inner)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bucket, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if f := d.fault.Load(); f == nil || bucket != d.faulty || !(*f)(w, r) {
			inner.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(direct.Close)
	t.Cleanup(front.Close)
	for name, value := range s3test.Environment() {
		t.Setenv(name, value)
	}
	d.s3, d.direct = &s3test.Server{URL: front.URL}, direct.URL
	d.tree, d.ledger = d.s3.Place("tree"), "bucket+"+d.s3.Place("ledger")
	if !inBucket {
		d.pool = pgtest.Database(t)
		d.ledger = postgresPlace(t, d.pool, nil)
	}
	return d
}

// postgresPlace returns the place of a ledger in a database, with parameters.
func postgresPlace(t *testing.T, pool *pgxpool.Pool, with map[string]string) string {
	t.Helper()
	u, err := url.Parse(pool.Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("schema", "enx")
	for name, value := range with {
		q.Set(name, value)
	}
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
	u.User = url.UserPassword(u.User.Username(), "secretword") // which a server that trusts does not ask for
	return u.String()
}

// run runs the program over the hour that ends then.
func (d *deployment) run(t *testing.T, hour int, more ...string) (code int, stdout, stderr string) {
	t.Helper()
	now := time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC).Add(time.Duration(hour) * time.Hour)
	args := append([]string{
		"-dir", d.dir, "-ledger", d.ledger, "-out", d.tree, "-set", "api.indexName=",
		"-set", "objectStore.retryBackoff=1ms", "-now", now.Format(time.RFC3339), "-generate=300", "-days", "1",
	}, d.program...)
	var out, errs bytes.Buffer
	code = run(append(args, more...), &out, &errs)
	return code, out.String(), errs.String()
}

// everything describes all that is in the buckets and the database.
func (d *deployment) everything(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	client := s3test.Client(d.direct)
	for _, bucket := range []string{"tree", "ledger"} {
		pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range page.Contents {
				fmt.Fprintln(&b, bucket, aws.ToString(o.Key), aws.ToString(o.ETag), aws.ToTime(o.LastModified).UnixNano())
			}
		}
	}
	if d.pool != nil {
		b.WriteString(dump(t, d.pool))
	}
	return b.String()
}

// dump describes every relation of a database that is not PostgreSQL's own, and
// every row.
func dump(t *testing.T, pool *pgxpool.Pool) string {
	t.Helper()
	rows, err := pool.Query(t.Context(), `SELECT n.nspname, coalesce(c.relname, ''), coalesce(c.relkind::text, '')
		FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid
		WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1, 2`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var b strings.Builder
	var tables []string
	for rows.Next() {
		var schema, name, kind string
		if err := rows.Scan(&schema, &name, &kind); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, schema, name, kind)
		if kind == "r" {
			tables = append(tables, fmt.Sprintf("%q.%q", schema, name))
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		var n int
		var sum *string
		err := pool.QueryRow(t.Context(), "SELECT count(*), md5(string_agg(x::text, '|' ORDER BY x::text)) FROM "+table+" x").Scan(&n, &sum)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, table, n, aws.ToString(sum))
	}
	return b.String()
}

// fails expects the program to fail: not with success, with one line that says
// all of this, without a secret, and with nothing changed.
func (d *deployment) fails(t *testing.T, hour int, says []string, more ...string) {
	t.Helper()
	before := d.everything(t)
	code, out, errs := d.run(t, hour, more...)
	if code == exitDone || code == exitIncomplete {
		t.Errorf("exit status %d:\n%s%s", code, out, errs)
	}
	if strings.Count(errs, "\n") != 1 || len(errs) > 1500 {
		t.Errorf("want one line of error, got:\n%s", errs)
	}
	for _, s := range append(says, "distribute: ") {
		if !strings.Contains(errs, s) {
			t.Errorf("the error does not say %q: %s", s, errs)
		}
	}
	if strings.Contains(errs, "secretword") || strings.Contains(errs, s3test.Secret) {
		t.Errorf("a secret is in the error: %s", errs)
	}
	if diff := difference(d.everything(t), before); diff != "" {
		t.Errorf("something was changed:\n%s", diff)
	}
}

func (d *deployment) works(t *testing.T, hour int) {
	t.Helper()
	if code, _, errs := d.run(t, hour); code != exitDone {
		t.Fatalf("exits with %d: %s", code, errs)
	}
}

// onlyMethods refuses requests by these methods.
func denied(methods ...string) fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		return slices.Contains(methods, r.Method) && refuse(w, r, 403, "AccessDenied")
	}
}

func dated(by time.Duration) fault {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Date", time.Now().Add(by).UTC().Format(http.TimeFormat))
		return false
	}
}

// badServers are what may be wrong with a server of S3, and what the program
// must say.
var badServers = []struct {
	name string
	do   fault
	says string
}{
	{"no such bucket", func(w http.ResponseWriter, r *http.Request) bool { return refuse(w, r, 404, "NoSuchBucket") }, "the bucket does not exist"},
	{"may not list", denied("GET"), "s3:ListBucket is needed"},
	{"may not write", denied("PUT"), "s3:PutObject"},
	{"another region", func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("X-Amz-Bucket-Region", "eu-central-1")
		return refuse(w, r, 301, "PermanentRedirect")
	}, `another region ("eu-central-1", the client's is "us-east-1")`},
	{"no conditional create", func(_ http.ResponseWriter, r *http.Request) bool { r.Header.Del("If-None-Match"); return false }, "no conditional create"},
	{"full", func(w http.ResponseWriter, r *http.Request) bool {
		return r.Method == "PUT" && refuse(w, r, 507, "InsufficientStorage")
	}, "no room"},
	{"clock behind", dated(6 * time.Minute), "behind the server's"},
	{"clock ahead", dated(-6 * time.Minute), "ahead of the server's"},
}

// TestBadServer: a server of S3 with something wrong, for the tree and for a
// ledger, before the first run of a deployment and after one.
func TestBadServer(t *testing.T) {
	for _, faulty := range []string{"tree", "ledger"} {
		for _, began := range []bool{false, true} {
			d := newDeployment(t, true)
			if began {
				d.works(t, 5)
			}
			d.faulty = faulty
			for _, tt := range badServers {
				t.Run(fmt.Sprint(faulty, began, tt.name), func(t *testing.T) {
					d.fault.Store(&tt.do)
					defer d.fault.Store(nil)
					d.fails(t, 8, []string{tt.says, "s3://" + faulty + "?", " - "})
				})
			}
			d.works(t, 8)
		}
	}
}

// TestBadServerWithPostgres: nothing is made in a database either.
func TestBadServerWithPostgres(t *testing.T) {
	for _, began := range []bool{false, true} {
		d := newDeployment(t, false)
		if began {
			d.works(t, 5)
		}
		for _, tt := range badServers {
			t.Run(fmt.Sprint(began, tt.name), func(t *testing.T) {
				d.fault.Store(&tt.do)
				defer d.fault.Store(nil)
				d.fails(t, 8, []string{tt.says, "s3://tree?", " - "})
			})
		}
		t.Run(fmt.Sprint(began, "misspelt bucket"), func(t *testing.T) {
			d.fails(t, 8, []string{"the bucket does not exist", "s3://teee?"}, "-out", d.s3.Place("teee"))
		})
	}
}

// TestBadDatabase: everything that may be wrong with a database.
func TestBadDatabase(t *testing.T) {
	ctx := context.Background()
	d := newDeployment(t, false)
	exec := func(query string) {
		t.Helper()
		if _, err := d.pool.Exec(ctx, query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	exec("CREATE ROLE reader_of_distribute LOGIN")
	defer exec("DROP ROLE reader_of_distribute")
	readOnly := postgresPlace(t, d.pool, map[string]string{"options": "-c default_transaction_read_only=on"})
	u, err := url.Parse(d.ledger)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("reader_of_distribute", "secretword")
	another := u.String()
	bad := func(t *testing.T, somebodys string) {
		at := "postgres://gaen:xxxxx@"
		d.fails(t, 8, []string{at, "read-only", "default_transaction_read_only"}, "-ledger", readOnly)
		d.fails(t, 8, []string{"postgres://reader_of_distribute:xxxxx@", "no permission", "grant"}, "-ledger", another)
		d.fails(t, 8, []string{at, "does not exist"}, "-ledger", strings.Replace(d.ledger, "@/test", "@/toast", 1))
		exec("CREATE TABLE public.somebodys (n int)")
		d.fails(t, 8, []string{at, somebodys}, "-ledger", strings.Replace(d.ledger, "schema=enx", "schema=public", 1))
		exec("DROP TABLE public.somebodys")
	}
	t.Run("new", func(t *testing.T) { bad(t, "name another schema (schema=NAME)") })
	d.works(t, 5)
	t.Run("began", func(t *testing.T) { bad(t, "tree and ledger belong together") })
	t.Run("full", func(t *testing.T) {
		// A trigger stands for the disk: the server's answer is the same.
		exec(`CREATE FUNCTION public.full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			RAISE EXCEPTION 'could not extend file "base/1/2": No space left on device' USING ERRCODE = '53100'; END $$`)
		exec(`CREATE TRIGGER full_disk BEFORE INSERT ON enx.unit EXECUTE FUNCTION public.full()`)
		d.fails(t, 8, []string{"postgres://gaen:xxxxx@", "no room left", "make room"})
		exec("DROP FUNCTION public.full() CASCADE")
	})
	d.works(t, 8)
}

// TestStandby names a standby in place of the primary.
func TestStandby(t *testing.T) {
	d := newDeployment(t, true)
	primary, err := pgtest.Start(pgtest.Settings{"fsync": "off"})
	pgtest.Need(t, err)
	defer primary.Stop()
	d.pool = primary.Pool(t, "postgres")
	d.ledger = postgresPlace(t, d.pool, nil)
	d.works(t, 5)
	replica, err := primary.Standby()
	if err != nil {
		t.Fatal(err)
	}
	defer replica.Stop()
	d.fails(t, 8, []string{"postgres://gaen:xxxxx@", "read-only", "a standby", "name the primary"},
		"-ledger", postgresPlace(t, replica.Pool(t, "postgres"), nil))
	d.fails(t, 8, []string{"belong together"}, "-ledger", strings.Replace(postgresPlace(t, replica.Pool(t, "postgres"), nil), "schema=enx", "schema=other", 1))
}

// TestDatabaseClock: the live job goes by the database's clock, and refuses one
// that differs from its own.
func TestDatabaseClock(t *testing.T) {
	d := newDeployment(t, false)
	for says, by := range map[string]string{"ahead": "6 minutes", "behind": "-6 minutes"} {
		t.Run(says, func(t *testing.T) {
			schema := "clock_" + says
			for _, query := range []string{
				"CREATE SCHEMA " + schema,
				"CREATE FUNCTION " + schema + ".clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT pg_catalog.clock_timestamp() + interval '" + by + "' $$",
			} {
				if _, err := d.pool.Exec(t.Context(), query); err != nil {
					t.Fatal(err)
				}
			}
			before := d.everything(t)
			place := postgresPlace(t, d.pool, map[string]string{"options": "-c search_path=" + schema + ",pg_catalog"})
			var out, errs bytes.Buffer
			code := run([]string{"-dir", d.dir, "-ledger", place, "-out", d.tree, "-set", "api.indexName=", "-in", submissions(t, 1)}, &out, &errs)
			if code != exitStopped || strings.Count(errs.String(), "\n") != 1 || !strings.Contains(errs.String(), "set the clocks") ||
				!strings.Contains(errs.String(), "postgres://gaen:xxxxx@") {
				t.Errorf("exits with %d: %s", code, errs.String())
			}
			if diff := difference(d.everything(t), before); diff != "" {
				t.Errorf("something was changed:\n%s", diff)
			}
		})
	}
}

// TestSwappedPlaces: two deployments of one configuration, each given the
// other's tree, and each given a ledger that is not there yet.
func TestSwappedPlaces(t *testing.T) {
	for _, inBucket := range []bool{false, true} {
		for _, oneKey := range []bool{false, true} {
			t.Run(fmt.Sprintf("in a bucket %v, one signing key %v", inBucket, oneKey), func(t *testing.T) {
				a, b := newDeployment(t, inBucket), newDeployment(t, inBucket)
				b.program = []string{"-seed", "7"}
				if oneKey {
					b.program = append(b.program, "-set", "paths.privateKey="+filepath.Join(a.dir, "keys/private.pem"))
				}
				a.works(t, 5)
				b.works(t, 6) // which has hours that a has not
				both := []*deployment{a, b}
				for i, d := range both {
					other := both[1-i]
					before := other.everything(t)
					d.fails(t, 8, []string{"s3://tree?", "with the ledger", "belong together"}, "-out", other.tree)
					d.fails(t, 8, []string{"s3://tree?", "belong together"}, "-ledger", misspelt(d.ledger))
					d.fails(t, 8, []string{"belong together"}, "-out", other.tree, "-set", "release.minKeys=7", "-change-policy")
					if diff := difference(other.everything(t), before); diff != "" {
						t.Errorf("something was changed of the other's:\n%s", diff)
					}
				}
				a.works(t, 8)
				b.works(t, 8)
			})
		}
	}
}

// misspelt returns the place of a ledger that is not there.
func misspelt(place string) string {
	place = strings.Replace(place, "schema=enx", "schema=enxx", 1)
	return strings.Replace(place, "s3://ledger?", "s3://ledger/other?", 1)
}
