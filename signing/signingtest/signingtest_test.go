package signingtest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"sync/atomic"
	"testing"
	"time"
)

func newKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestKeyInMemory(t *testing.T) {
	Test(t, newKey(t, elliptic.P256()), &Options{Deterministic: true})
}

// opaque is a signer as a key service is one: it is given randomness, and
// checks the length of the digest itself.
type opaque struct{ *ecdsa.PrivateKey }

func (o opaque) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if random == nil {
		return nil, errors.New("no randomness")
	}
	if len(digest) != sha256.Size || opts.HashFunc() != crypto.SHA256 {
		return nil, errors.New("not a SHA-256 digest")
	}
	return o.PrivateKey.Sign(random, digest, opts)
}

func TestOpaqueSigner(t *testing.T) {
	Test(t, opaque{newKey(t, elliptic.P256())}, nil)
}

func TestDeclaredDeviation(t *testing.T) {
	Test(t, struct{ *ecdsa.PrivateKey }{newKey(t, elliptic.P256())}, &Options{
		Skip:       map[string]string{"digest-length": "crypto/ecdsa signs any length when it is given randomness"},
		Signatures: 10,
	})
}

// broken is a signer made of functions, each with a working default.
type broken struct {
	opaque
	public func() crypto.PublicKey
	sign   func(digest []byte) ([]byte, error)
}

func (b *broken) Public() crypto.PublicKey {
	if b.public != nil {
		return b.public()
	}
	return b.opaque.Public()
}

func (b *broken) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if b.sign != nil {
		return b.sign(digest)
	}
	return b.opaque.Sign(random, digest, opts)
}

func (b *broken) wellSigned(digest []byte) ([]byte, error) {
	return b.opaque.Sign(rand.Reader, digest, crypto.SHA256)
}

func TestBrokenSigners(t *testing.T) {
	tests := []struct {
		name   string
		clause string
		signer func(*testing.T, *broken) crypto.Signer
	}{
		{"on P-384", "public-key", func(t *testing.T, b *broken) crypto.Signer { return newKey(t, elliptic.P384()) }},
		{"RSA", "public-key", func(t *testing.T, b *broken) crypto.Signer { return newRSAKey(t) }},
		{"no public key", "public-key", func(t *testing.T, b *broken) crypto.Signer {
			b.public = func() crypto.PublicKey { return nil }
			return b
		}},
		{"off the curve", "public-key", func(t *testing.T, b *broken) crypto.Signer {
			b.public = func() crypto.PublicKey {
				//lint:ignore SA1019 only by its coordinates can a key be wrong
				return &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}
			}
			return b
		}},
		{"new key after each signature", "public-key-stable", newRotating},
		{"raw r and s", "verifies", newRaw},
		{"another key's signatures", "verifies", func(t *testing.T, b *broken) crypto.Signer {
			b.sign = opaque{newKey(t, elliptic.P256())}.signAny
			return b
		}},
		{"one signature for two digests", "of-this-digest", newTwoFaced},
		{"short integers padded", "every-digest", newPadded},
		{"zero digest refused", "every-digest", newZeroRefusing},
		{"any length", "digest-length", func(t *testing.T, b *broken) crypto.Signer {
			return struct{ *ecdsa.PrivateKey }{b.PrivateKey}
		}},
		{"reverses the digest", "digest-untouched", newReversing},
		{"remembers the digest", "digest-not-kept", newRemembering},
		{"one buffer for all", "signature-private", newReusing},
		{"one at a time", "concurrent", newBusy},
		{"random", "deterministic", func(t *testing.T, b *broken) crypto.Signer { return b }},
	}
	covered := make(map[string]bool)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := &broken{opaque: opaque{newKey(t, elliptic.P256())}}
			sub := newSubject(tt.signer(t, b), &Options{Signatures: 2000})
			if err := clauseNamed(t, tt.clause).check(sub); err == nil {
				t.Errorf("the clause %q holds, want it to fail", tt.clause)
			}
			covered[tt.clause] = true
		})
	}
	for _, c := range clauses {
		if !covered[c.name] {
			t.Errorf("no broken signer fails the clause %q", c.name)
		}
	}
}

func clauseNamed(t *testing.T, name string) clause {
	t.Helper()
	for _, c := range clauses {
		if c.name == name {
			return c
		}
	}
	t.Fatalf("there is no clause %q", name)
	return clause{}
}

func (o opaque) signAny(digest []byte) ([]byte, error) {
	return o.Sign(rand.Reader, digest, crypto.SHA256)
}

func newRSAKey(t *testing.T) crypto.Signer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newRotating(t *testing.T, b *broken) crypto.Signer {
	first, second := b.opaque, opaque{newKey(t, elliptic.P256())}
	b.sign = func(digest []byte) ([]byte, error) {
		defer func() { first, second = second, first }()
		return first.signAny(digest)
	}
	b.public = func() crypto.PublicKey { return first.Public() }
	return b
}

type signature struct{ R, S *big.Int }

func newRaw(t *testing.T, b *broken) crypto.Signer {
	b.sign = func(digest []byte) ([]byte, error) {
		der, err := b.wellSigned(digest)
		if err != nil {
			return nil, err
		}
		var sig signature
		asn1.Unmarshal(der, &sig)
		raw := make([]byte, 64)
		sig.R.FillBytes(raw[:32])
		sig.S.FillBytes(raw[32:])
		return raw, nil
	}
	return b
}

// newTwoFaced returns a signer whose signature of the digest that the clause
// signs verifies for the digest that the clause changes, too. With s = (e1 +
// r·d)/k, and the same s = (e2 + r·d)/(-k), the private key must be
// d = -(e1 + e2)/2r: such a key can be had for any two digests that are known
// beforehand.
func newTwoFaced(t *testing.T, b *broken) crypto.Signer {
	order := elliptic.P256().Params().N
	digest, changed := digestOf(1), digestOf(1)
	changed[sha256.Size-1] ^= 1
	e1, e2 := new(big.Int).SetBytes(digest), new(big.Int).SetBytes(changed)

	nonce := newKey(t, elliptic.P256())
	k, err := nonce.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	point, err := nonce.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	r := new(big.Int).SetBytes(point[1:33])
	r.Mod(r, order)

	d := new(big.Int).Add(e1, e2)
	d.Neg(d).Mul(d, new(big.Int).ModInverse(new(big.Int).Lsh(r, 1), order)).Mod(d, order)
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d.FillBytes(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	s := new(big.Int).Mul(r, d)
	s.Add(s, e1).Mul(s, new(big.Int).ModInverse(new(big.Int).SetBytes(k), order)).Mod(s, order)
	der, err := asn1.Marshal(signature{R: r, S: s})
	if err != nil {
		t.Fatal(err)
	}

	b.opaque = opaque{key}
	b.sign = func(digest []byte) ([]byte, error) {
		if bytes.Equal(digest, digestOf(1)) {
			return der, nil
		}
		return b.wellSigned(digest)
	}
	return b
}

// newPadded writes integers with as many bytes as the order of the curve has,
// which is no DER where a shorter one would do.
func newPadded(t *testing.T, b *broken) crypto.Signer {
	integer := func(n *big.Int) []byte {
		body := n.FillBytes(make([]byte, 32))
		if body[0]&0x80 != 0 {
			body = append([]byte{0}, body...)
		}
		return append([]byte{0x02, byte(len(body))}, body...)
	}
	b.sign = func(digest []byte) ([]byte, error) {
		der, err := b.wellSigned(digest)
		if err != nil {
			return nil, err
		}
		var sig signature
		asn1.Unmarshal(der, &sig)
		body := append(integer(sig.R), integer(sig.S)...)
		return append([]byte{0x30, byte(len(body))}, body...), nil
	}
	return b
}

func newZeroRefusing(t *testing.T, b *broken) crypto.Signer {
	b.sign = func(digest []byte) ([]byte, error) {
		if bytes.Equal(digest, make([]byte, len(digest))) {
			return nil, errors.New("the digest is zero")
		}
		return b.wellSigned(digest)
	}
	return b
}

func newReversing(t *testing.T, b *broken) crypto.Signer {
	b.sign = func(digest []byte) ([]byte, error) {
		signature, err := b.wellSigned(digest)
		for i := range len(digest) / 2 {
			digest[i], digest[len(digest)-1-i] = digest[len(digest)-1-i], digest[i]
		}
		return signature, err
	}
	return b
}

func newRemembering(t *testing.T, b *broken) crypto.Signer {
	var digestBefore, signatureBefore []byte
	b.sign = func(digest []byte) (_ []byte, err error) {
		if !bytes.Equal(digest, digestBefore) {
			signatureBefore, err = b.wellSigned(digest)
		}
		digestBefore = digest
		return signatureBefore, err
	}
	return b
}

func newReusing(t *testing.T, b *broken) crypto.Signer {
	buffer := make([]byte, 0, 80)
	b.sign = func(digest []byte) ([]byte, error) {
		signature, err := b.wellSigned(digest)
		buffer = append(buffer[:0], signature...)
		return buffer, err
	}
	return b
}

func newBusy(t *testing.T, b *broken) crypto.Signer {
	var inside atomic.Int32
	b.sign = func(digest []byte) ([]byte, error) {
		defer inside.Add(-1)
		if inside.Add(1) > 1 {
			return nil, errors.New("session busy")
		}
		if string(digest) == string(digestOf(0)) {
			time.Sleep(50 * time.Millisecond) // the others arrive meanwhile
		}
		return b.wellSigned(digest)
	}
	return b
}
