package signing

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"maps"
	"slices"
)

// PublicKey is a verification key with the identity that phones know it by. The
// key must not be changed afterwards.
type PublicKey struct {
	Identity
	Key *ecdsa.PublicKey
	Validity
}

// Check reports whether k has an identity of the format's form, a key that is a
// point of P-256, and a validity that does not end before it begins.
func (k PublicKey) Check() error {
	if err := k.Identity.Check(); err != nil {
		return err
	}
	if err := CheckKey(k.Key); err != nil {
		return &Error{Subject: "key " + k.Identity.String(), Err: err}
	}
	return k.Validity.check()
}

// CheckKey reports whether k, which may be nil or made by hand, is a point of
// P-256. If not, the error is [ErrUnsupportedKey].
func CheckKey(k *ecdsa.PublicKey) error {
	if k == nil || k.Curve != elliptic.P256() {
		return ErrUnsupportedKey
	}
	//lint:ignore SA1019 Bytes panics where a coordinate is missing
	if k.X == nil || k.Y == nil {
		return ErrUnsupportedKey
	}
	if _, err := k.Bytes(); err != nil { // not on the curve
		return ErrUnsupportedKey
	}
	return nil
}

// Verify reports whether signature, as ASN.1 DER, is one of the SHA-256 digest
// by k. If not, errors.Is(err, ErrBadSignature). Whether k was valid at the
// time is another question; see [Validity].
func (k PublicKey) Verify(digest, signature []byte) error {
	if err := CheckKey(k.Key); err != nil {
		return &Error{Subject: "key " + k.Identity.String(), Err: err}
	}
	if len(digest) != sha256.Size {
		return fail("digest", "%d bytes, want the %d of SHA-256", len(digest), sha256.Size)
	}
	if !ecdsa.VerifyASN1(k.Key, digest, signature) {
		return &Error{Subject: "key " + k.Identity.String(), Err: ErrBadSignature}
	}
	return nil
}

// TrustList is a set of public keys, each found by its identity. It is safe for
// concurrent use. A nil or empty list trusts nobody.
type TrustList struct {
	keys map[Identity]PublicKey
}

// NewTrustList returns a list of the given keys. Two different keys with one
// identity are an error, since phones could not tell them apart either.
func NewTrustList(keys ...PublicKey) (*TrustList, error) {
	list := &TrustList{keys: make(map[Identity]PublicKey, len(keys))}
	for _, k := range keys {
		if err := k.Check(); err != nil {
			return nil, err
		}
		if have, ok := list.keys[k.Identity]; ok && !have.Key.Equal(k.Key) {
			return nil, fail("key "+k.Identity.String(), "two different keys have this identity")
		}
		list.keys[k.Identity] = k
	}
	return list, nil
}

// Lookup returns the key with this identity, if it is trusted.
func (l *TrustList) Lookup(id Identity) (PublicKey, bool) {
	if l == nil {
		return PublicKey{}, false
	}
	k, ok := l.keys[id]
	return k, ok
}

// Keys returns the trusted keys, in the order of their identities.
func (l *TrustList) Keys() []PublicKey {
	if l == nil {
		return nil
	}
	return slices.SortedFunc(maps.Values(l.keys), func(a, b PublicKey) int {
		return cmp.Or(cmp.Compare(a.KeyID, b.KeyID), cmp.Compare(a.KeyVersion, b.KeyVersion))
	})
}

// Len returns the number of trusted keys.
func (l *TrustList) Len() int {
	if l == nil {
		return 0
	}
	return len(l.keys)
}
