package threats

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var only = flag.String("protections", "", `take the protections of these rows away, "P1,N3", or "all"`)

// A protection is a place in the code without which what a row of THREATS.md says is
// not so, and the test that finds out.
type protection struct {
	row      string // of THREATS.md
	file     string
	old, new string // what is there, once, and what is left without the protection
	pkg      string // folder of the test's package
	test     string // "TestX", or "TestX/subtest"
}

// protections returns those of all rows.
func protections() []protection {
	return slices.Concat(ofPhones, ofNations, ofHubs, ofNetworks, ofBuckets, ofTokens, ofCertificates, ofOperators)
}

// without returns the file as it would be without the protection.
func (p *protection) without() ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(root, p.file))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.row, err)
	}
	if n := bytes.Count(text, []byte(p.old)); n != 1 || p.old == p.new {
		return nil, fmt.Errorf("%s: %s has this %d times, want it once, and something else in its place:\n%s", p.row, p.file, n, p.old)
	}
	return bytes.Replace(text, []byte(p.old), []byte(p.new), 1), nil
}

// TestProtections takes each protection away and sees that the test of its row fails,
// which CI has seen pass with it. It takes half an hour, and is not run unless asked for.
func TestProtections(t *testing.T) {
	if *only == "" {
		t.Skip("takes half an hour: -args -protections=all, or some rows")
	}
	asked := strings.Split(*only, ",")
	found := 0
	for _, p := range protections() {
		if *only != "all" && !slices.Contains(asked, p.row) {
			continue
		}
		found++
		t.Run(p.row+"/"+p.test, func(t *testing.T) {
			begun := time.Now()
			out, err := p.run(t, "-overlay="+p.overlay(t))
			if why := p.survived(out, err); why != "" {
				t.Fatalf("%s: without\n%s\n%s\n%s", p.file, p.old, why, out)
			}
			t.Logf("%s: %.80q: found out in %s", p.file, p.old, time.Since(begun).Round(100*time.Millisecond))
		})
	}
	if found == 0 {
		t.Errorf("no protection of %s", *only)
	}
}

// overlay writes what has the compiler see the file without the protection, and
// returns its name. Nothing in the tree is touched.
func (p *protection) overlay(t *testing.T) string {
	t.Helper()
	text, err := p.without()
	if err != nil {
		t.Fatal(err)
	}
	original, err := filepath.Abs(filepath.Join(root, p.file))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	changed, list := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(changed, text, 0o600); err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, replace, 0o600); err != nil {
		t.Fatal(err)
	}
	return list
}

// run runs the test as CI does.
func (p *protection) run(t *testing.T, flags ...string) (string, error) {
	t.Helper()
	args := slices.Concat([]string{"test", "-short", "-p=1", "-vet=off", "-ldflags=-s -w", "-timeout=10m", "-run=" + p.pattern()}, flags, []string{"./" + p.pkg})
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err == nil && bytes.Contains(out, []byte("no tests to run")) {
		err = errors.New("there is no such test")
	}
	return string(out), err
}

// pattern is the test as -run wants it.
func (p *protection) pattern() string {
	var parts []string
	for part := range strings.SplitSeq(p.name(), "/") {
		parts = append(parts, "^"+regexp.QuoteMeta(part)+"$")
	}
	return strings.Join(parts, "/")
}

// name is the test as it is printed.
func (p *protection) name() string { return strings.ReplaceAll(p.test, " ", "_") }

// survived returns why a run does not show that the test finds out: it passed, or
// something else than the test has failed. Empty is found out.
func (p *protection) survived(out string, err error) string {
	_, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return "the test passes"
	case !exited:
		return "it could not be run: " + err.Error()
	case strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]"):
		return "it does not compile"
	case strings.Contains(out, "panic: test timed out"):
		return "the test does not end"
	case !strings.Contains(out, "--- FAIL: "+p.name()+" "):
		return "another test has failed"
	}
	return ""
}
