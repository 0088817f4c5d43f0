package submit

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
)

// An APIKey is what an app, or a gateway before the back end, shows with every
// request: Authorization: Bearer base64(name:value). Only the hash of the value is
// kept.
type APIKey struct {
	Name string
	Hash [sha256.Size]byte
}

// minAPIKey is the length of the shortest value: less can be guessed from its hash.
const minAPIKey = 16

// NewAPIKey makes up an API key. The header is what whoever has the key sends as
// Authorization.
func NewAPIKey(name string) (header string, key APIKey, err error) {
	text := name + ":" + rand.Text()
	if key, err = ParseAPIKey(text); err != nil {
		return "", APIKey{}, err
	}
	return bearer + base64.StdEncoding.EncodeToString([]byte(text)), key, nil
}

// ParseAPIKey returns the API key that is written as name:value.
func ParseAPIKey(text string) (APIKey, error) {
	name, value, ok := strings.Cut(text, ":")
	switch {
	case !ok || name == "":
		return APIKey{}, errors.New("submit: an API key is written as name:value")
	case len(value) < minAPIKey:
		return APIKey{}, fmt.Errorf("submit: API key %q: a value of %d bytes, want %d or more", name, len(value), minAPIKey)
	}
	return APIKey{Name: name, Hash: sha256.Sum256([]byte(value))}, nil
}

// Format prints the name, whatever the verb.
func (k APIKey) Format(f fmt.State, _ rune) { io.WriteString(f, "APIKey("+k.Name+")") }

// APIKeys asks for one of several API keys, and leaves everything else to another
// authorizer, which is asked in any case.
type APIKeys struct {
	keys []APIKey
	next Authorizer
}

// NewAPIKeys returns an authorizer that asks for one of these keys. There must be
// one; during a rotation there are two.
func NewAPIKeys(next Authorizer, keys ...APIKey) (*APIKeys, error) {
	switch {
	case len(keys) == 0:
		return nil, errors.New("submit: no API key: nobody could submit")
	case next == nil:
		return nil, errors.New("submit: API keys say who asks; somebody else must say as what it is stored")
	}
	return &APIKeys{keys: append([]APIKey(nil), keys...), next: next}, nil
}

// Authorize implements [Authorizer].
func (a *APIKeys) Authorize(ctx context.Context, r *Request) (Grant, error) {
	g, err := a.next.Authorize(ctx, r)
	if err != nil || !a.known(r.Authorization) {
		return Grant{}, err
	}
	return g, nil
}

const bearer = "Bearer "

// known compares with every key, and all of it, whatever is found on the way.
func (a *APIKeys) known(header string) bool {
	text, _ := strings.CutPrefix(header, bearer)
	decoded, _ := base64.StdEncoding.DecodeString(text)
	name, value, _ := strings.Cut(string(decoded), ":")
	hash := sha256.Sum256([]byte(value))
	found := 0
	for _, k := range a.keys {
		found |= subtle.ConstantTimeCompare([]byte(name), []byte(k.Name)) & subtle.ConstantTimeCompare(hash[:], k.Hash[:])
	}
	return found == 1 && strings.HasPrefix(header, bearer)
}
