package cms

import (
	"bytes"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The tests in this file hold this package against BouncyCastle, which the
// gateway and most of its clients sign and verify with. It is run as a program,
// once for all there is to do: testdata/Counterpart.java.

// javaFolder is where Debian has BouncyCastle; GAEN_BOUNCYCASTLE is another.
const javaFolder = "/usr/share/java"

// bouncyCastle has BouncyCastle carry out lines and returns its answers, and its
// version.
func bouncyCastle(t *testing.T, lines [][]string) (answers [][]string, version string) {
	t.Helper()
	program, err := exec.LookPath("java")
	if err != nil {
		t.Skip("java is not installed here: nothing checked with BouncyCastle")
	}
	if _, err := exec.LookPath("javac"); err != nil {
		t.Skip("java is here without its compiler: nothing checked with BouncyCastle")
	}
	dir := os.Getenv("GAEN_BOUNCYCASTLE")
	if dir == "" {
		dir = javaFolder
	}
	var path []string
	for _, name := range []string{"bcpkix.jar", "bcprov.jar", "bcutil.jar"} {
		jar := filepath.Join(dir, name)
		if _, err := os.Stat(jar); err != nil {
			t.Skipf("%s is not there: nothing checked with BouncyCastle", jar)
		}
		path = append(path, jar)
	}
	var in bytes.Buffer
	for _, words := range lines {
		in.WriteString(strings.Join(words, " ") + "\n")
	}
	cmd := exec.CommandContext(t.Context(), program, "-Xshare:auto", "-XX:TieredStopAtLevel=1",
		"-cp", strings.Join(path, string(os.PathListSeparator)), filepath.Join("testdata", "Counterpart.java"))
	cmd.Stdin = &in
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("java: %v\n%s", err, stderr.Bytes())
	}
	for line := range strings.Lines(string(out)) {
		answers = append(answers, strings.Fields(line))
	}
	if len(answers) != len(lines)+1 || answers[len(lines)][0] != "end" {
		t.Fatalf("%d answers, want %d", len(answers), len(lines)+1)
	}
	return answers[:len(lines)], strings.Join(answers[len(lines)][1:], " ")
}

func TestBouncyCastle(t *testing.T) {
	var lines [][]string
	var checks []func(t *testing.T, answer []string, version string)
	names := make([]string, 0)
	add := func(name string, line []string, check func(t *testing.T, answer []string, version string)) {
		names, lines, checks = append(names, name), append(lines, line), append(checks, check)
	}
	is := func(want string) func(*testing.T, []string, string) {
		return func(t *testing.T, answer []string, _ string) {
			if answer[0] != want {
				t.Errorf("BouncyCastle says %q, want %s", answer, want)
			}
		}
	}
	for _, p := range parties(t) {
		// It verifies ours.
		for name, content := range map[string]string{"two keys": batch, "empty": "", "a thousand": strings.Repeat(batch, 500)} {
			text := p.sign(t, content, p.opts)
			add(p.name+"/ours/"+name, []string{"verify", text, encode([]byte(content))}, is("ok"))
			add(p.name+"/ours/"+name+", other content", []string{"verify", text, encode([]byte(content + "."))}, is("no"))
		}

		// We verify its own.
		other := someone(t)
		key, err := x509.MarshalPKCS8PrivateKey(p.key)
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			way, hash    string
			want, unsafe Reason
		}{
			{"ber", "SHA256", "", ""},
			{"der", "SHA256", "", ""},
			{"ber", "SHA384", "", ""},
			{"ber", "SHA512", "", ""},
			{"ber", "SHA1", ReasonAlgorithm, ReasonAlgorithm},
			{"ber,keyid", "SHA256", "", ""},
			{"der,keyid", "SHA512", "", ""},
			{"ber,noattr", "SHA256", ReasonAttributes, ""},
			{"ber,chain", "SHA256", ReasonExtras, ""},
			{"ber,nocert", "SHA256", ReasonCertificate, ReasonCertificate},
			{"ber,nocert,chain", "SHA256", ReasonCertificate, ReasonCertificate},
			{"ber,attached", "SHA256", ReasonAttached, ReasonAttached},
			{"der,attached", "SHA256", ReasonAttached, ReasonAttached},
		} {
			algorithm := tt.hash + map[bool]string{true: "withRSA", false: "withECDSA"}[strings.HasPrefix(p.name, "RSA")]
			if p.opts != nil {
				algorithm += "andMGF1"
			}
			name := "bouncycastle/" + p.name + "/" + tt.way + " " + tt.hash
			line := []string{"sign", tt.way, algorithm, encode(key), encode(p.cert.Raw), encode([]byte(batch)), encode(other.cert.Raw)}
			add(name, line, func(t *testing.T, answer []string, version string) {
				if answer[0] != "ok" {
					t.Fatalf("BouncyCastle does not sign: %q", answer)
				}
				v := vector{
					name: name, madeBy: version + ", " + algorithm + ", " + tt.way, content: batch,
					certificate: encode(p.cert.Raw), signature: answer[1], want: tt.want, unsafe: tt.unsafe,
				}
				v.check(t)
				indefinite := decode(t, v.signature)[1] == 0x80
				if indefinite != strings.HasPrefix(tt.way, "ber") && tt.way != "ber,nocert" { // there it has nothing to write so
					t.Error("its lengths are not as they should be, so that this says less than it seems to")
				}
				if p.name == "P-256" || tt.way == "ber" && tt.hash == "SHA256" {
					v.record(t)
				}
			})
		}
	}
	answers, version := bouncyCastle(t, lines)
	for i, check := range checks {
		t.Run(names[i], func(t *testing.T) { check(t, answers[i], version) })
	}
}
