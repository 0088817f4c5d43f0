package signing_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/signing"
)

func pemBlock(name string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: name, Bytes: der})
}

func sec1(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemBlock("EC PRIVATE KEY", der)
}

func pkcs8(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemBlock("PRIVATE KEY", der)
}

func spki(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemBlock("PUBLIC KEY", der)
}

func TestParsePrivateKey(t *testing.T) {
	key := newKey(t)
	ours, err := signing.MarshalPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		text []byte
	}{
		{"ours", ours},
		{"SEC 1", sec1(t, key)},
		{"PKCS #8", pkcs8(t, key)},
		{"parameters first", append(pemBlock("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}), sec1(t, key)...)},
		{"text around", []byte("Key of 2021\n" + string(sec1(t, key)) + "\nThe end.\n")},
		{"CRLF", bytes.ReplaceAll(pkcs8(t, key), []byte("\n"), []byte("\r\n"))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for from, read := range readers(t, tt.text) {
				if got, err := read(); err != nil || !got.Equal(key) {
					t.Errorf("from %s: got %v, %v, want the key", from, got != nil, err)
				}
			}
		})
	}
}

// readers are the ways to read a private key.
func readers(t *testing.T, text []byte) map[string]func() (*ecdsa.PrivateKey, error) {
	t.Setenv("GAEN_TEST_KEY", string(text))
	t.Setenv("GAEN_TEST_KEY_BASE64", base64.StdEncoding.EncodeToString(text))
	path := writeFile(t, "key.pem", text)
	return map[string]func() (*ecdsa.PrivateKey, error){
		"memory":                  func() (*ecdsa.PrivateKey, error) { return signing.ParsePrivateKey(text) },
		"a file":                  func() (*ecdsa.PrivateKey, error) { return signing.ReadPrivateKeyFile(path) },
		"an environment variable": func() (*ecdsa.PrivateKey, error) { return signing.PrivateKeyFromEnv("GAEN_TEST_KEY") },
		"base64 in an environment variable": func() (*ecdsa.PrivateKey, error) {
			return signing.PrivateKeyFromEnv("GAEN_TEST_KEY_BASE64")
		},
	}
}

func TestParsePrivateKeyRefuses(t *testing.T) {
	key := newKey(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := sec1(t, key)
	tests := []struct {
		name string
		text []byte
		want string
	}{
		{"P-384, SEC 1", sec1(t, p384), "P-256"},
		{"P-384, PKCS #8", pkcs8(t, p384), "P-256"},
		{"RSA", pkcs8(t, rsaKey), "P-256"},
		{"public key", spki(t, key.Public()), "no private key"},
		{"two keys", append(bytes.Clone(good), sec1(t, newKey(t))...), "more than one"},
		{"second one malformed", append(bytes.Clone(good), good[:len(good)/2]...), "malformed"},
		{"encrypted", pemBlock("ENCRYPTED PRIVATE KEY", []byte{1, 2, 3}), "encrypted"},
		{"encrypted the old way", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte{1}}), "encrypted"},
		{"label of the other kind", bytes.ReplaceAll(good, []byte("EC PRIVATE"), []byte("PRIVATE")), "malformed"},
		{"cut off", good[:len(good)-40], "no PEM block"},
		{"body cut off", pemBlock("EC PRIVATE KEY", []byte{0x30, 0x77, 2, 1, 1}), "malformed"},
		{"too large", append(bytes.Repeat([]byte("#"), signing.MaxKeyText), good...), "too large"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for from, read := range readers(t, tt.text) {
				got, err := read()
				if got != nil || err == nil {
					t.Errorf("from %s: want an error", from)
					continue
				}
				if !strings.Contains(err.Error(), tt.want) {
					t.Errorf("from %s: got %v, want %q in it", from, err, tt.want)
				}
				checkNoSecret(t, err, good)
				checkNoSecret(t, err, tt.text)
			}
		})
	}
}

// checkNoSecret fails if a part of the PEM text is in the error, as it is there
// or in hexadecimal.
func checkNoSecret(t *testing.T, err error, text []byte) {
	t.Helper()
	if block, _ := pem.Decode(text); block != nil && len(block.Bytes) >= 8 {
		if strings.Contains(strings.ToLower(err.Error()), hex.EncodeToString(block.Bytes[:8])) {
			t.Errorf("key material in the error %q", err)
		}
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if len(line) < 8 || strings.HasPrefix(line, "-----") {
			continue
		}
		for i := 0; i+8 <= len(line); i++ {
			if strings.Contains(err.Error(), line[i:i+8]) {
				t.Errorf("key material in the error %q", err)
				return
			}
		}
	}
}

func TestPrivateKeyFromEnvRefuses(t *testing.T) {
	key := sec1(t, newKey(t))
	body := strings.Join(strings.Split(string(key), "\n")[1:3], "")
	tests := []struct {
		name  string
		value string
		want  string
	}{
		{"empty", "", "not set"},
		{"blank", " \n", "not set"},
		{"the body only", body, "no PEM block"},
		{"not base64", body[:20] + "!" + body[20:], "neither PEM nor base64"},
		{"too large", strings.Repeat("A", signing.MaxKeyText+4), "too large"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("GAEN_TEST_KEY", tt.value)
			_, err := signing.PrivateKeyFromEnv("GAEN_TEST_KEY")
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "GAEN_TEST_KEY") {
				t.Fatalf("got %v, want %q and the variable's name in it", err, tt.want)
			}
			checkNoSecret(t, err, key)
		})
	}
}

func TestReadPrivateKeyFileRefuses(t *testing.T) {
	if _, err := signing.ReadPrivateKeyFile(t.TempDir() + "/none.pem"); err == nil || !strings.Contains(err.Error(), "none.pem") {
		t.Errorf("no file: got %v, want the file's name in it", err)
	}
	if _, err := signing.ReadPrivateKeyFile(t.TempDir()); err == nil {
		t.Error("a directory is read as a key")
	}
	large := writeFile(t, "large.pem", make([]byte, signing.MaxKeyText+1))
	if _, err := signing.ReadPrivateKeyFile(large); !errors.Is(err, signing.ErrTooLarge) {
		t.Errorf("large file: got %v, want %v", err, signing.ErrTooLarge)
	}
}

func TestParsePublicKey(t *testing.T) {
	key := newKey(t)
	got, err := signing.ParsePublicKey(append([]byte("Key of 2021\n"), spki(t, key.Public())...))
	if err != nil || !got.Equal(key.Public()) {
		t.Errorf("got %v, %v, want the key", got, err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"P-384":       spki(t, p384.Public()),
		"private key": sec1(t, key),
		"not PEM":     []byte("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"),
		"two":         append(spki(t, key.Public()), spki(t, key.Public())...),
		"empty block": pemBlock("PUBLIC KEY", nil),
		"nothing":     nil,
	} {
		if _, err := signing.ParsePublicKey(text); err == nil {
			t.Errorf("%s: want an error", name)
		} else {
			checkNoSecret(t, err, sec1(t, key))
		}
	}
}

func TestMarshalPrivateKeyRefuses(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]*ecdsa.PrivateKey{"nil": nil, "P-384": p384} {
		if _, err := signing.MarshalPrivateKey(key); !errors.Is(err, signing.ErrUnsupportedKey) {
			t.Errorf("%s: got %v, want %v", name, err, signing.ErrUnsupportedKey)
		}
	}
}

// What openssl makes, we read.
func TestPrivateKeysOfOpenSSL(t *testing.T) {
	withParameters := openssl(t, nil, "ecparam", "-genkey", "-name", "prime256v1")
	for name, text := range map[string]string{
		"ecparam": withParameters,
		"genpkey": openssl(t, nil, "genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
		"pkcs8":   openssl(t, []byte(withParameters), "pkcs8", "-topk8", "-nocrypt"),
	} {
		key, err := signing.ParsePrivateKey([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := signing.NewSigner(mustIdentity(t, "262-v1"), key, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
