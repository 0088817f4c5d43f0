package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution/privacy"
	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/internal/nginxtest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
)

// verify runs the program and expects a status.
func verify(t *testing.T, status int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(args, &out, &errs); code != status {
		t.Fatalf("verify %s exits with %d, want %d:\n%s%s", strings.Join(args, " "), code, status, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// looked is verify with -json.
func looked(t *testing.T, status int, args ...string) *treeReport {
	t.Helper()
	out, _ := verify(t, status, append([]string{"-json"}, args...)...)
	var r treeReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return &r
}

// tree makes the tree of the scripts, and returns its folder.
func tree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := makeTree(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func want(t *testing.T, text string, all ...string) {
	t.Helper()
	for _, s := range all {
		if !strings.Contains(text, s) {
			t.Errorf("does not say %q:\n%s", s, text)
		}
	}
}

// indexed serves a folder as the documented nginx does: a folder's index under the
// folder's name.
func indexed(www string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(www, filepath.FromSlash(r.URL.Path), "index"))
	})
}

// TestByURL verifies what a server of the web serves, as it does the folder: without
// a listing, once, and within limits.
func TestByURL(t *testing.T) {
	dir := tree(t)
	key, www := filepath.Join(dir, "public.txt"), filepath.Join(dir, "www")
	folder := looked(t, exitVerified, "-key", key, www)
	if r := looked(t, exitVerified, "-key", key, "file://"+www); r.Archives != folder.Archives {
		t.Errorf("file: %d archives, want %d", r.Archives, folder.Archives)
	}
	asked := map[string]int{}
	inner := indexed(www)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked[r.URL.Path]++ // one at a time, by -set objectStore.threads=1
		inner.ServeHTTP(w, r)
	}))
	defer server.Close()
	flags := []string{"-key", key, "-set", "api.indexName=", "-set", "objectStore.threads=1"}
	all := append(flags, "-trends", "-progress", server.URL)
	out, errs := verify(t, exitVerified, all...)
	want(t, out, fmt.Sprintf("%d archives (%d bytes) with %d keys", folder.Archives, folder.Bytes, folder.Keys))
	want(t, errs, "verify: 100 objects, ")
	for path, n := range asked {
		if _, err := os.Stat(filepath.Join(www, path, "index")); n > 1 && err == nil {
			t.Errorf("asks for %s %d times", path, n)
		}
	}
	_, errs = verify(t, exitUsage, append(flags, "-max-objects", "20", server.URL)...)
	want(t, errs, "more than is to be read", "20 objects")
	_, errs = verify(t, exitUsage, append(flags, "-max-bytes", "5000", server.URL)...)
	want(t, errs, "more than is to be read", "5000 bytes")
	_, errs = verify(t, exitUsage, "-key", key, "-layout", "nhs", server.URL)
	want(t, errs, "does not list")

	gone := filepath.Join(www, "version/v1/diagnosis-keys/country/DE/date/2026-03-09/hour/7/index")
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	out, _ = verify(t, exitWrong, append(flags, server.URL)...)
	want(t, out, "hour/7: an index names it, and it is not there")
	server.Close()
	verify(t, exitUsage, "-key", key, "http://127.0.0.1:1/")
}

// TestNothing: a folder that is empty, or another's, is not verified because a layout
// without indexes misses nothing.
func TestNothing(t *testing.T) {
	dir := tree(t)
	key, www := filepath.Join(dir, "public.txt"), filepath.Join(dir, "www")
	for _, folder := range []string{t.TempDir(), www} {
		_, errs := verify(t, exitUsage, "-key", key, "-layout", "nhs", folder)
		want(t, errs, "nothing of the layout nhs is there")
		out, _ := verify(t, exitTooOld, "-key", key, "-layout", "nhs", "-max-age", "2h", folder)
		want(t, out, "too old: everything")
	}
}

// TestNginx does it with a real server, by the documented configuration.
func TestNginx(t *testing.T) {
	dir := tree(t)
	address := nginxtest.FreeAddress(t)
	nginxtest.Start(t, "../distribute/nginx.conf", []string{address},
		[2]string{"8080", address}, [2]string{"/srv/gaen-demo/www", filepath.Join(dir, "www")})
	r := looked(t, exitVerified, "-key", filepath.Join(dir, "public.txt"), "-set", "api.indexName=", "-trends",
		"-compare", filepath.Join(dir, "www"), "-compare-set", "api.indexName=index", "http://"+address)
	if r.Archives != 102 || len(r.Comparisons) != 1 || r.Comparisons[0].Windows != 102 || r.Comparisons[0].Keys == 0 {
		t.Errorf("finds %+v", r)
	}
	for _, d := range r.Trends {
		if d.Latest == nil {
			t.Errorf("%s %s: nginx says when files changed, and it is not told", d.Package, d.Day)
		}
	}
}

// TestTrends: the days add up to the tree, files are as late as they were stored, and
// the plot has the same figures.
func TestTrends(t *testing.T) {
	dir := tree(t)
	key, www := filepath.Join(dir, "public.txt"), filepath.Join(dir, "www")
	storedAfter(t, www, 7*time.Minute, 33*time.Minute)
	svg := filepath.Join(dir, "trends.svg")
	r := looked(t, exitVerified, "-key", key, "-trends", "-plot", svg, www)
	keys, windows := 0, 0
	for _, d := range r.Trends {
		keys += d.Keys
		windows += d.Windows
		switch {
		case d.Latest == nil || d.Late == nil:
			t.Errorf("%s %s: not told how late", d.Package, d.Day)
		case d.Day == "2026-03-09" && (d.Windows != 24 || *d.Latest != (33*time.Minute).Seconds() || *d.Late != (7*60*23+33*60)/24.):
			t.Errorf("%s %s: %d windows, %v s late, at most %v", d.Package, d.Day, d.Windows, *d.Late, *d.Latest)
		}
	}
	if keys != r.Keys || windows == 0 || len(r.Trends) != 2*3 {
		t.Errorf("%d days with %d keys, want %d of %d windows", len(r.Trends), keys, r.Keys, windows)
	}
	out, _ := verify(t, exitVerified, "-key", key, "-trends", www)
	want(t, out, "package         day  windows  keys  revised", "EUR  2026-03-09       24", "33m0s")

	titles := checkSVG(t, svg)
	for _, d := range r.Trends {
		want(t, titles, fmt.Sprintf("%s %s: %d\n", d.Package, d.Day, d.Keys), fmt.Sprintf("%s %s: %d\n", d.Package, d.Day, d.Bytes))
	}
	_, errs := verify(t, exitUsage, "-key", key, "-plot", filepath.Join(dir, "none", "trends.svg"), www)
	want(t, errs, "-plot: ")
}

// storedAfter has archives of hours say that they were stored so long after their
// windows' ends: the one of 2026-03-09 08:00 later than the others.
func storedAfter(t *testing.T, www string, late, latest time.Duration) {
	t.Helper()
	layout, err := deploy.Default().Layout()
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(www, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(www, path)
		f, ok := layout.Parse(filepath.ToSlash(name))
		if err != nil || !ok {
			return err
		}
		at := f.Window.End.Add(late)
		if f.Window.Start.Equal(time.Date(2026, 3, 9, 8, 0, 0, 0, time.UTC)) {
			at = f.Window.End.Add(latest)
		}
		return os.Chtimes(path, at, at)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkSVG sees to it that a plot is XML, and returns the titles of its points.
func checkSVG(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var titles strings.Builder
	inTitle, root := false, ""
	for d := xml.NewDecoder(f); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			if root == "" {
				root = e.Name.Space + " " + e.Name.Local
			}
			inTitle = e.Name.Local == "title"
		case xml.EndElement:
			inTitle = false
		case xml.CharData:
			if inTitle {
				fmt.Fprintf(&titles, "%s\n", e)
			}
		}
	}
	if root != "http://www.w3.org/2000/svg svg" {
		t.Errorf("the root is %q", root)
	}
	return titles.String()
}

// TestPlotOfNothing and of what looks like markup.
func TestPlotOfNothing(t *testing.T) {
	for i, all := range [][]*trend{nil, {{Day: "2026-03-09", Package: `<b>&"`}}} {
		path := filepath.Join(t.TempDir(), "plot.svg")
		if err := writePlot(path, all); err != nil {
			t.Fatal(err)
		}
		if titles := checkSVG(t, path); (titles == "") != (i == 0) {
			t.Errorf("titles %q", titles)
		}
	}
}

// TestCompare: the same keys under another signer are the same, other keys are not,
// and what only one has is said.
func TestCompare(t *testing.T) {
	dir, same := tree(t), tree(t)
	key, www := filepath.Join(dir, "public.txt"), filepath.Join(dir, "www")
	other := []string{"-compare-key", filepath.Join(same, "public.txt"), "-compare", filepath.Join(same, "www")}
	out, _ := verify(t, exitVerified, append(append([]string{"-key", key}, other...), www)...)
	want(t, out, "102 windows with", "\nverified\n")

	// By the first one's key nothing of it verifies, which is all a difference.
	out, _ = verify(t, exitWrong, "-key", key, "-compare", filepath.Join(same, "www"), www)
	want(t, out, "differs: ", "does not verify", "verified, but not what it is compared with")

	different := t.TempDir()
	memory := func(clock func() time.Time) (ledger.Store, error) {
		return memledger.New(&memledger.Options{Clock: clock}), nil
	}
	if err := makeTreeOf(different, memory, treeEnd.Add(-72*time.Hour), nil, func(n *publishing) error { return n.partner(2) }); err != nil {
		t.Fatal(err)
	}
	r := looked(t, exitWrong, "-key", key, "-compare-key", filepath.Join(different, "public.txt"), "-compare", filepath.Join(different, "www"), www)
	c := r.Comparisons[0]
	if !r.Verified || len(c.Differences) == 0 || len(c.OnlyFirst) != 0 || len(c.OnlySecond) == 0 {
		t.Errorf("finds %+v", c)
	}
	_, errs := verify(t, exitUsage, "-key", key, "-compare", filepath.Join(dir, "none"), www)
	want(t, errs, "-compare: ")
	_, errs = verify(t, exitUsage, "-key", key, "-compare", www, "-compare-set", "api.nonsense=1", www)
	want(t, errs, "-compare-set: ")
}

// TestLedger holds a tree against its ledger in a file, one of replays, and against
// another.
func TestLedger(t *testing.T) {
	made := func(seed uint64) string {
		dir := t.TempDir()
		open := func(clock func() time.Time) (ledger.Store, error) {
			s, err := sqliteledger.Open(t.Context(), filepath.Join(dir, "ledger.db"), &sqliteledger.Options{Clock: clock})
			if err == nil {
				t.Cleanup(func() { s.Close() })
			}
			return s, err
		}
		if err := makeTreeOf(dir, open, treeEnd.Add(-6*time.Hour), nil, func(n *publishing) error { return n.partner(seed) }); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	dir, other := made(1), made(2)
	key, www := filepath.Join(dir, "public.txt"), filepath.Join(dir, "www")
	r := looked(t, exitVerified, "-key", key, "-ledger", filepath.Join(dir, "ledger.db"), www)
	if len(r.Reconciliations) != 1 || r.Reconciliations[0].Windows < 12 || r.Reconciliations[0].Objects != r.Reconciliations[0].Windows {
		t.Errorf("finds %+v", r.Reconciliations)
	}
	out, _ := verify(t, exitWrong, "-key", key, "-ledger", filepath.Join(other, "ledger.db"), www)
	want(t, out, "not as in the ledger: ", "published with another content", "verified, but not what it is compared with")

	r = looked(t, exitWarned, "-key", key, "-ledger", filepath.Join(dir, "ledger.db"), "-privacy", www)
	if len(r.Privacy) != 2 || r.Privacy[0].Of != "ledger" || r.Privacy[1].Of != "tree" || len(r.Privacy[0].Origins) != 1 {
		t.Errorf("reports %+v", r.Privacy)
	}
	missing := filepath.Join(dir, "missing.db")
	_, errs := verify(t, exitUsage, "-key", key, "-ledger", missing, www)
	want(t, errs, "-ledger: ", "there is no ledger")
	if _, err := os.Stat(missing); err == nil {
		t.Error("makes a ledger")
	}
}

// TestPrivacy: a nation of a thousand uploads a day by the default configuration
// gets no warning, with its last upload alone it does.
func TestPrivacy(t *testing.T) {
	memory := func(clock func() time.Time) (ledger.Store, error) {
		return memledger.New(&memledger.Options{Clock: clock}), nil
	}
	policy := deploy.Default().Release.Policy()
	from := time.Date(2026, 3, 9, 21, 0, 0, 0, time.UTC)
	clean := t.TempDir()
	if err := makeTreeOf(clean, memory, from, &ledger.Options{Policy: policy}, func(n *publishing) error { return n.own(6, 60) }); err != nil {
		t.Fatal(err)
	}
	out, _ := verify(t, exitVerified, "-key", filepath.Join(clean, "public.txt"), "-privacy", filepath.Join(clean, "www"))
	want(t, out, "privacy, of the tree: ", "the smallest set: ", "not told: uploads", "\n0 warnings\n", "\nverified\n")

	planted := t.TempDir()
	err := makeTreeOf(planted, memory, from, &ledger.Options{Policy: policy}, func(n *publishing) error {
		return errors.Join(n.own(6, 40), n.own(1, 1), n.own(26, 0))
	})
	if err != nil {
		t.Fatal(err)
	}
	r := looked(t, exitWarned, "-key", filepath.Join(planted, "public.txt"), "-privacy", filepath.Join(planted, "www"))
	if !r.Verified || len(r.Privacy) != 1 || !r.Privacy[0].Has(privacy.RuleSmallSet) {
		t.Errorf("reports %+v", r.Privacy)
	}
	out, _ = verify(t, exitWarned, "-key", filepath.Join(planted, "public.txt"), "-privacy", filepath.Join(planted, "www"))
	want(t, out, "warning: cwa DE hour: small-set: ", "verified, but see the warnings")
}

// TestLookUsage is what the flags refuse.
func TestLookUsage(t *testing.T) {
	dir := tree(t)
	key, www := filepath.Join(dir, "public.txt"), filepath.Join(dir, "www")
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-lone-share", "1.5", www}, "-lone-share: 1.5"},
		{[]string{"-max-objects", "-1", www}, "-max-objects: -1"},
		{[]string{"-max-bytes", "-1", www}, "-max-bytes: -1"},
		{[]string{"-layout", "cwa,cwa", www}, `-layout: "cwa" is there twice`},
		{[]string{"-layout", "", www}, "-layout: "},
		{[]string{"-privacy", key}, "are for a folder"},
		{[]string{"-ledger", "x", key}, "are for a folder"},
	} {
		_, errs := verify(t, exitUsage, append([]string{"-key", key}, test.args...)...)
		want(t, errs, test.want)
	}
}
