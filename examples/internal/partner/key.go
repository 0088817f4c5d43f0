package partner

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gaenkit/gaen/examples/internal/wholefile"
	"github.com/gaenkit/gaen/signing"
)

// MakeKey makes a private key in a file, and its public key beside it, unless it is
// there. It reports whether it did. Of several that do at once, one makes it. Both are
// written before either is there: a full disk leaves none.
func MakeKey(path string) (bool, error) {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	key, err := signing.GenerateKey()
	if err != nil {
		return false, err
	}
	private, err := signing.MarshalPrivateKey(key)
	if err != nil {
		return false, err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, err
	}
	secret, err := wholefile.Write(path, private, 0o600)
	if err != nil {
		return false, err
	}
	defer secret.Discard()
	shown, err := wholefile.Write(path+".pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o644)
	if err != nil {
		return false, err
	}
	defer shown.Discard()
	if err := secret.Create(); errors.Is(err, fs.ErrExist) {
		return false, nil // another process was quicker
	} else if err != nil {
		return false, err
	}
	return true, shown.Replace()
}
