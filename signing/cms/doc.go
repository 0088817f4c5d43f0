// Package cms signs and verifies batches of keys as the European federation
// gateway has them signed: by a detached signature in CMS (RFC 5652, SignedData),
// which travels in a header as base64 on one line.
//
// The side that sends signs in the name of its certificate, with a key that may
// lie in a key service or an HSM:
//
//	signer, err := cms.NewSigner(cert, key, nil)    // key is a crypto.Signer
//	text, err := signer.Sign(content, time.Now())
//
// The side that receives has a list of certificates, each for a use and a
// country, and learns from it whose signature it is:
//
//	verifier, err := cms.NewVerifier(list, nil)     // list is an *AllowList, or your own
//	signature, err := verifier.Verify(ctx, content, text, time.Now())
//
// What the content is, and that every key in it has the country of the
// certificate for its origin, is for the protocol to say.
//
// # Signing
//
// One signer, its certificate and no other, no content, no revocation lists,
// SHA-256, and three signed attributes: content type, message digest and signing
// time. By the key, ECDSA or RSA (PKCS #1 v1.5), or RSA-PSS if asked for. Every
// signature is verified before it is returned.
//
// # Which certificate
//
// No chain is built: the gateway knows certificates one by one, by the SHA-256 of
// their bytes, the [Thumbprint]. A certificate is good if it is valid at the time,
// has exactly one country (two upper-case letters) in its subject, and is listed
// for the use and that country, not revoked ([Check]). During a rotation a nation
// has several. [AllowList] is such a list in memory, [AllowList.Load] reads it
// from a file and [AllowList.Replace] takes it from anywhere, while it is in use;
// a database is another [Certificates]. Whoever trusts only the gateway's trust
// anchor gives its certificate to [ParseList], or asks [VerifyAnchor].
//
// # What is taken, and what is refused
//
// Both BER, which Java's BouncyCastle writes, and DER; SHA-256, SHA-384 and
// SHA-512; the signer named by issuer and serial number or by key id; base64
// padded or not.
//
// The gateway, as it was measured, takes more. Refused here, on purpose:
//
//   - no signed attributes. Who strips them can pass the bytes of the attributes
//     off as signed content. [ParseOptions] can take such signatures of plain text.
//   - what the signature does not cover: more certificates than the signer's,
//     revocation lists, unsigned attributes. With [ParseOptions].Extras they are
//     passed over, as the gateway does.
//   - attached content, even if it is the right one, or empty.
//   - SHA-1.
//   - two signers, of which the gateway looks at the first. Here there is one.
//
// RSA-PSS is taken here, where the gateway, as it was measured, refuses it. An
// RSA key whose certificate is for PSS alone (id-RSASSA-PSS) is not: crypto/x509
// does not know it.
//
// By default nothing in a signature can be altered but its spelling: BER for DER,
// padding, a NULL for parameters that are left out, and (r, n-s) for (r, s) in
// ECDSA. Do not take a signature's text as its identity.
//
// The signing time is what the signer says, and is not checked. That a batch is
// not sent twice, its tag ensures.
//
// # Why it is written here
//
// Signatures are verified by crypto/ecdsa and crypto/rsa, certificates are parsed
// by crypto/x509, and DER is read and written by x/crypto's cryptobyte; in
// between lie some hundred lines. Libraries of CMS were tried. The best kept,
// smallstep/pkcs7, is what the tests hold this package against, but it cannot set
// the signing time and knows neither RSA-PSS nor signers by key id. It also reads
// past what it should refuse: stripped attributes, bytes behind the end, errors of
// its own parser, attributes of another type of content, empty attached content,
// SHA-1. TestWhyNotPKCS7 has a row for each. To look at the bytes again before and
// after it would be to parse them twice, by two parsers that may differ.
//
// # Errors
//
// Errors are an [*Error] with a [Reason], of which a server makes a status. They
// hold nothing of the content or a key; they may name a thumbprint, which is no
// secret.
//
// # Compatibility
//
// Both directions are tested with openssl, with BouncyCastle and with
// smallstep/pkcs7, in every algorithm that these have; testdata/vectors keeps what
// the first two have signed. What this version signs will be verified by all
// later ones.
package cms
