package cms

import (
	"crypto"
	"crypto/x509"
)

// VerifyAnchor reports whether anchor, the trust anchor, has signed a
// certificate: its PEM text, byte for byte as it is given. If not, the reason is
// [ReasonAnchor].
//
// This is the "operator signature" of an audit entry. It is no CMS: signature is
// standard base64 of the bare signature, by the algorithm that the anchor's own
// certificate is signed by. Whether the anchor is valid now is not looked at, as
// it is not by the gateway.
func VerifyAnchor(anchor *x509.Certificate, text, signature string) error {
	a, ok := anchorAlgorithms[anchor.SignatureAlgorithm]
	if !ok {
		return fail(ReasonAnchor, "trust anchor", "its own signature is by another algorithm than RSA or ECDSA with SHA-256 or better")
	}
	if err := checkKey(anchor.PublicKey); err != nil {
		return &Error{Reason: ReasonAnchor, Subject: "trust anchor", Err: err}
	}
	if len(text) > MaxCertificateText {
		return fail(ReasonTooLarge, "certificate", "%d characters, at most %d", len(text), MaxCertificateText)
	}
	raw, err := decodeText("operator signature", signature)
	if err != nil {
		return err
	}
	if err := a.verify(anchor.PublicKey, []byte(text), raw); err != nil {
		return fail(ReasonAnchor, "operator signature", "the trust anchor's key does not verify it")
	}
	return nil
}

// anchorAlgorithms are those of trust anchors. The salt of PSS, which nothing
// tells here, is as long as the hash.
var anchorAlgorithms = map[x509.SignatureAlgorithm]algorithm{
	x509.ECDSAWithSHA256:  {kind: kindECDSA, hash: crypto.SHA256},
	x509.ECDSAWithSHA384:  {kind: kindECDSA, hash: crypto.SHA384},
	x509.ECDSAWithSHA512:  {kind: kindECDSA, hash: crypto.SHA512},
	x509.SHA256WithRSA:    {kind: kindPKCS1, hash: crypto.SHA256},
	x509.SHA384WithRSA:    {kind: kindPKCS1, hash: crypto.SHA384},
	x509.SHA512WithRSA:    {kind: kindPKCS1, hash: crypto.SHA512},
	x509.SHA256WithRSAPSS: {kind: kindPSS, hash: crypto.SHA256, salt: 32},
	x509.SHA384WithRSAPSS: {kind: kindPSS, hash: crypto.SHA384, salt: 48},
	x509.SHA512WithRSAPSS: {kind: kindPSS, hash: crypto.SHA512, salt: 64},
}
