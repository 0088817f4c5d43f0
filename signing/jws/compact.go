package jws

import (
	"encoding/base64"
	"errors"
	"strings"
)

// compact is a text in compact serialization (RFC 7515, 3.1) taken apart, its
// parts still in base64.
type compact struct {
	header, payload, signature string

	// signed is what the signature covers: the text up to the second dot as it
	// was sent, in whatever spelling (RFC 7515, 5.2, step 8). Encoded anew it
	// would be another text.
	signed string
}

// split takes text apart, of at most limit bytes.
func split(text string, limit int) (compact, error) {
	if len(text) > limit {
		return compact{}, fail(ReasonTooLarge, "text", "%d bytes, at most %d", len(text), limit)
	}
	if n := strings.Count(text, "."); n != 2 {
		return compact{}, fail(ReasonMalformed, "text", "%d parts, want the 3 of compact serialization", n+1)
	}
	header, rest, _ := strings.Cut(text, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	if len(header) > base64.StdEncoding.EncodedLen(MaxHeader) {
		return compact{}, fail(ReasonTooLarge, "header", "%d bytes, at most %d", len(header), base64.StdEncoding.EncodedLen(MaxHeader))
	}
	return compact{header: header, payload: payload, signature: signature, signed: text[:len(header)+1+len(payload)]}, nil
}

// A spelling decodes a part.
type spelling func(part string) ([]byte, error)

var errSpelling = errors.New("not base64 as it should be")

// strictly takes what RFC 7515 wants: base64url without padding.
func strictly(part string) ([]byte, error) {
	return decode(base64.RawURLEncoding, part)
}

// leniently takes what clients send: base64url or base64, with padding or
// without. One of them encodes with Java's Base64.getUrlEncoder, which pads.
func leniently(part string) ([]byte, error) {
	encoding := base64.URLEncoding
	if strings.ContainsAny(part, "+/") {
		encoding = base64.StdEncoding
	}
	if !strings.HasSuffix(part, "=") {
		encoding = encoding.WithPadding(base64.NoPadding)
	}
	return decode(encoding, part)
}

// decode decodes without the laxness of the standard library, which passes over
// line breaks and over bits behind the last byte.
func decode(encoding *base64.Encoding, part string) ([]byte, error) {
	if strings.ContainsAny(part, "\r\n") {
		return nil, errSpelling
	}
	data, err := encoding.Strict().DecodeString(part)
	if err != nil {
		return nil, errSpelling // the library's says where, which tells nobody anything
	}
	return data, nil
}
