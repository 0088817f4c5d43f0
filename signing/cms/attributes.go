package cms

import (
	"bytes"
	encoding "encoding/asn1"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidContentType   = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime   = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
)

// attributes are what a signature says of itself and covers: RFC 5652, 5.3 and
// 11. Those that are not here, such as S/MIME capabilities, are passed over.
type attributes struct {
	signed []byte // what the signature covers: the DER of the set

	messageDigest []byte
	signingTime   time.Time // zero if it is not said
}

// readAttributes returns what is in a set of attributes. A message has them
// without the set's own tag, and perhaps in another order than DER asks for,
// by which they are signed: RFC 5652, 5.4.
func readAttributes(set cryptobyte.String) (*attributes, error) {
	elements, values, err := splitAttributes(set)
	if err != nil {
		return nil, err
	}
	var contentType encoding.ObjectIdentifier
	value, err := values.only(oidContentType, "content type")
	if err != nil {
		return nil, err
	}
	if !value.ReadASN1ObjectIdentifier(&contentType) || !value.Empty() || !contentType.Equal(oidData) {
		return nil, fail(ReasonAttributes, "content type", "not data")
	}
	a := &attributes{signed: sortedSet(elements)}
	if value, err = values.only(oidMessageDigest, "message digest"); err != nil {
		return nil, err
	}
	if !value.ReadASN1Bytes(&a.messageDigest, asn1.OCTET_STRING) || !value.Empty() {
		return nil, fail(ReasonAttributes, "message digest", "not an octet string")
	}
	if len(values[oidSigningTime.String()]) == 0 {
		return a, nil
	}
	if value, err = values.only(oidSigningTime, "signing time"); err != nil {
		return nil, err
	}
	if !readTime(&value, &a.signingTime) || !value.Empty() {
		return nil, fail(ReasonAttributes, "signing time", "not a time")
	}
	return a, nil
}

// valuesByType are the sets of values of the attributes of each type.
type valuesByType map[string][]cryptobyte.String

func splitAttributes(set cryptobyte.String) (elements [][]byte, values valuesByType, err error) {
	values = make(valuesByType)
	for !set.Empty() {
		var element, seq, value cryptobyte.String
		var oid encoding.ObjectIdentifier
		if !set.ReadASN1Element(&element, asn1.SEQUENCE) {
			return nil, nil, fail(ReasonMalformed, "signed attributes", "not a set of attributes")
		}
		elements = append(elements, element)
		if !element.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&oid) ||
			!seq.ReadASN1(&value, asn1.SET) || !seq.Empty() {
			return nil, nil, fail(ReasonMalformed, "signed attributes", "not a set of attributes")
		}
		values[oid.String()] = append(values[oid.String()], value)
	}
	return elements, values, nil
}

// only returns the values of the one attribute of a type. The caller checks that
// there is one value: RFC 5652, 11.1 to 11.3.
func (v valuesByType) only(oid encoding.ObjectIdentifier, name string) (cryptobyte.String, error) {
	of := v[oid.String()]
	if len(of) != 1 {
		return nil, fail(ReasonAttributes, name, "%d attributes of this type, want 1", len(of))
	}
	return of[0], nil
}

func readTime(s *cryptobyte.String, t *time.Time) bool {
	if s.PeekASN1Tag(asn1.UTCTime) {
		return s.ReadASN1UTCTime(t)
	}
	return s.ReadASN1GeneralizedTime(t)
}

// newAttributes returns those of content with this digest, signed at a time.
func newAttributes(digest []byte, at time.Time) (*attributes, error) {
	var elements [][]byte
	for _, attribute := range []struct {
		oid   encoding.ObjectIdentifier
		value func(*cryptobyte.Builder)
	}{
		{oidContentType, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidData) }},
		{oidSigningTime, func(b *cryptobyte.Builder) { addTime(b, at) }},
		{oidMessageDigest, func(b *cryptobyte.Builder) { b.AddASN1OctetString(digest) }},
	} {
		var b cryptobyte.Builder
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(attribute.oid)
			b.AddASN1(asn1.SET, attribute.value)
		})
		element, err := b.Bytes()
		if err != nil {
			return nil, fail(ReasonSigner, "signed attributes", "%w", err)
		}
		elements = append(elements, element)
	}
	return &attributes{signed: sortedSet(elements), messageDigest: digest, signingTime: at}, nil
}

// addTime writes a time as RFC 5652, 11.3, wants it: to the second, and with two
// digits for the years that have them.
func addTime(b *cryptobyte.Builder, at time.Time) {
	at = at.UTC()
	if at.Year() >= 1950 && at.Year() < 2050 {
		b.AddASN1UTCTime(at)
		return
	}
	b.AddASN1GeneralizedTime(at)
}

// sortedSet returns the DER of a set of these elements: X.690, 11.6.
func sortedSet(elements [][]byte) []byte {
	slices.SortFunc(elements, bytes.Compare)
	content := slices.Concat(elements...)
	return append(appendHeader(nil, byte(asn1.SET), len(content)), content...)
}
