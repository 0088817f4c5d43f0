package signingtest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// A clause is a name, the sentence it enforces, and a check.
type clause struct {
	name     string
	must     string
	check    func(*subject) error
	optional func(*Options) bool // nil: not optional
}

var clauses = []clause{
	{
		name:  "public-key",
		must:  "Public must return an *ecdsa.PublicKey that is a point of P-256.",
		check: checkPublicKey,
	},
	{
		name:  "public-key-stable",
		must:  "Public must return the same key before and after signing.",
		check: checkPublicKeyStable,
	},
	{
		name:  "verifies",
		must:  "Sign must return the ASN.1 DER signature of a SHA-256 digest, which the public key verifies.",
		check: checkVerifies,
	},
	{
		name:  "of-this-digest",
		must:  "A signature must not verify for a digest that differs in one bit, the last ones included.",
		check: checkOfThisDigest,
	},
	{
		name:  "every-digest",
		must:  "Every signature must verify, also those whose integers have leading zeros, and those of digests that are zero or larger than the curve's order.",
		check: checkEveryDigest,
	},
	{
		name:  "digest-length",
		must:  "Sign must refuse a digest that is not of the length of SHA-256, and not sign something else instead.",
		check: checkDigestLength,
	},
	{
		name:  "digest-untouched",
		must:  "Sign must not change the digest.",
		check: checkDigestUntouched,
	},
	{
		name:  "digest-not-kept",
		must:  "Sign must not keep the digest: what the caller does with it afterwards has no effect on other signatures.",
		check: checkDigestNotKept,
	},
	{
		name:  "signature-private",
		must:  "A signature belongs to the caller: later ones must not overwrite it.",
		check: checkSignaturePrivate,
	},
	{
		name:  "concurrent",
		must:  "Sign may be called by several goroutines at once.",
		check: checkConcurrent,
	},
	{
		name:     "deterministic",
		must:     "The signature of a digest must be the same each time.",
		check:    checkDeterministic,
		optional: func(o *Options) bool { return o.Deterministic },
	},
}

// sign calls the signer as package signing does.
func (s *subject) sign(digest []byte) ([]byte, error) {
	var random io.Reader = rand.Reader
	if _, local := s.signer.(*ecdsa.PrivateKey); local {
		random = nil
	}
	return s.signer.Sign(random, digest, crypto.SHA256)
}

func (s *subject) verify(digest, signature []byte) error {
	key := s.key()
	if key == nil || key.Curve != elliptic.P256() {
		return errors.New("there is no public key on P-256")
	}
	if !ecdsa.VerifyASN1(key, digest, signature) {
		return fmt.Errorf("the signature of %d bytes does not verify", len(signature))
	}
	return nil
}

func (s *subject) signAndVerify(digest []byte) error {
	signature, err := s.sign(bytes.Clone(digest))
	if err != nil {
		return err
	}
	return s.verify(digest, signature)
}

// digestOf returns the digest of a message with this number.
func digestOf(n int) []byte {
	d := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("signingtest "), uint64(n)))
	return d[:]
}

func checkPublicKey(s *subject) error {
	key := s.key()
	if key == nil {
		return fmt.Errorf("the public key is a %T", s.signer.Public())
	}
	if key.Curve != elliptic.P256() {
		return fmt.Errorf("the curve is %s", key.Curve.Params().Name)
	}
	if _, err := key.Bytes(); err != nil {
		return errors.New("the public key is not a point of the curve")
	}
	return nil
}

func checkPublicKeyStable(s *subject) error {
	before := s.key()
	if before == nil {
		return errors.New("there is no public key")
	}
	for n := range 3 {
		if _, err := s.sign(digestOf(n)); err != nil {
			return err
		}
		if after := s.key(); !before.Equal(after) {
			return errors.New("the public key has changed")
		}
	}
	return nil
}

func checkVerifies(s *subject) error { return s.signAndVerify(digestOf(0)) }

func checkOfThisDigest(s *subject) error {
	digest := digestOf(1)
	signature, err := s.sign(bytes.Clone(digest))
	if err != nil {
		return err
	}
	for _, at := range []int{0, len(digest) / 2, len(digest) - 1} {
		other := bytes.Clone(digest)
		other[at] ^= 1
		if s.verify(other, signature) == nil {
			return fmt.Errorf("the signature verifies with byte %d of the digest changed", at)
		}
	}
	return nil
}

func checkEveryDigest(s *subject) error {
	for _, digest := range [][]byte{make([]byte, sha256.Size), bytes.Repeat([]byte{0xff}, sha256.Size)} {
		if err := s.signAndVerify(digest); err != nil {
			return fmt.Errorf("digest %x: %w", digest, err)
		}
	}
	for n := range s.signatures {
		if err := s.signAndVerify(digestOf(n)); err != nil {
			return fmt.Errorf("signature %d of %d: %w", n+1, s.signatures, err)
		}
	}
	return nil
}

func checkDigestLength(s *subject) error {
	for _, n := range []int{0, 20, 31, 33, 48, 64} {
		if _, err := s.sign(make([]byte, n)); err == nil {
			return fmt.Errorf("a digest of %d bytes was signed", n)
		}
	}
	return nil
}

func checkDigestUntouched(s *subject) error {
	digest := digestOf(2)
	if _, err := s.sign(digest); err != nil {
		return err
	}
	if !bytes.Equal(digest, digestOf(2)) {
		return errors.New("the digest has changed")
	}
	return nil
}

func checkDigestNotKept(s *subject) error {
	digest := make([]byte, sha256.Size) // one buffer for all, as callers do
	for n := range 4 {
		copy(digest, digestOf(n))
		signature, err := s.sign(digest)
		if err != nil {
			return err
		}
		if err := s.verify(digestOf(n), signature); err != nil {
			return fmt.Errorf("digest %d in the same buffer: %w", n+1, err)
		}
	}
	return nil
}

func checkSignaturePrivate(s *subject) error {
	var signatures [4][]byte
	for n := range signatures {
		signature, err := s.sign(digestOf(n))
		if err != nil {
			return err
		}
		signatures[n] = signature
	}
	for n, signature := range signatures {
		if err := s.verify(digestOf(n), signature); err != nil {
			return fmt.Errorf("signature %d, after later ones were made: %w", n+1, err)
		}
	}
	return nil
}

func checkConcurrent(s *subject) error {
	const callers = 8
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			for n := caller; n < s.signatures && errs[caller] == nil; n += callers {
				errs[caller] = s.signAndVerify(digestOf(n))
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func checkDeterministic(s *subject) error {
	for n := range 4 {
		first, err := s.sign(digestOf(n))
		if err != nil {
			return err
		}
		second, err := s.sign(digestOf(n))
		if err != nil {
			return err
		}
		if !bytes.Equal(first, second) {
			return errors.New("two signatures of one digest differ")
		}
	}
	return nil
}
