package deploy

import (
	"bytes"
	"crypto/ecdsa"
	"fmt"
	"io"
	"os"

	"github.com/gaenkit/gaen/signing"
)

// Trust is public keys that were read from files: key files, which say by what
// identity phones know a key, and bare PEM, which does not.
type Trust struct {
	named []signing.PublicKey
	bare  []*ecdsa.PublicKey
}

// ReadTrust reads public keys.
func ReadTrust(paths ...string) (*Trust, error) {
	t := &Trust{}
	for _, path := range paths {
		if err := t.read(path); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// keyLine begins the lines of a key file, which bare PEM has none of.
var keyLine = []byte("Verification-Key-")

func (t *Trust) read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, signing.MaxKeyText+1))
	if err != nil {
		return err
	}
	if !bytes.Contains(text, keyLine) {
		key, err := signing.ParsePublicKey(text)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		t.bare = append(t.bare, key)
		return nil
	}
	registrations, err := signing.ParseKeyFile(text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, r := range registrations {
		t.named = append(t.named, r.PublicKey)
	}
	return nil
}

// Len returns the number of keys.
func (t *Trust) Len() int { return len(t.named) + len(t.bare) }

// List returns the keys as phones look them up. A bare key goes by each of the
// given identities that no other has and that phones would take: whoever trusts
// one says by that whose archives they are, whatever they call themselves.
func (t *Trust) List(identities ...signing.Identity) (*signing.TrustList, error) {
	all := append([]signing.PublicKey(nil), t.named...)
	taken := map[signing.Identity]bool{}
	for _, k := range all {
		taken[k.Identity] = true
	}
	for _, id := range identities {
		if taken[id] || id.Check() != nil {
			continue
		}
		for _, key := range t.bare {
			all = append(all, signing.PublicKey{Identity: id, Key: key})
		}
	}
	return signing.NewTrustList(all...)
}
