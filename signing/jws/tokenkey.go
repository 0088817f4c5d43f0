package jws

import (
	"github.com/go-jose/go-jose/v4"

	"github.com/gaenkit/gaen/signing"
)

// tokenKey is a key of one of the types that the library knows.
type tokenKey struct {
	name string
	key  any
}

func (k tokenKey) id() string { return k.name }

// issueWith makes k the key that issues.
func (t *Tokens) issueWith(k tokenKey) (*Tokens, error) {
	opts := (&jose.SignerOptions{}).WithType("JWT")
	if k.name != "" {
		opts = opts.WithHeader("kid", k.name)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: t.algorithm, Key: k.key}, opts)
	if err != nil {
		return nil, &Error{Reason: ReasonOptions, Subject: "keys", Err: err}
	}
	t.signer = signer
	return t, nil
}

// opaqueSigner is a signer as the library takes it, which does not convert DER
// itself.
type opaqueSigner struct{ signer *signing.Signer }

// Public returns nil: the key id is written as a header, and the key never.
func (opaqueSigner) Public() *jose.JSONWebKey { return nil }

func (opaqueSigner) Algs() []jose.SignatureAlgorithm { return []jose.SignatureAlgorithm{jose.ES256} }

func (o opaqueSigner) SignPayload(payload []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	return signES256(o.signer, payload)
}
