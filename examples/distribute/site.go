package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/examples/internal/wholefile"
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

func (s *site) ledger() string      { return s.path(s.config.Paths.Ledger) }
func (s *site) output() string      { return s.path(s.config.Paths.Output) }
func (s *site) inbox() string       { return s.path(s.config.Input.Inbox) }
func (s *site) privateKey() string  { return s.path(s.config.Paths.PrivateKey) }
func (s *site) publicKey() string   { return s.path(s.config.Paths.PublicKey) }
func (s *site) metadataKey() string { return s.path(s.config.Paths.MetadataKey) }

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

// readKey returns the private key of a file. If there is none yet it makes one,
// which stays in memory unless keep is set.
func readKey(path string, keep bool) (*ecdsa.PrivateKey, error) {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return signing.ReadPrivateKeyFile(path)
	}
	key, err := signing.GenerateKey()
	if err != nil || !keep {
		return key, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	err = writeKey(path, key)
	if errors.Is(err, fs.ErrExist) { // another process was quicker
		return signing.ReadPrivateKeyFile(path)
	}
	return key, err
}

// writeKey creates the file of the private key, whole or not at all.
func writeKey(path string, key *ecdsa.PrivateKey) error {
	text, err := signing.MarshalPrivateKey(key)
	if err != nil {
		return err
	}
	return wholefile.Create(path, text)
}

// writeKeyFile writes the key file for the app stores, if it is not what it
// should be.
func (s *site) writeKeyFile(keys []signing.PublicKey) error {
	var all []signing.Registration
	for _, k := range keys {
		all = append(all, signing.Registration{PublicKey: k, AppBundleID: s.config.Signature.AppBundleID, AndroidPackage: s.config.Signature.AndroidPackage})
	}
	text, err := signing.MarshalKeyFile(all...)
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

// ring returns the signers of archives, and writes their files if keep is set.
func (s *site) ring(keep bool) (*signing.Ring, error) {
	ring, err := s.config.Ring(func(place string) (*ecdsa.PrivateKey, error) { return readKey(s.path(place), keep) })
	if err != nil || !keep {
		return ring, err
	}
	if err := s.writeKeyFile(ring.PublicKeys()); err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	return ring, nil
}

// metadata returns the signer of metadata, and writes its public key beside it if
// keep is set.
func (s *site) metadata(keep bool) (*signing.Signer, error) {
	key, err := readKey(s.metadataKey(), keep)
	if err != nil {
		return nil, fmt.Errorf("metadata key: %w", err)
	}
	signer, err := signing.NewSigner(s.config.MetadataIdentity(), key, nil)
	if err != nil {
		return nil, usageError{fmt.Errorf("signature: %w", err)}
	}
	if !keep {
		return signer, nil
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("metadata key: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return signer, os.WriteFile(s.metadataKey()+".pub", text, 0o644)
}
