package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/signing/jws"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A nation is what the ledger remembers of one, in a register.
type nation struct {
	ID          ledger.Source         `json:"id"`
	Region      keys.Region           `json:"region,omitzero"`
	Relays      keys.Set[keys.Region] `json:"relays"`
	Downloads   bool                  `json:"downloads"`
	Withdrawals bool                  `json:"withdrawals"`
	Extended    bool                  `json:"extended"`
	Keys        []nationKeyPEM        `json:"keys,omitempty"`
	Tokens      []issuedToken         `json:"tokens,omitempty"`

	// RevokedUntil refuses every token that was issued up to then, also those of
	// other servers with the same secret, of which nothing is known here.
	RevokedUntil time.Time `json:"revokedUntil,omitzero"`

	// Removed is when the nation was. What stays is what keeps its tokens refused.
	Removed time.Time `json:"removed,omitzero"`
}

// A nationKeyPEM is a public key that a nation signs its uploads with.
type nationKeyPEM struct {
	KeyID string    `json:"keyId,omitempty"` // by which messages name it; empty for none
	PEM   string    `json:"pem"`
	Added time.Time `json:"added"`
}

// An issuedToken is what is known of a token but the token.
type issuedToken struct {
	ID      string    `json:"id"`
	Issued  time.Time `json:"issued"`
	Expires time.Time `json:"expires"`
	Revoked time.Time `json:"revoked,omitzero"`
}

// reserved are ids that would be mistaken for something else in the ledger.
var reserved = []ledger.Source{ledger.Own, ledger.Operator}

func checkID(id ledger.Source) error {
	if slices.Contains(reserved, id) {
		return fmt.Errorf("%q is no id for a nation", id)
	}
	return id.Check()
}

// member returns the nation as the protocol's server knows it. The error names the
// field.
func (n *nation) member() (*interop.Member, error) {
	m := interop.Member{
		Nation:    federation.Nation{Name: n.ID, Region: n.Region, Relays: n.Relays, Withdrawals: n.Withdrawals},
		Downloads: n.Downloads,
		Extended:  n.Extended,
	}
	if len(n.Keys) > 0 {
		var all []jws.Key
		for _, k := range n.Keys {
			public, err := signing.ParsePublicKey([]byte(k.PEM))
			if err != nil {
				return nil, err
			}
			all = append(all, jws.Key{ID: k.KeyID, Key: public})
		}
		var err error
		if m.Verifier, err = jws.NewVerifier(all, nil); err != nil {
			return nil, err
		}
	}
	d, err := interop.NewDirectory(map[string]interop.Member{string(n.ID): m})
	if err != nil {
		return nil, err
	}
	return d.Member(context.Background(), string(n.ID))
}

// addKey adds a public key.
func (n *nation) addKey(public *ecdsa.PublicKey, keyID string, now time.Time) error {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return err
	}
	k := nationKeyPEM{KeyID: keyID, PEM: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), Added: now}
	for _, had := range n.Keys {
		if had.PEM == k.PEM {
			return fmt.Errorf("it has the key %s already", had.fingerprint())
		}
	}
	n.Keys = append(n.Keys, k)
	return nil
}

// removeKey removes the key with this fingerprint or id.
func (n *nation) removeKey(name string) error {
	rest := slices.DeleteFunc(slices.Clone(n.Keys), func(k nationKeyPEM) bool { return k.fingerprint() == name || k.KeyID == name && name != "" })
	if len(rest) == len(n.Keys) {
		return fmt.Errorf("it has no key %q", name)
	}
	n.Keys = rest
	return nil
}

// fingerprint names a key: the first bytes of the hash of its DER.
func (k *nationKeyPEM) fingerprint() string {
	block, _ := pem.Decode([]byte(k.PEM))
	if block == nil {
		return "?"
	}
	hash := sha256.Sum256(block.Bytes)
	return hex.EncodeToString(hash[:8])
}

// refuses reports whether a token is refused that is good otherwise.
func (n *nation) refuses(c jws.Claims) bool {
	if !n.Removed.IsZero() || !c.IssuedAt.After(n.RevokedUntil) {
		return true
	}
	return slices.ContainsFunc(n.Tokens, func(t issuedToken) bool { return t.ID == c.TokenID && !t.Revoked.IsZero() })
}

// issued notes a token, and forgets those that have expired.
func (n *nation) issued(c jws.Claims, now time.Time) {
	n.Tokens = slices.DeleteFunc(n.Tokens, func(t issuedToken) bool { return t.Expires.Before(now.Add(-jws.MaxLeeway)) })
	n.Tokens = append(n.Tokens, issuedToken{ID: c.TokenID, Issued: c.IssuedAt, Expires: c.ExpiresAt})
}

// revoke refuses one token.
func (n *nation) revoke(tokenID string, now time.Time) error {
	for i := range n.Tokens {
		if n.Tokens[i].ID == tokenID {
			n.Tokens[i].Revoked = now
			return nil
		}
	}
	return fmt.Errorf("no token %q was issued to it here", tokenID)
}

// revokeAll refuses all tokens there are. One that was issued by a clock ahead of
// this one is among them.
func (n *nation) revokeAll(now time.Time) {
	n.RevokedUntil = now
	for _, t := range n.Tokens {
		if t.Issued.After(n.RevokedUntil) {
			n.RevokedUntil = t.Issued
		}
	}
	n.Tokens = nil
}

// remove leaves nothing of a nation but that it was there.
func (n *nation) remove(now time.Time) {
	n.revokeAll(now)
	*n = nation{ID: n.ID, RevokedUntil: n.RevokedUntil, Removed: now}
}
