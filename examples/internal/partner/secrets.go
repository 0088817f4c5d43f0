package partner

import (
	"context"
	"fmt"

	"github.com/gaenkit/gaen/signing"
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
}

// SecretFields returns the secrets of an instance that are in use. Their names
// begin with a prefix.
func (in *Instance) SecretFields(prefix string) []SecretField {
	if in.Disabled {
		return nil
	}
	all := []SecretField{{prefix + "token", in.Token}}
	if in.Pushes() {
		all = append(all, SecretField{prefix + "signingKey", in.SigningKey})
	}
	return all
}

// ReadSecrets reads secrets. Files are below dir unless they are absolute. The error
// names the field.
func ReadSecrets(ctx context.Context, dir string, fields []SecretField) (Secrets, error) {
	s := Secrets{}
	for _, f := range fields {
		text, err := f.Secret.Read(ctx, dir)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		s.Put(f.Secret, text)
	}
	return s, nil
}

// MadeUp returns secrets with which everything can be opened and nobody asked: a new
// key in the place of each.
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
		s.Put(f.Secret, string(text))
	}
	return s, nil
}
