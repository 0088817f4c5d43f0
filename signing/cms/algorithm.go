package cms

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // hashes that signatures are by
	_ "crypto/sha512"
	"crypto/x509"
	encoding "encoding/asn1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidSHA256 = encoding.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidSHA384 = encoding.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}
	oidSHA512 = encoding.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}

	oidRSA       = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidMGF1      = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}
	oidRSAPSS    = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidRSASHA256 = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidRSASHA384 = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}
	oidRSASHA512 = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}

	oidECDSASHA256 = encoding.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidECDSASHA384 = encoding.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}
	oidECDSASHA512 = encoding.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}
)

// Sizes of RSA keys, in bits. The gateway's document asks for "2024" at least,
// where all of its keys have 2048 or more. Larger keys than the second make a
// verification slow, at the choice of whoever sends them.
const (
	MinRSABits = 2048
	MaxRSABits = 8192
)

// kind is how a signature is made from a digest.
type kind int

const (
	kindECDSA kind = iota + 1
	kindPKCS1      // RSASSA-PKCS1-v1_5
	kindPSS        // RSASSA-PSS
)

// algorithm is how a signature is made.
type algorithm struct {
	kind kind
	hash crypto.Hash
	salt int // of PSS, in bytes
}

// name returns x509's name of a, under which it is shown.
func (a algorithm) name() x509.SignatureAlgorithm {
	return names[algorithm{kind: a.kind, hash: a.hash}]
}

var names = map[algorithm]x509.SignatureAlgorithm{
	{kind: kindECDSA, hash: crypto.SHA256}: x509.ECDSAWithSHA256,
	{kind: kindECDSA, hash: crypto.SHA384}: x509.ECDSAWithSHA384,
	{kind: kindECDSA, hash: crypto.SHA512}: x509.ECDSAWithSHA512,
	{kind: kindPKCS1, hash: crypto.SHA256}: x509.SHA256WithRSA,
	{kind: kindPKCS1, hash: crypto.SHA384}: x509.SHA384WithRSA,
	{kind: kindPKCS1, hash: crypto.SHA512}: x509.SHA512WithRSA,
	{kind: kindPSS, hash: crypto.SHA256}:   x509.SHA256WithRSAPSS,
	{kind: kindPSS, hash: crypto.SHA384}:   x509.SHA384WithRSAPSS,
	{kind: kindPSS, hash: crypto.SHA512}:   x509.SHA512WithRSAPSS,
}

// opts returns what a crypto.Signer must be told to sign by a.
func (a algorithm) opts() crypto.SignerOpts {
	if a.kind == kindPSS {
		return &rsa.PSSOptions{SaltLength: a.salt, Hash: a.hash}
	}
	return a.hash
}

// verify reports whether signature is one of message, by a and key.
func (a algorithm) verify(key any, message, signature []byte) error {
	digest := digestOf(a.hash, message)
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		if a.kind == kindECDSA && ecdsa.VerifyASN1(key, digest, signature) {
			return nil
		}
	case *rsa.PublicKey:
		if a.kind == kindPKCS1 && rsa.VerifyPKCS1v15(key, a.hash, digest, signature) == nil {
			return nil
		}
		if a.kind == kindPSS && rsa.VerifyPSS(key, a.hash, digest, signature, &rsa.PSSOptions{SaltLength: a.salt}) == nil {
			return nil
		}
	}
	return fail(ReasonSignature, "signature", "the certificate's key does not verify it")
}

func digestOf(h crypto.Hash, data []byte) []byte {
	d := h.New()
	d.Write(data)
	return d.Sum(nil)
}

// checkKey reports whether this package signs and verifies with a public key.
func checkKey(key any) error {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return nil
		}
		return fmt.Errorf("an ECDSA key that is not on P-256, P-384 or P-521")
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n < MinRSABits || n > MaxRSABits {
			return fmt.Errorf("an RSA key of %d bits, want %d to %d", n, MinRSABits, MaxRSABits)
		}
		return nil
	}
	return fmt.Errorf("a key neither of ECDSA nor of RSA")
}

// identifier is an AlgorithmIdentifier: RFC 5280, 4.1.1.2.
type identifier struct {
	oid    encoding.ObjectIdentifier
	params cryptobyte.String // an element, nil if there is none
}

func readIdentifier(s *cryptobyte.String) (id identifier, ok bool) {
	var seq cryptobyte.String
	if !s.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&id.oid) {
		return identifier{}, false
	}
	if seq.Empty() {
		return id, true
	}
	var tag asn1.Tag
	return id, seq.ReadAnyASN1Element(&id.params, &tag) && seq.Empty()
}

// plain reports whether id has no parameters, or NULL, which RFC 5754, 2, wants
// taken for none.
func (id identifier) plain() bool {
	return id.params == nil || string(id.params) == "\x05\x00"
}

// digest returns the hash that id names.
func (id identifier) digest() (crypto.Hash, error) {
	if id.plain() {
		switch {
		case id.oid.Equal(oidSHA256):
			return crypto.SHA256, nil
		case id.oid.Equal(oidSHA384):
			return crypto.SHA384, nil
		case id.oid.Equal(oidSHA512):
			return crypto.SHA512, nil
		}
	}
	return 0, fail(ReasonAlgorithm, "digest algorithm", "none of SHA-256, SHA-384 and SHA-512")
}

// signature returns the algorithm that id names for the signature of what is
// digested by hash. Where id names a hash too, it must be the same.
func (id identifier) signature(hash crypto.Hash) (algorithm, error) {
	a := algorithm{hash: hash}
	named := hash
	switch {
	case id.oid.Equal(oidRSAPSS):
		return id.pss(hash)
	case !id.plain():
		return algorithm{}, fail(ReasonAlgorithm, "signature algorithm", "parameters where none belong")
	case id.oid.Equal(oidRSA):
		a.kind = kindPKCS1
	case id.oid.Equal(oidRSASHA256):
		a.kind, named = kindPKCS1, crypto.SHA256
	case id.oid.Equal(oidRSASHA384):
		a.kind, named = kindPKCS1, crypto.SHA384
	case id.oid.Equal(oidRSASHA512):
		a.kind, named = kindPKCS1, crypto.SHA512
	case id.oid.Equal(oidECDSASHA256):
		a.kind, named = kindECDSA, crypto.SHA256
	case id.oid.Equal(oidECDSASHA384):
		a.kind, named = kindECDSA, crypto.SHA384
	case id.oid.Equal(oidECDSASHA512):
		a.kind, named = kindECDSA, crypto.SHA512
	default:
		return algorithm{}, fail(ReasonAlgorithm, "signature algorithm", "none of ECDSA, RSA and RSA-PSS with SHA-256 or better")
	}
	if named != hash {
		return algorithm{}, fail(ReasonAlgorithm, "signature algorithm", "by %v, and the digest by %v", named, hash)
	}
	return a, nil
}

// Fields of RSASSA-PSS-params: RFC 4055, 3.1. What they are by default is the
// salt of 20 bytes; a hash left out would be SHA-1.
var (
	pssHash    = asn1.Tag(0).Constructed().ContextSpecific()
	pssMGF     = asn1.Tag(1).Constructed().ContextSpecific()
	pssSalt    = asn1.Tag(2).Constructed().ContextSpecific()
	pssTrailer = asn1.Tag(3).Constructed().ContextSpecific()
)

const (
	defaultSalt  = 20
	trailerField = 1
)

// pss returns the algorithm of id's RSASSA-PSS-params, in which both hashes must
// be hash.
func (id identifier) pss(hash crypto.Hash) (algorithm, error) {
	var seq, hashField, mgfField, mgfSeq cryptobyte.String
	var mgf encoding.ObjectIdentifier
	salt, trailer := defaultSalt, trailerField
	params := id.params
	ok := params.ReadASN1(&seq, asn1.SEQUENCE) && params.Empty() &&
		seq.ReadASN1(&hashField, pssHash) && isHash(&hashField, hash) &&
		seq.ReadASN1(&mgfField, pssMGF) && mgfField.ReadASN1(&mgfSeq, asn1.SEQUENCE) && mgfField.Empty() &&
		mgfSeq.ReadASN1ObjectIdentifier(&mgf) && mgf.Equal(oidMGF1) && isHash(&mgfSeq, hash) &&
		seq.ReadOptionalASN1Integer(&salt, pssSalt, defaultSalt) &&
		seq.ReadOptionalASN1Integer(&trailer, pssTrailer, trailerField) &&
		seq.Empty() && salt > 0 && salt <= MaxRSABits/8 && trailer == trailerField
	if !ok {
		return algorithm{}, fail(ReasonAlgorithm, "signature algorithm", "RSA-PSS that is not by %v and a salt", hash)
	}
	return algorithm{kind: kindPSS, hash: hash, salt: salt}, nil
}

// isHash reports whether what is left of s names hash.
func isHash(s *cryptobyte.String, hash crypto.Hash) bool {
	id, ok := readIdentifier(s)
	if !ok || !s.Empty() {
		return false
	}
	got, err := id.digest()
	return err == nil && got == hash
}
