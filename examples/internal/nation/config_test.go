package nation

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const good = `{
	"submission": {"listen": ":0", "authorizer": "token", "signingKey": {"file": "a"}},
	"instances": [{"name": "a", "url": "https://a.example", "token": {"env": "A"}}]
}`

// TestRead names what is wrong, by its field.
func TestRead(t *testing.T) {
	for _, c := range []struct{ replace, by, want string }{
		{"", "", ""},
		{`"submission"`, `"submision"`, "submision"},
		{`"listen"`, `"lisen"`, "lisen"},
		{`"authorizer": "token", `, ``, "submission.authorizer"},
		{`"authorizer": "token"`, `"authorizer": "all"`, "submission.authorizer"},
		{`"authorizer": "token"`, `"authorizer": "apiKey"`, "submission.apiKeys"},
		{`"authorizer": "token"`, `"authorizer": "none", "privateJourney": true`, "submission.privateJourney"},
		{`"authorizer": "token"`, `"authorizer": "token", "beat": "0s"`, "submission.beat"},
		{`"authorizer": "token"`, `"authorizer": "token", "maxKeys": 0`, "submission.maxKeys"},
		{`, "signingKey": {"file": "a"}`, ``, "submission.signingKey"},
		{`{"file": "a"}`, `{"file": "a", "env": "b"}`, "submission.signingKey"},
		{`{"file": "a"}`, `{"value": "hunter2"}`, "value"},
		{`"name": "a"`, `"name": "A"`, "instances[0] (A).name"},
		{`"name": "a"`, `"name": "own"`, "instances[0] (own).name"},
		{`https://a.example`, `a.example`, "instances[0] (a).url"},
		{`https://a`, `https://u:hunter2@a`, "instances[0] (a).url"},
		{`"name": "a"`, `"name": "a", "export": true`, "instances[0] (a).signingKey"},
		{`"name": "a"`, `"name": "a", "gateway": true`, "instances[0] (a).gateway"},
		{`, "token": {"env": "A"}`, ``, "instances[0] (a).token"},
		{`"name": "a"`, `"name": "a", "rules": {"typo": 1}`, "typo"},
		{`}]`, `}, {"name": "a", "url": "https://b.example", "token": {"env": "A"}}]`, "instances[1].name"},
		{`"submission"`, `"schedule": {"every": "0s"}, "submission"`, "schedule.every"},
		{`"submission"`, `"schedule": {"jitter": "1m"}, "submission"`, "schedule.jitter"},
		{`"submission"`, `"schedule": {"pushBarrier": "1h"}, "submission"`, "schedule.pushBarrier"},
		{`"submission"`, `"operations": {"resolution": "1s"}, "submission"`, "operations.resolution"},
		{`"submission"`, `"api": {"publicationMap": "x"}, "submission"`, "api.publicationMap"},
	} {
		path := filepath.Join(t.TempDir(), "c.json")
		if err := os.WriteFile(path, []byte(strings.Replace(good, c.replace, c.by, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		config, err := Read(path)
		if err == nil {
			err = config.Rehearse(t.Context())
		}
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s for %s: got %v, want %q", c.by, c.replace, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v: quotes what may be a secret", err)
		}
	}
}

// TestPrinted has what is printed be read again, and hold no password.
func TestPrinted(t *testing.T) {
	c := Default()
	c.Paths.Ledger = "postgres://u:hunter2@h/d"
	if text := c.String(); strings.Contains(text, "hunter2") {
		t.Errorf("a password:\n%s", text)
	}
	path := filepath.Join(t.TempDir(), "c.json")
	if err := os.WriteFile(path, []byte(Default().String()), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Read(path)
	if err != nil || again.String() != Default().String() {
		t.Errorf("%v, or not the same", err)
	}
}

// TestSecrets are had from files, the environment and commands.
func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte(" in a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GAEN_TEST_SECRET", "in a variable")
	for _, c := range []struct {
		secret Secret
		want   string
	}{
		{Secret{File: "f"}, "in a file"},
		{Secret{Env: "GAEN_TEST_SECRET"}, "in a variable"},
		{Secret{Command: []string{"cat", "f"}}, "in a file"},
		{Secret{File: "g"}, ""},
		{Secret{Env: "GAEN_TEST_NOTHING"}, ""},
		{Secret{Command: []string{"sh", "-c", "echo hunter2 >&2; exit 1"}}, ""},
	} {
		got, err := c.secret.read(t.Context(), dir)
		if got != c.want || (err == nil) != (c.want != "") || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %q, %v", c.secret, got, err)
		}
	}
}

// TestSecretOfACommandThatHangs: it ends with its context, though a child of it goes
// on and holds its output open.
func TestSecretOfACommandThatHangs(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if _, err := (Secret{Command: []string{"sh", "-c", "sleep 10 & wait"}}).read(ctx, t.TempDir()); err == nil || time.Since(begun) > 8*time.Second {
		t.Errorf("after %s: got %v", time.Since(begun), err)
	}
}

// TestNext has looks be on the grid, and jittered.
func TestNext(t *testing.T) {
	s := Default().Schedule
	at := noon.Add(42 * time.Second)
	seen := map[time.Duration]bool{}
	for range 100 {
		wait := s.next(at)
		seen[wait] = true
		if wait < 18*time.Second || wait >= 38*time.Second {
			t.Errorf("waits %s", wait)
		}
	}
	if len(seen) < 2 {
		t.Error("no jitter")
	}
}

// TestReadme has the README's configuration be one.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "```json\n")
	block, _, _ := strings.Cut(after, "```")
	path := filepath.Join(t.TempDir(), "c.json")
	if err := os.WriteFile(path, []byte(block), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Rehearse(t.Context()); err != nil || len(c.Instances) != 2 {
		t.Error(err)
	}
}
