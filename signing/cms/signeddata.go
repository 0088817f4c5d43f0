package cms

import (
	"bytes"
	"crypto/x509"
	encoding "encoding/asn1"
	"math/big"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidData       = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
)

// Tags of fields, by where they are.
var (
	tagContent       = asn1.Tag(0).Constructed().ContextSpecific()
	tagCertificates  = asn1.Tag(0).Constructed().ContextSpecific()
	tagCRLs          = asn1.Tag(1).Constructed().ContextSpecific()
	tagKeyID         = asn1.Tag(0).ContextSpecific()
	tagSignedAttrs   = asn1.Tag(0).Constructed().ContextSpecific()
	tagUnsignedAttrs = asn1.Tag(1).Constructed().ContextSpecific()
)

// Versions of SignerInfo, and of SignedData with one signer and certificates of
// X.509: RFC 5652, 5.1 and 5.3.
const (
	versionByIssuer = 1 // the signer is named by issuer and serial number
	versionByKeyID  = 3 // it is named by the key's identifier
)

// maxCertificates is how many are looked through for the signer's.
const maxCertificates = 8

// signedData is what is read of SignedData: RFC 5652, 5.1.
type signedData struct {
	certificates []*x509.Certificate
	signer       signerInfo
	extras       bool // there is more in it than the signature covers
}

// signerInfo is what is read of SignerInfo: RFC 5652, 5.3.
type signerInfo struct {
	version   int
	issuer    []byte // with serial, or else keyID
	serial    *big.Int
	keyID     []byte
	algorithm algorithm
	attrs     *attributes // nil if there are none
	signature []byte
	unsigned  bool // there are attributes that the signature does not cover
}

var errNotSignedData = fail(ReasonMalformed, "signature", "not SignedData")

// readSignedData reads a ContentInfo with SignedData in it, one element of DER.
func readSignedData(der cryptobyte.String) (*signedData, error) {
	var info, content, seq, digests, certificates, crls, signers cryptobyte.String
	var oid encoding.ObjectIdentifier
	var version int
	var hasCertificates, hasCRLs bool
	if !der.ReadASN1(&info, asn1.SEQUENCE) ||
		!info.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidSignedData) ||
		!info.ReadASN1(&content, tagContent) || !info.Empty() ||
		!content.ReadASN1(&seq, asn1.SEQUENCE) || !content.Empty() ||
		!seq.ReadASN1Integer(&version) || !seq.ReadASN1(&digests, asn1.SET) {
		return nil, errNotSignedData
	}
	if err := readContent(&seq); err != nil {
		return nil, err
	}
	if !seq.ReadOptionalASN1(&certificates, &hasCertificates, tagCertificates) ||
		!seq.ReadOptionalASN1(&crls, &hasCRLs, tagCRLs) ||
		!seq.ReadASN1(&signers, asn1.SET) || !seq.Empty() {
		return nil, errNotSignedData
	}
	sd := &signedData{}
	var err error
	if sd.signer, err = readOnlySigner(signers); err != nil {
		return nil, err
	}
	if sd.certificates, err = readCertificates(certificates); err != nil {
		return nil, err
	}
	sd.extras = hasCRLs || sd.signer.unsigned || len(sd.certificates) > 1 ||
		version != sd.signer.version || !isHash(&digests, sd.signer.algorithm.hash)
	return sd, nil
}

// readContent reads an EncapsulatedContentInfo that has no content in it. An
// empty one is not none: the gateway's document asks for detached signatures.
func readContent(s *cryptobyte.String) error {
	var seq cryptobyte.String
	var oid encoding.ObjectIdentifier
	if !s.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&oid) {
		return errNotSignedData
	}
	if !oid.Equal(oidData) {
		return fail(ReasonMalformed, "content type", "not data")
	}
	if !seq.Empty() {
		return fail(ReasonAttached, "content", "in the signature, which should be detached")
	}
	return nil
}

func readOnlySigner(signers cryptobyte.String) (signerInfo, error) {
	var only, next cryptobyte.String
	n := 0
	for ; !signers.Empty(); n++ {
		if !signers.ReadASN1(&next, asn1.SEQUENCE) {
			return signerInfo{}, errNotSignedData
		}
		only = next
	}
	if n != 1 {
		return signerInfo{}, fail(ReasonSigners, "signers", "%d, want 1", n)
	}
	return readSignerInfo(only)
}

func readSignerInfo(seq cryptobyte.String) (si signerInfo, err error) {
	var signed, unsigned cryptobyte.String
	var hasSigned bool
	if !seq.ReadASN1Integer(&si.version) || !si.readIdentifier(&seq) {
		return signerInfo{}, errNotSignedData
	}
	digest, ok := readIdentifier(&seq)
	if !ok || !seq.ReadOptionalASN1(&signed, &hasSigned, tagSignedAttrs) {
		return signerInfo{}, errNotSignedData
	}
	signature, ok := readIdentifier(&seq)
	if !ok || !seq.ReadASN1Bytes(&si.signature, asn1.OCTET_STRING) ||
		!seq.ReadOptionalASN1(&unsigned, &si.unsigned, tagUnsignedAttrs) || !seq.Empty() {
		return signerInfo{}, errNotSignedData
	}
	hash, err := digest.digest()
	if err != nil {
		return signerInfo{}, err
	}
	if si.algorithm, err = signature.signature(hash); err != nil {
		return signerInfo{}, err
	}
	if hasSigned {
		si.attrs, err = readAttributes(signed)
	}
	return si, err
}

// readIdentifier reads a SignerIdentifier, whose form and version go together.
func (si *signerInfo) readIdentifier(s *cryptobyte.String) bool {
	if s.PeekASN1Tag(tagKeyID) {
		return s.ReadASN1Bytes(&si.keyID, tagKeyID) && si.version == versionByKeyID
	}
	var seq, issuer cryptobyte.String
	si.serial = new(big.Int)
	if !s.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1Element(&issuer, asn1.SEQUENCE) ||
		!seq.ReadASN1Integer(si.serial) || !seq.Empty() {
		return false
	}
	si.issuer = issuer
	return si.version == versionByIssuer
}

// names reports whether si names cert as the signer's.
func (si *signerInfo) names(cert *x509.Certificate) bool {
	if si.serial == nil {
		return len(si.keyID) > 0 && bytes.Equal(si.keyID, cert.SubjectKeyId)
	}
	return bytes.Equal(si.issuer, cert.RawIssuer) && si.serial.Cmp(cert.SerialNumber) == 0
}

func readCertificates(s cryptobyte.String) ([]*x509.Certificate, error) {
	var certificates []*x509.Certificate
	for !s.Empty() {
		var element cryptobyte.String
		if !s.ReadASN1Element(&element, asn1.SEQUENCE) {
			return nil, fail(ReasonCertificate, "certificates", "not certificates of X.509")
		}
		if len(certificates) == maxCertificates {
			return nil, fail(ReasonTooLarge, "certificates", "more than %d", maxCertificates)
		}
		cert, err := x509.ParseCertificate(slices.Clone(element))
		if err != nil { // which may quote what is in it
			return nil, fail(ReasonCertificate, "certificates", "one that cannot be parsed")
		}
		certificates = append(certificates, cert)
	}
	return certificates, nil
}

// certificate returns the signer's certificate.
func (sd *signedData) certificate() (*x509.Certificate, error) {
	var found *x509.Certificate
	for _, cert := range sd.certificates {
		if !sd.signer.names(cert) {
			continue
		}
		if found != nil {
			return nil, fail(ReasonCertificate, "certificates", "two that the signer goes by")
		}
		found = cert
	}
	if found == nil {
		return nil, fail(ReasonCertificate, "certificates", "the signer's is not in the signature")
	}
	return found, checkCertificateKey(found)
}

// signedDataOf returns the ContentInfo with the SignedData of one signer, as DER.
func signedDataOf(cert *x509.Certificate, a algorithm, attrs *attributes, signature []byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSignedData)
		b.AddASN1(tagContent, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(versionByIssuer)
				b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { addIdentifier(b, oidSHA256, false) })
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidData) })
				b.AddASN1(tagCertificates, func(b *cryptobyte.Builder) { b.AddBytes(cert.Raw) })
				b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { addSignerInfo(b, cert, a, attrs, signature) })
			})
		})
	})
	return b.Bytes()
}

func addSignerInfo(b *cryptobyte.Builder, cert *x509.Certificate, a algorithm, attrs *attributes, signature []byte) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(versionByIssuer)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(cert.RawIssuer)
			b.AddASN1BigInt(cert.SerialNumber)
		})
		addIdentifier(b, oidSHA256, false)
		// The same bytes as signed, but for the tag.
		b.AddBytes([]byte{byte(tagSignedAttrs)})
		b.AddBytes(attrs.signed[1:])
		a.addTo(b)
		b.AddASN1OctetString(signature)
	})
}

// addTo writes a as RFC 5754, 3, and RFC 4056, 3, want it. Its hash is SHA-256.
func (a algorithm) addTo(b *cryptobyte.Builder) {
	switch a.kind {
	case kindECDSA:
		addIdentifier(b, oidECDSASHA256, false)
	case kindPKCS1:
		addIdentifier(b, oidRSASHA256, true)
	case kindPSS:
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidRSAPSS)
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(pssHash, func(b *cryptobyte.Builder) { addIdentifier(b, oidSHA256, true) })
				b.AddASN1(pssMGF, func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(oidMGF1)
						addIdentifier(b, oidSHA256, true)
					})
				})
				b.AddASN1(pssSalt, func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(a.salt)) })
			})
		})
	}
}

// addIdentifier writes an AlgorithmIdentifier, with NULL or with nothing for its
// parameters.
func addIdentifier(b *cryptobyte.Builder, oid encoding.ObjectIdentifier, null bool) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		if null {
			b.AddASN1NULL()
		}
	})
}
