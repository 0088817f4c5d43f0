// Package readme_test keeps README.md true: its programs are those below, which
// are compiled and run; its nginx configuration is that of the test with nginx;
// its table names every package; every file it names is there. So it does the
// metrics and fields that OPERATIONS.md names.
package readme_test

import (
	"context"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/cwa"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/internal/s3test"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/signing/jws"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/filestore"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
	"github.com/gaenkit/gaen/storage/memstore"
	"github.com/gaenkit/gaen/storage/s3store"
	"github.com/gaenkit/gaen/storage/storagetest"
)

func publishHourly(ctx context.Context, uploads []ledger.Upload) *distribution.Report {
	store := must(sqliteledger.Open(ctx, "ledger.db", nil))
	defer store.Close()
	l := must(ledger.Open(ctx, store, nil))
	key := must(signing.ReadPrivateKeyFile("signing-key.pem"))
	signer := must(signing.NewSigner(signing.Identity{KeyID: "262", KeyVersion: "v1"}, key, nil))
	publisher := must(distribution.New(l,
		must(filestore.New("www", nil)),
		must(cwa.New(&cwa.Options{Index: "index"})),
		[]distribution.Package{{
			Name: "DE", Select: distribution.FromOrigin(keys.MustRegion("DE")),
			Map: distribution.Identity(), FromBeginning: true,
		}},
		must(signing.NewRing(signer)),
		&distribution.Options{PublicRead: true}))
	must(l.Accept(ctx, &ledger.Delivery{Source: ledger.Own, Uploads: uploads}))
	must(l.Release(ctx, nil)) // the cut of this hour, if it is not made yet
	return must(publisher.Run(ctx))
}

func publishHourlyToS3(ctx context.Context, uploads []ledger.Upload) *distribution.Report {
	pool := must(pgxpool.New(ctx, os.Getenv("DATABASE_URL")))
	defer pool.Close()
	l := must(ledger.Open(ctx, must(pgledger.Open(ctx, pool, nil)), nil))
	client := s3.NewFromConfig(must(config.LoadDefaultConfig(ctx)))
	bucket := must(s3store.New(ctx, client, "diagnosis-keys", &s3store.Options{PublicRead: true}))
	key := must(signing.ReadPrivateKeyFile("signing-key.pem"))
	signer := must(signing.NewSigner(signing.Identity{KeyID: "262", KeyVersion: "v1"}, key, nil))
	publisher := must(distribution.New(l, bucket, must(cwa.New(nil)),
		[]distribution.Package{{
			Name: "DE", Select: distribution.FromOrigin(keys.MustRegion("DE")),
			Map: distribution.Identity(), FromBeginning: true,
		}},
		must(signing.NewRing(signer)),
		&distribution.Options{PublicRead: true, Parallel: 16}))
	must(l.Accept(ctx, &ledger.Delivery{Source: ledger.Own, Uploads: uploads}))
	must(l.Release(ctx, nil))
	return must(publisher.Run(ctx))
}

func pullFromTwoServers(ctx context.Context, servers map[ledger.Source]string) []*federation.PullReport {
	store := must(sqliteledger.Open(ctx, "ledger.db", nil))
	defer store.Close()
	l := must(ledger.Open(ctx, store, nil))
	var reports []*federation.PullReport
	for name, url := range servers {
		client := must(interop.NewClient(url, interop.TokenFile(string(name)+".token"), nil))
		pull := must(federation.NewPull(l, name, client, nil))
		reports = append(reports, must(pull.Run(ctx)))
	}
	return reports
}

// TestMain stops the server of PostgreSQL that the tests start.
func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// must is what the README's program does about errors.
func must[T any](v T, err error) T {
	if err != nil {
		log.Panic(err)
	}
	return v
}

type metered struct {
	*memstore.Bucket
	puts atomic.Int64 // for the team's monitoring
}

func (m *metered) Put(ctx context.Context, name string, r io.Reader, o *storage.PutOptions) (storage.Attributes, error) {
	m.puts.Add(1)
	return m.Bucket.Put(ctx, name, r, o)
}

func TestMetered(t *testing.T) {
	storagetest.Test(t, func(t *testing.T) storage.Bucket {
		return &metered{Bucket: memstore.New(nil)}
	}, nil)
}

// TestPublishHourly runs the README's programs twice each in an empty directory.
func TestPublishHourly(t *testing.T) {
	t.Run("files", func(t *testing.T) {
		twice(t, publishHourly)
	})
	t.Run("servers", func(t *testing.T) {
		t.Setenv("DATABASE_URL", pgtest.Database(t).Config().ConnString())
		t.Setenv("AWS_ENDPOINT_URL", s3test.Start(t, "diagnosis-keys").URL)
		t.Setenv("AWS_REGION", s3test.Region)
		for name, value := range s3test.Environment() {
			t.Setenv(name, value)
		}
		twice(t, publishHourlyToS3)
	})
}

func twice(t *testing.T, publish func(context.Context, []ledger.Upload) *distribution.Report) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("www", 0o755); err != nil {
		t.Fatal(err)
	}
	pem := must(signing.MarshalPrivateKey(must(signing.GenerateKey())))
	if err := os.WriteFile("signing-key.pem", pem, 0o600); err != nil {
		t.Fatal(err)
	}
	up := keystest.New(1, &keystest.Options{EndOfPeriod: true}).Upload(time.Now())
	uploads := []ledger.Upload{{ID: up.ID, Keys: up.Keys}}
	if r := publish(t.Context(), uploads); r.Written == 0 || len(r.Indexes) == 0 {
		t.Errorf("nothing was published:\n%s", r)
	}
	hour := time.Now().Truncate(time.Hour)
	again := publish(t.Context(), uploads)
	if time.Now().Truncate(time.Hour).Equal(hour) && len(again.Published) > 1 {
		t.Errorf("published again:\n%s", again)
	}
}

// TestPullFromTwoServers runs the README's program against two servers, twice.
func TestPullFromTwoServers(t *testing.T) {
	t.Chdir(t.TempDir())
	servers := map[ledger.Source]string{}
	for seed, name := range []ledger.Source{"hub-a", "hub-b"} {
		url, token := federationServer(t, uint64(seed))
		servers[name] = url
		if err := os.WriteFile(string(name)+".token", []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for run, want := range []int{10, 0} {
		for _, r := range pullFromTwoServers(t.Context(), servers) {
			if r.Accepted != want || r.Rejected != 0 {
				t.Errorf("run %d of %s: %+v, want %d keys", run, r.Instance, r, want)
			}
		}
	}
}

// federationServer starts a server that has ten keys for a nation, and returns its
// URL and the nation's token.
func federationServer(t *testing.T, seed uint64) (url, token string) {
	t.Helper()
	now := time.Now().Add(-time.Hour)
	l := must(ledger.Open(t.Context(), memledger.New(&memledger.Options{Clock: func() time.Time { return now }}), nil))
	hub := must(federation.NewHub(l, nil))
	ie := federation.Nation{Name: "ie", Region: keys.MustRegion("IE")}
	ks := keystest.New(seed, &keystest.Options{Origins: []keys.Region{ie.Region}, EndOfPeriod: true}).Keys(now.Add(-3*time.Hour), 10)[:10]
	must(hub.Upload(t.Context(), &ie, &federation.Incoming{Tag: "1", Keys: ks}))
	now = now.Add(time.Hour)
	must(hub.Release(t.Context(), nil))

	gi := interop.Member{Nation: federation.Nation{Name: "gi", Region: keys.MustRegion("GI")}, Downloads: true}
	tokens := must(jws.NewSecretTokens([]jws.SecretKey{{Secret: jws.NewSecret()}}, nil))
	server := httptest.NewServer(must(interop.NewServer(hub, must(interop.NewDirectory(map[string]interop.Member{"gi": gi})), tokens, nil)))
	t.Cleanup(server.Close)
	token, _, err := tokens.Issue("gi")
	if err != nil {
		t.Fatal(err)
	}
	return server.URL, token
}

const root = "../.."

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocks returns what stands in the README's blocks of one language.
func blocks(t *testing.T, language string) (all []string) {
	t.Helper()
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(readme(t), -1) {
		all = append(all, m[1])
	}
	return all
}

// TestPrograms checks that the README's programs are those of this file, and
// still short.
func TestPrograms(t *testing.T) {
	source, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	programs := blocks(t, "go")
	if len(programs) != 4 {
		t.Fatalf("the README has %d programs, want 4", len(programs))
	}
	for _, p := range programs {
		if !strings.Contains(string(source), "\n"+p) {
			t.Errorf("this program of the README is not in readme_test.go:\n%s", p)
		}
		if n := strings.Count(p, "\n"); n > 20 {
			t.Errorf("this program of the README has %d lines, want at most 20:\n%s", n, p)
		}
	}
}

func TestNginxConfiguration(t *testing.T) {
	conf, err := os.ReadFile(filepath.Join(root, "examples/distribute/nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	shown := blocks(t, "nginx")
	if len(shown) != 1 || !strings.HasSuffix(string(conf), "\n"+shown[0]) {
		t.Errorf("the README's nginx configuration %q is not that of examples/distribute/nginx.conf", shown)
	}
}

// TestFilesAreThere checks every path that the README and the guide for
// contributors name.
func TestFilesAreThere(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join(root, ".github/CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("(?:`|\\]\\()((?:\\.github|\\.ci|distribution|examples|export|federation|internal|keys|signing|storage)(?:/[a-zA-Z0-9_./-]+)?)[`)]")
	found := 0
	for _, m := range named.FindAllStringSubmatch(readme(t)+string(guide), -1) {
		found++
		if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
			t.Errorf("%s is named and not there", m[1])
		}
	}
	if found < 30 {
		t.Errorf("found %d paths, want those of the tables at least", found)
	}
}

// TestTestsAreThere checks that the tests which the README says are in a file are in
// it.
func TestTestsAreThere(t *testing.T) {
	found := 0
	for _, m := range regexp.MustCompile("((?:`Test\\w+`,? )+)in `([^`]+_test\\.go)`").FindAllStringSubmatch(readme(t), -1) {
		text, err := os.ReadFile(filepath.Join(root, m[2]))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, test := range regexp.MustCompile(`Test\w+`).FindAllString(m[1], -1) {
			if found++; !strings.Contains(string(text), "\nfunc "+test+"(t *testing.T)") {
				t.Errorf("%s has no %s", m[2], test)
			}
		}
	}
	if found < 20 {
		t.Errorf("found %d tests, want those of the tables at least", found)
	}
}

// TestTableNamesEveryPackage looks for packages that a user may import and the
// README does not name.
func TestTableNamesEveryPackage(t *testing.T) {
	text := readme(t)
	for _, dir := range packages(t) {
		if !strings.Contains(text, "| `"+dir+"` |") {
			t.Errorf("the table of packages in README.md lacks %s", dir)
		}
	}
}

// packages returns the folders with Go code for users, and the programs.
func packages(t *testing.T) (dirs []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch name := d.Name(); {
		case d.IsDir() && (name == "internal" || name == "testdata" || strings.HasPrefix(name, ".") && rel != "."):
			return filepath.SkipDir
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			dirs = append(dirs, filepath.ToSlash(filepath.Dir(rel)))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	dirs = slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(dirs))), func(dir string) bool { return dir == "." })
	if len(dirs) < 10 {
		t.Fatalf("found %d packages: %s", len(dirs), dirs)
	}
	return dirs
}
