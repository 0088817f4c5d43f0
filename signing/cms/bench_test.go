package cms

import (
	"crypto/elliptic"
	"strings"
	"testing"
)

// fiveThousand is as long as the signing bytes of the largest batch that the
// gateway takes: 5,000 keys, 116 bytes each.
var fiveThousand = strings.Repeat(batch, 5000*116/len(batch))

func benchmarkParties(b *testing.B) []party {
	ofRSA := issue(b, rsaKey(), nil)
	return []party{
		{"P-256", someone(b), nil}, {"P-384", issue(b, newKey(b, elliptic.P384()), nil), nil},
		{"RSA", ofRSA, nil}, {"RSA-PSS", ofRSA, &SignerOptions{PSS: true}},
	}
}

func BenchmarkSign(b *testing.B) {
	for _, p := range benchmarkParties(b) {
		b.Run(p.name, func(b *testing.B) {
			s := p.signer(b, p.opts)
			content := []byte(fiveThousand)
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Sign(content, noon); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, p := range benchmarkParties(b) {
		b.Run(p.name, func(b *testing.B) {
			text, v := p.sign(b, fiveThousand, p.opts), verifierOf(b, nil, p.identity)
			content := []byte(fiveThousand)
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(b.Context(), content, text, noon); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What nobody has signed is refused for less than what somebody has.
func BenchmarkRefuse(b *testing.B) {
	content := []byte(fiveThousand)
	unlisted := someone(b).sign(b, fiveThousand, nil)
	for name, text := range map[string]string{
		"unlisted": unlisted,
		"deep":     encode(append([]byte(strings.Repeat("\x30\x80", maxDepth-2)), strings.Repeat("\x05\x00", MaxText/4*3/2-4*maxDepth)...)),
	} {
		b.Run(name, func(b *testing.B) {
			v := verifierOf(b, nil)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(b.Context(), content, text, noon); err == nil {
					b.Fatal("verified")
				}
			}
		})
	}
}
