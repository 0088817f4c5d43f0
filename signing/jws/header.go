package jws

import (
	"encoding/json"

	strict "github.com/go-jose/go-jose/v4/json"
)

// MaxHeader is the size of the largest header that is read, in bytes of JSON.
// Those in use have 15, or some dozens with a key id.
const MaxHeader = 4 << 10

// es256 is ECDSA on P-256 with SHA-256, as RFC 7518, 3.1, names it.
const es256 = "ES256"

// refused are the header parameters of RFC 7515 and RFC 7797 that would let the
// message say by which key or by which rules it is to be verified. All others
// that are not known here are passed over, as 4.1 of RFC 7515 wants.
var refused = []string{"jwk", "jku", "x5c", "x5u", "crit", "b64"}

// header is what this package writes.
type header struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid,omitempty"`
}

// readHeader returns the key id in a header, "" if it names none. The header
// must name the algorithm alg, which is the caller's and never the message's.
func readHeader(part string, read spelling, alg string) (keyID string, err error) {
	data, err := read(part)
	if err != nil {
		return "", &Error{Reason: ReasonMalformed, Subject: "header", Err: err}
	}
	// encoding/json would take ALG for alg, and the last of two.
	var fields map[string]strict.RawMessage
	if err := strict.Unmarshal(data, &fields); err != nil || fields == nil {
		return "", fail(ReasonMalformed, "header", "not a JSON object with each name once")
	}
	for _, name := range refused {
		if _, ok := fields[name]; ok {
			return "", fail(ReasonHeader, "header", "%q is not taken from messages", name)
		}
	}
	if got, ok := text(fields["alg"]); !ok || got != alg {
		return "", fail(ReasonAlgorithm, "header", "alg is not %s", alg)
	}
	if _, ok := fields["kid"]; !ok {
		return "", nil
	}
	keyID, ok := text(fields["kid"])
	if !ok {
		return "", fail(ReasonMalformed, "header", "kid is not a string")
	}
	return keyID, nil
}

// text returns the string in a JSON value, if it is one.
func text(value []byte) (s string, ok bool) {
	var p *string
	if len(value) == 0 || json.Unmarshal(value, &p) != nil || p == nil {
		return "", false
	}
	return *p, true
}
