package signing_test

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/signing"
)

func registration(t testing.TB, id string) signing.Registration {
	t.Helper()
	return signing.Registration{
		PublicKey: signing.PublicKey{
			Identity: mustIdentity(t, id),
			Key:      &newKey(t).PublicKey,
			Validity: signing.Validity{NotBefore: day(1), NotAfter: day(20)},
		},
		AppBundleID:    "org.example.warn",
		AndroidPackage: "org.example.warn.android",
	}
}

func TestKeyFileRoundTrip(t *testing.T) {
	full, bare := registration(t, "262-v1"), registration(t, "262-v2")
	bare.Validity, bare.AppBundleID, bare.AndroidPackage = signing.Validity{}, "", ""
	for name, want := range map[string][]signing.Registration{
		"full": {full},
		"bare": {bare},
		"two":  {bare, full},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := signing.MarshalKeyFile(want...)
			if err != nil {
				t.Fatal(err)
			}
			got, err := signing.ParseKeyFile(text)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, %v, want %v from\n%s", got, err, want, text)
			}
			if got, err := signing.ReadKeyFile(writeFile(t, "key.txt", text)); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("from a file: got %v, %v, want %v", got, err, want)
			}
		})
	}
}

// The file is a product: its text is pinned.
func TestKeyFileText(t *testing.T) {
	const want = `# Verification key for exposure notification archives: ECDSA, P-256, SHA-256.
Verification-Key-ID: 262
Verification-Key-Version: v1
Signature-Algorithm: 1.2.840.10045.4.3.2
Not-Before: 2021-06-01T00:00:00Z
Not-After: 2021-06-20T00:00:00Z
App-Bundle-ID: org.example.warn
Android-Package: org.example.warn.android

-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7
Yfps5mliLmDyn7Z5A/4QCLi8maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==
-----END PUBLIC KEY-----
`
	r := registration(t, "262-v1")
	r.Key = &rfc6979Key(t).PublicKey
	got, err := signing.MarshalKeyFile(r)
	if err != nil || string(got) != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
}

func TestMarshalKeyFileRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*signing.Registration)
		want   string
	}{
		{"no id", func(r *signing.Registration) { r.KeyID = "" }, "verification_key_id"},
		{"no key", func(r *signing.Registration) { r.Key = nil }, "262-v1"},
		{"line break in a name", func(r *signing.Registration) { r.AppBundleID = "a\nNot-After: 2099-01-01T00:00:00Z" }, "App-Bundle-ID"},
		{"long name", func(r *signing.Registration) { r.AndroidPackage = strings.Repeat("a", 256) }, "Android-Package"},
		{"space around a name", func(r *signing.Registration) { r.AndroidPackage = "a " }, "Android-Package"},
		{"not UTF-8", func(r *signing.Registration) { r.AndroidPackage = "\xff" }, "Android-Package"},
		{"fraction of a second", func(r *signing.Registration) { r.NotAfter = r.NotAfter.Add(time.Millisecond) }, "Not-After"},
		{"year 10000", func(r *signing.Registration) { r.NotAfter = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "Not-After"},
		{"ends before it begins", func(r *signing.Registration) { r.NotAfter = day(1).Add(-time.Hour) }, "NotAfter"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := registration(t, "262-v1")
			tt.change(&r)
			if text, err := signing.MarshalKeyFile(r); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in the error\n%s", err, tt.want, text)
			}
		})
	}
	many := make([]signing.Registration, 300)
	for i := range many {
		many[i] = registration(t, "262-v1")
	}
	if _, err := signing.MarshalKeyFile(many...); !errors.Is(err, signing.ErrTooLarge) {
		t.Errorf("more than can be read back: got %v, want %v", err, signing.ErrTooLarge)
	}
}

func TestParseKeyFileRefuses(t *testing.T) {
	good, err := signing.MarshalKeyFile(registration(t, "262-v1"))
	if err != nil {
		t.Fatal(err)
	}
	edit := func(old, new string) string { return strings.Replace(string(good), old, new, 1) }
	tests := []struct {
		name string
		text string
		want string
	}{
		{"empty", "", "no key"},
		{"comments only", "# nothing\n\n", "no key"},
		{"misspelt line", edit("Not-After", "Not-Aftr"), "line 6"},
		{"line of no form", edit("Not-After:", "Not after"), "line 6"},
		{"line twice", edit("Not-After", "Not-Before"), "a second Not-Before"},
		{"no id", edit("Verification-Key-ID: 262", ""), "verification_key_id"},
		{"bad id", edit("Key-ID: 262", "Key-ID: 2-62"), "verification_key_id"},
		{"another algorithm", edit("4.3.2", "4.3.4"), "Signature-Algorithm"},
		{"name of the algorithm", edit("1.2.840.10045.4.3.2", "SHA256withECDSA"), "Signature-Algorithm"},
		{"bad date", edit("2021-06-20T", "2021-06-31T"), "Not-After"},
		{"reversed dates", edit("2021-06-20T", "2020-06-20T"), "NotAfter"},
		{"bare PEM", edit("Verification-Key-ID: 262\nVerification-Key-Version: v1\n", ""), "verification_key_id"},
		{"no PEM", string(good[:bytes.Index(good, []byte("-----BEGIN"))]), "no PEM block"},
		{"PEM cut off", string(good[:len(good)-30]), "does not end"},
		{"PEM malformed", edit("MFkw", "MF!w"), "malformed"},
		{"lines after the last key", string(good) + "Not-After: 2021-06-20T00:00:00Z\n", "no PEM block"},
		{"too large", string(good) + strings.Repeat("#\n", signing.MaxKeyText/2), "too large"},
		{"one long line", "# " + strings.Repeat("x", signing.MaxKeyText-10), "no key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := signing.ParseKeyFile([]byte(tt.text))
			if got != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v, want an error with %q", got, err, tt.want)
			}
		})
	}
}

// Whoever gives a private key where a public one is asked for finds none of it
// in the error.
func TestParseKeyFileKeepsSecrets(t *testing.T) {
	secret := sec1(t, newKey(t))
	for name, text := range map[string]string{
		"private key":        string(secret),
		"private key, named": "Verification-Key-ID: 262\nVerification-Key-Version: v1\n" + string(secret),
		"its body":           strings.Join(strings.Split(string(secret), "\n")[1:3], ":\n"),
	} {
		_, err := signing.ParseKeyFile([]byte(text))
		if err == nil {
			t.Errorf("%s: want an error", name)
			continue
		}
		checkNoSecret(t, err, secret)
	}
}

func TestKeyFileIsReadByOpenSSL(t *testing.T) {
	text, err := signing.MarshalKeyFile(registration(t, "262-v1"))
	if err != nil {
		t.Fatal(err)
	}
	path := writeFile(t, "key.txt", text)
	for _, args := range [][]string{
		{"pkey", "-pubin", "-noout", "-text", "-in", path},
		{"ec", "-pubin", "-noout", "-text", "-in", path},
	} {
		if out := openssl(t, nil, args...); !strings.Contains(out, "NIST CURVE: P-256") {
			t.Errorf("openssl %v does not see a key on P-256:\n%s", args, out)
		}
	}
}

// A signature of ours, openssl verifies with the key file.
func TestSignatureIsVerifiedByOpenSSL(t *testing.T) {
	r := registration(t, "262-v1")
	s := newSigner(t, "262-v1", signing.Validity{})
	r.PublicKey = s.PublicKey()
	text, err := signing.MarshalKeyFile(r)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := s.SignDigest(digestOf("export"))
	if err != nil {
		t.Fatal(err)
	}
	out := openssl(t, []byte("export"), "dgst", "-sha256",
		"-verify", writeFile(t, "key.txt", text), "-signature", writeFile(t, "sig", sig))
	if !strings.Contains(out, "Verified OK") {
		t.Errorf("openssl says %q", out)
	}
}

// The reference key server's test key is a bare PEM file: it parses with
// ParsePublicKey, and as a key file it lacks its identity.
func TestVectorPublicKey(t *testing.T) {
	text, err := os.ReadFile("../../shared/vectors/two-keys.public.pem")
	if err != nil {
		t.Skipf("the folder of vectors is not here: %v", err)
	}
	if _, err := signing.ParsePublicKey(text); err != nil {
		t.Error(err)
	}
	if _, err := signing.ParseKeyFile(text); err == nil {
		t.Error("a key without an identity is read as a key file")
	}
}

func FuzzParseKeyFile(f *testing.F) {
	two, err := signing.MarshalKeyFile(registration(f, "262-v1"), registration(f, "310_a-v2"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(two)
	f.Add(two[:len(two)/2])
	f.Add([]byte("# nothing\nVerification-Key-ID: 262\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		parsed, err := signing.ParseKeyFile(text)
		if err != nil {
			return
		}
		written, err := signing.MarshalKeyFile(parsed...)
		if errors.Is(err, signing.ErrTooLarge) {
			return // a terser file of the longest size
		}
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := signing.ParseKeyFile(written)
		if err != nil || !reflect.DeepEqual(again, parsed) {
			t.Errorf("read %v, %v, want %v from\n%s", again, err, parsed, written)
		}
	})
}

func FuzzParsePrivateKey(f *testing.F) {
	text, err := signing.MarshalPrivateKey(newKey(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIA==\n-----END EC PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := signing.ParsePrivateKey(text)
		if err != nil {
			return
		}
		written, err := signing.MarshalPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := signing.ParsePrivateKey(written); err != nil || !again.Equal(key) {
			t.Errorf("the key does not come back: %v", err)
		}
		if _, err := signing.NewSigner(signing.Identity{KeyID: "262", KeyVersion: "v1"}, key, nil); err != nil {
			t.Errorf("a key that parses makes no signer: %v", err)
		}
	})
}
