package jws_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/signing/jws"
)

var noon = time.Date(2021, 6, 2, 12, 0, 0, 0, time.UTC)

const (
	day         = 24 * time.Hour
	tokenHeader = `{"alg":"HS256","typ":"JWT"}`
)

// secretOf returns a secret made of a word, the same each time.
func secretOf(word string) jws.Secret {
	sum := sha256.Sum256([]byte(word))
	return sum[:]
}

// at returns options with the clock at t.
func at(t time.Time) *jws.TokenOptions {
	return &jws.TokenOptions{Now: func() time.Time { return t }}
}

func secretTokens(t testing.TB, opts *jws.TokenOptions, keys ...jws.SecretKey) *jws.Tokens {
	t.Helper()
	tokens, err := jws.NewSecretTokens(keys, opts)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func keyTokens(t testing.TB, opts *jws.TokenOptions, signer *jws.Signer, others ...jws.Key) *jws.Tokens {
	t.Helper()
	tokens, err := jws.NewKeyTokens(signer, others, opts)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func mustIssue(t testing.TB, tokens *jws.Tokens, nation string) (string, jws.Claims) {
	t.Helper()
	token, c, err := tokens.Issue(nation)
	if err != nil {
		t.Fatal(err)
	}
	return token, c
}

// handmade returns a token by HS256 of any header and claims, as another
// library would make it.
func handmade(secret []byte, header, claims string) string {
	signed := rawURL.EncodeToString([]byte(header)) + "." + rawURL.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(signed))
	return signed + "." + rawURL.EncodeToString(mac.Sum(nil))
}

func decodePart(t testing.TB, part string) string {
	t.Helper()
	data, err := rawURL.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// RFC 7515, A.1: a token by HS256. Its signature is good, and it names nobody.
func TestVerifyTheTokenOfRFC7515(t *testing.T) {
	secret, err := rawURL.DecodeString("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
	if err != nil {
		t.Fatal(err)
	}
	const token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	_, err = secretTokens(t, nil, jws.SecretKey{Secret: secret}).Verify(t.Context(), token)
	checkReason(t, err, jws.ReasonClaims)
	_, err = secretTokens(t, nil, jws.SecretKey{Secret: secret[:32]}).Verify(t.Context(), token)
	checkReason(t, err, jws.ReasonSignature)
}

// As the interoperability service issues: no jti, the year of its library of
// 365.25 days.
func TestVerifyTokensOfTheInteroperabilityService(t *testing.T) {
	secret := secretOf("service")
	const nation = "0f7ec1fd-5d27-4a8c-a7c1-4d2f5f8f0c11"
	token := handmade(secret, tokenHeader, `{"id":"`+nation+`","iat":1622635200,"exp":1654192800}`)
	c, err := secretTokens(t, at(noon), jws.SecretKey{Secret: secret}).Verify(t.Context(), token)
	want := jws.Claims{Nation: nation, IssuedAt: noon, ExpiresAt: noon.Add(8766 * time.Hour)}
	if err != nil || c != want {
		t.Errorf("got %+v, %v, want %+v", c, err, want)
	}
}

func TestIssue(t *testing.T) {
	signer := newSigner(t, newKey(t), nil)
	named := newSigner(t, newKey(t), &jws.SignerOptions{KeyID: "2021", Padded: true})
	tests := []struct {
		name   string
		tokens *jws.Tokens
		header string
	}{
		{"by secret", secretTokens(t, at(noon), jws.SecretKey{Secret: secretOf("a")}), tokenHeader},
		{"by secret with an id", secretTokens(t, at(noon), jws.SecretKey{ID: "2021", Secret: secretOf("a")}), `{"alg":"HS256","kid":"2021","typ":"JWT"}`},
		{"by key", keyTokens(t, at(noon), signer), `{"alg":"ES256","typ":"JWT"}`},
		{"by key with an id", keyTokens(t, at(noon), named), `{"alg":"ES256","kid":"2021","typ":"JWT"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			token, c := mustIssue(t, tt.tokens, "GB-EAW")
			header, payload, _ := partsOf(t, token)
			if got := decodePart(t, header); got != tt.header {
				t.Errorf("got the header %s, want %s", got, tt.header)
			}
			want := jws.Claims{Nation: "GB-EAW", TokenID: c.TokenID, IssuedAt: noon, ExpiresAt: noon.Add(365 * day)}
			if c != want || len(c.TokenID) < 26 {
				t.Errorf("got %+v, want %+v with a token id of 128 bits", c, want)
			}
			text := fmt.Sprintf(`{"id":"GB-EAW","jti":"%s","iat":1622635200,"exp":1654171200}`, c.TokenID)
			if got := decodePart(t, payload); got != text {
				t.Errorf("got the claims %s, want %s", got, text)
			}
			if got, err := tt.tokens.Verify(t.Context(), token); err != nil || got != c {
				t.Errorf("got %+v, %v, want %+v", got, err, c)
			}
			if _, again := mustIssue(t, tt.tokens, "GB-EAW"); again.TokenID == c.TokenID {
				t.Error("two tokens have one id")
			}
		})
	}
}

func TestIssueCutsOffFractions(t *testing.T) {
	tokens := secretTokens(t, at(noon.Add(999*time.Millisecond).In(time.FixedZone("", 3600))), jws.SecretKey{Secret: secretOf("a")})
	token, c := mustIssue(t, tokens, "GI")
	if c.IssuedAt != noon {
		t.Errorf("got %s, want %s", c.IssuedAt, noon)
	}
	if got, err := tokens.Verify(t.Context(), token); err != nil || got != c {
		t.Errorf("got %+v, %v, want %+v", got, err, c)
	}
}

func TestIssueReadsTheClock(t *testing.T) {
	tokens := secretTokens(t, nil, jws.SecretKey{Secret: jws.NewSecret()})
	before := time.Now().Truncate(time.Second)
	token, c := mustIssue(t, tokens, "GI")
	if c.IssuedAt.Before(before) || c.IssuedAt.After(time.Now()) {
		t.Errorf("issued at %s, want now", c.IssuedAt)
	}
	if _, err := tokens.Verify(t.Context(), token); err != nil {
		t.Error(err)
	}
}

func TestIssueRefuses(t *testing.T) {
	tokens := secretTokens(t, nil, jws.SecretKey{Secret: jws.NewSecret()})
	for _, nation := range []string{"", "GB EAW", "GB\n", "Österreich", "\x00", strings.Repeat("a", jws.MaxName+1)} {
		_, _, err := tokens.Issue(nation)
		checkReason(t, err, jws.ReasonClaims)
	}
	if _, _, err := tokens.Issue(strings.Repeat("a", jws.MaxName)); err != nil {
		t.Error(err)
	}

	_, _, err := keyTokens(t, nil, nil, jws.Key{Key: &newKey(t).PublicKey}).Issue("GI")
	checkReason(t, err, jws.ReasonOptions)

	unreachable := errors.New("unreachable")
	_, _, err = keyTokens(t, nil, newSigner(t, &service{key: newKey(t), err: unreachable}, nil)).Issue("GI")
	checkReason(t, err, jws.ReasonSigner)
	if !errors.Is(err, unreachable) {
		t.Errorf("got %v, want %v", err, unreachable)
	}
	checkSilent(t, err)
}

func TestTokensInTime(t *testing.T) {
	secret := secretOf("a")
	unix := func(t time.Time) int64 { return t.Unix() }
	claims := func(iat, exp time.Time) string {
		return fmt.Sprintf(`{"id":"GI","iat":%d,"exp":%d}`, unix(iat), unix(exp))
	}
	tests := []struct {
		name   string
		claims string
		now    time.Time
		want   jws.Reason // empty: good
	}{
		{"just issued", claims(noon, noon.Add(time.Hour)), noon, ""},
		{"last moment", claims(noon, noon.Add(time.Hour)), noon.Add(time.Hour - 1), ""},
		{"expired, within the leeway", claims(noon, noon.Add(time.Hour)), noon.Add(time.Hour + time.Minute - 1), ""},
		{"expired", claims(noon, noon.Add(time.Hour)), noon.Add(time.Hour + time.Minute), jws.ReasonExpired},
		{"expired long ago", claims(noon, noon.Add(time.Hour)), noon.Add(1000 * day), jws.ReasonExpired},
		{"issued soon, within the leeway", claims(noon, noon.Add(time.Hour)), noon.Add(-time.Minute), ""},
		{"issued later", claims(noon, noon.Add(time.Hour)), noon.Add(-time.Minute - 1), jws.ReasonNotYet},
		{"the longest", claims(noon, noon.Add(366*day)), noon, ""},
		{"longer", claims(noon, noon.Add(366*day+time.Second)), noon, jws.ReasonTooLong},
		{"for ever", `{"id":"GI","iat":0,"exp":253402300799}`, noon, jws.ReasonTooLong},
		{"for a second", claims(noon, noon.Add(time.Second)), noon, ""},
		{"for no time", claims(noon, noon), noon, jws.ReasonClaims},
		{"for less than no time", claims(noon, noon.Add(-time.Second)), noon, jws.ReasonClaims},
		{"valid later", fmt.Sprintf(`{"id":"GI","iat":%d,"nbf":%d,"exp":%d}`, unix(noon), unix(noon)+61, unix(noon)+3600), noon, jws.ReasonNotYet},
		{"valid soon, within the leeway", fmt.Sprintf(`{"id":"GI","iat":%d,"nbf":%d,"exp":%d}`, unix(noon), unix(noon)+60, unix(noon)+3600), noon, ""},
		{"with fractions", fmt.Sprintf(`{"id":"GI","iat":%d.25,"exp":%d.75}`, unix(noon), unix(noon)+3600), noon, ""},
		{"with exponents", `{"id":"GI","iat":1.6226352e9,"exp":1.6226353e9}`, noon, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := secretTokens(t, at(tt.now), jws.SecretKey{Secret: secret}).Verify(t.Context(), handmade(secret, tokenHeader, tt.claims))
			if tt.want == "" {
				if err != nil || c.Nation != "GI" {
					t.Errorf("got %+v, %v, want it good", c, err)
				}
				return
			}
			checkReason(t, err, tt.want)
			if c != (jws.Claims{}) {
				t.Errorf("got %+v with an error", c)
			}
			if e, _ := errors.AsType[*jws.Error](err); e.Nation != "GI" || !strings.Contains(err.Error(), "GI") {
				t.Errorf("got the nation %q in %v, want GI", e.Nation, err)
			}
		})
	}
}

func TestTokenOptions(t *testing.T) {
	secret := jws.SecretKey{Secret: secretOf("a")}
	issuer := secretTokens(t, &jws.TokenOptions{Lifetime: time.Hour, Now: at(noon).Now}, secret)
	token, c := mustIssue(t, issuer, "GI")
	if c.ExpiresAt != noon.Add(time.Hour) {
		t.Errorf("got %s, want an hour", c.ExpiresAt.Sub(c.IssuedAt))
	}
	strict := secretTokens(t, &jws.TokenOptions{MaxLifetime: time.Hour - time.Second, Now: at(noon).Now}, secret)
	_, err := strict.Verify(t.Context(), token)
	checkReason(t, err, jws.ReasonTooLong)
	if _, c := mustIssue(t, strict, "GI"); c.ExpiresAt.Sub(c.IssuedAt) != time.Hour-time.Second {
		t.Errorf("got %s, want what is good at most", c.ExpiresAt.Sub(c.IssuedAt))
	}
	early := secretTokens(t, &jws.TokenOptions{Leeway: 10 * time.Minute, Now: at(noon.Add(-10 * time.Minute)).Now}, secret)
	if _, err := early.Verify(t.Context(), token); err != nil {
		t.Error(err)
	}

	tests := []struct {
		name    string
		opts    jws.TokenOptions
		subject string
	}{
		{"negative lifetime", jws.TokenOptions{Lifetime: -time.Second}, "TokenOptions.Lifetime"},
		{"part of a second", jws.TokenOptions{Lifetime: time.Second + 1}, "TokenOptions.Lifetime"},
		{"more than the default", jws.TokenOptions{Lifetime: 366*day + time.Second}, "TokenOptions.Lifetime"},
		{"more than is verified", jws.TokenOptions{Lifetime: 2 * time.Hour, MaxLifetime: time.Hour}, "TokenOptions.Lifetime"},
		{"negative longest lifetime", jws.TokenOptions{MaxLifetime: -time.Hour}, "TokenOptions.MaxLifetime"},
		{"negative leeway", jws.TokenOptions{Leeway: -time.Second}, "TokenOptions.Leeway"},
		{"hours of leeway", jws.TokenOptions{Leeway: jws.MaxLeeway + time.Second}, "TokenOptions.Leeway"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tokens, err := jws.NewSecretTokens([]jws.SecretKey{secret}, &tt.opts)
			if tokens != nil {
				t.Error("got tokens")
			}
			checkSubject(t, err, tt.subject)
			tokens, err = jws.NewKeyTokens(nil, []jws.Key{{Key: &newKey(t).PublicKey}}, &tt.opts)
			if tokens != nil {
				t.Error("got tokens")
			}
			checkSubject(t, err, tt.subject)
		})
	}
}

func TestNewTokensRefuse(t *testing.T) {
	secret := secretOf("a")
	for _, tt := range []struct {
		name    string
		keys    []jws.SecretKey
		subject string
	}{
		{"no secret", nil, "keys"},
		{"an empty secret", []jws.SecretKey{{}}, "keys[0]"},
		{"a short secret", []jws.SecretKey{{Secret: secret}, {ID: "b", Secret: secret[:31]}}, "keys[1]"},
		{"one id twice", []jws.SecretKey{{ID: "a", Secret: secret}, {ID: "a", Secret: secretOf("b")}}, "keys[1].ID"},
		{"too many", make([]jws.SecretKey, jws.MaxKeys+1), "keys"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tokens, err := jws.NewSecretTokens(tt.keys, nil)
			if tokens != nil {
				t.Error("got tokens")
			}
			checkSubject(t, err, tt.subject)
		})
	}
	_, err := jws.NewKeyTokens(nil, nil, nil)
	checkSubject(t, err, "keys")
	signer := newSigner(t, newKey(t), &jws.SignerOptions{KeyID: "a"})
	_, err = jws.NewKeyTokens(signer, []jws.Key{{ID: "a", Key: &newKey(t).PublicKey}}, nil)
	checkSubject(t, err, "keys[1].ID")
}

func TestVerifyRefusesTokens(t *testing.T) {
	secret := secretOf("a")
	key := newKey(t)
	const claims = `{"id":"GI","jti":"t1","iat":1622635200,"exp":1622638800}`
	good := handmade(secret, tokenHeader, claims)
	header, payload, signature := partsOf(t, good)
	of := func(c string) string { return handmade(secret, tokenHeader, c) }
	with := func(h string) string { return handmade(secret, h, claims) }
	byKey, _ := mustIssue(t, keyTokens(t, at(noon), newSigner(t, key, nil)), "GI")

	tests := []struct {
		name  string
		token string
		want  jws.Reason
	}{
		{"by another secret", handmade(secretOf("b"), tokenHeader, claims), jws.ReasonSignature},
		{"by half of the secret", handmade(secret[:16], tokenHeader, claims), jws.ReasonSignature},
		{"by no secret", handmade(nil, tokenHeader, claims), jws.ReasonSignature},
		{"alg none", rawURL.EncodeToString([]byte(`{"alg":"none"}`)) + "." + payload + ".", jws.ReasonAlgorithm},
		{"alg none with a signature", with(`{"alg":"none"}`), jws.ReasonAlgorithm},
		{"HS512 in name", with(`{"alg":"HS512"}`), jws.ReasonAlgorithm},
		{"ES256", byKey, jws.ReasonAlgorithm},
		{"no alg", with(`{"typ":"JWT"}`), jws.ReasonAlgorithm},
		{"signature cut off", good[:len(good)-3], jws.ReasonSignature},
		{"no signature", header + "." + payload + ".", jws.ReasonSignature},
		{"a signature of one byte", header + "." + payload + ".AA", jws.ReasonSignature},
		{"jwk", with(`{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}`), jws.ReasonHeader},
		{"jku", with(`{"alg":"HS256","jku":"https://example.org"}`), jws.ReasonHeader},
		{"x5c", with(`{"alg":"HS256","x5c":[]}`), jws.ReasonHeader},
		{"crit", with(`{"alg":"HS256","crit":["exp"]}`), jws.ReasonHeader},
		{"alg twice", with(`{"alg":"HS256","alg":"HS256"}`), jws.ReasonMalformed},
		{"a type that is a number", with(`{"alg":"HS256","nonce":1}`), jws.ReasonMalformed},
		{"padded", header + "." + payload + "=." + signature, jws.ReasonMalformed},
		{"a signature that is padded", good + "=", jws.ReasonMalformed},
		{"a line break in the signature", header + "." + payload + "." + signature[:4] + "\n" + signature[4:], jws.ReasonMalformed},
		{"bits behind the last byte", header + "." + payload + "." + lastDigit(signature), jws.ReasonMalformed},
		{"Bearer", "Bearer " + good, jws.ReasonMalformed},
		{"empty", "", jws.ReasonMalformed},
		{"two parts", header + "." + payload, jws.ReasonMalformed},
		{"five parts", good + "..", jws.ReasonMalformed},
		{"too large", of(`{"id":"GI","iat":1622635200,"exp":1622638800,"x":"` + strings.Repeat("x", jws.MaxToken) + `"}`), jws.ReasonTooLarge},

		{"no id", of(`{"iat":1622635200,"exp":1622638800}`), jws.ReasonClaims},
		{"id null", of(`{"id":null,"iat":1622635200,"exp":1622638800}`), jws.ReasonClaims},
		{"id empty", of(`{"id":"","iat":1622635200,"exp":1622638800}`), jws.ReasonClaims},
		{"id a number", of(`{"id":7,"iat":1622635200,"exp":1622638800}`), jws.ReasonMalformed},
		{"id with a line break", of(`{"id":"GI\n","iat":1622635200,"exp":1622638800}`), jws.ReasonClaims},
		{"id too long", of(`{"id":"` + strings.Repeat("a", jws.MaxName+1) + `","iat":1622635200,"exp":1622638800}`), jws.ReasonClaims},
		{"ID", of(`{"ID":"GI","iat":1622635200,"exp":1622638800}`), jws.ReasonClaims},
		{"id twice", of(`{"id":"GI","id":"JE","iat":1622635200,"exp":1622638800}`), jws.ReasonMalformed},
		{"id twice, once escaped", of(`{"id":"GI","i\u0064":"JE","iat":1622635200,"exp":1622638800}`), jws.ReasonMalformed},
		{"jti empty", of(`{"id":"GI","jti":"","iat":1622635200,"exp":1622638800}`), jws.ReasonClaims},
		{"jti with a space", of(`{"id":"GI","jti":"a b","iat":1622635200,"exp":1622638800}`), jws.ReasonClaims},
		{"no exp", of(`{"id":"GI","iat":1622635200}`), jws.ReasonClaims},
		{"EXP", of(`{"id":"GI","iat":1622635200,"EXP":1622638800}`), jws.ReasonClaims},
		{"exp null", of(`{"id":"GI","iat":1622635200,"exp":null}`), jws.ReasonClaims},
		{"exp a text", of(`{"id":"GI","iat":1622635200,"exp":"1622638800"}`), jws.ReasonMalformed},
		{"exp twice", of(`{"id":"GI","iat":1622635200,"exp":1622638800,"exp":1622638801}`), jws.ReasonMalformed},
		{"exp huge", of(`{"id":"GI","iat":1622635200,"exp":1e300}`), jws.ReasonClaims},
		{"exp infinite", of(`{"id":"GI","iat":1622635200,"exp":1e999}`), jws.ReasonMalformed},
		{"exp in milliseconds", of(`{"id":"GI","iat":1622635200,"exp":1622638800000}`), jws.ReasonClaims},
		{"no iat", of(`{"id":"GI","exp":1622638800}`), jws.ReasonClaims},
		{"iat negative", of(`{"id":"GI","iat":-1,"exp":1622638800}`), jws.ReasonClaims},
		{"nbf huge", of(`{"id":"GI","iat":1622635200,"nbf":1e19,"exp":1622638800}`), jws.ReasonClaims},
		{"claims a list", of(`[]`), jws.ReasonMalformed},
		{"claims null", of(`null`), jws.ReasonMalformed},
		{"claims empty", of(``), jws.ReasonMalformed},
		{"claims not JSON", of(`{"id":"GI"`), jws.ReasonMalformed},
	}
	tokens := secretTokens(t, at(noon), jws.SecretKey{ID: "1", Secret: secret}, jws.SecretKey{Secret: secretOf("c")})
	if c, err := tokens.Verify(t.Context(), good); err != nil || c.TokenID != "t1" {
		t.Fatalf("got %+v, %v", c, err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := tokens.Verify(t.Context(), tt.token)
			if c != (jws.Claims{}) {
				t.Errorf("got %+v", c)
			}
			checkReason(t, err, tt.want)
			checkSilent(t, err, tt.token, header, payload, signature, "example.org")
		})
	}
}

// The public key of ES256 as the secret of HS256 is the oldest trick there is.
func TestTokensByKeyRefuse(t *testing.T) {
	key := newKey(t)
	const claims = `{"id":"GI","iat":1622635200,"exp":1622638800}`
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	issue := func(k *ecdsa.PrivateKey, header string) string {
		return sealed(t, k, rawURL.EncodeToString([]byte(header)), rawURL.EncodeToString([]byte(claims)))
	}
	good := issue(key, `{"alg":"ES256","typ":"JWT"}`)
	header, payload, signature := partsOf(t, good)
	raw := []byte(decodePart(t, signature))
	tests := []struct {
		name  string
		token string
		want  jws.Reason // empty: good
	}{
		{"good", good, ""},
		{"HS256 with the key in PEM", handmade([]byte(text), tokenHeader, claims), jws.ReasonAlgorithm},
		{"HS256 with the key in PEM, trimmed", handmade([]byte(strings.TrimSpace(text)), tokenHeader, claims), jws.ReasonAlgorithm},
		{"HS256 with the key in DER", handmade(der, tokenHeader, claims), jws.ReasonAlgorithm},
		{"a MAC under ES256", handmade([]byte(text), `{"alg":"ES256"}`, claims), jws.ReasonSignature},
		{"by another key", issue(newKey(t), `{"alg":"ES256"}`), jws.ReasonSignature},
		{"63 bytes", header + "." + payload + "." + rawURL.EncodeToString(raw[:63]), jws.ReasonSignature},
		{"65 bytes", header + "." + payload + "." + rawURL.EncodeToString(append(raw, 0)), jws.ReasonSignature},
		{"zeros", header + "." + payload + "." + rawURL.EncodeToString(make([]byte, 64)), jws.ReasonSignature},
	}
	tokens := keyTokens(t, at(noon), nil, jws.Key{Key: &key.PublicKey})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := tokens.Verify(t.Context(), tt.token)
			if tt.want != "" {
				checkReason(t, err, tt.want)
			} else if err != nil || c.Nation != "GI" {
				t.Errorf("got %+v, %v", c, err)
			}
		})
	}
}

func TestRotationOfSecrets(t *testing.T) {
	a, b := jws.SecretKey{ID: "a", Secret: secretOf("a")}, jws.SecretKey{ID: "b", Secret: secretOf("b")}
	old, _ := mustIssue(t, secretTokens(t, at(noon), a), "GI")
	both := secretTokens(t, at(noon), b, a)
	next, _ := mustIssue(t, both, "GI")
	unnamed, _ := mustIssue(t, secretTokens(t, at(noon), jws.SecretKey{Secret: a.Secret}), "GI")
	tests := []struct {
		name   string
		tokens *jws.Tokens
		token  string
		good   bool
	}{
		{"old in the rotation", both, old, true},
		{"new in the rotation", both, next, true},
		{"one without a key id", both, unnamed, true},
		{"old afterwards", secretTokens(t, at(noon), b), old, false},
		{"new afterwards", secretTokens(t, at(noon), b), next, true},
		{"new before", secretTokens(t, at(noon), a), next, false},
		{"old, where the name is another's", secretTokens(t, at(noon), jws.SecretKey{ID: "a", Secret: b.Secret}, jws.SecretKey{ID: "b", Secret: a.Secret}), old, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := tt.tokens.Verify(t.Context(), tt.token); tt.good != (err == nil) {
				t.Errorf("got %v, want it good: %t", err, tt.good)
			}
		})
	}
}

func TestRotationOfKeys(t *testing.T) {
	a, b := newSigner(t, newKey(t), nil), newSigner(t, newKey(t), nil)
	old, _ := mustIssue(t, keyTokens(t, at(noon), a), "GI")
	both := keyTokens(t, at(noon), b, a.Key())
	next, _ := mustIssue(t, both, "GI")
	for _, token := range []string{old, next} {
		if _, err := both.Verify(t.Context(), token); err != nil {
			t.Error(err)
		}
	}
	_, err := keyTokens(t, at(noon), b).Verify(t.Context(), old)
	checkReason(t, err, jws.ReasonSignature)
	if _, err := keyTokens(t, at(noon), b).Verify(t.Context(), next); err != nil {
		t.Error(err)
	}
}

func TestTokensKeepTheirSecrets(t *testing.T) {
	keys := []jws.SecretKey{{Secret: jws.NewSecret()}}
	tokens := secretTokens(t, at(noon), keys...)
	token, _ := mustIssue(t, tokens, "GI")
	clear(keys[0].Secret)
	if _, err := tokens.Verify(t.Context(), token); err != nil {
		t.Errorf("the tokens have the caller's bytes: %v", err)
	}
}

func TestRevoked(t *testing.T) {
	secret := jws.SecretKey{Secret: secretOf("a")}
	token, issued := mustIssue(t, secretTokens(t, at(noon), secret), "GI")
	expired, _ := mustIssue(t, secretTokens(t, at(noon.Add(-400*day)), secret), "GI")
	down := errors.New("database is down")
	type keyType struct{}
	tests := []struct {
		name    string
		revoked func(ctx context.Context, c jws.Claims) (bool, error)
		token   string
		want    jws.Reason // empty: good
	}{
		{"no", func(context.Context, jws.Claims) (bool, error) { return false, nil }, token, ""},
		{"yes", func(context.Context, jws.Claims) (bool, error) { return true, nil }, token, jws.ReasonRevoked},
		{"it cannot be said", func(context.Context, jws.Claims) (bool, error) { return false, down }, token, jws.ReasonUnavailable},
		{"by its id", func(_ context.Context, c jws.Claims) (bool, error) { return c == issued, nil }, token, jws.ReasonRevoked},
		{"with the caller's context", func(ctx context.Context, _ jws.Claims) (bool, error) { return ctx.Value(keyType{}) == 1, nil }, token, jws.ReasonRevoked},
		{"not asked of an expired one", func(context.Context, jws.Claims) (bool, error) {
			t.Error("asked")
			return true, nil
		}, expired, jws.ReasonExpired},
		{"not asked of one that is not signed", func(context.Context, jws.Claims) (bool, error) {
			t.Error("asked")
			return true, nil
		}, handmade(secretOf("b"), tokenHeader, `{"id":"GI","iat":1622635200,"exp":1622638800}`), jws.ReasonSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tokens := secretTokens(t, &jws.TokenOptions{Revoked: tt.revoked, Now: at(noon).Now}, secret)
			c, err := tokens.Verify(context.WithValue(t.Context(), keyType{}, 1), tt.token)
			if tt.want == "" {
				if err != nil || c != issued {
					t.Errorf("got %+v, %v", c, err)
				}
				return
			}
			if c != (jws.Claims{}) {
				t.Errorf("got %+v with an error", c)
			}
			checkReason(t, err, tt.want)
			if tt.want == jws.ReasonUnavailable && !errors.Is(err, down) {
				t.Errorf("got %v, want %v", err, down)
			}
		})
	}
}

func TestAlteredTokensAreRefused(t *testing.T) {
	secret := jws.SecretKey{ID: "k", Secret: secretOf("a")}
	for name, tokens := range map[string]*jws.Tokens{
		"HS256": secretTokens(t, at(noon), secret),
		"ES256": keyTokens(t, at(noon), newSigner(t, newKey(t), nil)),
	} {
		token, _ := mustIssue(t, tokens, "GI")
		for i := range token {
			for bit := range 8 {
				altered := []byte(token)
				altered[i] ^= 1 << bit
				if _, err := tokens.Verify(t.Context(), string(altered)); err == nil {
					t.Errorf("%s: byte %d, bit %d altered, and good", name, i, bit)
				}
			}
		}
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	secret := jws.Secret("correct horse battery staple 1234")
	key := jws.SecretKey{ID: "id", Secret: secret}
	tokens := secretTokens(t, nil, key)
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "% x"} {
		for _, value := range []any{secret, &secret, key, &key, []jws.SecretKey{key}, tokens, *tokens, struct{ T *jws.Tokens }{tokens}} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("x", "secret", secret, "key", key, "tokens", tokens, "value", *tokens)
	}
	for _, value := range []any{secret, key, tokens} {
		text, _ := json.Marshal(value)
		out.Write(text)
	}
	for _, form := range []string{"%s", "%x", "%X", "% x", "%d", "%#v", "%q"} {
		if leak := fmt.Sprintf(form, []byte(secret)); strings.Contains(out.String(), strings.Trim(leak, `[]{}"`)[:16]) {
			t.Errorf("the secret is in the output as %s", form)
		}
	}
	if strings.Contains(out.String(), rawURL.EncodeToString(secret)[:16]) {
		t.Error("the secret is in the output in base64")
	}
	if !strings.Contains(out.String(), "Tokens(HS256)") || !strings.Contains(out.String(), "Secret(redacted)") {
		t.Errorf("the names are not in the output:\n%s", out.String())
	}
	if _, err := json.Marshal(key); err == nil {
		t.Error("a secret is marshalled")
	}
}

func TestNewSecret(t *testing.T) {
	a, b := jws.NewSecret(), jws.NewSecret()
	if len(a) != jws.MinSecret || string(a) == string(b) || string(a) == string(make([]byte, jws.MinSecret)) {
		t.Error("secrets are short, or not random")
	}
}

func TestTokensConcurrently(t *testing.T) {
	signer := newSigner(t, newKey(t), &jws.SignerOptions{KeyID: "k"})
	for _, tokens := range []*jws.Tokens{
		secretTokens(t, at(noon), jws.SecretKey{ID: "k", Secret: secretOf("a")}),
		keyTokens(t, at(noon), signer),
	} {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				nation := fmt.Sprintf("N%d", i)
				token, _, err := tokens.Issue(nation)
				if err != nil {
					t.Error(err)
					return
				}
				if c, err := tokens.Verify(context.Background(), token); err != nil || c.Nation != nation {
					t.Errorf("got %+v, %v, want %s", c, err, nation)
				}
			})
		}
		wg.Wait()
	}
}
