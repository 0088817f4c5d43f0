package cms

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/vectors anew, by openssl and BouncyCastle where they are installed")

// vector is a signature that another implementation has made, with what this one
// should say of it. testdata/vectors has a file for each.
type vector struct {
	name        string
	madeBy      string
	content     string
	certificate string // in base64
	signature   string
	want        Reason // of Parse and Verify, "" if it verifies
	unsafe      Reason // the same with Extras and UnsafeWithoutAttributes
}

// record keeps v for the tests that run where its maker is not installed.
func (v vector) record(t *testing.T) {
	t.Helper()
	if !*update {
		return
	}
	text := fmt.Sprintf("made-by: %s\nwant: %s\nwant-leniently: %s\ncontent: %s\ncertificate: %s\nsignature: %s\n",
		v.madeBy, v.want, v.unsafe, v.content, v.certificate, v.signature)
	name := strings.NewReplacer(", ", "-", "/", "-", " ", "-", ",", "-", "'", "").Replace(v.name) + ".txt"
	if err := os.WriteFile(filepath.Join("testdata", "vectors", name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// vectors returns those of testdata/vectors.
func vectors(t testing.TB) []vector {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "vectors", "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	var all []vector
	for _, path := range paths {
		all = append(all, readVector(t, path))
	}
	return all
}

func readVector(t testing.TB, path string) vector {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v := vector{name: strings.TrimSuffix(filepath.Base(path), ".txt")}
	seen := 0
	for lines := bufio.NewScanner(f); lines.Scan(); seen++ {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch strings.TrimSuffix(name, ":") {
		case "made-by":
			v.madeBy = value
		case "want":
			v.want = Reason(value)
		case "want-leniently":
			v.unsafe = Reason(value)
		case "content":
			v.content = value
		case "certificate":
			v.certificate = value
		case "signature":
			v.signature = value
		default:
			t.Fatalf("%s: an unknown line %q", path, name)
		}
	}
	if seen != 6 {
		t.Fatalf("%s: %d lines, want 6", path, seen)
	}
	return v
}

// check checks that this package says of v what it should.
func (v vector) check(t *testing.T) {
	t.Helper()
	for opts, want := range map[ParseOptions]Reason{
		{}: v.want,
		{Extras: true, UnsafeWithoutAttributes: true}: v.unsafe,
	} {
		m, err := Parse(v.signature, &opts)
		if err == nil {
			err = m.Verify([]byte(v.content))
		}
		checkReason(t, err, want)
		if want != "" || err != nil {
			continue
		}
		if encode(m.Certificate.Raw) != v.certificate {
			t.Error("got another certificate")
		}
		if m.Verify([]byte(v.content+".")) == nil {
			t.Error("other content is verified too")
		}
		if opts == (ParseOptions{}) && m.SigningTime.IsZero() {
			t.Error("got no signing time")
		}
	}
}

// What openssl and BouncyCastle have signed, wherever this test runs.
func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.name, v.check)
	}
}
