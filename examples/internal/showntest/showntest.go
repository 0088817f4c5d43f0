// Package showntest reads what the phones of a back end are shown that publishes into
// a folder.
package showntest

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
)

// Keys returns the keys in the hours of a package, and how often each is there. It
// fails the test unless every archive is signed with the key in a file.
func Keys(t testing.TB, www, keyFile string, id signing.Identity, pkg string) map[keys.KeyData]int {
	t.Helper()
	key, err := signing.ReadPrivateKeyFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := signing.NewTrustList(signing.PublicKey{Identity: id, Key: &key.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	found := map[keys.KeyData]int{}
	err = filepath.WalkDir(www, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "/country/"+pkg+"/") || !strings.Contains(path, "/hour/") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !bytes.HasPrefix(text, []byte("PK")) {
			return err // an index
		}
		if err := count(found, text, trusted); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// count adds the keys of an archive.
func count(found map[keys.KeyData]int, archive []byte, trusted *signing.TrustList) error {
	a, err := export.Open(bytes.NewReader(archive), int64(len(archive)), nil)
	if err != nil {
		return err
	}
	v, err := a.Verify(trusted, nil)
	if err != nil {
		return err
	}
	for k, err := range v.Keys() {
		if err != nil {
			return err
		}
		found[k.KeyData]++
	}
	return nil
}
