package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"slices"
)

// Options of [NewSigner]. Nil means no options.
type Options struct {
	Validity
}

// Signer signs archives in the name of an identity. It is safe for concurrent
// use if the crypto.Signer in it is.
type Signer struct {
	public PublicKey
	signer crypto.Signer
	rand   io.Reader // nil: deterministic
}

// NewSigner returns a signer with this identity over s, whose public key is
// asked for once, here, and must be on P-256.
func NewSigner(id Identity, s crypto.Signer, opts *Options) (*Signer, error) {
	if opts == nil {
		opts = &Options{}
	}
	local, isLocal := s.(*ecdsa.PrivateKey)
	if s == nil || isLocal && local == nil {
		return nil, fail("signer of "+id.String(), "nil")
	}
	key, _ := s.Public().(*ecdsa.PublicKey)
	public := PublicKey{Identity: id, Key: key, Validity: opts.Validity}
	if err := public.Check(); err != nil {
		return nil, err
	}
	signer := &Signer{public: public, signer: s}
	if !isLocal {
		signer.rand = rand.Reader
	}
	return signer, nil
}

// PublicKey returns the public side of s.
func (s *Signer) PublicKey() PublicKey { return s.public }

// Identity returns the identity that s signs in the name of.
func (s *Signer) Identity() Identity { return s.public.Identity }

// Validity returns the time that s is in use.
func (s *Signer) Validity() Validity { return s.public.Validity }

// SignDigest returns the signature of a SHA-256 digest as ASN.1 DER. It has
// been verified: a signature that the public key does not verify is an error,
// for which errors.Is(err, ErrBadSignature).
func (s *Signer) SignDigest(digest []byte) ([]byte, error) {
	if len(digest) != sha256.Size {
		return nil, fail("digest", "%d bytes, want the %d of SHA-256", len(digest), sha256.Size)
	}
	signature, err := s.signer.Sign(s.rand, slices.Clone(digest), crypto.SHA256)
	if err != nil {
		return nil, fail("key "+s.Identity().String(), "%w", err)
	}
	if err := s.public.Verify(digest, signature); err != nil {
		return nil, err
	}
	return signature, nil
}

// String returns the identity; the key is not for printing.
func (s *Signer) String() string { return "Signer(" + s.Identity().String() + ")" }

// Format prints [Signer.String] whatever the verb and flags.
func (s *Signer) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue returns [Signer.String]; the key is not for logs.
func (s *Signer) LogValue() slog.Value { return slog.StringValue(s.String()) }
