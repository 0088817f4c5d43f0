package partner

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/signing/cms"
)

// Secrets are what was read, by their places.
type Secrets map[string]string

// Of returns what was read at a place.
func (s Secrets) Of(place Secret) string { return s[place.key()] }

// Put has a text be what was read at a place.
func (s Secrets) Put(place Secret, text string) { s[place.key()] = text }

// A SecretField is a place of the configuration that names a secret.
type SecretField struct {
	Name   string
	Secret Secret

	kind    kind
	country string // of the certificate, where it is a nation's
}

// kind is what stands at a place.
type kind uint8

const (
	aKey         kind = iota // or a token, which is any text
	aPair                    // a certificate or its key, which may be in one file
	aCertificate             // alone
	aList                    // of certificates
)

// max returns the size of the largest of a kind, in bytes.
func (k kind) max() int {
	if k == aList {
		return cms.MaxListText
	}
	return maxSecret
}

// SecretFields returns the secrets of an instance that are in use, for a program
// whose own country this is, none for a federation server. Their names begin with a
// prefix.
func (in *Instance) SecretFields(prefix string, own keys.Region) []SecretField {
	if in.Disabled {
		return nil
	}
	if in.Protocol == EFGS {
		return in.efgsFields(prefix, in.region(own).String())
	}
	all := []SecretField{{Name: prefix + "token", Secret: in.Token}}
	if in.Pushes() {
		all = append(all, SecretField{Name: prefix + "signingKey", Secret: in.SigningKey})
	}
	return all
}

// ReadSecrets reads secrets. Files are below dir unless they are absolute. It returns
// those that can be read, and an error that names the fields of the others.
func ReadSecrets(ctx context.Context, dir string, fields []SecretField) (Secrets, error) {
	s := Secrets{}
	var errs []error
	for _, f := range fields {
		text, err := f.Secret.read(ctx, dir, f.kind.max())
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.Name, err))
			continue
		}
		s.Put(f.Secret, text)
	}
	return s, errors.Join(errs...)
}

// With returns the secrets with those of some fields as others have them, where they
// do.
func (s Secrets) With(others Secrets, fields []SecretField) Secrets {
	all := maps.Clone(s)
	for _, f := range fields {
		if text, ok := others[f.Secret.key()]; ok {
			all.Put(f.Secret, text)
		}
	}
	return all
}

// MadeUp returns secrets with which everything can be opened and nobody asked: a new
// key in the place of each, or a certificate of it.
func MadeUp(fields []SecretField) (Secrets, error) {
	key, err := signing.GenerateKey()
	if err != nil {
		return nil, err
	}
	text, err := signing.MarshalPrivateKey(key)
	if err != nil {
		return nil, err
	}
	s := Secrets{}
	for _, f := range fields {
		made := string(text)
		if f.kind == aList {
			made = `{"certificates": []}`
		} else if f.kind != aKey {
			cert, err := selfSigned(key, f.country)
			if err != nil {
				return nil, err
			}
			if made = cert; f.kind == aPair {
				made += string(text)
			}
		}
		s.Put(f.Secret, made)
	}
	return s, nil
}

// selfSigned returns a certificate of a key, for a minute, in PEM.
func selfSigned(key *ecdsa.PrivateKey, country string) (string, error) {
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Minute), NotAfter: now.Add(time.Minute)}
	if country != "" {
		template.Subject.Country = []string{country}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), err
}
