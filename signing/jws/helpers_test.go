package jws_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/signing/jws"
)

var (
	rawURL    = base64.RawURLEncoding
	paddedURL = base64.URLEncoding
	rawStd    = base64.RawStdEncoding
	paddedStd = base64.StdEncoding
)

const plainHeader = `{"alg":"ES256"}`

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := signing.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// rfc6979Key is the private key of RFC 6979, A.2.5: known to everybody, and so
// the same in every run.
func rfc6979Key(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	scalar, err := hex.DecodeString("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newSigner returns a signer of messages over s, and fails the test if there can
// be none.
func newSigner(t testing.TB, s crypto.Signer, opts *jws.SignerOptions) *jws.Signer {
	t.Helper()
	below, err := signing.NewSigner(signing.Identity{KeyID: "GB_EAW", KeyVersion: "v1"}, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jws.NewSigner(below, opts)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func newVerifier(t testing.TB, keys ...jws.Key) *jws.Verifier {
	t.Helper()
	v, err := jws.NewVerifier(keys, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func mustSign(t testing.TB, s *jws.Signer, payload string) string {
	t.Helper()
	text, err := s.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// rawSignature signs text with key as r and s.
func rawSignature(t testing.TB, key *ecdsa.PrivateKey, text string) []byte {
	t.Helper()
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	size := (key.Params().BitSize + 7) / 8
	raw := make([]byte, 2*size)
	r.FillBytes(raw[:size])
	s.FillBytes(raw[size:])
	return raw
}

// sealed returns a message of these parts, spelt as they are, with a signature
// of them.
func sealed(t testing.TB, key *ecdsa.PrivateKey, headerPart, payloadPart string) string {
	t.Helper()
	signed := headerPart + "." + payloadPart
	return signed + "." + rawURL.EncodeToString(rawSignature(t, key, signed))
}

// withHeader returns a message with any header, signed.
func withHeader(t testing.TB, key *ecdsa.PrivateKey, header string) string {
	t.Helper()
	return sealed(t, key, rawURL.EncodeToString([]byte(header)), rawURL.EncodeToString([]byte("[]")))
}

// partsOf returns the three parts of a text.
func partsOf(t testing.TB, text string) (header, payload, signature string) {
	t.Helper()
	p := strings.Split(text, ".")
	if len(p) != 3 {
		t.Fatalf("%d parts, want 3", len(p))
	}
	return p[0], p[1], p[2]
}

// joseVerifies returns the payload of a message that go-jose verifies.
func joseVerifies(text string, key *ecdsa.PublicKey) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, err
	}
	return signed.Verify(key)
}

// checkReason checks that err is ours and says this.
func checkReason(t testing.TB, err error, want jws.Reason) {
	t.Helper()
	e, ok := errors.AsType[*jws.Error](err)
	if !ok || e.Reason != want || !errors.Is(err, want) || e.Subject == "" {
		t.Errorf("got error %v, want one for %q", err, want)
	}
}

// twin returns the other signature of what raw is one of: (r, n-s).
func twin(raw []byte) []byte {
	other := append([]byte(nil), raw...)
	s := new(big.Int).SetBytes(raw[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(other[32:])
	return other
}

// service is a crypto.Signer as a key service is one: not in memory, its
// signatures random.
type service struct {
	key *ecdsa.PrivateKey
	err error
}

func (s *service) Public() crypto.PublicKey { return s.key.Public() }

func (s *service) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.key.Sign(random, digest, opts)
}
