package jws_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/signing/jws"
)

func TestHeader(t *testing.T) {
	tests := []struct {
		name string
		opts *jws.SignerOptions
		part string
		json string
	}{
		{"the header of the British back end", nil, "eyJhbGciOiJFUzI1NiJ9", plainHeader},
		{"which needs no padding", &jws.SignerOptions{Padded: true}, "eyJhbGciOiJFUzI1NiJ9", plainHeader},
		{"with a key id", &jws.SignerOptions{KeyID: "gb-1"}, "eyJhbGciOiJFUzI1NiIsImtpZCI6ImdiLTEifQ", `{"alg":"ES256","kid":"gb-1"}`},
		{"with a key id, padded", &jws.SignerOptions{KeyID: "gb-1", Padded: true}, "eyJhbGciOiJFUzI1NiIsImtpZCI6ImdiLTEifQ==", `{"alg":"ES256","kid":"gb-1"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header, _, _ := partsOf(t, mustSign(t, newSigner(t, newKey(t), tt.opts), "[]"))
			if header != tt.part {
				t.Errorf("got %s, want %s", header, tt.part)
			}
			if got, err := rawURL.DecodeString(strings.TrimRight(header, "=")); err != nil || string(got) != tt.json {
				t.Errorf("got %s, %v, want %s", got, err, tt.json)
			}
		})
	}
}

// RFC 7515, A.3: a key, a message, its payload.
const (
	rfc7515X       = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
	rfc7515Y       = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
	rfc7515Text    = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
	rfc7515Payload = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"
)

func rfc7515Key(t testing.TB) jws.Key {
	t.Helper()
	point := []byte{4}
	for _, coordinate := range []string{rfc7515X, rfc7515Y} {
		b, err := rawURL.DecodeString(coordinate)
		if err != nil {
			t.Fatal(err)
		}
		point = append(point, b...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		t.Fatal(err)
	}
	return jws.Key{Key: key}
}

func TestVerifyTheExampleOfRFC7515(t *testing.T) {
	m, err := newVerifier(t, rfc7515Key(t)).Verify(rfc7515Text)
	if err != nil {
		t.Fatal(err)
	}
	if string(m.Payload) != rfc7515Payload {
		t.Errorf("got %q, want %q", m.Payload, rfc7515Payload)
	}
}

// What a key in memory signs is the same each time (RFC 6979), and must stay so.
// Node verifies both: TestNodeVerifiesOurs.
func TestSignIsPinned(t *testing.T) {
	tests := []struct {
		name string
		opts *jws.SignerOptions
		want string
	}{
		{"plain", nil,
			"eyJhbGciOiJFUzI1NiJ9.W10.jqptCskKpZZJIojSaUQV-ou-qFjC-1_HtNYWAP-pWx4aWeXNxNDhcnkBhVLEUzJut6m0dX6iV56EaSkCJu3oJA"},
		{"padded", &jws.SignerOptions{Padded: true},
			"eyJhbGciOiJFUzI1NiJ9.W10=.gVgoj1EF21dqnFCxgS7Hm-wB9xommf6OXZ8X-JWdyvSvvplM8WUDGWMyZHSHOZFE_ch8XgIbUEP9q7IiYlw4pQ=="},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 {
				if got := mustSign(t, newSigner(t, rfc6979Key(t), tt.opts), "[]"); got != tt.want {
					t.Errorf("got  %s\nwant %s", got, tt.want)
				}
			}
		})
	}
}

func TestRoundTrip(t *testing.T) {
	key := newKey(t)
	options := []*jws.SignerOptions{nil, {KeyID: "k"}, {Padded: true}, {KeyID: `<&">`, Padded: true}}
	for _, opts := range options {
		signer := newSigner(t, key, opts)
		verifier := newVerifier(t, signer.Key())
		for size := range 10 { // each length of the last group of base64, three times
			payload := strings.Repeat("ÿ", size)
			text := mustSign(t, signer, payload)
			m, err := verifier.Verify(text)
			if err != nil {
				t.Fatalf("%+v, %d bytes: %v", opts, size, err)
			}
			if string(m.Payload) != payload || m.Key != signer.Key() {
				t.Errorf("%+v, %d bytes: got %d bytes by %q, want them by %q", opts, size, len(m.Payload), m.Key.ID, signer.Key().ID)
			}
			if padded := opts != nil && opts.Padded; padded {
				for i, part := range strings.Split(text, ".") {
					if len(part)%4 != 0 {
						t.Errorf("part %d has %d bytes, which is not padded", i, len(part))
					}
				}
			} else if got, err := joseVerifies(text, &key.PublicKey); err != nil || string(got) != payload {
				t.Errorf("%+v, %d bytes: go-jose has %d bytes, %v", opts, size, len(got), err)
			}
		}
	}
}

// One signature in 128 has an integer with a leading zero byte, which DER leaves
// out and ES256 has.
func TestSignaturesHave64Bytes(t *testing.T) {
	signer := newSigner(t, &service{key: newKey(t)}, nil)
	verifier := newVerifier(t, signer.Key())
	short := 0
	for range 1024 {
		text := mustSign(t, signer, "[]")
		_, _, part := partsOf(t, text)
		raw, err := rawURL.DecodeString(part)
		if err != nil || len(raw) != 64 {
			t.Fatalf("%d bytes, %v, want 64", len(raw), err)
		}
		if _, err := verifier.Verify(text); err != nil {
			t.Fatal(err)
		}
		if raw[0] == 0 || raw[32] == 0 {
			short++
		}
	}
	if short == 0 { // once in 3,000 runs
		t.Error("no signature of 1,024 has an integer with a leading zero")
	}
}

func TestVerifyMessagesOfGoJose(t *testing.T) {
	key := newKey(t)
	for _, kid := range []string{"", "known", "of another"} {
		opts := &jose.SignerOptions{}
		if kid != "" {
			opts = opts.WithHeader("kid", kid).WithType("JOSE").WithContentType("json")
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, opts)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign([]byte("[1]"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		m, err := newVerifier(t, jws.Key{ID: "other", Key: &newKey(t).PublicKey}, jws.Key{ID: "known", Key: &key.PublicKey}).Verify(text)
		if err != nil || string(m.Payload) != "[1]" || m.Key.ID != "known" {
			t.Errorf("kid %q: got %+v, %v", kid, m, err)
		}
	}
}

func TestSpellings(t *testing.T) {
	key := newKey(t)
	verifier := newVerifier(t, jws.Key{Key: &key.PublicKey})
	// With all 64 digits and a last group of one byte; the header too.
	payload := "\xfb\xff\xbf\x00\x10\x83\x10\x51\x87\x20\x92\x8b\x30\xd3\x8f" + `[{"a":"??>>~~"}]`
	header := `{"alg":"ES256","x":"??>>ÿÿ~~"}`
	spellings := map[string]*base64.Encoding{
		"base64url": rawURL, "padded base64url": paddedURL, "base64": rawStd, "padded base64": paddedStd,
	}
	for of, h := range spellings {
		for with, p := range spellings {
			for by, s := range spellings {
				signed := h.EncodeToString([]byte(header)) + "." + p.EncodeToString([]byte(payload))
				text := signed + "." + s.EncodeToString(rawSignature(t, key, signed))
				m, err := verifier.Verify(text)
				if err != nil || string(m.Payload) != payload {
					t.Errorf("header in %s, payload in %s, signature in %s: %v", of, with, by, err)
				}
			}
		}
	}
}

func TestWhatIsSignedIsTheTextAsSent(t *testing.T) {
	key := newKey(t)
	text := mustSign(t, newSigner(t, key, nil), "[]")
	header, payload, signature := partsOf(t, text)
	other := header + "." + payload + "=" // the same bytes
	_, err := newVerifier(t, jws.Key{Key: &key.PublicKey}).Verify(other + "." + signature)
	checkReason(t, err, jws.ReasonSignature)
}

func TestVerifyRefuses(t *testing.T) {
	key, stranger := newKey(t), newKey(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := mustSign(t, newSigner(t, key, nil), `[{"keyData":"c2VjcmV0IGtleSBkYXRhIQ=="}]`)
	header, payload, signature := partsOf(t, good)
	signed := header + "." + payload
	raw, err := rawURL.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(signed))
	der, err := key.Sign(rand.Reader, digest[:], nil)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := json.Marshal(jose.JSONWebKey{Key: &stranger.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	with := func(h string) string { return withHeader(t, key, h) }
	signedBy := func(b []byte) string { return signed + "." + rawURL.EncodeToString(b) }
	under := func(h string, sign func(text string) []byte) string {
		s := rawURL.EncodeToString([]byte(h)) + "." + payload
		return s + "." + rawURL.EncodeToString(sign(s))
	}
	byMAC := func(secret []byte) func(string) []byte {
		return func(s string) []byte {
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(s))
			return mac.Sum(nil)
		}
	}

	tests := []struct {
		name string
		text string
		want jws.Reason
	}{
		// Another algorithm.
		{"alg none", rawURL.EncodeToString([]byte(`{"alg":"none"}`)) + "." + payload + ".", jws.ReasonAlgorithm},
		{"alg None with a signature", under(`{"alg":"None"}`, func(string) []byte { return raw }), jws.ReasonAlgorithm},
		{"no alg, good signature", with(`{}`), jws.ReasonAlgorithm},
		{"null alg", with(`{"alg":null}`), jws.ReasonAlgorithm},
		{"alg a list", with(`{"alg":["ES256"]}`), jws.ReasonAlgorithm},
		{"alg a number", with(`{"alg":256}`), jws.ReasonAlgorithm},
		{"alg in lower case", with(`{"alg":"es256"}`), jws.ReasonAlgorithm},
		{"alg with a space", with(`{"alg":"ES256 "}`), jws.ReasonAlgorithm},
		{"ALG", with(`{"ALG":"ES256"}`), jws.ReasonAlgorithm},
		{"HS256 with the public key in PEM", under(`{"alg":"HS256"}`, byMAC(publicPEM)), jws.ReasonAlgorithm},
		{"HS256 with the public key in DER", under(`{"alg":"HS256"}`, byMAC(public)), jws.ReasonAlgorithm},
		{"HS256 with the point", under(`{"alg":"HS256"}`, byMAC(point)), jws.ReasonAlgorithm},
		{"a MAC under ES256", under(plainHeader, byMAC(publicPEM)), jws.ReasonSignature},
		{"ES384", under(`{"alg":"ES384"}`, func(s string) []byte { return rawSignature(t, p384, s) }), jws.ReasonAlgorithm},
		{"a signature on P-384 under ES256", under(plainHeader, func(s string) []byte { return rawSignature(t, p384, s) }), jws.ReasonSignature},
		{"ES256K", with(`{"alg":"ES256K"}`), jws.ReasonAlgorithm},

		// Signatures.
		{"by another key", signedBy(rawSignature(t, stranger, signed)), jws.ReasonSignature},
		{"in DER", signedBy(der), jws.ReasonSignature},
		{"of 63 bytes", signedBy(raw[:63]), jws.ReasonSignature},
		{"of 65 bytes", signedBy(append(raw[:64:64], 0)), jws.ReasonSignature},
		{"of 128 bytes", signedBy(append(raw[:64:64], raw...)), jws.ReasonSignature},
		{"none", signed + ".", jws.ReasonSignature},
		{"zeros", signedBy(make([]byte, 64)), jws.ReasonSignature},
		{"r zero", signedBy(append(make([]byte, 32), raw[32:]...)), jws.ReasonSignature},
		{"s zero", signedBy(append(raw[:32:32], make([]byte, 32)...)), jws.ReasonSignature},
		{"ones", signedBy([]byte(strings.Repeat("\xff", 64))), jws.ReasonSignature},
		{"r and s the other way round", signedBy(append(raw[32:64:64], raw[:32]...)), jws.ReasonSignature},
		{"the signature of other text", func() string {
			_, _, other := partsOf(t, mustSign(t, newSigner(t, key, nil), "[]"))
			return signed + "." + other
		}(), jws.ReasonSignature},
		{"detached", header + ".." + signature, jws.ReasonSignature},

		// Headers that bring keys or change rules.
		{"jwk", under(`{"alg":"ES256","jwk":`+string(jwk)+`}`, func(s string) []byte { return rawSignature(t, stranger, s) }), jws.ReasonHeader},
		{"jwk, and a good signature", with(`{"alg":"ES256","jwk":` + string(jwk) + `}`), jws.ReasonHeader},
		{"jku", with(`{"alg":"ES256","jku":"https://example.org/keys"}`), jws.ReasonHeader},
		{"x5u", with(`{"alg":"ES256","x5u":"https://example.org/chain"}`), jws.ReasonHeader},
		{"x5c", with(`{"alg":"ES256","x5c":["MIIB"]}`), jws.ReasonHeader},
		{"crit", with(`{"alg":"ES256","crit":["exp"],"exp":1}`), jws.ReasonHeader},
		{"empty crit", with(`{"alg":"ES256","crit":[]}`), jws.ReasonHeader},
		{"null crit", with(`{"alg":"ES256","crit":null}`), jws.ReasonHeader},
		{"b64", sealed(t, key, rawURL.EncodeToString([]byte(`{"alg":"ES256","b64":false}`)), "[]"), jws.ReasonHeader},
		{"crit, escaped", with(`{"alg":"ES256","cr\u0069t":["exp"]}`), jws.ReasonHeader},

		// Headers that are not what they should be.
		{"alg twice", with(`{"alg":"ES256","alg":"ES256"}`), jws.ReasonMalformed},
		{"alg twice, once escaped", with(`{"alg":"none","\u0061lg":"ES256"}`), jws.ReasonMalformed},
		{"kid twice", with(`{"alg":"ES256","kid":"a","kid":"b"}`), jws.ReasonMalformed},
		{"an unknown name twice", with(`{"alg":"ES256","x":1,"x":1}`), jws.ReasonMalformed},
		{"kid a number", with(`{"alg":"ES256","kid":1}`), jws.ReasonMalformed},
		{"kid null", with(`{"alg":"ES256","kid":null}`), jws.ReasonMalformed},
		{"a header that is a list", with(`["ES256"]`), jws.ReasonMalformed},
		{"a header that is null", with(`null`), jws.ReasonMalformed},
		{"a header that is text", with(`"ES256"`), jws.ReasonMalformed},
		{"a header that is empty", with(``), jws.ReasonMalformed},
		{"a header that is cut off", with(`{"alg":"ES256"`), jws.ReasonMalformed},
		{"more behind the header", with(`{"alg":"ES256"}{}`), jws.ReasonMalformed},
		{"a comma too many", with(`{"alg":"ES256",}`), jws.ReasonMalformed},
		{"a byte order mark", with("\ufeff" + plainHeader), jws.ReasonMalformed},
		{"no base64 in the header", sealed(t, key, plainHeader, payload), jws.ReasonMalformed},

		// Base64 as it should not be, though it is signed.
		{"both alphabets in the payload", sealed(t, key, header, "-_+/"), jws.ReasonMalformed},
		{"a line break in the payload", sealed(t, key, header, "W1\n0"), jws.ReasonMalformed},
		{"a return in the payload", sealed(t, key, header, "W10\r"), jws.ReasonMalformed},
		{"a line break in the header", sealed(t, key, header[:4]+"\n"+header[4:], payload), jws.ReasonMalformed},
		{"a line break in the signature", signed + "." + signature[:8] + "\n" + signature[8:], jws.ReasonMalformed},
		{"a line break at the end", good + "\n", jws.ReasonMalformed},
		{"a space at the end", good + " ", jws.ReasonMalformed},
		{"a space before", " " + good, jws.ReasonMalformed},
		{"one = too many", sealed(t, key, header, "W10=="), jws.ReasonMalformed},
		{"only =", sealed(t, key, header, "===="), jws.ReasonMalformed},
		{"= in the middle", sealed(t, key, header, "W1=0"), jws.ReasonMalformed},
		{"bits behind the last byte", sealed(t, key, header, "W11"), jws.ReasonMalformed},
		{"bits behind the last byte of the signature", signed + "." + lastDigit(signature), jws.ReasonMalformed},
		{"a length that base64 has not", sealed(t, key, header, "W10AA"), jws.ReasonMalformed},
		{"percent", sealed(t, key, header, "W10%3D"), jws.ReasonMalformed},

		// Other texts.
		{"empty", "", jws.ReasonMalformed},
		{"two dots", "..", jws.ReasonMalformed},
		{"one part", header, jws.ReasonMalformed},
		{"two parts", signed, jws.ReasonMalformed},
		{"four parts", good + ".", jws.ReasonMalformed},
		{"five parts, as of encrypted ones", good + "." + signature + "." + signature, jws.ReasonMalformed},
		{"flattened JSON", `{"protected":"` + header + `","payload":"` + payload + `","signature":"` + signature + `"}`, jws.ReasonMalformed},
		{"general JSON", `{"payload":"` + payload + `","signatures":[{"protected":"` + header + `","signature":"` + signature + `"}]}`, jws.ReasonMalformed},
		{"the payload unsigned", `[{"keyData":"c2VjcmV0IGtleSBkYXRhIQ=="}]`, jws.ReasonMalformed},
		{"not text", "\x00\xff.\x80.\x81", jws.ReasonMalformed},
	}
	verifier := newVerifier(t, jws.Key{ID: "one", Key: &key.PublicKey}, jws.Key{Key: &newKey(t).PublicKey})
	if _, err := verifier.Verify(good); err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := verifier.Verify(tt.text)
			if m != nil {
				t.Errorf("got a message of %d bytes, want none", len(m.Payload))
			}
			checkReason(t, err, tt.want)
			checkSilent(t, err, tt.text, payload, header, signature, "example.org", "keyData")
		})
	}
}

// checkSilent checks that an error quotes none of what was refused.
func checkSilent(t *testing.T, err error, secrets ...string) {
	t.Helper()
	if err == nil {
		return
	}
	for _, s := range secrets {
		if len(s) >= 4 && strings.Contains(err.Error(), s) {
			t.Errorf("the error %q quotes %q", err, s)
		}
	}
	if len(err.Error()) > 200 {
		t.Errorf("the error has %d bytes, want a line", len(err.Error()))
	}
	if strings.Count(err.Error(), "jws: ") != 1 {
		t.Errorf("the error %q says more or less than once where it comes from", err)
	}
}

// lastDigit sets a bit of the last digit that no byte holds.
func lastDigit(part string) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(digits, part[len(part)-1])
	return part[:len(part)-1] + digits[last|1:last|1+1]
}

// Every byte of a message is altered, and every bit of it: what still verifies
// differs in the spelling of the signature at most.
func TestAlteredMessagesAreRefused(t *testing.T) {
	key := newKey(t)
	signer := newSigner(t, key, &jws.SignerOptions{KeyID: "k"})
	verifier := newVerifier(t, signer.Key())
	text := mustSign(t, signer, `[{"keyData":"AAAAAAAAAAAAAAAAAAAAAA=="}]`)
	for i := range text {
		for bit := range 8 {
			altered := []byte(text)
			altered[i] ^= 1 << bit
			if m, err := verifier.Verify(string(altered)); err == nil {
				t.Errorf("byte %d, bit %d altered: got a message of %d bytes", i, bit, len(m.Payload))
			}
		}
	}
	for i := range len(text) - 1 {
		if _, err := verifier.Verify(text[:i]); err == nil {
			t.Errorf("cut off after byte %d, and verified", i)
		}
	}
}

// (r, n-s) is a signature too, by the definition of ECDSA, and key services give
// either: it is taken, and the documentation says so.
func TestTheOtherSignatureVerifies(t *testing.T) {
	key := newKey(t)
	text := mustSign(t, newSigner(t, key, nil), "[]")
	header, payload, signature := partsOf(t, text)
	raw, err := rawURL.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newVerifier(t, jws.Key{Key: &key.PublicKey}).Verify(header + "." + payload + "." + rawURL.EncodeToString(twin(raw))); err != nil {
		t.Error(err)
	}
}

func TestKeysOfANation(t *testing.T) {
	a, b := newKey(t), newKey(t)
	both := []jws.Key{{ID: "a", Key: &a.PublicKey}, {ID: "b", Key: &b.PublicKey}}
	tests := []struct {
		name   string
		keys   []jws.Key
		by     *ecdsa.PrivateKey
		kid    string
		signed string     // the id of the key that has signed it
		want   jws.Reason // empty: none
	}{
		{"named", both, b, "b", "b", ""},
		{"not named: the first", both, a, "", "a", ""},
		{"not named: the second", both, b, "", "b", ""},
		{"by a name that is not known", both, b, "c", "b", ""},
		{"by the name of the other", both, b, "a", "", jws.ReasonSignature},
		{"by a key that is not known", both[:1], b, "", "", jws.ReasonSignature},
		{"by a key that is not known, named", both[:1], b, "b", "", jws.ReasonSignature},
		{"keys without names", []jws.Key{{Key: &a.PublicKey}, {Key: &b.PublicKey}}, b, "b", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := mustSign(t, newSigner(t, tt.by, &jws.SignerOptions{KeyID: tt.kid}), "[]")
			m, err := newVerifier(t, tt.keys...).Verify(text)
			if tt.want != "" {
				checkReason(t, err, tt.want)
				return
			}
			if err != nil || m.Key.ID != tt.signed || !m.Key.Key.Equal(tt.by.Public()) {
				t.Errorf("got %+v, %v, want it by %q", m, err, tt.signed)
			}
		})
	}
}

// An empty kid names no key, not even one without a name.
func TestEmptyKeyID(t *testing.T) {
	a, b := newKey(t), newKey(t)
	text := withHeader(t, b, `{"alg":"ES256","kid":""}`)
	if _, err := newVerifier(t, jws.Key{Key: &a.PublicKey}, jws.Key{Key: &b.PublicKey}).Verify(text); err != nil {
		t.Error(err)
	}
}

func TestVerifierKeepsItsKeys(t *testing.T) {
	a, b := newKey(t), newKey(t)
	keys := []jws.Key{{Key: &a.PublicKey}}
	v := newVerifier(t, keys...)
	keys[0].Key = &b.PublicKey
	if _, err := v.Verify(mustSign(t, newSigner(t, a, nil), "[]")); err != nil {
		t.Errorf("the verifier has the caller's slice: %v", err)
	}
}

func TestLimits(t *testing.T) {
	key := newKey(t)
	text := mustSign(t, newSigner(t, key, nil), "[]")
	keys := []jws.Key{{Key: &key.PublicKey}}
	for _, tt := range []struct {
		max  int
		want jws.Reason
	}{{0, ""}, {len(text), ""}, {len(text) - 1, jws.ReasonTooLarge}} {
		v, err := jws.NewVerifier(keys, &jws.VerifierOptions{MaxText: tt.max})
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(text)
		if tt.want == "" && err != nil || tt.want != "" && !errors.Is(err, tt.want) {
			t.Errorf("at most %d: got %v, want %q", tt.max, err, tt.want)
		}
	}

	v := newVerifier(t, keys...)
	for size, want := range map[int]jws.Reason{jws.MaxHeader: "", jws.MaxHeader + 3: jws.ReasonTooLarge} {
		rest := size - len(`{"alg":"ES256","x":""}`)
		_, err := v.Verify(withHeader(t, key, `{"alg":"ES256","x":"`+strings.Repeat("x", rest)+`"}`))
		if want == "" && err != nil || want != "" && !errors.Is(err, want) {
			t.Errorf("a header of %d bytes: got %v, want %q", size, err, want)
		}
	}
	_, err := v.Verify(strings.Repeat(".", jws.DefaultMaxText+1))
	checkReason(t, err, jws.ReasonTooLarge)
	_, err = v.Verify(strings.Repeat(".", jws.DefaultMaxText))
	checkReason(t, err, jws.ReasonMalformed)
}

func TestNewVerifierRefuses(t *testing.T) {
	key := &newKey(t).PublicKey
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		keys    []jws.Key
		max     int
		subject string
	}{
		{"no keys", nil, 0, "keys"},
		{"too many", make([]jws.Key, jws.MaxKeys+1), 0, "keys"},
		{"nil", []jws.Key{{Key: key}, {}}, 0, "keys[1]"},
		{"P-384", []jws.Key{{Key: &p384.PublicKey}}, 0, "keys[0]"},
		{"no coordinates", []jws.Key{{Key: &ecdsa.PublicKey{Curve: elliptic.P256()}}}, 0, "keys[0]"},
		{"one id twice", []jws.Key{{ID: "a", Key: key}, {Key: key}, {ID: "a", Key: key}}, 0, "keys[2].ID"},
		{"an id with a line break", []jws.Key{{ID: "a\n", Key: key}}, 0, "keys[0].ID"},
		{"an id with a space", []jws.Key{{ID: "a b", Key: key}}, 0, "keys[0].ID"},
		{"an id that is long", []jws.Key{{ID: strings.Repeat("a", jws.MaxName+1), Key: key}}, 0, "keys[0].ID"},
		{"a negative limit", []jws.Key{{Key: key}}, -1, "VerifierOptions.MaxText"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := jws.NewVerifier(tt.keys, &jws.VerifierOptions{MaxText: tt.max})
			if v != nil {
				t.Error("got a verifier")
			}
			checkSubject(t, err, tt.subject)
		})
	}
	if _, err := jws.NewVerifier([]jws.Key{{ID: strings.Repeat("a", jws.MaxName), Key: key}}, nil); err != nil {
		t.Error(err)
	}
}

// checkSubject checks that err is about options and names the field.
func checkSubject(t *testing.T, err error, want string) {
	t.Helper()
	checkReason(t, err, jws.ReasonOptions)
	if e, ok := errors.AsType[*jws.Error](err); ok && e.Subject != want {
		t.Errorf("got %q in %v, want %q", e.Subject, err, want)
	}
}

func TestNewSignerRefuses(t *testing.T) {
	s, err := signing.NewSigner(signing.Identity{KeyID: "a", KeyVersion: "1"}, newKey(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = jws.NewSigner(nil, nil)
	checkSubject(t, err, "signer")
	for _, id := range []string{"a b", "a\n", "é", strings.Repeat("a", jws.MaxName+1)} {
		_, err = jws.NewSigner(s, &jws.SignerOptions{KeyID: id})
		checkSubject(t, err, "SignerOptions.KeyID")
	}
}

func TestSignFails(t *testing.T) {
	unreachable := errors.New("unreachable")
	text, err := newSigner(t, &service{key: newKey(t), err: unreachable}, nil).Sign([]byte("[]"))
	if text != "" || !errors.Is(err, unreachable) {
		t.Errorf("got %q, %v, want %v", text, err, unreachable)
	}
	checkReason(t, err, jws.ReasonSigner)
	checkSilent(t, err)
}

func TestSignDoesNotTouchThePayload(t *testing.T) {
	signer := newSigner(t, newKey(t), nil)
	payload := append(make([]byte, 0, 1024), "[1,2,3]"...)
	mustSign(t, signer, string(payload))
	if _, err := signer.Sign(payload); err != nil || string(payload) != "[1,2,3]" || string(payload[:8]) != "[1,2,3]\x00" {
		t.Errorf("got %q, %v", payload[:8], err)
	}
}

func TestSignerPrintsItsName(t *testing.T) {
	key := newKey(t)
	signer := newSigner(t, key, nil)
	d, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		got := fmt.Sprintf(verb, signer)
		if strings.Contains(got, fmt.Sprintf("%x", d)) || strings.Contains(got, new(big.Int).SetBytes(d).String()) {
			t.Errorf("%s prints the key", verb)
		}
	}
	if got := signer.String(); got != "Signer(GB_EAW-v1)" {
		t.Errorf("got %q", got)
	}
}

func TestConcurrentUse(t *testing.T) {
	signer := newSigner(t, newKey(t), nil)
	verifier := newVerifier(t, signer.Key())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			payload := fmt.Sprintf("[%d]", i)
			text, err := signer.Sign([]byte(payload))
			if err != nil {
				t.Error(err)
				return
			}
			if m, err := verifier.Verify(text); err != nil || string(m.Payload) != payload {
				t.Errorf("got %v, %v, want %s", m, err, payload)
			}
		})
	}
	wg.Wait()
}
