package jws

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/asn1"
	"math/big"

	"github.com/gaenkit/gaen/signing"
)

const (
	integerSize   = 32              // of r and of s on P-256
	signatureSize = 2 * integerSize // of an ES256 signature: RFC 7518, 3.4
)

// signES256 returns the signature of data as the bytes of r and s, each filled
// up with zeros on the left. The signer's is DER, in which both are as short as
// can be: in one of 128 one is shorter than 32 bytes.
func signES256(s *signing.Signer, data []byte) ([]byte, error) {
	digest := sha256.Sum256(data)
	der, err := s.SignDigest(digest[:])
	if err != nil {
		return nil, &Error{Reason: ReasonSigner, Subject: "signature", Err: err}
	}
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &rs); err != nil { // not of a signature that verifies
		return nil, fail(ReasonSigner, "signature", "malformed DER")
	}
	raw := make([]byte, signatureSize)
	rs.R.FillBytes(raw[:integerSize])
	rs.S.FillBytes(raw[integerSize:])
	return raw, nil
}

// verifyES256 reports whether raw, of [signatureSize] bytes, is a signature of
// the digest.
func verifyES256(k *ecdsa.PublicKey, digest, raw []byte) bool {
	r := new(big.Int).SetBytes(raw[:integerSize])
	s := new(big.Int).SetBytes(raw[integerSize:])
	return ecdsa.Verify(k, digest, r, s)
}
