package federationtest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/signing"
)

// verdicts returns what a hook says of four downloads and uploads in turn.
func verdicts(h Hook) (got []Verdict) {
	for n := range 4 {
		route := RouteDownload
		if n%2 == 1 {
			route = RouteUpload
		}
		got = append(got, h.ask(context.Background(), Request{N: n + 1, Route: route}))
	}
	return got
}

func TestHooks(t *testing.T) {
	for _, c := range []struct {
		name string
		hook Hook
		want []Verdict
	}{
		{"nil", nil, []Verdict{Pass, Pass, Pass, Pass}},
		{"always", Always(Half), []Verdict{Half, Half, Half, Half}},
		{"at", At(2, 404), []Verdict{Pass, 404, Pass, Pass}},
		{"script", Script(Fail, Pass, Half), []Verdict{Fail, Pass, Half, Pass}},
		{"on", On(At(2, Fail), RouteUpload), []Verdict{Pass, Pass, Pass, Fail}},
		{"first", First(At(1, Fail), Script(Half, Odd)), []Verdict{Fail, Odd, Pass, Pass}},
		{"never", Random(1, 0, Fail), []Verdict{Pass, Pass, Pass, Pass}},
		{"certain", Random(1, 1, Fail), []Verdict{Fail, Fail, Fail, Fail}},
		{"no verdicts", Random(1, 1), []Verdict{Pass, Pass, Pass, Pass}},
	} {
		if got := verdicts(c.hook); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
	if h := Random(7, 0.5, runFaults...); !slices.Equal(verdicts(h), verdicts(h)) {
		t.Error("the same seed gives other faults")
	}
}

func TestNationIsNotPrinted(t *testing.T) {
	n := NewNation(ie)
	for _, text := range []string{fmt.Sprint(n), fmt.Sprintf("%+v %#v %x", n, n, &n), fmt.Sprintf("%+v", Endpoint{Nations: []Nation{n}}), n.LogValue().String(), slog.AnyValue(n).Resolve().String()} {
		if strings.Contains(text, n.Token) || strings.Contains(text, n.Expired) {
			t.Error("a token is printed")
		}
	}
}

func TestReadNations(t *testing.T) {
	dir := t.TempDir()
	key, err := signing.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	pem, err := signing.MarshalPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("a.pem", string(pem))
	write("a.token", "token\n")
	write("old.token", "old\n")
	got, err := ReadNations(write("nations.json", `[{"region":"IE","token":"a.token","key":"a.pem","expired":"old.token"}]`))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Region != ie || got[0].Token != "token" || got[0].Expired != "old" || !key.Equal(got[0].Key) {
		t.Errorf("got other nations: %v", got)
	}
	for _, text := range []string{"", "{}", `[{"region":"IE","token":"none","key":"a.pem"}]`, `[{"region":"IE","token":"a.token"}]`, `[{"region":"?"}]`} {
		if _, err := ReadNations(write("bad.json", text)); err == nil {
			t.Errorf("no error for %s", text)
		}
	}
}

// TestNeverUnnamed: no server is called that was not named, and none elsewhere that
// was not named twice.
func TestNeverUnnamed(t *testing.T) {
	nations := newNations()
	for _, c := range []struct {
		name, url, uploadTo string
		nations             []Nation
		good                bool
	}{
		{"here", "http://127.0.0.1:1", "", nations, true},
		{"here by name", "http://localhost:1/x", "", nations, true},
		{"elsewhere", "https://hub.example", "", nations, false},
		{"elsewhere, named", "https://hub.example:443/x", "hub.example", nations, true},
		{"elsewhere, another named", "https://hub.example", "other.example", nations, false},
		{"looks like here", "https://127.example", "", nations, false},
		{"no URL", "", "", nations, false},
		{"one nation", "http://127.0.0.1:1", "", nations[:1], false},
		{"a nation without a token", "http://127.0.0.1:1", "", []Nation{nations[0], {Region: gi, Key: nations[1].Key}}, false},
		{"a nation without a key", "http://127.0.0.1:1", "", []Nation{nations[0], {Region: gi, Token: "t"}}, false},
	} {
		err := (&EndpointOptions{UploadTo: c.uploadTo}).complete(&Endpoint{URL: c.url, Nations: c.nations})
		if (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestServerOptions(t *testing.T) {
	for _, c := range []struct {
		field string
		opts  ServerOptions
	}{
		{"Gap", ServerOptions{Gap: -1}},
		{"BatchSize", ServerOptions{BatchSize: -1}},
		{"MaxUpload", ServerOptions{MaxUpload: -1}},
		{"Prefix", ServerOptions{Prefix: "x"}},
		{"Prefix", ServerOptions{Prefix: "/x/"}},
	} {
		if _, err := NewServer(nil, &c.opts); err == nil || !strings.Contains(err.Error(), "ServerOptions."+c.field) {
			t.Errorf("%s: %v", c.field, err)
		}
	}
	if _, err := NewServer([]Nation{{}}, nil); err == nil || !strings.Contains(err.Error(), "nations[0]") {
		t.Errorf("a nation of nothing: %v", err)
	}
}

const childVariable = "FEDERATIONTEST_REPORT_CHILD"

// TestReportChild fails, and is run by TestReport.
func TestReportChild(t *testing.T) {
	if os.Getenv(childVariable) == "" {
		t.Skip("is run by TestReport")
	}
	_, e := newEndpoint(t, &ServerOptions{Faithful: true})
	skip := FaithfulDeviations()
	delete(skip, "tag-unknown")
	delete(skip, "paging-loses-nothing") // which not Held it does not
	delete(skip, "pages-stay")
	skip["no-such-clause"] = "typing error"
	TestServer(t, e, &EndpointOptions{Skip: skip, BigUpload: 10})
}

func TestReport(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestReportChild$", "-test.v")
	cmd.Env = append(os.Environ(), childVariable+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("the suite passed a server with a deviation that is not declared")
	}
	for what, want := range map[string]string{
		"the failing subtest":     "--- FAIL: TestReportChild/tag-unknown ",
		"its clause":              "clause: A tag that the server does not know must not be answered as if there were nothing new.",
		"a passing subtest":       "--- PASS: TestReportChild/upload-accepted ",
		"the reason of a skip":    "declared deviation: it sends no Cache-Control",
		"the unknown declaration": `there is no clause "no-such-clause"`,
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%s: %q is not in the output", what, want)
		}
	}
	if n := strings.Count(string(out), "--- FAIL: TestReportChild/"); n != 1 {
		t.Errorf("%d subtests failed, want 1\n%s", n, out)
	}
}
