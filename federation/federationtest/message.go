package federationtest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
)

// Messages are made and opened here by hand, and not by package jws: what is wrong
// on both sides of one implementation is found by another.

// es256 is the header of all messages in use.
const es256 = `{"alg":"ES256"}`

// compact puts the three parts of a message together.
func compact(enc *base64.Encoding, header string, payload, signature []byte) string {
	return enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString(payload) + "." + enc.EncodeToString(signature)
}

// seal returns payload signed by a key, with any header, in any encoding.
func seal(key crypto.Signer, enc *base64.Encoding, header string, payload []byte) (string, error) {
	der, err := derSignature(key, enc, header, payload)
	if err != nil {
		return "", err
	}
	raw, err := rawSignature(der)
	return compact(enc, header, payload, raw), err
}

// derSignature returns the signature as crypto.Signer makes it, which is not how
// messages have it.
func derSignature(key crypto.Signer, enc *base64.Encoding, header string, payload []byte) ([]byte, error) {
	input := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString(payload)
	digest := sha256.Sum256([]byte(input))
	return key.Sign(rand.Reader, digest[:], crypto.SHA256)
}

// rawSignature returns r and s, 32 bytes each (RFC 7518, 3.4).
func rawSignature(der []byte) ([]byte, error) {
	var sig struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &sig); err != nil || len(rest) > 0 {
		return nil, errors.New("federationtest: the key's signature is not DER")
	}
	raw := make([]byte, 64)
	sig.R.FillBytes(raw[:32])
	sig.S.FillBytes(raw[32:])
	return raw, nil
}

// open returns what is in a message that a key has signed. A lenient reader takes
// what the real service does: signatures with bytes after them.
func open(public *ecdsa.PublicKey, text string, lenient bool) (header map[string]any, payload []byte, err error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, nil, errors.New("not three parts")
	}
	var decoded [3][]byte
	for i, part := range parts {
		if decoded[i], err = decodePart(part); err != nil {
			return nil, nil, err
		}
	}
	if err := json.Unmarshal(decoded[0], &header); err != nil || header["alg"] != "ES256" {
		return nil, nil, errors.New("not ES256")
	}
	for _, name := range []string{"crit", "jwk", "jku", "x5c", "x5u", "b64"} {
		if _, ok := header[name]; ok {
			return nil, nil, errors.New("a header that is not understood")
		}
	}
	sig := decoded[2]
	if lenient && len(sig) > 64 {
		sig = sig[:64]
	}
	if len(sig) != 64 {
		return nil, nil, errors.New("a signature of another length")
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	if !ecdsa.Verify(public, digest[:], r, s) {
		return nil, nil, errors.New("the signature does not verify")
	}
	return header, decoded[1], nil
}

// decodePart reads base64url or standard base64, padded or not.
func decodePart(part string) ([]byte, error) {
	part = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(part, "="))
	return base64.RawURLEncoding.Strict().DecodeString(part)
}

// envelope returns the body of an upload.
func envelope(tag, message string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(struct {
		BatchTag string `json:"batchTag"`
		Payload  string `json:"payload"`
	}{tag, message}); err != nil {
		panic("federationtest: " + err.Error()) // strings do not fail
	}
	return bytes.TrimSpace(b.Bytes())
}
