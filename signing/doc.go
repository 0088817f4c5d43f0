// Package signing gives a [crypto.Signer] the identity by which phones look up
// the key that verifies an archive.
//
// A team's key may lie in a PEM file, in an environment variable, in a cloud
// key service or in an HSM; all of them are a crypto.Signer. [NewSigner] adds
// the verification key id and version and the time the key is in use:
//
//	key, err := signing.ReadPrivateKeyFile("signing-key.pem")
//	...
//	signer, err := signing.NewSigner(signing.Identity{KeyID: "262", KeyVersion: "v1"}, key, nil)
//
// A [Ring] holds the signers of a rotation, old and new overlapping, and says
// which of them sign at a given time. A [PublicKey] is the other side, a
// [TrustList] a set of them.
//
// # Signatures
//
// The only algorithm is the one all phones know: ECDSA over P-256 with SHA-256,
// the OID 1.2.840.10045.4.3.2, encoded as ASN.1 DER. A key that is in memory
// signs deterministically (RFC 6979), so that the same archive has the same
// bytes each time it is made. Every signature is verified before it is handed
// out: what a faulty key service answers must not be published.
//
// A team that plugs in a crypto.Signer of its own runs
// [github.com/gaenkit/gaen/signing/signingtest.Test] on it.
//
// # Key files
//
// [MarshalKeyFile] writes the file that a team sends to the app stores when it
// registers a key, and publishes for whoever wants to verify its archives:
// lines of text and a PEM block, which openssl reads too. [ParseKeyFile] reads
// it back.
//
// # Errors
//
// Errors are an [*Error] that names what is wrong. They never hold any part of
// a key or of the text it was read from.
//
// # Compatibility
//
// Private keys are read as SEC 1 ("EC PRIVATE KEY") and PKCS #8 ("PRIVATE
// KEY"), unencrypted, public keys as SubjectPublicKeyInfo ("PUBLIC KEY"). Key
// files that this version writes will be read by all later ones.
package signing
