package nation

import (
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
		{`"name": "a"`, `"name": "a", "protocol": "interop"`, ""},
		{`"name": "a"`, `"name": "a", "protocol": "gopher"`, "instances[0] (a).protocol"},
		{`"name": "a"`, `"name": "a", "rules": {"typo": 1}`, "typo"},
		{`}]`, `}, {"name": "a", "url": "https://b.example", "token": {"env": "A"}}]`, "instances[1].name"},
		{`"submission"`, `"orders": {"listen": "127.0.0.1:0", "operators": {"file": "o"}}, "submission"`, ""},
		{`"submission"`, `"orders": {"listen": ":0", "operators": {"file": "o"}}, "submission"`, "orders.listen"},
		{`"submission"`, `"orders": {"listen": "192.0.2.1:1", "operators": {"file": "o"}}, "submission"`, "orders.listen"},
		{`"submission"`, `"orders": {"listen": "localhost:0"}, "submission"`, "orders.operators"},
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
