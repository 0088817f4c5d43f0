package jws_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/signing/jws"
)

// The tests in this file hold this package against npm's jose and the crypto of
// Node, run as a program: testdata/counterpart.mjs.

// nodeText is a text that Node is to verify.
type nodeText struct {
	By   string `json:"by"` // a function of the program
	Text string `json:"text"`
}

type nodeAnswer struct {
	Verified []struct {
		Header  map[string]string `json:"header"`
		Payload string            `json:"payload"`
		Error   string            `json:"error"`
	} `json:"verified"`
	Messages     map[string]string `json:"messages"`
	SecretTokens map[string]string `json:"secretTokens"`
	KeyTokens    map[string]string `json:"keyTokens"`
}

// nodeModules is the folder that jose is in: that of the variable
// GAEN_NODE_MODULES, or where .ci/run puts it.
func nodeModules(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("GAEN_NODE_MODULES")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Skipf("no folder with npm's jose: nothing checked with it: %v", err)
		}
		dir = filepath.Join(cache, "gaen-ci", "node_modules")
	}
	if _, err := os.Stat(filepath.Join(dir, "jose", "package.json")); err != nil {
		t.Skipf("npm's jose is not in %s: nothing checked with it", dir)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// node has Node verify texts and sign payload.
func node(t *testing.T, key *ecdsa.PrivateKey, secret jws.Secret, payload string, texts ...nodeText) nodeAnswer {
	t.Helper()
	program, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed here: nothing checked with it")
	}
	private, err := signing.MarshalPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	input, err := json.Marshal(map[string]any{
		"privateKey": string(private),
		"publicKey":  string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		"secret":     rawURL.EncodeToString(secret),
		"payload":    payload,
		"now":        noon.Format(time.RFC3339),
		"expires":    noon.Add(time.Hour).Format(time.RFC3339),
		"texts":      texts,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, filepath.Join("testdata", "counterpart.mjs"), nodeModules(t))
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, stderr.Bytes())
	}
	var answer nodeAnswer
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatalf("node answers %q: %v", out, err)
	}
	return answer
}

func TestNodeVerifiesOurs(t *testing.T) {
	key, secret := rfc6979Key(t), secretOf("node")
	plain, named := newSigner(t, key, nil), newSigner(t, key, &jws.SignerOptions{KeyID: "gb"})
	padded := newSigner(t, key, &jws.SignerOptions{Padded: true})
	bySecret := secretTokens(t, at(noon), jws.SecretKey{ID: "s", Secret: secret})
	secretToken, secretClaims := mustIssue(t, bySecret, "GI")
	keyToken, keyClaims := mustIssue(t, keyTokens(t, at(noon), plain), "GI")
	claims := func(c jws.Claims) string {
		return fmt.Sprintf(`{"id":"GI","jti":"%s","iat":%d,"exp":%d}`, c.TokenID, c.IssuedAt.Unix(), c.ExpiresAt.Unix())
	}
	const payload = `[{"keyData":"AAAAAAAAAAAAAAAAAAAAAA==","regions":["Ünïcode ÿ"]}]`
	flipped := []byte(mustSign(t, plain, payload))
	flipped[len(flipped)/2] ^= 1

	tests := []struct {
		name    string
		text    nodeText
		payload string // empty: refused
		kid     string
	}{
		{"plain", nodeText{"message", mustSign(t, plain, payload)}, payload, ""},
		{"named", nodeText{"message", mustSign(t, named, payload)}, payload, "gb"},
		{"empty list", nodeText{"message", mustSign(t, plain, "[]")}, "[]", ""},
		{"a thousand keys", nodeText{"message", mustSign(t, plain, string(upload(1000)))}, string(upload(1000)), ""},
		{"plain, as sent", nodeText{"asSent", mustSign(t, plain, payload)}, payload, ""},
		{"padded, as sent", nodeText{"asSent", mustSign(t, padded, payload)}, payload, ""},
		{"padded list, as sent", nodeText{"asSent", mustSign(t, padded, "[]")}, "[]", ""},
		{"a token by secret", nodeText{"secretToken", secretToken}, claims(secretClaims), "s"},
		{"a token by key", nodeText{"keyToken", keyToken}, claims(keyClaims), ""},
		{"altered", nodeText{"message", string(flipped)}, "", ""}, // or else all of this says nothing
		{"altered, as sent", nodeText{"asSent", string(flipped)}, "", ""},
		{"a token by another secret", nodeText{"secretToken", handmade(secretOf("x"), tokenHeader, claims(secretClaims))}, "", ""},
	}
	texts := make([]nodeText, len(tests))
	for i, tt := range tests {
		texts[i] = tt.text
	}
	answer := node(t, key, secret, payload, texts...)
	if len(answer.Verified) != len(tests) {
		t.Fatalf("got %d answers, want %d", len(answer.Verified), len(tests))
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := answer.Verified[i]
			if tt.payload == "" {
				if got.Error == "" {
					t.Errorf("node takes it: %+v", got)
				}
				return
			}
			if got.Error != "" || got.Payload != tt.payload || got.Header["kid"] != tt.kid {
				t.Errorf("got header %v, %d bytes, %s, want %d bytes by %q", got.Header, len(got.Payload), got.Error, len(tt.payload), tt.kid)
			}
		})
	}
}

func TestVerifyWhatNodeSigns(t *testing.T) {
	key, secret := newKey(t), jws.NewSecret()
	// The length of the payload makes the padded spelling end in "==", and its
	// bytes make the alphabets differ.
	payload := `[{"keyData":"????>>>>ÿÿÿÿAAAAAAAAAA=="}]`
	answer := node(t, key, secret, payload)
	verifier := newVerifier(t, jws.Key{ID: "other", Key: &newKey(t).PublicKey}, jws.Key{ID: "node", Key: &key.PublicKey})
	for _, name := range []string{"plain", "named", "padded", "standard"} {
		m, err := verifier.Verify(answer.Messages[name])
		if err != nil || string(m.Payload) != payload || m.Key.ID != "node" {
			t.Errorf("%s: got %+v, %v", name, m, err)
		}
	}
	if !strings.Contains(answer.Messages["padded"], "==") || !strings.ContainsAny(answer.Messages["standard"], "+/") {
		t.Error("node's messages are not spelt as they should be")
	}

	want := jws.Claims{Nation: "GI", TokenID: "node", IssuedAt: noon, ExpiresAt: noon.Add(time.Hour)}
	bySecret := secretTokens(t, at(noon), jws.SecretKey{Secret: jws.NewSecret()}, jws.SecretKey{ID: "node", Secret: secret})
	byKey := keyTokens(t, at(noon), nil, jws.Key{Key: &newKey(t).PublicKey}, jws.Key{ID: "node", Key: &key.PublicKey})
	for _, name := range []string{"plain", "named"} {
		if c, err := bySecret.Verify(t.Context(), answer.SecretTokens[name]); err != nil || c != want {
			t.Errorf("%s, by secret: got %+v, %v", name, c, err)
		}
		if c, err := byKey.Verify(t.Context(), answer.KeyTokens[name]); err != nil || c != want {
			t.Errorf("%s, by key: got %+v, %v", name, c, err)
		}
	}
}
