package cms

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"time"
)

// MaxText is the length of the longest signature that is read, in base64. Those
// in use have 1,000 to 4,000 characters, and travel in a header.
const MaxText = 64 << 10

// ParseOptions are what is taken beyond what the gateway's document asks for.
// Nil means nothing.
type ParseOptions struct {
	// Extras takes a signature that holds what it does not cover: further
	// certificates, revocation lists, attributes that are not signed, another
	// version number or list of digests. The gateway does. All of it is passed
	// over, and whoever passes a signature on can alter it.
	Extras bool

	// UnsafeWithoutAttributes takes a signature without signed attributes, as
	// the gateway does, if the content is plain text. It is not safe for other
	// content, which is refused: the signature of attributes is also one,
	// without attributes, of content that consists of their bytes. These hold a
	// control character in each attribute, so that text cannot be mistaken for
	// them.
	UnsafeWithoutAttributes bool
}

// Message is a signature that has been parsed and not verified. It must not be
// changed; then it is safe for concurrent use.
type Message struct {
	// Certificate is the signer's, by what the message says. See [Check].
	Certificate *x509.Certificate
	Thumbprint  Thumbprint // of Certificate

	// Algorithm is one of x509's ECDSAWith, SHA…WithRSA and SHA…WithRSAPSS,
	// with SHA256, SHA384 or SHA512.
	Algorithm x509.SignatureAlgorithm

	// SignedAttributes says whether it has any. Without, it is verified only
	// with [ParseOptions].UnsafeWithoutAttributes.
	SignedAttributes bool

	// SigningTime is when the signer says that it signed, in UTC and to the
	// second, zero if it does not say.
	SigningTime time.Time

	signer signerInfo
	unsafe bool // verified without signed attributes
}

// Parse reads a signature: SignedData of RFC 5652, in BER or DER, in standard
// base64, padded or not, on one line.
func Parse(text string, opts *ParseOptions) (*Message, error) {
	if opts == nil {
		opts = &ParseOptions{}
	}
	ber, err := decodeText("signature", text)
	if err != nil {
		return nil, err
	}
	der, err := toDER(ber)
	if err != nil {
		return nil, &Error{Reason: ReasonMalformed, Subject: "signature", Err: err}
	}
	sd, err := readSignedData(der)
	if err != nil {
		return nil, err
	}
	if sd.extras && !opts.Extras {
		return nil, fail(ReasonExtras, "signature", "it holds more than the signature covers")
	}
	cert, err := sd.certificate()
	if err != nil {
		return nil, err
	}
	m := &Message{
		Certificate: cert, Thumbprint: ThumbprintOf(cert), Algorithm: sd.signer.algorithm.name(),
		signer: sd.signer, unsafe: opts.UnsafeWithoutAttributes,
	}
	if attrs := sd.signer.attrs; attrs != nil {
		m.SignedAttributes, m.SigningTime = true, attrs.signingTime
	}
	return m, nil
}

// Verify reports whether m is a signature of content by the key in its
// certificate. Whose certificate that is, and whether it is good for anything,
// is another question: see [Check] and [Verifier].
func (m *Message) Verify(content []byte) error {
	key, si := m.Certificate.PublicKey, &m.signer
	if si.attrs == nil {
		if err := m.checkBare(content); err != nil {
			return err
		}
		return si.algorithm.verify(key, content, si.signature)
	}
	if !bytes.Equal(digestOf(si.algorithm.hash, content), si.attrs.messageDigest) {
		return fail(ReasonSignature, "content", "it is not what was signed")
	}
	return si.algorithm.verify(key, si.attrs.signed, si.signature)
}

// checkBare reports whether content may be verified without signed attributes.
func (m *Message) checkBare(content []byte) error {
	if !m.unsafe {
		return fail(ReasonAttributes, "signed attributes", "none")
	}
	if !isText(content) {
		return fail(ReasonAttributes, "content", "not plain text, without signed attributes")
	}
	return nil
}

// isText reports whether content is of printable ASCII and line breaks. The DER
// of attributes is not: each begins with the tag of an object identifier, 6.
func isText(content []byte) bool {
	for _, c := range content {
		if (c < ' ' || c > '~') && c != '\n' && c != '\r' && c != '\t' {
			return false
		}
	}
	return true
}

// decodeText decodes standard base64, padded or not. The gateway takes both, and
// neither line breaks nor the other alphabet.
func decodeText(subject, text string) ([]byte, error) {
	if len(text) > MaxText {
		return nil, fail(ReasonTooLarge, subject, "%d characters, at most %d", len(text), MaxText)
	}
	encoding := base64.RawStdEncoding
	if strings.HasSuffix(text, "=") {
		encoding = base64.StdEncoding
	}
	if strings.ContainsAny(text, "\r\n") { // which the decoder passes over
		return nil, fail(ReasonMalformed, subject, "line breaks in base64")
	}
	data, err := encoding.Strict().DecodeString(text)
	if err != nil { // which tells where, and nothing of what
		return nil, &Error{Reason: ReasonMalformed, Subject: subject, Err: err}
	}
	return data, nil
}
