package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	encoding "encoding/asn1"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// The texts that are refused before anything is parsed, and their neighbours
// that are not.
func TestParseText(t *testing.T) {
	id := someone(t)
	content := batch
	text := id.sign(t, content, nil)
	for len(decode(t, text))%3 != 1 { // so that the padding is two characters
		content += "."
		id = issue(t, id.key, func(c *x509.Certificate) { c.Subject.CommonName += strings.Repeat("x", len(content)%7) })
		text = id.sign(t, content, nil)
	}
	last := len(text) - 3
	for _, tt := range []struct {
		name, text string
		want       Reason
	}{
		{"padded", text, ""},
		{"not padded", strings.TrimRight(text, "="), ""},
		{"half padded", strings.TrimSuffix(text, "="), ReasonMalformed},
		{"padded too much", text + "=", ReasonMalformed},
		{"bits behind the last byte", text[:last] + string(text[last]+1) + "==", ReasonMalformed},
		{"a line break at the end", text + "\n", ReasonMalformed},
		{"line breaks", text[:64] + "\n" + text[64:], ReasonMalformed},
		{"line breaks of Windows", text[:64] + "\r\n" + text[64:], ReasonMalformed},
		{"a space", text[:64] + " " + text[64:], ReasonMalformed},
		{"the alphabet of URLs", encode([]byte{0x30, 0x82, 0xfb, 0xff})[:4] + "-_-_", ReasonMalformed},
		{"escaped", url.QueryEscape(text), ReasonMalformed},
		{"PEM", "-----BEGIN CMS-----\n" + text + "\n-----END CMS-----\n", ReasonMalformed},
		{"empty", "", ReasonMalformed},
		{"no SignedData", encode([]byte(pemOf(id.cert))), ReasonMalformed},
		{"a certificate", encode(id.cert.Raw), ReasonMalformed},
		{"as long as can be", strings.Repeat("A", MaxText), ReasonMalformed},
		{"longer", strings.Repeat("A", MaxText+1), ReasonTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := Parse(tt.text, nil)
			checkReason(t, err, tt.want)
			if (m == nil) != (tt.want != "") {
				t.Error("a message and an error, or neither")
			}
			if m != nil {
				checkReason(t, m.Verify([]byte(content)), "")
			}
		})
	}
}

// attribute returns an attribute with these values.
func attribute(t testing.TB, oid string, values ...[]byte) *node {
	t.Helper()
	var id encoding.ObjectIdentifier
	for part := range strings.SplitSeq(oid, ".") {
		n, _ := new(big.Int).SetString(part, 10)
		id = append(id, int(n.Int64()))
	}
	name, err := encoding.Marshal(id)
	if err != nil {
		t.Fatal(err)
	}
	set := &node{tag: 0x31}
	for _, v := range values {
		set.inner = append(set.inner, tree(t, v))
	}
	return &node{tag: 0x30, inner: []*node{tree(t, name), set}}
}

func identifierNode(t testing.TB, oid encoding.ObjectIdentifier, params []byte) *node {
	t.Helper()
	der, err := encoding.Marshal(pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: encoding.RawValue{FullBytes: params}})
	if err != nil {
		t.Fatal(err)
	}
	return tree(t, der)
}

const (
	typeContentType   = "1.2.840.113549.1.9.3"
	typeMessageDigest = "1.2.840.113549.1.9.4"
	typeSigningTime   = "1.2.840.113549.1.9.5"
)

var (
	derData       = []byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01")
	derSignedData = []byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02")
	derTime       = []byte("\x17\x0d210602120000Z")
	oidSHA1       = encoding.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	null          = []byte{5, 0}
)

func digestAttribute(t testing.TB, content string) []byte {
	t.Helper()
	return (&node{tag: 4, value: digestOf(crypto.SHA256, []byte(content))}).der()
}

// What may be in a signature, and what not: one thing is changed in a good one,
// and where that is in the attributes it is signed again.
func TestParseStructure(t *testing.T) {
	id, other := someone(t), someone(t)
	good := tree(t, decode(t, id.sign(t, batch, nil)))
	digest := digestAttribute(t, batch)
	setAttributes := func(n *node, attributes ...*node) {
		n.at(atSigner...).at(fieldAttributes).inner = attributes
		id.resign(t, n)
	}
	contentType := func() *node { return attribute(t, typeContentType, derData) }
	messageDigest := func() *node { return attribute(t, typeMessageDigest, digest) }
	signingTime := func() *node { return attribute(t, typeSigningTime, derTime) }
	unknown := func() *node { return attribute(t, "1.2.840.113549.1.9.15", null) } // S/MIME capabilities
	certificateNode := func(c *x509.Certificate) *node { return tree(t, c.Raw) }
	insert := func(n *node, i int, child *node) { n.inner = slices.Insert(n.inner, i, child) }
	si := func(n *node) *node { return n.at(atSigner...) }

	for _, tt := range []struct {
		name   string
		change func(*node)
		want   Reason // by default
		extras Reason // with ParseOptions.Extras
	}{
		{"nothing", func(*node) {}, "", ""},
		{"nothing, signed again", func(n *node) { id.resign(t, n) }, "", ""},

		{"digested data", func(n *node) { n.at(0).value[8] = 5 }, ReasonMalformed, ReasonMalformed},
		{"a field behind SignedData", func(n *node) { insert(n, 2, tree(t, null)) }, ReasonMalformed, ReasonMalformed},
		{"a second SignedData", func(n *node) { insert(n.at(1), 1, n.at(1, 0)) }, ReasonMalformed, ReasonMalformed},
		{"a field at the end of SignedData", func(n *node) { insert(n.at(1, 0), 5, tree(t, null)) }, ReasonMalformed, ReasonMalformed},
		{"no version", func(n *node) { n.at(1, 0).inner = n.at(1, 0).inner[1:] }, ReasonMalformed, ReasonMalformed},
		{"another version", func(n *node) { n.at(atVersion...).value[0] = 3 }, ReasonExtras, ""},
		{"no digest algorithms", func(n *node) { n.at(atDigests...).inner = nil }, ReasonExtras, ""},
		{"another digest algorithm", func(n *node) { n.at(atDigests...).at(0, 0).value[8] = 3 }, ReasonExtras, ""},
		{"two digest algorithms", func(n *node) { insert(n.at(atDigests...), 0, n.at(atDigests...).at(0)) }, ReasonExtras, ""},
		{"a digest algorithm with NULL", func(n *node) { insert(n.at(atDigests...).at(0), 1, tree(t, null)) }, "", ""},

		{"content of another type", func(n *node) { n.at(atContent...).at(0).value[8] = 2 }, ReasonMalformed, ReasonMalformed},
		{"the content in it", func(n *node) {
			insert(n.at(atContent...), 1, &node{tag: 0xa0, inner: []*node{{tag: 4, value: []byte(batch)}}})
		}, ReasonAttached, ReasonAttached},
		{"empty content in it", func(n *node) {
			insert(n.at(atContent...), 1, &node{tag: 0xa0, inner: []*node{{tag: 4}}})
		}, ReasonAttached, ReasonAttached},
		{"a field behind the type of content", func(n *node) { insert(n.at(atContent...), 1, tree(t, null)) }, ReasonAttached, ReasonAttached},

		{"no certificates", func(n *node) { n.at(1, 0).inner = slices.Delete(n.at(1, 0).inner, 3, 4) }, ReasonCertificate, ReasonCertificate},
		{"an empty set of certificates", func(n *node) { n.at(atCertificates...).inner = nil }, ReasonCertificate, ReasonCertificate},
		{"another's certificate", func(n *node) { n.at(atCertificates...).inner[0] = certificateNode(other.cert) }, ReasonCertificate, ReasonCertificate},
		{"another's certificate too", func(n *node) { insert(n.at(atCertificates...), 0, certificateNode(other.cert)) }, ReasonExtras, ""},
		{"another's certificate behind", func(n *node) { insert(n.at(atCertificates...), 1, certificateNode(other.cert)) }, ReasonExtras, ""},
		{"the certificate twice", func(n *node) { insert(n.at(atCertificates...), 0, certificateNode(id.cert)) }, ReasonExtras, ReasonCertificate},
		{"eight certificates", func(n *node) {
			for range 7 {
				insert(n.at(atCertificates...), 0, certificateNode(other.cert))
			}
		}, ReasonExtras, ""},
		{"nine certificates", func(n *node) {
			for range 8 {
				insert(n.at(atCertificates...), 0, certificateNode(other.cert))
			}
		}, ReasonTooLarge, ReasonTooLarge},
		{"an attribute certificate", func(n *node) { n.at(atCertificates...).inner[0].tag = 0xa1 }, ReasonCertificate, ReasonCertificate},
		{"a certificate that is none", func(n *node) { n.at(atCertificates...).inner[0] = &node{tag: 0x30, inner: []*node{tree(t, digest)}} }, ReasonCertificate, ReasonCertificate},
		{"revocation lists", func(n *node) { insert(n.at(1, 0), 4, &node{tag: 0xa1, inner: []*node{{tag: 0x30}}}) }, ReasonExtras, ""},
		{"an empty set of revocation lists", func(n *node) { insert(n.at(1, 0), 4, &node{tag: 0xa1}) }, ReasonExtras, ""},

		{"no signer", func(n *node) { n.at(atSigners...).inner = nil }, ReasonSigners, ReasonSigners},
		{"the signer twice", func(n *node) { insert(n.at(atSigners...), 0, si(n)) }, ReasonSigners, ReasonSigners},
		{"signers that are none", func(n *node) { n.at(atSigners...).inner[0] = tree(t, null) }, ReasonMalformed, ReasonMalformed},
		{"a signer of version 3, by issuer", func(n *node) { si(n).at(fieldVersion).value[0] = 3 }, ReasonMalformed, ReasonMalformed},
		{"another serial number", func(n *node) { si(n).at(fieldSigner, 1).value[0] ^= 1 }, ReasonCertificate, ReasonCertificate},
		{"another issuer", func(n *node) { si(n).at(fieldSigner, 0, 0, 0, 1).value[0] ^= 1 }, ReasonCertificate, ReasonCertificate},
		{"a third field of the signer's name", func(n *node) { insert(si(n).at(fieldSigner), 2, tree(t, null)) }, ReasonMalformed, ReasonMalformed},
		{"a signer by key id", func(n *node) {
			si(n).inner[fieldSigner] = &node{tag: 0x80, value: id.cert.SubjectKeyId}
			si(n).at(fieldVersion).value[0] = 3
			n.at(atVersion...).value[0] = 3
		}, "", ""},
		{"a signer by key id, of version 1", func(n *node) {
			si(n).inner[fieldSigner] = &node{tag: 0x80, value: id.cert.SubjectKeyId}
		}, ReasonMalformed, ReasonMalformed},
		{"a signer by another's key id", func(n *node) {
			si(n).inner[fieldSigner] = &node{tag: 0x80, value: other.cert.SubjectKeyId}
			si(n).at(fieldVersion).value[0] = 3
			n.at(atVersion...).value[0] = 3
		}, ReasonCertificate, ReasonCertificate},
		{"a signer by an empty key id", func(n *node) {
			si(n).inner[fieldSigner] = &node{tag: 0x80}
			si(n).at(fieldVersion).value[0] = 3
			n.at(atVersion...).value[0] = 3
		}, ReasonCertificate, ReasonCertificate},
		{"a field behind the signature", func(n *node) { insert(si(n), 6, tree(t, null)) }, ReasonMalformed, ReasonMalformed},
		{"attributes that are not signed", func(n *node) {
			insert(si(n), 6, &node{tag: 0xa1, inner: []*node{unknown()}})
		}, ReasonExtras, ""},
		{"a signature that is no octet string", func(n *node) { si(n).at(fieldSignature).tag = 3 }, ReasonMalformed, ReasonMalformed},
		{"no signature", func(n *node) { si(n).at(fieldSignature).value = nil }, ReasonSignature, ReasonSignature},
		{"something behind the signature's numbers", func(n *node) {
			si(n).at(fieldSignature).value = append(si(n).at(fieldSignature).value, 0)
		}, ReasonSignature, ReasonSignature},

		{"digest by SHA-1", func(n *node) { si(n).inner[fieldDigest] = identifierNode(t, oidSHA1, nil) }, ReasonAlgorithm, ReasonAlgorithm},
		{"digest with parameters", func(n *node) { si(n).inner[fieldDigest] = identifierNode(t, oidSHA256, derTime) }, ReasonAlgorithm, ReasonAlgorithm},
		{"digest with NULL", func(n *node) { si(n).inner[fieldDigest] = identifierNode(t, oidSHA256, null) }, "", ""},
		{"digest with two parameters", func(n *node) {
			si(n).at(fieldDigest).inner = append(si(n).at(fieldDigest).inner, tree(t, null), tree(t, null))
		}, ReasonMalformed, ReasonMalformed},
		{"digest by SHA-512 and signature by SHA-256", func(n *node) { si(n).inner[fieldDigest] = identifierNode(t, oidSHA512, nil) }, ReasonAlgorithm, ReasonAlgorithm},
		{"signature by SHA-384 and digest by SHA-256", func(n *node) { si(n).inner[fieldAlgorithm] = identifierNode(t, oidECDSASHA384, nil) }, ReasonAlgorithm, ReasonAlgorithm},
		{"signature with parameters", func(n *node) { si(n).inner[fieldAlgorithm] = identifierNode(t, oidECDSASHA256, derTime) }, ReasonAlgorithm, ReasonAlgorithm},
		{"signature by an unknown algorithm", func(n *node) { si(n).at(fieldAlgorithm, 0).value[7] = 9 }, ReasonAlgorithm, ReasonAlgorithm},
		{"signature by RSA and an ECDSA key", func(n *node) { si(n).inner[fieldAlgorithm] = identifierNode(t, oidRSA, null) }, ReasonSignature, ReasonSignature},

		{"attributes in another order, as DER signed", func(n *node) { slices.Reverse(si(n).at(fieldAttributes).inner) }, "", ""},
		{"attributes in another order, signed so", func(n *node) {
			slices.Reverse(si(n).at(fieldAttributes).inner)
			id.resign(t, n)
		}, ReasonSignature, ReasonSignature},
		{"an empty set of attributes", func(n *node) { setAttributes(n) }, ReasonAttributes, ReasonAttributes},
		{"no content type", func(n *node) { setAttributes(n, signingTime(), messageDigest()) }, ReasonAttributes, ReasonAttributes},
		{"content type that is not data", func(n *node) {
			setAttributes(n, attribute(t, typeContentType, derSignedData), messageDigest())
		}, ReasonAttributes, ReasonAttributes},
		{"content type twice", func(n *node) { setAttributes(n, contentType(), contentType(), messageDigest()) }, ReasonAttributes, ReasonAttributes},
		{"two content types in one", func(n *node) {
			setAttributes(n, attribute(t, typeContentType, derData, derData), messageDigest())
		}, ReasonAttributes, ReasonAttributes},
		{"content type without value", func(n *node) { setAttributes(n, attribute(t, typeContentType), messageDigest()) }, ReasonAttributes, ReasonAttributes},
		{"no message digest", func(n *node) { setAttributes(n, contentType(), signingTime()) }, ReasonAttributes, ReasonAttributes},
		{"message digest twice", func(n *node) { setAttributes(n, contentType(), messageDigest(), messageDigest()) }, ReasonAttributes, ReasonAttributes},
		{"two message digests in one", func(n *node) {
			setAttributes(n, contentType(), attribute(t, typeMessageDigest, digest, digest))
		}, ReasonAttributes, ReasonAttributes},
		{"message digest of something else", func(n *node) {
			setAttributes(n, contentType(), attribute(t, typeMessageDigest, digestAttribute(t, "x")))
		}, ReasonSignature, ReasonSignature},
		{"message digest that is empty", func(n *node) {
			setAttributes(n, contentType(), attribute(t, typeMessageDigest, []byte{4, 0}))
		}, ReasonSignature, ReasonSignature},
		{"message digest cut short", func(n *node) {
			setAttributes(n, contentType(), attribute(t, typeMessageDigest, append([]byte{4, 31}, digest[2:33]...)))
		}, ReasonSignature, ReasonSignature},
		{"message digest that is a time", func(n *node) {
			setAttributes(n, contentType(), attribute(t, typeMessageDigest, derTime))
		}, ReasonAttributes, ReasonAttributes},
		{"no signing time", func(n *node) { setAttributes(n, contentType(), messageDigest()) }, "", ""},
		{"signing time twice", func(n *node) {
			setAttributes(n, contentType(), signingTime(), signingTime(), messageDigest())
		}, ReasonAttributes, ReasonAttributes},
		{"two signing times in one", func(n *node) {
			setAttributes(n, contentType(), attribute(t, typeSigningTime, derTime, derTime), messageDigest())
		}, ReasonAttributes, ReasonAttributes},
		{"signing time that is no time", func(n *node) {
			setAttributes(n, contentType(), attribute(t, typeSigningTime, []byte("\x17\x0d219902120000Z")), messageDigest())
		}, ReasonAttributes, ReasonAttributes},
		{"signing time with a zone", func(n *node) {
			setAttributes(n, contentType(), attribute(t, typeSigningTime, []byte("\x18\x1320210602120000+0200")), messageDigest())
		}, "", ""},
		{"other attributes", func(n *node) { setAttributes(n, unknown(), contentType(), messageDigest()) }, "", ""},
		{"an attribute that is none", func(n *node) { setAttributes(n, contentType(), messageDigest(), tree(t, null)) }, ReasonMalformed, ReasonMalformed},
		{"an attribute with a third field", func(n *node) {
			a := unknown()
			insert(a, 2, tree(t, null))
			setAttributes(n, contentType(), messageDigest(), a)
		}, ReasonMalformed, ReasonMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := good.clone()
			tt.change(n)
			for opts, want := range map[ParseOptions]Reason{{}: tt.want, {Extras: true}: tt.extras} {
				// What DER says, BER says too.
				for name, text := range map[string]string{"DER": encode(n.der()), "BER": encode(n.ber())} {
					m, err := Parse(text, &opts)
					if err == nil {
						err = m.Verify([]byte(batch))
					}
					t.Run(name, func(t *testing.T) { checkReason(t, err, want) })
				}
			}
		})
	}
}

// Without signed attributes a signature is parsed, said to be so, and not
// verified, unless that is asked for and the content is text.
func TestWithoutAttributes(t *testing.T) {
	id := someone(t)
	bare := func(content string) string {
		n := tree(t, decode(t, id.sign(t, content, nil)))
		si := n.at(atSigner...)
		si.at(fieldSignature).value = id.raw(t, []byte(content))
		si.inner = slices.Delete(si.inner, fieldAttributes, fieldAttributes+1)
		return encode(n.der())
	}
	for _, tt := range []struct {
		name, content string
		unsafe        Reason
	}{
		{"a batch", batch, ""},
		{"an empty batch", "", ""},
		{"a certificate in PEM", pemOf(id.cert), ""},
		{"tabs and line breaks", "a\tb\r\n", ""},
		{"every printable character", " ~", ""},
		{"a control character", "a\x06b", ReasonAttributes},
		{"a zero", "a\x00", ReasonAttributes},
		{"a character beyond ASCII", "\u00fc", ReasonAttributes},
		{"delete", "\x7f", ReasonAttributes},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for opts, want := range map[ParseOptions]Reason{
				{}:                              ReasonAttributes,
				{Extras: true}:                  ReasonAttributes,
				{UnsafeWithoutAttributes: true}: tt.unsafe,
			} {
				m, err := Parse(bare(tt.content), &opts)
				if err != nil || m.SignedAttributes || !m.SigningTime.IsZero() {
					t.Fatalf("got %+v, %v", m, err)
				}
				checkReason(t, m.Verify([]byte(tt.content)), want)
				if err := m.Verify([]byte(tt.content + "x")); err == nil {
					t.Error("verified other content")
				}
			}
		})
	}
}

// The attack for which signed attributes are asked for: what was signed as
// attributes is offered as content, and the attributes are left out.
func TestStrippedAttributes(t *testing.T) {
	for _, p := range parties(t) {
		if p.opts != nil { // PSS, in which nothing differs but the last step
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			n := tree(t, decode(t, p.sign(t, batch, nil)))
			si := n.at(atSigner...)
			attributes := si.at(fieldAttributes).clone()
			attributes.tag = 0x31
			si.inner = slices.Delete(si.inner, fieldAttributes, fieldAttributes+1)
			text, content := encode(n.der()), attributes.der()

			key, ok := p.cert.PublicKey.(*ecdsa.PublicKey)
			if ok && !ecdsa.VerifyASN1(key, digestOf(crypto.SHA256, content), si.at(fieldSignature-1).value) {
				t.Fatal("the attack would not work on anybody, so that this says nothing")
			}
			for _, opts := range []ParseOptions{{}, {Extras: true}, {UnsafeWithoutAttributes: true}} {
				v := verifierOf(t, &VerifierOptions{opts}, p.identity)
				got, err := v.Verify(t.Context(), content, text, noon)
				if got != nil {
					t.Errorf("%+v: verified", opts)
				}
				checkReason(t, err, ReasonAttributes)
			}
		})
	}
}

// No attributes, whatever is in them, are text.
func TestAttributesAreNotText(t *testing.T) {
	for _, set := range []*node{
		{tag: 0x31, inner: []*node{attribute(t, "1.2.3")}},
		{tag: 0x31, inner: []*node{attribute(t, "1.2.40.40.40.40", []byte("\x13\x20"+strings.Repeat("A", 32)))}},
		{tag: 0x31},
	} {
		if isText(set.der()) {
			t.Errorf("% x passes for text", set.der())
		}
	}
}

// The salt of PSS, its hashes and its fields: only what this package verifies by
// is taken.
func TestPSSParameters(t *testing.T) {
	id := issue(t, rsaKey(), nil)
	good := tree(t, decode(t, id.sign(t, batch, &SignerOptions{PSS: true})))
	const field = fieldAlgorithm
	for _, tt := range []struct {
		name   string
		change func(params *node)
		want   Reason
	}{
		{"nothing", func(*node) {}, ""},
		{"the trailer, said", func(p *node) {
			p.inner = append(p.inner, &node{tag: 0xa3, inner: []*node{{tag: 2, value: []byte{1}}}})
		}, ""},
		{"another trailer", func(p *node) {
			p.inner = append(p.inner, &node{tag: 0xa3, inner: []*node{{tag: 2, value: []byte{2}}}})
		}, ReasonAlgorithm},
		{"a fifth field", func(p *node) { p.inner = append(p.inner, tree(t, null)) }, ReasonAlgorithm},
		{"hash without NULL", func(p *node) { p.at(0, 0).inner = p.at(0, 0).inner[:1] }, ""},
		{"no hash, which is SHA-1", func(p *node) { p.inner = p.inner[1:] }, ReasonAlgorithm},
		{"no mask, which is by SHA-1", func(p *node) { p.inner = slices.Delete(p.inner, 1, 2) }, ReasonAlgorithm},
		{"hash by SHA-512", func(p *node) { p.at(0, 0, 0).value[8] = 3 }, ReasonAlgorithm},
		{"mask by SHA-512", func(p *node) { p.at(1, 0, 1, 0).value[8] = 3 }, ReasonAlgorithm},
		{"another mask", func(p *node) { p.at(1, 0, 0).value[8] = 9 }, ReasonAlgorithm},
		{"a second mask", func(p *node) { p.at(1).inner = append(p.at(1).inner, p.at(1, 0)) }, ReasonAlgorithm},
		{"no salt, which is 20 bytes", func(p *node) { p.inner = p.inner[:2] }, ReasonSignature},
		{"salt of 31 bytes", func(p *node) { p.at(2, 0).value[0] = 31 }, ReasonSignature},
		{"salt of 0 bytes, which would be any", func(p *node) { p.at(2, 0).value[0] = 0 }, ReasonAlgorithm},
		{"salt of -1 bytes", func(p *node) { p.at(2, 0).value[0] = 0xff }, ReasonAlgorithm},
		{"salt of 32,767 bytes", func(p *node) { p.at(2, 0).value = []byte{0x7f, 0xff} }, ReasonAlgorithm},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := good.clone()
			tt.change(n.at(atSigner...).at(field, 1))
			m, err := Parse(encode(n.der()), nil)
			if err == nil {
				err = m.Verify([]byte(batch))
			}
			checkReason(t, err, tt.want)
		})
	}
	n := good.clone()
	n.at(atSigner...).at(field).inner = n.at(atSigner...).at(field).inner[:1]
	_, err := Parse(encode(n.der()), nil)
	checkReason(t, err, ReasonAlgorithm) // no parameters: all by SHA-1

	// What one of the two ways of RSA has made is not taken for the other's.
	for _, tt := range []struct{ named, made *SignerOptions }{{&SignerOptions{PSS: true}, nil}, {nil, &SignerOptions{PSS: true}}} {
		n := tree(t, decode(t, id.sign(t, batch, tt.named)))
		made := tree(t, decode(t, id.sign(t, batch, tt.made)))
		n.at(atSigner...).at(fieldSignature).value = made.at(atSigner...).at(fieldSignature).value
		m, err := Parse(encode(n.der()), nil)
		if err != nil {
			t.Fatal(err)
		}
		checkReason(t, m.Verify([]byte(batch)), ReasonSignature)
	}
}

// SHA-384 and SHA-512 are taken from others, by each kind of key.
func TestLongerHashes(t *testing.T) {
	id := issue(t, newKey(t, elliptic.P384()), nil)
	for _, tt := range []struct {
		digest, signature encoding.ObjectIdentifier
		hash              crypto.Hash
		want              x509.SignatureAlgorithm
	}{
		{oidSHA384, oidECDSASHA384, crypto.SHA384, x509.ECDSAWithSHA384},
		{oidSHA512, oidECDSASHA512, crypto.SHA512, x509.ECDSAWithSHA512},
	} {
		n := tree(t, decode(t, id.sign(t, batch, nil)))
		n.at(atDigests...).inner[0] = identifierNode(t, tt.digest, nil)
		si := n.at(atSigner...)
		si.inner[fieldDigest] = identifierNode(t, tt.digest, nil)
		si.inner[fieldAlgorithm] = identifierNode(t, tt.signature, nil)
		digest := (&node{tag: 4, value: digestOf(tt.hash, []byte(batch))}).der()
		si.at(fieldAttributes).inner = []*node{attribute(t, typeContentType, derData), attribute(t, typeMessageDigest, digest)}
		attributes := si.at(fieldAttributes).clone()
		attributes.tag = 0x31
		signature, err := id.key.Sign(nil, digestOf(tt.hash, attributes.der()), tt.hash)
		if err != nil {
			t.Fatal(err)
		}
		si.at(fieldSignature).value = signature
		m, err := Parse(encode(n.der()), nil)
		if err != nil || m.Algorithm != tt.want {
			t.Errorf("%v: got %v, %v", tt.want, m, err)
			continue
		}
		checkReason(t, m.Verify([]byte(batch)), "")
	}
}

// No key id is not the key id of a certificate that has none.
func TestParseWithoutKeyID(t *testing.T) {
	id := issue(t, newKey(t, elliptic.P256()), func(c *x509.Certificate) { c.SubjectKeyId = nil })
	if len(id.cert.SubjectKeyId) > 0 {
		t.Fatal("the certificate has a key id")
	}
	n := tree(t, decode(t, id.sign(t, batch, nil)))
	n.at(atVersion...).value[0] = 3
	n.at(atSigner...).at(fieldVersion).value[0] = 3
	n.at(atSigner...).inner[fieldSigner] = &node{tag: 0x80}
	_, err := Parse(encode(n.der()), nil)
	checkReason(t, err, ReasonCertificate)
}

// A certificate with a key that is too weak or unknown is refused, whoever
// lists it.
func TestParseWeakKey(t *testing.T) {
	id := issue(t, newKey(t, elliptic.P224()), nil)
	host := someone(t)
	n := tree(t, decode(t, host.sign(t, batch, nil)))
	n.at(atCertificates...).inner[0] = tree(t, id.cert.Raw)
	n.at(atSigner...).at(fieldSigner).inner = []*node{tree(t, id.cert.RawIssuer), {tag: 2, value: id.cert.SerialNumber.Bytes()}}
	id.resign(t, n)
	_, err := Parse(encode(n.der()), nil)
	checkReason(t, err, ReasonCertificate)
}

// Nothing that is verified may be changed, anywhere: not the content, not the
// order, not the certificate, not the signature.
func TestTampering(t *testing.T) {
	for _, p := range parties(t) {
		t.Run(p.name, func(t *testing.T) {
			v := verifierOf(t, nil, p.identity)
			refused := func(what string, i int, content, der []byte) {
				t.Helper()
				got, err := v.Verify(t.Context(), content, encode(der), noon)
				if err == nil || got != nil {
					t.Errorf("%s, byte %d: verified", what, i)
				}
				checkSilent(t, err)
			}
			der := decode(t, p.sign(t, batch, p.opts))
			if _, err := v.Verify(t.Context(), []byte(batch), encode(der), noon); err != nil {
				t.Fatal(err)
			}
			for i := range batch {
				changed := []byte(batch)
				changed[i] ^= 1 << (i % 8)
				refused("content changed", i, changed, der)
			}
			for i := range der {
				masks := []byte{1 << (i % 8)}
				if p.name == "P-256" { // the others are slower, and no different here
					masks = []byte{1, 2, 4, 8, 16, 32, 64, 128, 0xff}
				}
				for _, mask := range masks {
					changed := bytes.Clone(der)
					changed[i] ^= mask
					refused("signature changed", i, []byte(batch), changed)
				}
				if p.name != "P-256" {
					continue
				}
				refused("signature, one less", i, []byte(batch), slices.Delete(bytes.Clone(der), i, i+1))
				refused("signature, one more", i, []byte(batch), slices.Insert(bytes.Clone(der), i, der[i]^0x55))
				refused("signature cut", i, []byte(batch), der[:i])
			}
			refused("bytes behind", 0, []byte(batch), append(bytes.Clone(der), 0, 0))
			half := len(batch) / 2
			refused("another order", 0, []byte(batch[half:]+batch[:half]), der)
			refused("twice", 0, []byte(batch+batch), der)
			refused("cut", 0, []byte(batch[:half]), der)
			refused("nothing", 0, nil, der)
		})
	}
}
