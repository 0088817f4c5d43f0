package deploy

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/gaenkit/gaen/signing"
)

// TestTrust reads a key file and a bare key. The bare key goes by the names that
// no other key has and that phones would take.
func TestTrust(t *testing.T) {
	dir := t.TempDir()
	named, bare := newKey(t), newKey(t)
	id := signing.Identity{KeyID: "262", KeyVersion: "v1"}
	text, err := signing.MarshalKeyFile(signing.Registration{PublicKey: signing.PublicKey{Identity: id, Key: named.Key}})
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(bare.Key)
	if err != nil {
		t.Fatal(err)
	}
	file, pemFile := write(t, dir, "key.txt", text), write(t, dir, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	trust, err := ReadTrust(file, pemFile)
	if err != nil {
		t.Fatal(err)
	}
	if trust.Len() != 2 {
		t.Fatalf("%d keys, want 2", trust.Len())
	}
	other := signing.Identity{KeyID: "some_id", KeyVersion: "1"}
	list, err := trust.List(id, other, signing.Identity{KeyID: "no name", KeyVersion: "1"})
	if err != nil {
		t.Fatal(err)
	}
	if list.Len() != 2 {
		t.Errorf("%d names, want 2", list.Len())
	}
	if k, ok := list.Lookup(id); !ok || !k.Key.Equal(named.Key) {
		t.Error("the name of the key file is not its key's")
	}
	if k, ok := list.Lookup(other); !ok || !k.Key.Equal(bare.Key) {
		t.Error("the other name is not the bare key's")
	}
}

func TestTrustRejects(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct{ name, text string }{
		{"nothing", ""},
		{"no key", "hello"},
		{"half a key file", "Verification-Key-ID: 262\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := ReadTrust(write(t, dir, "key", []byte(tt.text))); err == nil {
				t.Error("no error")
			}
		})
	}
	if _, err := ReadTrust(filepath.Join(dir, "missing")); err == nil {
		t.Error("no error for a file that is not there")
	}
}

func newKey(t *testing.T) signing.PublicKey {
	t.Helper()
	key, err := signing.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return signing.PublicKey{Key: &key.PublicKey}
}

func write(t *testing.T, dir, name string, text []byte) (path string) {
	t.Helper()
	path = filepath.Join(dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
