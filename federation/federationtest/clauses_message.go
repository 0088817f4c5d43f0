package federationtest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
)

var messageClauses = []serverClause{
	{"message-padded", "A message must be taken whose parts are padded, all or only the signature: the British back end sends such.", messagePadded},
	{"message-header", "A message must be taken whose header has a kid or a typ beside its algorithm.", messageHeader},
	{"signature-checked", "A message whose signature does not verify must not be taken.", signatureChecked},
	{"signature-length", "A signature must have 64 bytes: one with more must not be taken.", signatureLength},
	{"algorithm-fixed", "A message by another algorithm than ES256, or by none, must not be taken, nor one that brings its own key.", algorithmFixed},
	{"signature-status", "A signature that does not verify must be answered 400, 401 or 403, so that the client sees to its keys.", signatureStatus},
	{"malformed-message", "A message that is none, or holds no array, must be answered by a status of 400 to 499.", malformedMessage},
}

func messagePadded(x *examination) (later, error) {
	list := x.exposures(2)
	key := x.nations[0].Key
	// {"alg":"ES256"} has 15 bytes and needs no padding; the payload is to need some.
	payload := marshal(list[:1])
	for len(payload)%3 == 0 {
		payload = append(payload, ' ')
	}
	padded, err := seal(key, base64.URLEncoding, es256, payload)
	if err != nil {
		return nil, err
	}
	last, err := seal(key, base64.RawURLEncoding, es256, marshal(list[1:]))
	if err != nil {
		return nil, err
	}
	for _, message := range []string{padded, last + "=="} {
		got, err := x.sendMessage(0, x.newTag(), message)
		if err != nil {
			return nil, err
		}
		if n, err := inserted(got); err != nil || n != 1 {
			return nil, fmt.Errorf("insertedExposures is %d, want 1: %w", n, orNothing(err))
		}
	}
	return wantHandedOut(0, list), nil
}

// orNothing makes a nil error one that can be wrapped.
func orNothing(err error) error {
	if err == nil {
		return fmt.Errorf("no error")
	}
	return err
}

func messageHeader(x *examination) (later, error) {
	for _, header := range []string{`{"alg":"ES256","typ":"JWT"}`, `{"typ":"JOSE","alg":"ES256","cty":"json"}`} {
		message, err := seal(x.nations[0].Key, base64.RawURLEncoding, header, marshal(x.exposures(1)))
		if err != nil {
			return nil, err
		}
		got, err := x.sendMessage(0, x.newTag(), message)
		if err != nil {
			return nil, err
		}
		if n, err := inserted(got); err != nil || n != 1 {
			return nil, fmt.Errorf("header %s: insertedExposures is %d, want 1: %w", header, n, orNothing(err))
		}
	}
	return nil, nil
}

// A forgery is a message that must not be taken.
type forgery struct{ what, message string }

// wantRefused uploads forgeries, none of which must be taken, now or later.
func (x *examination) wantRefused(list []exposure, forgeries []forgery) (later, error) {
	for _, f := range forgeries {
		got, err := x.sendMessage(0, x.newTag(), f.message)
		if err != nil {
			return nil, err
		}
		if got.status < 300 {
			return nil, fmt.Errorf("%s was taken", f.what)
		}
	}
	return wantKeptBack(list), nil
}

// badSignatures returns messages whose signatures do not verify.
func (x *examination) badSignatures(list []exposure) ([]forgery, error) {
	good, err := x.sealed(0, list)
	if err != nil {
		return nil, err
	}
	foreign, err := seal(NewNation(x.nations[0].Region).Key, base64.RawURLEncoding, es256, marshal(list))
	if err != nil {
		return nil, err
	}
	other, err := x.sealed(0, x.exposures(1))
	if err != nil {
		return nil, err
	}
	signed, sig := good[:strings.LastIndex(good, ".")+1], good[strings.LastIndex(good, ".")+1:]
	raw, err := decodePart(sig)
	if err != nil {
		return nil, err
	}
	flipped := append([]byte{}, raw...)
	flipped[40] ^= 1
	random := make([]byte, 64)
	rand.Read(random)
	encode := base64.RawURLEncoding.EncodeToString
	return []forgery{
		{"a random signature", signed + encode(random)},
		{"a signature with one bit flipped", signed + encode(flipped)},
		{"an empty signature", signed},
		{"a signature of zeros", signed + encode(make([]byte, 64))},
		{"a signature without its last byte", signed + encode(raw[:63])},
		{"a signature by a key that nobody has", foreign},
		{"the signature of another message", signed + other[strings.LastIndex(other, ".")+1:]},
	}, nil
}

func signatureChecked(x *examination) (later, error) {
	list := x.exposures(1)
	forgeries, err := x.badSignatures(list)
	if err != nil {
		return nil, err
	}
	return x.wantRefused(list, forgeries)
}

func signatureStatus(x *examination) (later, error) {
	forgeries, err := x.badSignatures(x.exposures(1))
	if err != nil {
		return nil, err
	}
	for _, f := range forgeries {
		got, err := x.sendMessage(0, x.newTag(), f.message)
		if err != nil {
			return nil, err
		}
		if err := wantStatus(f.what, got, 400, 401, 403); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func signatureLength(x *examination) (later, error) {
	list := x.exposures(1)
	good, err := x.sealed(0, list)
	if err != nil {
		return nil, err
	}
	dot := strings.LastIndex(good, ".") + 1
	raw, err := decodePart(good[dot:])
	if err != nil {
		return nil, err
	}
	long := good[:dot] + base64.RawURLEncoding.EncodeToString(append(raw, 0))
	return x.wantRefused(list, []forgery{{"a signature with a byte after it", long}})
}

func algorithmFixed(x *examination) (later, error) {
	list := x.exposures(1)
	payload, key := marshal(list), x.nations[0].Key
	encode := base64.RawURLEncoding
	der, err := derSignature(key, encode, es256, payload)
	if err != nil {
		return nil, err
	}
	forgeries := []forgery{
		{"alg none", compact(encode, `{"alg":"none"}`, payload, nil)},
		{"alg None", compact(encode, `{"alg":"None"}`, payload, nil)},
		{"a signature in DER", compact(encode, es256, payload, der)},
	}
	for _, secret := range x.publicTexts() {
		forgeries = append(forgeries, forgery{"HS256 by the public key", hs256(payload, secret)})
	}
	own := NewNation(x.nations[0].Region)
	brings, err := seal(own.Key, encode, jwkHeader(&own), payload)
	if err != nil {
		return nil, err
	}
	forgeries = append(forgeries, forgery{"a message that brings its own key", brings})
	for _, header := range []string{`{"alg":"ES384"}`, `{"alg":"HS256"}`, `{}`, `{"alg":"ES256","crit":["exp"],"exp":1}`} {
		message, err := seal(key, encode, header, payload)
		if err != nil {
			return nil, err
		}
		forgeries = append(forgeries, forgery{"header " + header, message})
	}
	return x.wantRefused(list, forgeries)
}

// publicTexts returns the first nation's public key in the forms in which a server
// may have it, each of which is a secret of HMAC to one that lets the message choose.
func (x *examination) publicTexts() [][]byte {
	der, err := x509.MarshalPKIXPublicKey(x.nations[0].publicKey())
	if err != nil {
		return nil // the key was checked
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return [][]byte{der, text, []byte(strings.TrimSpace(string(text)))}
}

func hs256(payload, secret []byte) string {
	const header = `{"alg":"HS256"}`
	encode := base64.RawURLEncoding
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(encode.EncodeToString([]byte(header)) + "." + encode.EncodeToString(payload)))
	return compact(encode, header, payload, mac.Sum(nil))
}

// jwkHeader returns a header that brings a key.
func jwkHeader(n *Nation) string {
	point, err := n.publicKey().Bytes()
	if err != nil {
		return es256 // the key is one of ours
	}
	encode := base64.RawURLEncoding.EncodeToString
	return string(marshal(map[string]any{"alg": "ES256", "jwk": map[string]string{"kty": "EC", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:])}}))
}

func malformedMessage(x *examination) (later, error) {
	flat, err := x.sealed(0, x.exposures(1))
	if err != nil {
		return nil, err
	}
	parts := strings.Split(flat, ".")
	messages := []forgery{
		{"no message", "no message"},
		{"an array that is not signed", string(marshal(x.exposures(1)))},
		{"two parts", parts[0] + "." + parts[1]},
		{"four parts", flat + ".AAAA"},
		{"flattened JSON", string(marshal(map[string]string{"protected": parts[0], "payload": parts[1], "signature": parts[2]}))},
	}
	for _, payload := range []string{"{}", "null", "7", `"text"`, "no JSON", "[{]"} {
		message, err := seal(x.nations[0].Key, base64.RawURLEncoding, es256, json.RawMessage(payload))
		if err != nil {
			return nil, err
		}
		messages = append(messages, forgery{"a message of " + payload, message})
	}
	for _, f := range messages {
		got, err := x.sendMessage(0, x.newTag(), f.message)
		if err != nil {
			return nil, err
		}
		if err := wantStatus(f.what, got, clientError...); err != nil {
			return nil, err
		}
	}
	return nil, nil
}
