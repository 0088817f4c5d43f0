// Package jws signs and verifies what nations send to a server of the
// interoperability protocol: messages in JWS compact serialization (RFC 7515)
// by ES256, and the bearer tokens (RFC 7519) by which the server knows them.
//
// The side that sends signs with a key of its own, which may lie in a key
// service; the side that receives verifies with the public keys that the nation
// has registered:
//
//	signer, err := jws.NewSigner(key, nil)          // key is a *signing.Signer
//	text, err := signer.Sign(payload)
//
//	verifier, err := jws.NewVerifier(nationsKeys, nil)
//	message, err := verifier.Verify(text)           // message.Payload
//
// [Tokens] issues and verifies tokens. A client needs nothing of it: to the
// client, a token is a text that the operator of the server has given it.
//
// # Messages
//
// The header is exactly {"alg":"ES256"}, with a key id ("kid") if asked for.
// The signature is the 64 bytes of r and s; a key service's DER is converted.
// What is sent is base64url without padding, and with [SignerOptions].Padded as
// the British back end pads it. What is received may be either, or standard
// base64, part by part: all of these are sent, and the interoperability service
// takes them. The signature covers the text as it was sent.
//
// A nation may have several keys. A message that names one of them by its id is
// verified with that one, every other message with each.
//
// # What is refused
//
// The algorithm is settled here and never taken from a message: neither "none"
// nor HS256, with the public key as its secret, nor another curve passes. So do
// neither headers that bring or point to a key (jwk, jku, x5c, x5u) or that
// change the rules (crit, b64), nor one with a name twice, nor the flattened or
// general JSON serialization, nor signatures of another length than 64 bytes.
// Texts and headers have a limit each.
//
// A signature can be altered without being broken: (r, n-s) verifies where
// (r, s) does, and its part may be spelt in base64 in more than one way. The
// header and the payload cannot. Do not take a message's text, or its
// signature, as its identity.
//
// # Tokens
//
// A token holds the nation ("id"), a random "jti", and the times "iat" and
// "exp", both required. It is by HS256, as those of the interoperability
// service, whose tokens without a jti are good here too, given the secret; or by
// ES256, so that the server which verifies cannot issue. [TokenOptions] say how
// long tokens may be good for and which are revoked.
//
// # Errors
//
// Errors are an [*Error] with a [Reason], of which a server makes a status. They
// hold nothing of a message, a key or a secret.
//
// # Compatibility
//
// Known answers of RFC 7515 and RFC 7518 are tested; so are both directions with
// the libraries jose, of npm, and go-jose. Tokens are signed and verified by
// go-jose. Messages are not, since it encodes what it verifies anew, where the
// signature covers the text as sent, padding included; they need nothing but
// crypto/ecdsa. What this version signs will be verified by all later ones.
package jws
