package cms

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The tests in this file hold this package against openssl, run as a program.

// openssl runs openssl in a folder and returns its error with what it says.
func openssl(t testing.TB, dir string, args ...string) error {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed here: nothing checked with it")
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return &opensslError{err, stderr.String()}
	}
	return nil
}

type opensslError struct {
	error
	stderr string
}

func (e *opensslError) Error() string { return e.error.Error() + ": " + e.stderr }

func opensslVersion(t testing.TB) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "openssl", "version").Output()
	if err != nil {
		t.Skip("openssl is not installed here: nothing checked with it")
	}
	return strings.Join(strings.Fields(string(out))[:2], " ")
}

func write(t testing.TB, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpenSSLVerifiesOurs(t *testing.T) {
	for _, p := range parties(t) {
		dir := t.TempDir()
		for name, content := range map[string]string{"two keys": batch, "empty": "", "a thousand": strings.Repeat(batch, 500), "line breaks": "a\nb\r\nc\x00\xff"} {
			t.Run(p.name+"/"+name, func(t *testing.T) {
				der := decode(t, p.sign(t, content, p.opts))
				write(t, dir, "content", []byte(content))
				write(t, dir, "signature", der)
				write(t, dir, "ca.pem", []byte(pemOf(p.cert)))
				verify := func() error {
					return openssl(t, dir, "cms", "-verify", "-binary", "-inform", "DER", "-in", "signature", "-content", "content",
						"-CAfile", "ca.pem", "-purpose", "any", "-attime", "1622635200", "-out", "verified")
				}
				if err := verify(); err != nil {
					t.Fatal(err)
				}
				write(t, dir, "content", []byte(content+"."))
				if verify() == nil {
					t.Error("openssl verifies other content, so that this says nothing")
				}
				write(t, dir, "content", []byte(content))
				der[len(der)-1] ^= 1
				write(t, dir, "signature", der)
				if verify() == nil {
					t.Error("openssl verifies another signature, so that this says nothing")
				}
			})
		}
	}
}

func TestVerifyWhatOpenSSLSigns(t *testing.T) {
	version := opensslVersion(t)
	all := parties(t)
	all = append(all, party{"RSA-PSS, salt as long as can be", all[3].identity, nil})
	for _, p := range all {
		dir := t.TempDir()
		other := someone(t)
		write(t, dir, "cert.pem", []byte(pemOf(p.cert)))
		write(t, dir, "key.pem", []byte(keyPEM(t, p.key)))
		write(t, dir, "other.pem", []byte(pemOf(other.cert)))
		write(t, dir, "other-key.pem", []byte(keyPEM(t, other.key)))
		write(t, dir, "content", []byte(batch))
		var key []string
		switch {
		case p.opts != nil:
			key = []string{"-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:32"}
		case strings.HasPrefix(p.name, "RSA-PSS"):
			key = []string{"-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:max"}
		}
		for _, tt := range []struct {
			name         string
			args         string
			want, unsafe Reason
		}{
			{"plain", "-md sha256", "", ""},
			{"not binary", "-md sha256", "", ""},
			{"without capabilities", "-md sha256 -nosmimecap", "", ""},
			{"sha384", "-md sha384", "", ""},
			{"sha512", "-md sha512", "", ""},
			{"sha1", "-md sha1", ReasonAlgorithm, ReasonAlgorithm},
			{"key id", "-md sha256 -keyid", "", ""},
			{"CAdES", "-md sha256 -cades", "", ""},
			{"no attributes", "-md sha256 -noattr", ReasonAttributes, ""},
			{"no attributes, key id", "-md sha512 -noattr -keyid", ReasonAttributes, ""},
			{"two certificates", "-md sha256 -certfile other.pem", ReasonExtras, ""},
			{"no certificate", "-md sha256 -nocerts", ReasonCertificate, ReasonCertificate},
			{"another's certificate", "-md sha256 -nocerts -certfile other.pem", ReasonCertificate, ReasonCertificate},
			{"two signers", "-md sha256 -signer other.pem -inkey other-key.pem", ReasonSigners, ReasonSigners},
			{"attached", "-md sha256 -nodetach", ReasonAttached, ReasonAttached},
			{"attached, indefinite lengths", "-md sha256 -stream", ReasonAttached, ReasonAttached},
			{"another type of content", "-md sha256 -econtent_type 1.2.3.4", ReasonMalformed, ReasonMalformed},
		} {
			if len(key) > 0 && strings.Contains(tt.args, "-stream") {
				continue // which openssl cannot do with RSA-PSS
			}
			t.Run(p.name+"/"+tt.name, func(t *testing.T) {
				args := []string{"cms", "-sign", "-in", "content", "-outform", "DER", "-out", "signature", "-signer", "cert.pem", "-inkey", "key.pem"}
				args = append(args, key...)
				args = append(args, strings.Fields(tt.args)...)
				if tt.name != "not binary" {
					args = append(args, "-binary")
				}
				if err := openssl(t, dir, args...); err != nil {
					t.Fatal(err)
				}
				der, err := os.ReadFile(filepath.Join(dir, "signature"))
				if err != nil {
					t.Fatal(err)
				}
				v := vector{
					name:    "openssl/" + p.name + "/" + tt.name,
					madeBy:  version + " " + strings.Join(args, " "),
					content: batch, certificate: encode(p.cert.Raw), signature: encode(der), want: tt.want, unsafe: tt.unsafe,
				}
				v.check(t)
				if p.name == "P-256" || tt.name == "plain" {
					v.record(t)
				}
			})
		}
	}
}

// RSA-PSS as openssl may be told to, and nobody should.
func TestVerifyWhatOpenSSLSignsBadly(t *testing.T) {
	opensslVersion(t)
	id, dir := issue(t, rsaKey(), nil), t.TempDir()
	write(t, dir, "cert.pem", []byte(pemOf(id.cert)))
	write(t, dir, "key.pem", []byte(keyPEM(t, id.key)))
	write(t, dir, "content", []byte(batch))
	for name, args := range map[string][]string{
		"no salt":          {"-keyopt", "rsa_pss_saltlen:0"},
		"a mask by SHA-1":  {"-keyopt", "rsa_mgf1_md:sha1"},
		"a mask by SHA512": {"-keyopt", "rsa_mgf1_md:sha512"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"cms", "-sign", "-binary", "-in", "content", "-outform", "DER", "-out", "signature",
				"-signer", "cert.pem", "-inkey", "key.pem", "-md", "sha256", "-keyopt", "rsa_padding_mode:pss"}, args...)
			if err := openssl(t, dir, args...); err != nil {
				t.Fatal(err)
			}
			der, err := os.ReadFile(filepath.Join(dir, "signature"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(encode(der), nil)
			checkReason(t, err, ReasonAlgorithm)
		})
	}
}

// A certificate that has expired signs as well as any other, so that only the
// verifier can tell.
func TestVerifyExpiredWhatOpenSSLSigns(t *testing.T) {
	opensslVersion(t)
	id := issue(t, newKey(t, elliptic.P256()), func(c *x509.Certificate) {
		c.NotAfter = time.Date(2021, 12, 31, 0, 0, 0, 0, time.UTC)
	})
	dir := t.TempDir()
	write(t, dir, "cert.pem", []byte(pemOf(id.cert)))
	write(t, dir, "key.pem", []byte(keyPEM(t, id.key)))
	write(t, dir, "content", []byte(batch))
	if err := openssl(t, dir, "cms", "-sign", "-binary", "-in", "content", "-outform", "DER", "-out", "signature",
		"-signer", "cert.pem", "-inkey", "key.pem", "-md", "sha256"); err != nil {
		t.Fatal(err)
	}
	der, err := os.ReadFile(filepath.Join(dir, "signature"))
	if err != nil {
		t.Fatal(err)
	}
	v := verifierOf(t, nil, id)
	_, err = v.Verify(t.Context(), []byte(batch), encode(der), noon)
	checkReason(t, err, "")
	_, err = v.Verify(t.Context(), []byte(batch), encode(der), noon.AddDate(1, 0, 0))
	checkReason(t, err, ReasonExpired)
}

// The trust anchor signs with openssl dgst, as the gateway's operators do.
func TestVerifyAnchorByOpenSSL(t *testing.T) {
	opensslVersion(t)
	text := pemOf(someone(t).cert)
	for name, anchor := range map[string]identity{"RSA": issue(t, rsaKey(), nil), "P-256": someone(t)} {
		dir := t.TempDir()
		write(t, dir, "key.pem", []byte(keyPEM(t, anchor.key)))
		write(t, dir, "cert.pem", []byte(text))
		if err := openssl(t, dir, "dgst", "-sha256", "-sign", "key.pem", "-out", "signature", "cert.pem"); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(filepath.Join(dir, "signature"))
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifyAnchor(anchor.cert, text, encode(raw)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
