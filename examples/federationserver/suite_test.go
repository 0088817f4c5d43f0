package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/signing"
)

// repository is the folder in which what CONTRIBUTING says is typed.
const repository = "../.."

// suiteCommand returns the command by which CONTRIBUTING has a team run the suite,
// against another server.
func suiteCommand(t *testing.T, base, nations string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, ".github/CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^go test .*-run TestEndpoint.*$`).FindString(string(text))
	for old, its := range map[string]string{"http://127.0.0.1:8080": base, "$PWD/nations.json": nations} {
		if strings.Count(line, old) != 1 {
			t.Fatalf("CONTRIBUTING's command %q has not one %s", line, old)
		}
		line = strings.ReplaceAll(line, old, its)
	}
	return strings.Fields(line)
}

// An enlisted is a nation, as the file of the suite has it.
type enlisted struct {
	Region  string `json:"region"`
	Token   string `json:"token"`
	Key     string `json:"key"`
	Expired string `json:"expired"`

	Withdrawals bool     `json:"withdrawals"`
	Extended    bool     `json:"extended"`
	Relays      []string `json:"relays"`
}

// enlist onboards a nation for the suite by the program's own commands: with a key
// of its own, a token, and one that was revoked.
func (s *site) enlist(id string, e enlisted) enlisted {
	s.t.Helper()
	key, err := signing.GenerateKey()
	if err != nil {
		s.t.Fatal(err)
	}
	private, err := signing.MarshalPrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	signer, err := signing.NewSigner(signing.Identity{KeyID: id, KeyVersion: "v1"}, key, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	e.Token, e.Key, e.Expired = id+".token", id+"-key.pem", id+"-old.token"
	for name, text := range map[string][]byte{e.Key: private, id + ".pem": publicPEM(s.t, signer)} {
		if err := os.WriteFile(s.path(name), text, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	s.run("nation", "add", "-region", e.Region, "-key", s.path(id+".pem"), fmt.Sprintf("-withdrawals=%v", e.Withdrawals),
		fmt.Sprintf("-extended=%v", e.Extended), "-relays="+strings.Join(e.Relays, ","), id)
	s.run("nation", "token", "-out", s.path(e.Expired), id)
	s.run("nation", "revoke", "-token", s.tokenID(e.Expired), id)
	s.run("nation", "token", "-out", s.path(e.Token), id)
	return e
}

// tokenID returns the id of the token in a file.
func (s *site) tokenID(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(string(text), ".")[1])
	var claims struct {
		ID string `json:"jti"`
	}
	if err != nil || json.Unmarshal(payload, &claims) != nil || claims.ID == "" {
		s.t.Fatal("a token without an id")
	}
	return claims.ID
}

// TestSuite holds the program, as a process of its own, to the suite for servers:
// by the command in CONTRIBUTING, in one more process, with plain HTTP and with TLS.
func TestSuite(t *testing.T) {
	if testing.Short() {
		t.Skip("the suite is built and run by the go command")
	}
	for _, withTLS := range []bool{false, true} {
		t.Run(map[bool]string{false: "http", true: "https"}[withTLS], func(t *testing.T) {
			s := newSite(t)
			nations := []enlisted{
				s.enlist("ie", enlisted{Region: "IE", Withdrawals: true, Extended: true}),
				s.enlist("gi", enlisted{Region: "GI", Withdrawals: true, Extended: true, Relays: []string{"FR"}}),
				s.enlist("gb", enlisted{Region: "GB-EAW"}),
			}
			text, err := json.Marshal(nations)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(s.path("nations.json"), text, 0o600); err != nil {
				t.Fatal(err)
			}
			var flags []string
			if withTLS {
				certify(t, s, 1)
				flags = []string{"-cert", s.path("cert.pem"), "-key", s.path("key.pem")}
			}
			p := s.start(flags...)
			args := suiteCommand(t, p.base, s.path("nations.json"))
			if withTLS {
				args = append(args, "-federationtest.ca="+s.path("cert.pem"))
			}
			s.passes(args)
			p.terminate()
		})
	}
}

// passes runs a suite that must pass, and must have looked: a clause is skipped only
// if that is declared.
func (s *site) passes(args []string) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), args[0], args[1:]...)
	cmd.Dir = repository
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	passed := regexp.MustCompile(`(?m)^ *--- PASS: TestEndpoint/\S+`).FindAll(out, -1)
	skipped := regexp.MustCompile(`(?m)^ *--- SKIP: TestEndpoint/(\S+)`).FindAllSubmatch(out, -1)
	if len(passed) < 60 || len(skipped) > 0 {
		s.t.Errorf("%d clauses passed, want 60 at least; skipped: %q", len(passed), skipped)
	}
}
