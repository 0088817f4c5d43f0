package main

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/signing"
)

// site is where the files of a run are.
type site struct {
	dir    string
	config *deploy.Config
}

// path returns where a place of the configuration is.
func (s *site) path(p string) string {
	if deploy.IsURL(p) || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(s.dir, p)
}

func (s *site) ledger() string     { return s.path(s.config.Paths.Ledger) }
func (s *site) output() string     { return s.path(s.config.Paths.Output) }
func (s *site) inbox() string      { return s.path(s.config.Input.Inbox) }
func (s *site) privateKey() string { return s.path(s.config.Paths.PrivateKey) }
func (s *site) publicKey() string  { return s.path(s.config.Paths.PublicKey) }

// bucket returns where a bucket of the configuration is, and makes its folder if
// that is below the directory of the run. One elsewhere, which may be a volume
// that is not mounted, must exist.
func (s *site) bucket(p string) (string, error) {
	path := s.path(p)
	if path == p {
		return p, nil
	}
	return path, os.MkdirAll(path, 0o755)
}

// key returns the private key. If there is none yet it makes one, which stays in
// memory unless keep is set.
func (s *site) key(keep bool) (*ecdsa.PrivateKey, error) {
	if _, err := os.Stat(s.privateKey()); !errors.Is(err, fs.ErrNotExist) {
		return signing.ReadPrivateKeyFile(s.privateKey())
	}
	key, err := signing.GenerateKey()
	if err != nil || !keep {
		return key, err
	}
	if err := os.MkdirAll(filepath.Dir(s.privateKey()), 0o700); err != nil {
		return nil, err
	}
	err = s.writeKey(key)
	if errors.Is(err, fs.ErrExist) { // another process was quicker
		return signing.ReadPrivateKeyFile(s.privateKey())
	}
	return key, err
}

// writeKey creates the file of the private key, whole or not at all.
func (s *site) writeKey(key *ecdsa.PrivateKey) error {
	text, err := signing.MarshalPrivateKey(key)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(s.privateKey()), ".private-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text) // CreateTemp gave it mode 0600
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), s.privateKey())
}

// writeKeyFile writes the key file for the app stores, if it is not what it
// should be.
func (s *site) writeKeyFile(public signing.PublicKey) error {
	text, err := signing.MarshalKeyFile(signing.Registration{
		PublicKey:      public,
		AppBundleID:    s.config.Signature.AppBundleID,
		AndroidPackage: s.config.Signature.AndroidPackage,
	})
	if err != nil {
		return err
	}
	if have, err := os.ReadFile(s.publicKey()); err == nil && bytes.Equal(have, text) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(s.publicKey()), 0o755); err != nil {
		return err
	}
	return os.WriteFile(s.publicKey(), text, 0o644)
}

// ring returns the ring of the one signer, and writes its files if keep is set.
func (s *site) ring(keep bool) (*signing.Ring, error) {
	key, err := s.key(keep)
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	signer, err := signing.NewSigner(s.config.Identity(), key, nil)
	if err != nil {
		return nil, usageError{fmt.Errorf("signature: %w", err)}
	}
	if keep {
		if err := s.writeKeyFile(signer.PublicKey()); err != nil {
			return nil, fmt.Errorf("key file: %w", err)
		}
	}
	return signing.NewRing(signer)
}
