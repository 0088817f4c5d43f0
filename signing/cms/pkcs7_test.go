package cms

import (
	"bytes"
	"crypto"
	"slices"
	"testing"

	"github.com/smallstep/pkcs7"
)

// The tests in this file hold this package against another implementation in Go,
// and show why it is not made of it (see doc.go).

// pkcs7Verifies reports what the other implementation says.
func pkcs7Verifies(der, content []byte) error {
	p, err := pkcs7.Parse(der)
	if err != nil {
		return err
	}
	p.Content = content
	return p.Verify()
}

func TestPKCS7VerifiesOurs(t *testing.T) {
	for _, p := range parties(t) {
		t.Run(p.name, func(t *testing.T) {
			der := decode(t, p.sign(t, batch, p.opts))
			err := pkcs7Verifies(der, []byte(batch))
			if p.opts != nil {
				if err == nil {
					t.Error("it does verify RSA-PSS: doc.go is out of date")
				}
				return
			}
			if err != nil {
				t.Error(err)
			}
			if err := pkcs7Verifies(der, []byte(batch+"x")); err == nil {
				t.Error("it verifies anything, so that this says nothing")
			}
		})
	}
}

// pkcs7Signs returns a detached signature by the other implementation, whose
// time is always now.
func pkcs7Signs(t testing.TB, id identity, digest []int, opaque bool) []byte {
	t.Helper()
	sd, err := pkcs7.NewSignedData([]byte(batch))
	if err != nil {
		t.Fatal(err)
	}
	sd.SetDigestAlgorithm(digest)
	var key crypto.PrivateKey = id.key
	if opaque {
		key = &service{Signer: id.key}
	}
	if err := sd.AddSigner(id.cert, key, pkcs7.SignerInfoConfig{}); err != nil {
		t.Fatal(err)
	}
	sd.Detach()
	der, err := sd.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestVerifyWhatPKCS7Signs(t *testing.T) {
	for _, p := range parties(t) {
		if p.opts != nil {
			continue
		}
		v := verifierOf(t, nil, p.identity)
		for name, digest := range map[string][]int{
			"SHA-256": pkcs7.OIDDigestAlgorithmSHA256, "SHA-384": pkcs7.OIDDigestAlgorithmSHA384, "SHA-512": pkcs7.OIDDigestAlgorithmSHA512,
		} {
			for _, opaque := range []bool{false, true} {
				t.Run(p.name+"/"+name, func(t *testing.T) {
					text := encode(pkcs7Signs(t, p.identity, digest, opaque))
					got, err := v.Verify(t.Context(), []byte(batch), text, noon)
					if err != nil || got.SigningTime.IsZero() {
						t.Errorf("got %+v, %v", got, err)
					}
					_, err = v.Verify(t.Context(), []byte(batch+"x"), text, noon)
					checkReason(t, err, ReasonSignature)
				})
			}
		}
	}
	id := someone(t)
	_, err := Parse(encode(pkcs7Signs(t, id, pkcs7.OIDDigestAlgorithmSHA1, false)), nil)
	checkReason(t, err, ReasonAlgorithm)
}

// Why the other implementation is not what this package is made of: each row is
// a signature that it takes and that must be refused, or one that must be taken
// and that it refuses. If it changes, doc.go does.
func TestWhyNotPKCS7(t *testing.T) {
	id := someone(t)
	good := decode(t, id.sign(t, batch, nil))
	changed := func(change func(*node)) []byte {
		n := tree(t, bytes.Clone(good))
		change(n)
		return n.der()
	}
	stripped := tree(t, good)
	attributes := stripped.at(atSigner...).at(fieldAttributes).clone()
	attributes.tag = 0x31
	stripped.at(atSigner...).inner = slices.Delete(stripped.at(atSigner...).inner, fieldAttributes, fieldAttributes+1)

	for _, tt := range []struct {
		name    string
		der     []byte
		content []byte
		want    Reason // ours
		theirs  bool   // it verifies
	}{
		{"as it should be", good, []byte(batch), "", true},
		{"attributes for content", stripped.der(), attributes.der(), ReasonAttributes, true},
		{"bytes behind", append(bytes.Clone(good), "anything"...), []byte(batch), ReasonMalformed, true},
		{"a field behind SignedData", changed(func(n *node) { n.at(1, 0).inner = append(n.at(1, 0).inner, tree(t, null)) }), []byte(batch), ReasonMalformed, true},
		{"attributes for content of another type", changed(func(n *node) {
			n.at(atSigner...).at(fieldAttributes).inner[0] = attribute(t, typeContentType, derSignedData)
			id.resign(t, n)
		}), []byte(batch), ReasonAttributes, true},
		{"the message digest twice", changed(func(n *node) {
			a := n.at(atSigner...).at(fieldAttributes)
			a.inner = append(a.inner, attribute(t, typeMessageDigest, digestAttribute(t, batch+"x")))
			slices.SortFunc(a.inner, func(a, b *node) int { return bytes.Compare(a.der(), b.der()) })
			id.resign(t, n)
		}), []byte(batch), ReasonAttributes, false},
		{"empty content in it", changed(func(n *node) {
			n.at(atContent...).inner = append(n.at(atContent...).inner, &node{tag: 0xa0, inner: []*node{{tag: 4}}})
		}), []byte(batch), ReasonAttached, true},
		{"a digest by SHA-1", pkcs7Signs(t, id, pkcs7.OIDDigestAlgorithmSHA1, false), []byte(batch), ReasonAlgorithm, true},
		{"a signer by key id", changed(func(n *node) {
			n.at(atVersion...).value[0] = 3
			n.at(atSigner...).at(fieldVersion).value[0] = 3
			n.at(atSigner...).inner[fieldSigner] = &node{tag: 0x80, value: id.cert.SubjectKeyId}
		}), []byte(batch), "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := Parse(encode(tt.der), nil)
			if err == nil {
				err = m.Verify(tt.content)
			}
			checkReason(t, err, tt.want)
			if err := pkcs7Verifies(tt.der, tt.content); (err == nil) != tt.theirs {
				t.Errorf("the other one says %v: doc.go is out of date", err)
			}
		})
	}
}
