package deploy

import (
	"crypto/ecdsa"
	"fmt"
	"time"

	"github.com/gaenkit/gaen/signing"
)

// FurtherKey signs archives beside the key of paths.privateKey, for as long as it is
// valid: one that will be in its place, or was. While both are valid, archives have
// the signatures of both, and apps that know only one of them verify them.
type FurtherKey struct {
	KeyID      string `json:"keyId"`
	KeyVersion string `json:"keyVersion"`
	PrivateKey string `json:"privateKey"`

	NotBefore time.Time `json:"notBefore,omitzero"`
	NotAfter  time.Time `json:"notAfter,omitzero"`
}

// SigningKeys returns the keys of archives: where each is, and whose it is.
func (c *Config) SigningKeys() []FurtherKey {
	s := &c.Signature
	return append([]FurtherKey{{s.KeyID, s.KeyVersion, c.Paths.PrivateKey, s.NotBefore, s.NotAfter}}, s.Further...)
}

// Ring returns the signers of archives, of keys that read returns by their places in
// the configuration.
func (c *Config) Ring(read func(place string) (*ecdsa.PrivateKey, error)) (*signing.Ring, error) {
	var signers []*signing.Signer
	for i, k := range c.SigningKeys() {
		field := "paths.privateKey"
		if i > 0 {
			field = fmt.Sprintf("signature.further[%d]", i-1)
		}
		key, err := read(k.PrivateKey)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", field, err)
		}
		signer, err := k.signer(key)
		if err != nil && i == 0 {
			field = "signature"
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", field, err)
		}
		signers = append(signers, signer)
	}
	return signing.NewRing(signers...)
}

func (k *FurtherKey) signer(key *ecdsa.PrivateKey) (*signing.Signer, error) {
	id := signing.Identity{KeyID: k.KeyID, KeyVersion: k.KeyVersion}
	return signing.NewSigner(id, key, &signing.Options{Validity: signing.Validity{NotBefore: k.NotBefore, NotAfter: k.NotAfter}})
}

// checkFurther returns an error unless every further key says where it is.
func (s *Signature) checkFurther() error {
	for i := range s.Further {
		if s.Further[i].PrivateKey == "" {
			return fmt.Errorf("signature.further[%d].privateKey: missing", i)
		}
	}
	return nil
}
