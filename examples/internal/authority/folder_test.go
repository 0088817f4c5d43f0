package authority

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/examples/internal/wholefile/wholefiletest"
	"github.com/gaenkit/gaen/signing/cms"
)

// TestFolder has what is made be what the protocol needs, and what is there stay.
func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certificates")
	f := &Folder{Path: dir}
	if err := f.Make([]string{"DE", "FR"}, []string{"127.0.0.1", "hub.example"}); err != nil {
		t.Fatal(err)
	}
	if len(f.Made) != 3+2*3 {
		t.Errorf("made %v", f.Made)
	}
	anchor := read(t, dir, "anchor.pem")
	text, err := os.ReadFile(filepath.Join(dir, ListName))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := cms.ParseList(text, anchor)
	if err != nil || len(entries) != 6 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(read(t, dir, "authority.pem"))
	for _, host := range []string{"127.0.0.1", "hub.example"} {
		if _, err := read(t, dir, "gateway.pem").Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); err != nil {
			t.Error(err)
		}
	}
	for _, use := range uses {
		cert := read(t, dir, "de", string(use)+".pem")
		if country, err := cms.CountryOf(cert); err != nil || country != "DE" {
			t.Errorf("%s: %q, %v", use, country, err)
		}
		if !slices.ContainsFunc(entries, func(e cms.Entry) bool { return e.Use == use && e.Thumbprint == cms.ThumbprintOf(cert) }) {
			t.Errorf("%s of DE is not listed", use)
		}
		info, err := os.Stat(filepath.Join(dir, "de", string(use)+"-key.pem"))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the key for %s: %v, %v", use, info, err)
		}
	}

	again := &Folder{Path: dir}
	if err := again.Make([]string{"DE", "IT"}, nil); err != nil {
		t.Fatal(err)
	}
	for _, path := range again.Made {
		if !strings.Contains(path, "/it/") {
			t.Errorf("%s is made again", path)
		}
	}
	if text, err = os.ReadFile(filepath.Join(dir, ListName)); err != nil {
		t.Fatal(err)
	}
	more, err := cms.ParseList(text, anchor)
	if err != nil || len(more) != 9 {
		t.Fatalf("%d entries, %v", len(more), err)
	}
	for _, e := range entries {
		if !slices.ContainsFunc(more, func(m cms.Entry) bool { return m.Thumbprint == e.Thumbprint && m.Use == e.Use }) {
			t.Errorf("%s of %s is listed no longer", e.Use, e.Country)
		}
	}
}

// TestFolderRefuses what cannot be a country, and says what is wrong with a pair.
func TestFolderRefuses(t *testing.T) {
	dir := t.TempDir()
	for _, country := range []string{"", "de", "../x", "DEU", "GB-SCT"} {
		if err := (&Folder{Path: dir}).Make([]string{"FR", country}, nil); err == nil {
			t.Errorf("%q is a country", country)
		}
	}
	if all, _ := os.ReadDir(dir); len(all) > 0 {
		t.Error("something is made all the same")
	}
	if err := (&Folder{Path: dir}).Make(nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "anchor-key.pem")); err != nil {
		t.Fatal(err)
	}
	if err := (&Folder{Path: dir}).Make(nil, nil); err == nil || !strings.Contains(err.Error(), "anchor") {
		t.Errorf("a certificate without its key: %v", err)
	}
}

// TestFolderFull: a disk that was full leaves no half of a certificate, which would be
// in the way of all that follow.
func TestFolderFull(t *testing.T) {
	dir := t.TempDir()
	for _, room := range []uint64{100, 300} { // part of a key, and of a certificate
		wholefiletest.Full(t, room, func() {
			if err := (&Folder{Path: dir}).Make([]string{"DE"}, nil); err == nil {
				t.Errorf("there was room in %d bytes", room)
			}
		})
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("with room for %d bytes: %v is left, %v", room, left, err)
		}
	}
	if err := (&Folder{Path: dir}).Make([]string{"DE"}, []string{"127.0.0.1"}); err != nil {
		t.Error(err)
	}
}

func read(t *testing.T, path ...string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	cert, err := cms.ParseCertificate(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
