package cms

import (
	"bytes"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// maxDepth limits how deep elements may lie in each other. In SignedData with a
// certificate they lie a dozen deep. What is deeper costs a copy per level.
const maxDepth = 32

const (
	constructed  = 0x20 // the bit of a tag that says: made of elements
	tagLong      = 0x1f // the bits of a tag that say: continued in the next byte
	indefinite   = 0x80 // the length that says: up to the end-of-contents
	maxLengthLen = 4    // bytes of a length
)

var (
	errTruncated  = errors.New("an element ends before its time")
	errTrailing   = errors.New("bytes behind the last element")
	errTag        = errors.New("a tag that SignedData does not have")
	errLength     = errors.New("a length that is none")
	errDepth      = errors.New("elements too deep in each other")
	errOctets     = errors.New("an octet string made of something else")
	endOfContents = []byte{0, 0}
)

// toDER returns the one element in ber with its lengths definite and as short as
// they can be, and its octet strings in one piece. What is DER already comes back
// unchanged. Java's BouncyCastle writes indefinite lengths, unless told otherwise.
//
// It makes no more of BER into DER than that: sets are not sorted and values not
// normalised, so that a certificate keeps its bytes.
func toDER(ber []byte) ([]byte, error) {
	der, rest, err := appendElement(make([]byte, 0, len(ber)), ber, maxDepth)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, errTrailing
	}
	return der, nil
}

// appendElement appends the first element of in to out, as DER.
func appendElement(out, in []byte, depth int) (der, rest []byte, err error) {
	if depth == 0 {
		return nil, nil, errDepth
	}
	h, in, err := readHeader(in)
	if err != nil {
		return nil, nil, err
	}
	if h.tag&constructed == 0 {
		out = appendHeader(out, h.tag, h.length)
		return append(out, in[:h.length]...), in[h.length:], nil
	}
	content, rest, err := h.content(in, depth)
	if err != nil {
		return nil, nil, err
	}
	tag := h.tag
	if tag == byte(asn1.OCTET_STRING)|constructed {
		tag = byte(asn1.OCTET_STRING)
		if content, err = joinOctets(content); err != nil {
			return nil, nil, err
		}
	}
	out = appendHeader(out, tag, len(content))
	return append(out, content...), rest, nil
}

// header is the tag and the length that an element begins with.
type header struct {
	tag        byte
	length     int // of the content; 0 if indefinite
	indefinite bool
}

func readHeader(in []byte) (h header, rest []byte, err error) {
	if len(in) < 2 {
		return header{}, nil, errTruncated
	}
	h.tag = in[0]
	if h.tag == 0 || h.tag&tagLong == tagLong {
		return header{}, nil, errTag
	}
	first, in := in[1], in[2:]
	switch {
	case first < indefinite:
		h.length = int(first)
	case first == indefinite:
		if h.tag&constructed == 0 {
			return header{}, nil, errLength
		}
		h.indefinite = true
	default:
		n := int(first &^ indefinite)
		if n > maxLengthLen {
			return header{}, nil, errLength
		}
		if n > len(in) {
			return header{}, nil, errTruncated
		}
		var length uint32
		for _, b := range in[:n] {
			length = length<<8 | uint32(b)
		}
		in = in[n:]
		if uint64(length) > uint64(len(in)) {
			return header{}, nil, errTruncated
		}
		h.length = int(length)
	}
	if h.length > len(in) {
		return header{}, nil, errTruncated
	}
	return h, in, nil
}

// content returns the elements of which h is made, as DER, and what follows them.
func (h header) content(in []byte, depth int) (content, rest []byte, err error) {
	if h.indefinite {
		for !bytes.HasPrefix(in, endOfContents) {
			if content, in, err = appendElement(content, in, depth-1); err != nil {
				return nil, nil, err
			}
		}
		return content, in[len(endOfContents):], nil
	}
	for inside := in[:h.length]; len(inside) > 0; {
		if content, inside, err = appendElement(content, inside, depth-1); err != nil {
			return nil, nil, err
		}
	}
	return content, in[h.length:], nil
}

// joinOctets returns what is in the octet strings of which one is made.
func joinOctets(content cryptobyte.String) ([]byte, error) {
	var joined []byte
	for !content.Empty() {
		var piece cryptobyte.String
		if !content.ReadASN1(&piece, asn1.OCTET_STRING) {
			return nil, errOctets
		}
		joined = append(joined, piece...)
	}
	return joined, nil
}

// appendHeader appends the tag and length of an element of DER.
func appendHeader(out []byte, tag byte, length int) []byte {
	out = append(out, tag)
	if length < indefinite {
		return append(out, byte(length))
	}
	n := 1
	for length>>(8*n) > 0 {
		n++
	}
	out = append(out, indefinite|byte(n))
	for ; n > 0; n-- {
		out = append(out, byte(length>>(8*(n-1))))
	}
	return out
}
