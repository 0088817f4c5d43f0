package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/signing/cms"
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

	// Protocol is "" for that of package federation/interop. Of its keys a nation
	// either seals all or none, as its protocol has it, so that it stays what it is.
	Protocol     protocol    `json:"protocol,omitempty"`
	SealedOnly   bool        `json:"sealedOnly,omitempty"`
	Certificates []cms.Entry `json:"certificates,omitempty"`

	Keys   []nationKeyPEM `json:"keys,omitempty"`
	Tokens []issuedToken  `json:"tokens,omitempty"`

	// RevokedUntil refuses every token that was issued up to then, also those of
	// other servers with the same secret, of which nothing is known here.
	RevokedUntil time.Time `json:"revokedUntil,omitzero"`

	// Removed is when the nation was. What stays is what keeps its tokens refused.
	Removed time.Time `json:"removed,omitzero"`
}

// protocol is how a nation speaks to the server.
type protocol string

// protocolEFGS is that of package federation/efgs.
const protocolEFGS protocol = "efgs"

func (n *nation) european() bool { return n.Protocol == protocolEFGS }

// federated returns the nation as the hub knows it.
func (n *nation) federated() *federation.Nation {
	return &federation.Nation{Name: n.ID, Region: n.Region, Relays: n.Relays, Withdrawals: n.Withdrawals, SealedOnly: n.SealedOnly}
}

// check returns an error that names what a nation cannot be.
func (n *nation) check() error {
	if !n.european() {
		if n.SealedOnly || len(n.Certificates) > 0 {
			return errNotEuropean
		}
		_, err := n.member()
		return err
	}
	switch {
	case len(n.Region.String()) != 2:
		return errors.New("-region: want a country of two letters, as its certificates have it")
	case !n.Relays.IsEmpty():
		return errors.New("-relays: by this protocol nobody relays")
	case n.Extended:
		return errors.New("-extended: this protocol has no such form")
	case !n.Downloads:
		return errors.New("-downloads: by this protocol everybody downloads")
	case len(n.Keys) > 0 || len(n.Tokens) > 0:
		return errors.New("this protocol goes by certificates, not by keys and tokens")
	}
	for _, e := range n.Certificates {
		if e.Country != n.Region.String() {
			return fmt.Errorf("certificate %s is of %s", e.Thumbprint, e.Country)
		}
	}
	_, err := cms.NewAllowList(n.Certificates...)
	return err
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
		Nation:    *n.federated(),
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
	*n = nation{ID: n.ID, Protocol: n.Protocol, RevokedUntil: n.RevokedUntil, Removed: now}
}
