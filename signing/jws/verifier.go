package jws

import (
	"crypto/sha256"
	"slices"
)

// DefaultMaxText is the size of the longest message that a [Verifier] reads,
// where its options do not say otherwise: about 130,000 keys.
const DefaultMaxText = 32 << 20

// VerifierOptions are options of [NewVerifier]. Nil means no options.
type VerifierOptions struct {
	// MaxText replaces [DefaultMaxText], in bytes. A message of n bytes needs
	// about 2n more while it is verified.
	MaxText int
}

// Verifier verifies messages that are signed by ES256 with one of the keys of a
// nation. It is safe for concurrent use. For a rotation a new one takes its
// place, with the old key and the new one.
type Verifier struct {
	keys    []Key
	maxText int
}

// NewVerifier returns a verifier with these keys, at least one. Two may not have
// one id.
func NewVerifier(keys []Key, opts *VerifierOptions) (*Verifier, error) {
	if opts == nil {
		opts = &VerifierOptions{}
	}
	if err := checkKeys(keys); err != nil {
		return nil, err
	}
	if opts.MaxText < 0 {
		return nil, fail(ReasonOptions, "VerifierOptions.MaxText", "%d is negative", opts.MaxText)
	}
	v := &Verifier{keys: slices.Clone(keys), maxText: opts.MaxText}
	if v.maxText == 0 {
		v.maxText = DefaultMaxText
	}
	return v, nil
}

// Message is one that has been verified.
type Message struct {
	Payload []byte // the caller's
	Key     Key    // by which it is signed
}

// Verify returns what is in a message in compact serialization that one of the
// keys has signed. Nothing else is returned of a message that none has.
func (v *Verifier) Verify(text string) (*Message, error) {
	parts, err := split(text, v.maxText)
	if err != nil {
		return nil, err
	}
	keyID, err := readHeader(parts.header, leniently, es256)
	if err != nil {
		return nil, err
	}
	key, err := v.verify(parts, keyID)
	if err != nil {
		return nil, err
	}
	payload, err := leniently(parts.payload)
	if err != nil {
		return nil, &Error{Reason: ReasonMalformed, Subject: "payload", Err: err}
	}
	return &Message{Payload: payload, Key: key}, nil
}

// verify returns the key that has signed parts.
func (v *Verifier) verify(parts compact, keyID string) (Key, error) {
	signature, err := leniently(parts.signature)
	if err != nil {
		return Key{}, &Error{Reason: ReasonMalformed, Subject: "signature", Err: err}
	}
	// One server of the field takes 65 bytes, and passes over the last. DER,
	// which key services give, has 70 to 72.
	if len(signature) != signatureSize {
		return Key{}, fail(ReasonSignature, "signature", "%d bytes, want the %d of r and s", len(signature), signatureSize)
	}
	digest := sha256.Sum256([]byte(parts.signed))
	for _, k := range candidates(v.keys, keyID) {
		if verifyES256(k.Key, digest[:], signature) {
			return k, nil
		}
	}
	return Key{}, fail(ReasonSignature, "signature", "none of the keys verifies it")
}
