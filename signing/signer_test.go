package signing_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/signing/signingtest"
)

func TestIdentity(t *testing.T) {
	tests := []struct {
		name  string
		text  string
		field string // in the error; empty: none
	}{
		{"usual", "262-v1", ""},
		{"underscore and letters", "some_id-Version_2", ""},
		{"empty", "", "verification_key_id"},
		{"no version", "262", "verification_key_version"},
		{"empty version", "262-", "verification_key_version"},
		{"empty id", "-v1", "verification_key_id"},
		{"second hyphen", "262-v1-2", "verification_key_version"},
		{"space", "26 2-v1", "verification_key_id"},
		{"dot", "it.immuni-v1", "verification_key_id"},
		{"newline", "262-v1\n", "verification_key_version"},
		{"umlaut", "ü-v1", "verification_key_id"},
		{"too long", strings.Repeat("2", 65) + "-v1", "verification_key_id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id, err := signing.ParseIdentity(tt.text)
			if tt.field == "" {
				if err != nil || id.String() != tt.text {
					t.Errorf("got %q, %v, want %q", id, err, tt.text)
				}
				return
			}
			if e, ok := errors.AsType[*signing.Error](err); !ok || e.Subject != tt.field {
				t.Errorf("got error %v, want one for %s", err, tt.field)
			}
		})
	}
}

func TestNewSignerRefuses(t *testing.T) {
	good := signing.Identity{KeyID: "262", KeyVersion: "v1"}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		identity signing.Identity
		signer   crypto.Signer
		validity signing.Validity
		want     string
	}{
		{"nil", good, nil, signing.Validity{}, "nil"},
		{"nil key", good, (*ecdsa.PrivateKey)(nil), signing.Validity{}, "nil"},
		{"P-384", good, p384, signing.Validity{}, signing.ErrUnsupportedKey.Error()},
		{"Ed25519", good, ed, signing.Validity{}, signing.ErrUnsupportedKey.Error()},
		{"no public key", good, &service{}, signing.Validity{}, signing.ErrUnsupportedKey.Error()},
		{"empty public key", good, &service{public: &ecdsa.PublicKey{Curve: elliptic.P256()}}, signing.Validity{}, signing.ErrUnsupportedKey.Error()},
		{"no identity", signing.Identity{}, newKey(t), signing.Validity{}, "verification_key_id"},
		{"bad version", signing.Identity{KeyID: "262", KeyVersion: "v 1"}, newKey(t), signing.Validity{}, "verification_key_version"},
		{"ends before it begins", good, newKey(t), signing.Validity{NotBefore: day(2), NotAfter: day(1)}, "NotAfter"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := signing.NewSigner(tt.identity, tt.signer, &signing.Options{Validity: tt.validity})
			if s != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v, want an error with %q", s, err, tt.want)
			}
		})
	}
}

// The known answer of RFC 6979, A.2.5, for SHA-256 and the message "sample".
func TestSignDigestIsRFC6979(t *testing.T) {
	const want = "3046" +
		"022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716" +
		"022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
	s, err := signing.NewSigner(mustIdentity(t, "262-v1"), rfc6979Key(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, err := s.SignDigest(digestOf("sample"))
		if err != nil || hex.EncodeToString(got) != want {
			t.Errorf("got %x, %v, want %s", got, err, want)
		}
	}
}

func TestSignDigestLength(t *testing.T) {
	key := newKey(t)
	s, err := signing.NewSigner(mustIdentity(t, "262-v1"), &service{public: key.Public(), sign: func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
		t.Error("the key service is asked")
		return nil, nil
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 31, 33} {
		if sig, err := s.SignDigest(make([]byte, n)); err == nil || sig != nil {
			t.Errorf("digest of %d bytes: got %x, %v, want an error", n, sig, err)
		}
		if err := s.PublicKey().Verify(make([]byte, n), nil); err == nil || errors.Is(err, signing.ErrBadSignature) {
			t.Errorf("Verify with a digest of %d bytes: got %v, want an error about the digest", n, err)
		}
	}
}

// What a key service answers is verified, and what it must be asked is right.
func TestSignDigestByService(t *testing.T) {
	key, other := newKey(t), newKey(t)
	outage := errors.New("key service: out of order")
	tests := []struct {
		name string
		sign func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error)
		want error
	}{
		{"right", key.Sign, nil},
		{"another key", other.Sign, signing.ErrBadSignature},
		{"nothing", func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, nil }, signing.ErrBadSignature},
		{"an error", func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, outage }, outage},
		{"another digest", func(r io.Reader, d []byte, o crypto.SignerOpts) ([]byte, error) {
			d[0] ^= 1 // must not reach the caller's digest, or the check after it
			return key.Sign(r, d, o)
		}, signing.ErrBadSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked := 0
			s, err := signing.NewSigner(mustIdentity(t, "262-v1"), &service{public: key.Public(), sign: func(r io.Reader, d []byte, o crypto.SignerOpts) ([]byte, error) {
				asked++
				if r == nil || o.HashFunc() != crypto.SHA256 {
					t.Errorf("asked with randomness %v and hash %v", r, o.HashFunc())
				}
				return tt.sign(r, d, o)
			}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			digest := digestOf("archive")
			sig, err := s.SignDigest(digest)
			if !errors.Is(err, tt.want) || (err == nil) != (sig != nil) || asked != 1 {
				t.Errorf("got %x, %v after %d calls, want error %v", sig, err, asked, tt.want)
			}
			if !bytes.Equal(digest, digestOf("archive")) {
				t.Error("the caller's digest has changed")
			}
		})
	}
}

func TestSignerDoesNotPrintItsKey(t *testing.T) {
	key := rfc6979Key(t)
	s, err := signing.NewSigner(mustIdentity(t, "262-v1"), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := signing.NewRing(s)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	log.Info("started", "signer", s, "ring", ring)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("started", "signer", s, "ring", ring)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		fmt.Fprintf(&out, verb+" "+verb+" "+verb+"\n", s, *s, ring)
	}
	raw, _ := key.Bytes()
	secret := hex.EncodeToString(raw)
	decimal := "91225253027397101270059260515990221874496108017261222445699397644687913215777"
	for _, leak := range []string{secret, strings.ToUpper(secret), decimal} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the private key is in the output:\n%s", out.String())
		}
	}
	if !strings.Contains(out.String(), "262-v1") {
		t.Errorf("the identity is not in the output:\n%s", out.String())
	}
}

func TestSignersMeetTheSuite(t *testing.T) {
	t.Run("generated", func(t *testing.T) {
		signingtest.Test(t, newKey(t), &signingtest.Options{Deterministic: true})
	})
	t.Run("of RFC 6979", func(t *testing.T) {
		signingtest.Test(t, rfc6979Key(t), &signingtest.Options{Deterministic: true, Signatures: 64})
	})
}

func TestCheckKey(t *testing.T) {
	good := newKey(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		key  *ecdsa.PublicKey
		want error
	}{
		{"generated", &good.PublicKey, nil},
		{"nil", nil, signing.ErrUnsupportedKey},
		{"nothing in it", &ecdsa.PublicKey{}, signing.ErrUnsupportedKey},
		{"no coordinates", &ecdsa.PublicKey{Curve: elliptic.P256()}, signing.ErrUnsupportedKey},
		//lint:ignore SA1019 only so can one be made that is not on the curve
		{"not on the curve", &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}, signing.ErrUnsupportedKey},
		{"P-384", &p384.PublicKey, signing.ErrUnsupportedKey},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := signing.CheckKey(tt.key); err != tt.want {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestTrustList(t *testing.T) {
	a, b := newSigner(t, "262-v1", signing.Validity{}).PublicKey(), newSigner(t, "262-v2", signing.Validity{}).PublicKey()
	list, err := signing.NewTrustList(a, b, a)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := list.Lookup(b.Identity); !ok || got.Key != b.Key || list.Len() != 2 {
		t.Errorf("got %v, %t of %d keys, want %v of 2", got, ok, list.Len(), b)
	}
	for _, id := range []signing.Identity{{}, {KeyID: "262"}, {KeyID: "262", KeyVersion: "v3"}, {KeyID: "v1", KeyVersion: "262"}} {
		if got, ok := list.Lookup(id); ok {
			t.Errorf("Lookup(%v) = %v, want none", id, got)
		}
	}

	impostor := newSigner(t, "262-v1", signing.Validity{}).PublicKey()
	if _, err := signing.NewTrustList(a, impostor); err == nil {
		t.Error("two keys with one identity are taken")
	}
	if _, err := signing.NewTrustList(signing.PublicKey{Identity: a.Identity}); !errors.Is(err, signing.ErrUnsupportedKey) {
		t.Errorf("a key that is nil: got %v, want %v", err, signing.ErrUnsupportedKey)
	}
	var none *signing.TrustList
	if got := list.Keys(); len(got) != 2 || got[0].Key != a.Key || got[1].Key != b.Key {
		t.Errorf("Keys() = %v, want %v and %v", got, a, b)
	}
	if _, ok := none.Lookup(a.Identity); ok || none.Len() != 0 || none.Keys() != nil {
		t.Error("no list trusts somebody")
	}
}

func TestVerify(t *testing.T) {
	s := newSigner(t, "262-v1", signing.Validity{})
	sig, err := s.SignDigest(digestOf("a"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PublicKey().Verify(digestOf("a"), sig); err != nil {
		t.Error(err)
	}
	if err := s.PublicKey().Verify(digestOf("b"), sig); !errors.Is(err, signing.ErrBadSignature) {
		t.Errorf("another digest: got %v, want %v", err, signing.ErrBadSignature)
	}
	if err := s.PublicKey().Verify(digestOf("a"), append(sig, 0)); !errors.Is(err, signing.ErrBadSignature) {
		t.Errorf("a byte more: got %v, want %v", err, signing.ErrBadSignature)
	}
	if err := (signing.PublicKey{}).Verify(digestOf("a"), sig); !errors.Is(err, signing.ErrUnsupportedKey) {
		t.Errorf("no key: got %v, want %v", err, signing.ErrUnsupportedKey)
	}
}
