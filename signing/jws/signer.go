package jws

import (
	"encoding/base64"
	"encoding/json"

	"github.com/gaenkit/gaen/signing"
)

// SignerOptions are options of [NewSigner]. Nil means no options.
type SignerOptions struct {
	// KeyID is written into the header, as "kid". Without it the header is
	// exactly {"alg":"ES256"}, which every server of the field knows.
	KeyID string

	// Padded fills each part up with "=", as the encoder of the British back
	// end does. RFC 7515 does not allow it; turn it on only for a server that
	// asks for it.
	Padded bool
}

// Signer signs messages by ES256. It is safe for concurrent use if the
// crypto.Signer below it is.
type Signer struct {
	signer   *signing.Signer
	keyID    string
	encoding *base64.Encoding
	begin    string // the header's part and a dot, the same in every message
}

// NewSigner returns a signer of messages over s. The identity of s is not
// written into messages; it names the key in errors.
func NewSigner(s *signing.Signer, opts *SignerOptions) (*Signer, error) {
	if opts == nil {
		opts = &SignerOptions{}
	}
	if s == nil {
		return nil, fail(ReasonOptions, "signer", "nil")
	}
	if opts.KeyID != "" {
		if err := checkName(opts.KeyID); err != nil {
			return nil, &Error{Reason: ReasonOptions, Subject: "SignerOptions.KeyID", Err: err}
		}
	}
	encoding := base64.RawURLEncoding
	if opts.Padded {
		encoding = base64.URLEncoding
	}
	head, err := json.Marshal(header{Algorithm: es256, KeyID: opts.KeyID})
	if err != nil {
		return nil, &Error{Reason: ReasonOptions, Subject: "SignerOptions.KeyID", Err: err}
	}
	return &Signer{
		signer: s, keyID: opts.KeyID, encoding: encoding,
		begin: encoding.EncodeToString(head) + ".",
	}, nil
}

// Sign returns payload, which may be anything, as a signed message in compact
// serialization. Where the key is in memory, the same payload gives the same
// message.
func (s *Signer) Sign(payload []byte) (string, error) {
	size := len(s.begin) + s.encoding.EncodedLen(len(payload)) + 1 + s.encoding.EncodedLen(signatureSize)
	text := append(make([]byte, 0, size), s.begin...)
	text = s.encoding.AppendEncode(text, payload)
	signature, err := signES256(s.signer, text)
	if err != nil {
		return "", err
	}
	return string(s.encoding.AppendEncode(append(text, '.'), signature)), nil
}

// Key returns the key that verifies what s signs.
func (s *Signer) Key() Key { return Key{ID: s.keyID, Key: s.signer.PublicKey().Key} }

// String returns the signer's identity; the key is not for printing.
func (s *Signer) String() string { return s.signer.String() }
