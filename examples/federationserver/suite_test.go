package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/signing"
)

// repository is the folder in which what CONTRIBUTING says is typed.
const repository = "../.."

// suiteCommand returns the command by which CONTRIBUTING has a team run a suite,
// with other things in the place of those in it.
func suiteCommand(t *testing.T, test string, instead map[string]string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, ".github/CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^go test .*-run ` + test + ` .*$`).FindString(string(text))
	for old, its := range instead {
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
			args := suiteCommand(t, "TestEndpoint", map[string]string{"http://127.0.0.1:8080": p.base, "$PWD/nations.json": s.path("nations.json")})
			if withTLS {
				args = append(args, "-federationtest.ca="+s.path("cert.pem"))
			}
			s.passes(args, "TestEndpoint", 60)
			p.terminate()
		})
	}
}

// passes runs a suite that must pass, and must have looked: a clause is skipped only
// if it is one of these.
func (s *site) passes(args []string, test string, least int, skips ...string) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), args[0], args[1:]...)
	cmd.Dir = repository
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	passed := regexp.MustCompile(`(?m)^ *--- PASS: `+test+`/\S+`).FindAll(out, -1)
	var skipped []string
	for _, m := range regexp.MustCompile(`(?m)^ *--- SKIP: `+test+`/(\S+)`).FindAllSubmatch(out, -1) {
		if !slices.Contains(skips, string(m[1])) {
			skipped = append(skipped, string(m[1]))
		}
	}
	if len(passed) < least || len(skipped) > 0 {
		s.t.Errorf("%d clauses passed, want %d at least; skipped: %q", len(passed), least, skipped)
	}
}

// members writes the file by which the suite knows three countries. The first has a
// certificate that was revoked.
func (s *site) members() string {
	s.t.Helper()
	f := s.certificates("DE", "FR", "IT")
	var list []map[string]string
	for _, id := range []string{"de", "fr", "it"} {
		s.european(id, strings.ToUpper(id))
		m := map[string]string{"country": strings.ToUpper(id)}
		for _, use := range []string{"authentication", "signing", "callback"} {
			m[use], m[use+"Key"] = id+"/"+use+".pem", id+"/"+use+"-key.pem"
		}
		list = append(list, m)
	}
	s.run("nation", "certificate", "-revoke", s.thumbprint("de/authentication"), "de")
	for _, name := range []string{".pem", "-key.pem"} {
		if err := os.Rename(f.Path+"/de/authentication"+name, f.Path+"/de/revoked"+name); err != nil {
			s.t.Fatal(err)
		}
	}
	list[0]["revoked"], list[0]["revokedKey"] = "de/revoked.pem", "de/revoked-key.pem"
	s.certificates("DE")
	s.run("nation", "certificate", "-add", theList, "-anchor", "certificates/anchor.pem", "de")
	text, err := json.Marshal(list)
	if err != nil {
		s.t.Fatal(err)
	}
	path := f.Path + "/members.json"
	if err := os.WriteFile(path, text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// TestEuropeanSuite holds the program to the suite for gateways of the European
// protocol, by the command in CONTRIBUTING: with TLS of its own, and as its load
// balancer.
func TestEuropeanSuite(t *testing.T) {
	if testing.Short() {
		t.Skip("the suite is built and run by the go command")
	}
	skips := []string{} // what only the other way can be asked
	if _, err := exec.LookPath("openssl"); err != nil {
		skips = append(skips, "signature-of-openssl", "audit-by-openssl")
	}
	for name, way := range map[string]struct {
		flags, args []string
		skips       []string
	}{
		"direct": {flags: directly, args: []string{"-federationtest.ca=certificates/authority.pem"},
			skips: []string{"certificate-country", "balancer-names", "balancer-no-country"}},
		"balanced": {flags: []string{"-efgs", "127.0.0.1:0", "-efgs-balancers", "127.0.0.0/8", "-efgs-anchor", "certificates/anchor.pem"},
			args: []string{"-federationtest.efgs-balanced"}, skips: []string{"balancer-alone"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			members, callback := s.members(), freeAddress(t)
			_, port, _ := strings.Cut(callback, ":")
			p := s.start(slices.Concat(way.flags, []string{"-efgs-callback-networks", "127.0.0.0/8", "-efgs-callback-ports", port})...)
			args := suiteCommand(t, "TestEFGSEndpoint", map[string]string{"https://127.0.0.1:8444": p.european, "$PWD/members.json": members})
			args = append(args, "-federationtest.efgs-anchor="+s.path("certificates/anchor.pem"), "-federationtest.efgs-callback="+callback)
			for _, arg := range way.args {
				args = append(args, strings.Replace(arg, "=certificates/", "="+s.path("certificates")+"/", 1))
			}
			s.passes(args, "TestEFGSEndpoint", 70, slices.Concat(skips, way.skips)...)
			p.terminate()
		})
	}
}

// freeAddress returns an address at which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
