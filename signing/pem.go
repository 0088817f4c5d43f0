package signing

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// MaxKeyText is the size of the longest text that is parsed as a key. A key in
// PEM has about 250 bytes.
const MaxKeyText = 64 << 10

const (
	pemSEC1      = "EC PRIVATE KEY"
	pemPKCS8     = "PRIVATE KEY"
	pemEncrypted = "ENCRYPTED PRIVATE KEY"
	pemPublic    = "PUBLIC KEY"
	pemParams    = "EC PARAMETERS" // openssl ecparam -genkey writes it before the key
)

// GenerateKey returns a new private key for [NewSigner].
func GenerateKey() (*ecdsa.PrivateKey, error) {
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// MarshalPrivateKey returns key as PEM, in PKCS #8.
func MarshalPrivateKey(key *ecdsa.PrivateKey) ([]byte, error) {
	if key == nil || CheckKey(&key.PublicKey) != nil {
		return nil, &Error{Subject: "private key", Err: ErrUnsupportedKey}
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, &Error{Subject: "private key", Err: err}
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemPKCS8, Bytes: der}), nil
}

// ParsePrivateKey returns the one private key in PEM text.
func ParsePrivateKey(text []byte) (*ecdsa.PrivateKey, error) {
	return parsePrivateKey("private key", text)
}

func parsePrivateKey(subject string, text []byte) (*ecdsa.PrivateKey, error) {
	block, err := onlyBlock(subject, text)
	if err != nil {
		return nil, err
	}
	key, err := decodePrivateKey(block)
	if err != nil {
		return nil, &Error{Subject: subject, Err: err}
	}
	return key, nil
}

// decodePrivateKey makes its own errors: those of a decoder may quote what it
// decodes.
func decodePrivateKey(block *pem.Block) (*ecdsa.PrivateKey, error) {
	if block.Type == pemEncrypted || block.Headers["DEK-Info"] != "" {
		return nil, errors.New("encrypted; this package reads keys that are not")
	}
	var key any
	var err error
	switch block.Type {
	case pemSEC1:
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case pemPKCS8:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("the PEM block is no private key but %q", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("malformed %q block", block.Type)
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok || CheckKey(&private.PublicKey) != nil {
		return nil, ErrUnsupportedKey
	}
	return private, nil
}

// ParsePublicKey returns the one public key in PEM text, which has no identity;
// see [ParseKeyFile] for text that gives it one.
func ParsePublicKey(text []byte) (*ecdsa.PublicKey, error) {
	block, err := onlyBlock("public key", text)
	if err != nil {
		return nil, err
	}
	return decodePublicKey("public key", block)
}

func decodePublicKey(subject string, block *pem.Block) (*ecdsa.PublicKey, error) {
	if block.Type != pemPublic {
		return nil, fail(subject, "the PEM block is no public key but %q", block.Type)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fail(subject, "malformed %q block", block.Type)
	}
	public, _ := key.(*ecdsa.PublicKey)
	if err := CheckKey(public); err != nil {
		return nil, &Error{Subject: subject, Err: err}
	}
	return public, nil
}

// onlyBlock returns the PEM block in text, of which there must be one. Text
// around it is passed over, and so are the parameters of a curve.
func onlyBlock(subject string, text []byte) (*pem.Block, error) {
	if len(text) > MaxKeyText {
		return nil, fail(subject, "%w: %d bytes, at most %d", ErrTooLarge, len(text), MaxKeyText)
	}
	var only *pem.Block
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		switch {
		case block == nil && only == nil:
			return nil, fail(subject, "no PEM block")
		case block == nil && bytes.Contains(text, []byte("-----BEGIN ")):
			return nil, fail(subject, "a PEM block after the first is malformed")
		case block == nil:
			return only, nil
		case block.Type == pemParams:
		case only != nil:
			return nil, fail(subject, "more than one PEM block")
		default:
			only = block
		}
	}
}
