package jws_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/signing/jws"
)

// checkRefusal checks that err is ours, of a reason that messages and tokens
// have, and short.
func checkRefusal(t *testing.T, err error) {
	t.Helper()
	e, ok := errors.AsType[*jws.Error](err)
	if !ok || e.Reason == jws.ReasonOptions || e.Reason == jws.ReasonSigner {
		t.Errorf("got error %v", err)
	}
	checkSilent(t, err)
}

// signedPart is what the signature of a text covers.
func signedPart(text string) string { return text[:strings.LastIndexByte(text, '.')] }

// canonical reports whether the parts of a text are spelt as RFC 7515 wants.
// go-jose passes over line breaks and over bits behind the last byte.
func canonical(text string) bool {
	for part := range strings.SplitSeq(text, ".") {
		data, err := rawURL.DecodeString(part)
		if err != nil || rawURL.EncodeToString(data) != part {
			return false
		}
	}
	return true
}

// Nothing makes Verify panic, and nothing verifies but what was signed: the
// fuzzer has no key, so that a text which verifies has the signed part of one of
// the seeds.
func FuzzVerify(f *testing.F) {
	key := rfc6979Key(f)
	verifier := newVerifier(f, jws.Key{ID: "k", Key: &key.PublicKey}, rfc7515Key(f))
	signed := make(map[string]string) // payload by signed part
	add := func(text, payload string) {
		f.Add(text)
		signed[signedPart(text)] = payload
	}
	add(rfc7515Text, rfc7515Payload)
	for _, opts := range []*jws.SignerOptions{nil, {Padded: true}, {KeyID: "k"}, {KeyID: "k", Padded: true}} {
		add(mustSign(f, newSigner(f, key, opts), `[{"x":1}]`), `[{"x":1}]`)
	}
	add(sealed(f, key, rawStd.EncodeToString([]byte(plainHeader)), paddedStd.EncodeToString([]byte("\xfb\xff"))), "\xfb\xff")
	for _, text := range []string{
		"", "..", "a.b.c", rawURL.EncodeToString([]byte(`{"alg":"none"}`)) + ".W10.",
		withHeader(f, key, `{"alg":"ES256","jwk":{"kty":"EC"}}`), withHeader(f, key, `{"alg":"ES256","alg":"ES256"}`),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := verifier.Verify(text)
		if err != nil {
			if m != nil {
				t.Error("a message and an error")
			}
			checkRefusal(t, err)
			if payload, err := joseVerifies(text, &key.PublicKey); err == nil && canonical(text) {
				t.Errorf("go-jose has %d bytes, and we refuse it", len(payload))
			}
			return
		}
		if payload, ok := signed[signedPart(text)]; !ok || payload != string(m.Payload) {
			t.Errorf("verified, and never signed: %q", text)
		}
	})
}

// Whatever header and payload are signed, in whatever spelling: what is taken
// has the one algorithm, no parameter that is refused and its payload unchanged,
// and go-jose takes it; and what go-jose takes is taken, unless it has such a
// parameter.
func FuzzVerifySigned(f *testing.F) {
	for _, header := range []string{
		plainHeader, `{"alg":"ES256","kid":"k"}`, `{"alg":"none"}`, `{"alg":"ES256","crit":["b64"],"b64":false}`,
		`{"alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"` + rfc7515X + `","y":"` + rfc7515Y + `"}}`,
		`{"alg":"ES256","alg":"none"}`, `{"ALG":"ES256"}`, `{"alg":"ES256","x5c":[]}`, `{"\u0061lg":"ES256"} `, `null`, `[]`, "",
		`{"alg":"ES256","kid":null}`, `{"alg":"ES256","typ":"JWT","cty":"json","x5t":"YQ","nonce":"n"}`,
	} {
		f.Add([]byte(header), []byte("[]"), uint8(0), uint8(1))
	}
	encodings := []interface{ EncodeToString([]byte) string }{rawURL, paddedURL, rawStd, paddedStd}
	key := rfc6979Key(f)
	verifier := newVerifier(f, jws.Key{ID: "k", Key: &key.PublicKey})
	f.Fuzz(func(t *testing.T, header, payload []byte, h, p uint8) {
		text := sealed(t, key, encodings[h%4].EncodeToString(header), encodings[p%4].EncodeToString(payload))
		m, err := verifier.Verify(text)

		plain := sealed(t, key, rawURL.EncodeToString(header), rawURL.EncodeToString(payload))
		theirs, theirErr := joseVerifies(plain, &key.PublicKey)
		fields := make(map[string]json.RawMessage)
		if err := json.Unmarshal(header, &fields); err != nil {
			fields = nil
		}
		barred := len(header) > jws.MaxHeader || string(fields["kid"]) == "null" // which is no string
		for _, name := range []string{"jwk", "jku", "x5c", "x5u", "crit", "b64"} {
			_, has := fields[name]
			barred = barred || has
		}

		if err != nil {
			checkRefusal(t, err)
			if theirErr == nil && !barred {
				t.Errorf("go-jose takes the header %q, and we do not: %v", header, err)
			}
			return
		}
		var alg string
		if json.Unmarshal(fields["alg"], &alg) != nil || alg != "ES256" || barred {
			t.Errorf("the header %q is taken", header)
		}
		if string(m.Payload) != string(payload) {
			t.Errorf("got %d bytes, want %d", len(m.Payload), len(payload))
		}
		if theirErr == nil && string(theirs) != string(payload) {
			t.Errorf("go-jose has %d bytes, want %d", len(theirs), len(payload))
		}
	})
}

// Nothing makes Verify panic, and no token is good but one that was issued.
func FuzzVerifyToken(f *testing.F) {
	bySecret := secretTokens(f, at(noon), jws.SecretKey{ID: "k", Secret: secretOf("a")}, jws.SecretKey{Secret: secretOf("b")})
	byKey := keyTokens(f, at(noon), newSigner(f, rfc6979Key(f), nil))
	// Made by hand, since issued ones are others in each process of the fuzzer.
	const claims = `{"id":"GI","jti":"t","iat":1622635200,"exp":1622638800}`
	want := jws.Claims{Nation: "GI", TokenID: "t", IssuedAt: noon, ExpiresAt: noon.Add(time.Hour)}
	issued := make(map[string]bool)
	for _, token := range []string{
		handmade(secretOf("a"), `{"alg":"HS256","kid":"k","typ":"JWT"}`, claims),
		handmade(secretOf("b"), tokenHeader, claims),
		sealed(f, rfc6979Key(f), rawURL.EncodeToString([]byte(plainHeader)), rawURL.EncodeToString([]byte(claims))),
	} {
		f.Add(token)
		issued[signedPart(token)] = true
	}
	for _, token := range []string{"", "..", "Bearer a.b.c", rawURL.EncodeToString([]byte(`{"alg":"none"}`)) + ".e30."} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		for _, tokens := range []*jws.Tokens{bySecret, byKey} {
			c, err := tokens.Verify(t.Context(), token)
			if err != nil {
				checkRefusal(t, err)
				if c != (jws.Claims{}) {
					t.Error("claims and an error")
				}
				continue
			}
			if !issued[signedPart(token)] || c != want {
				t.Errorf("good, and never issued: %q", token)
			}
		}
	})
}

// Whatever header and claims are signed: a token that is good names a nation in
// printable ASCII and is good now, for no longer than tokens may be.
func FuzzVerifySignedToken(f *testing.F) {
	for _, claims := range []string{
		`{"id":"GI","iat":1622635200,"exp":1622638800}`,
		`{"id":"GI","jti":"t","iat":1622635200.5,"nbf":1622635200,"exp":1.6226388e9}`,
		`{"id":"GI","iat":0,"exp":1e308}`, `{"id":"GI","id":"JE"}`, `{"id":7}`, `{"id":"\u0000"}`, `null`, `[]`, `[[[[`, `{"exp":"1"}`,
		`{"id":"GI","iat":1622635200,"exp":9007199254740993}`, `{"id":null,"iat":-0,"exp":-1}`,
	} {
		f.Add([]byte(tokenHeader), []byte(claims))
	}
	f.Add([]byte(`{"alg":"HS256","kid":"k","crit":["exp"]}`), []byte(`{}`))
	secret := secretOf("a")
	tokens := secretTokens(f, at(noon), jws.SecretKey{Secret: secret})
	f.Fuzz(func(t *testing.T, header, claims []byte) {
		token := handmade(secret, string(header), string(claims))
		c, err := tokens.Verify(t.Context(), token)
		if err != nil {
			e, ok := errors.AsType[*jws.Error](err)
			if !ok || len(err.Error()) > 500 || strings.ContainsAny(err.Error(), "\r\n\x00") {
				t.Errorf("got error %q", err)
			}
			if ok && e.Nation != "" && !json.Valid(claims) {
				t.Errorf("a nation %q out of no JSON", e.Nation)
			}
			return
		}
		if len(c.Nation) == 0 || len(c.Nation) > jws.MaxName || strings.ContainsFunc(c.Nation, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("got the nation %q", c.Nation)
		}
		if c.ExpiresAt.Before(noon.Add(-jws.DefaultLeeway)) || c.IssuedAt.After(noon.Add(jws.DefaultLeeway)) ||
			c.ExpiresAt.Sub(c.IssuedAt) > jws.DefaultMaxLifetime || c.ExpiresAt.Location() != time.UTC {
			t.Errorf("got %+v", c)
		}
	})
}
