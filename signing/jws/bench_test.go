package jws_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/signing/jws"
)

// upload is the payload of an upload of n made-up keys, as the British back end
// writes it: 180 bytes a key, 240 once they are in base64.
func upload(n int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for i := range n {
		data := make([]byte, 16)
		for j := range data {
			data[j] = byte(random.Uint32())
		}
		fmt.Fprintf(&b, `,{"keyData":"%s","rollingStartNumber":%d,"transmissionRiskLevel":0,"rollingPeriod":144,"regions":["GB-EAW"],"testType":1,"reportType":1,"daysSinceOnset":%d}`,
			base64.StdEncoding.EncodeToString(data), 2706768+144*(i%14), i%14)
	}
	return []byte("[" + b.String()[1:] + "]")
}

func BenchmarkSign(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			signer, payload := newSigner(b, newKey(b), nil), upload(n)
			b.ReportAllocs()
			var text string
			for b.Loop() {
				var err error
				if text, err = signer.Sign(payload); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(text)))
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			signer := newSigner(b, newKey(b), &jws.SignerOptions{Padded: true})
			verifier, text := newVerifier(b, signer.Key()), mustSign(b, signer, string(upload(n)))
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := verifier.Verify(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A message that nobody has signed costs no more than one that is: every key is
// tried.
func BenchmarkVerifyUnsigned(b *testing.B) {
	var keys []jws.Key
	for range 4 {
		keys = append(keys, jws.Key{Key: &newKey(b).PublicKey})
	}
	verifier, text := newVerifier(b, keys...), mustSign(b, newSigner(b, newKey(b), nil), string(upload(1000)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := verifier.Verify(text); err == nil {
			b.Fatal("verified")
		}
	}
}

func BenchmarkVerifyToken(b *testing.B) {
	for name, tokens := range map[string]*jws.Tokens{
		"HS256": secretTokens(b, at(noon), jws.SecretKey{Secret: jws.NewSecret()}),
		"ES256": keyTokens(b, at(noon), newSigner(b, newKey(b), nil)),
	} {
		b.Run(name, func(b *testing.B) {
			token, _ := mustIssue(b, tokens, "GI")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tokens.Verify(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
