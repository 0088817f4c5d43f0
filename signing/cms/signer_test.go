package cms

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"
	"time"
)

// What is signed is verified, by every kind of key, in memory and not, whatever
// the content.
func TestSignVerify(t *testing.T) {
	for _, p := range parties(t) {
		for name, key := range map[string]crypto.Signer{"memory": p.key, "service": &service{Signer: p.key}} {
			for _, content := range []string{batch, "", "\x31\x00", strings.Repeat(batch, 1000)} {
				t.Run(fmt.Sprintf("%s/%s/%d bytes", p.name, name, len(content)), func(t *testing.T) {
					text := identity{p.cert, key}.sign(t, content, p.opts)
					got, err := verifierOf(t, nil, p.identity).Verify(t.Context(), []byte(content), text, noon)
					if err != nil {
						t.Fatal(err)
					}
					if got.Country != "DE" || !got.SignedAttributes || !got.SigningTime.Equal(noon) || got.SigningTime.Location() != time.UTC ||
						!got.Certificate.Equal(p.cert) || got.Thumbprint != ThumbprintOf(p.cert) {
						t.Errorf("got %+v", got)
					}
				})
			}
		}
	}
}

func TestAlgorithms(t *testing.T) {
	want := map[string]x509.SignatureAlgorithm{
		"P-256": x509.ECDSAWithSHA256, "P-384": x509.ECDSAWithSHA256, "P-521": x509.ECDSAWithSHA256,
		"RSA": x509.SHA256WithRSA, "RSA-PSS": x509.SHA256WithRSAPSS,
	}
	for _, p := range parties(t) {
		m, err := Parse(p.sign(t, batch, p.opts), nil)
		if err != nil || m.Algorithm != want[p.name] {
			t.Errorf("%s: got %v, %v", p.name, m, err)
		}
	}
}

// A signature is what the gateway's document asks for: one line of base64, one
// signer, one certificate, no content, three signed attributes in the order of
// DER, SHA-256.
func TestForm(t *testing.T) {
	for _, p := range parties(t) {
		t.Run(p.name, func(t *testing.T) {
			text := p.sign(t, batch, p.opts)
			if strings.ContainsAny(text, "\r\n-_ ") || len(text)%4 != 0 {
				t.Error("not base64 on one line")
			}
			root := tree(t, decode(t, text))
			if got := len(root.at(atContent...).inner); got != 1 {
				t.Errorf("%d fields of content, want its type alone", got)
			}
			if got := root.at(atCertificates...).inner; len(got) != 1 || string(got[0].der()) != string(p.cert.Raw) {
				t.Errorf("%d certificates, want the signer's", len(got))
			}
			if got := len(root.at(atSigners...).inner); got != 1 {
				t.Errorf("%d signers", got)
			}
			if got := len(root.at(atSigner...).at(fieldAttributes).inner); got != 3 {
				t.Errorf("%d attributes, want 3", got)
			}
			if got := len(root.at(atSignedData...).inner); got != 5 {
				t.Errorf("%d fields of SignedData, want 5: no revocation lists", got)
			}
		})
	}
}

func TestSignIsDeterministic(t *testing.T) {
	for _, p := range parties(t) {
		first := p.sign(t, batch, p.opts)
		if same := first == p.sign(t, batch, p.opts); same != (p.name != "RSA-PSS") {
			t.Errorf("%s: the same signature twice: %v", p.name, same)
		}
	}
}

// Times lie where RFC 5652, 11.3, wants them: two digits for the years up to
// 2049, four from then on.
func TestSigningTime(t *testing.T) {
	id := issue(t, newKey(t, elliptic.P256()), func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Date(1940, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	})
	berlin := time.FixedZone("", 2*60*60)
	for _, tt := range []struct {
		at   time.Time
		want string
	}{
		{noon, "\x17\x0d210602120000Z"},
		{noon.In(berlin).Add(999 * time.Millisecond), "\x17\x0d210602120000Z"},
		{time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC), "\x17\x0d491231235959Z"},
		{time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC), "\x18\x0f20500101000000Z"},
		{time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC), "\x17\x0d500101000000Z"},
		{time.Date(1949, 12, 31, 0, 0, 0, 0, time.UTC), "\x18\x0f19491231000000Z"},
	} {
		text, err := id.signer(t, nil).Sign([]byte(batch), tt.at)
		if err != nil {
			t.Error(err)
			continue
		}
		if !strings.Contains(string(decode(t, text)), tt.want) {
			t.Errorf("%v: not written as %q", tt.at, tt.want)
		}
		if m, err := Parse(text, nil); err != nil || !m.SigningTime.Equal(tt.at.Truncate(time.Second)) {
			t.Errorf("%v: read as %v, %v", tt.at, m, err)
		}
	}
}

func TestSignOutOfValidity(t *testing.T) {
	id := someone(t)
	s := id.signer(t, nil)
	for _, tt := range []struct {
		at   time.Time
		want Reason
	}{
		{id.cert.NotBefore, ""},
		{id.cert.NotAfter, ""},
		{id.cert.NotAfter.Add(999 * time.Millisecond), ""}, // the time is to the second
		{id.cert.NotBefore.Add(-time.Nanosecond), ReasonNotYet},
		{id.cert.NotAfter.Add(time.Second), ReasonExpired},
		{time.Time{}, ReasonNotYet},
	} {
		text, err := s.Sign([]byte(batch), tt.at)
		checkReason(t, err, tt.want)
		if (text == "") != (tt.want != "") {
			t.Errorf("%v: got a text of %d bytes", tt.at, len(text))
		}
	}
}

func TestNewSigner(t *testing.T) {
	id := someone(t)
	other := newKey(t, elliptic.P256())
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	small := issue(t, newKey(t, elliptic.P224()), nil)
	for _, tt := range []struct {
		name    string
		cert    *x509.Certificate
		key     crypto.Signer
		opts    *SignerOptions
		subject string
	}{
		{"no certificate", nil, id.key, nil, "certificate"},
		{"no key", id.cert, nil, nil, "key"},
		{"a key that is nil", id.cert, (*ecdsa.PrivateKey)(nil), nil, "key"},
		{"an RSA key that is nil", id.cert, (*rsa.PrivateKey)(nil), nil, "key"},
		{"another key", id.cert, other, nil, "key"},
		{"a key of another kind", id.cert, rsaKey(), nil, "key"},
		{"PSS with ECDSA", id.cert, id.key, &SignerOptions{PSS: true}, "SignerOptions.PSS"},
		{"Ed25519", issue(t, edKey, nil).cert, edKey, nil, "certificate"},
		{"P-224", small.cert, small.key, nil, "certificate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := NewSigner(tt.cert, tt.key, tt.opts)
			checkReason(t, err, ReasonOptions)
			if e, ok := errors.AsType[*Error](err); !ok || e.Subject != tt.subject || s != nil {
				t.Errorf("got error %v, want one about %s", err, tt.subject)
			}
		})
	}
	if s := id.signer(t, nil); s.Certificate() != id.cert {
		t.Error("got another certificate")
	}
}

func TestRSAKeySizes(t *testing.T) {
	for _, tt := range []struct {
		bits int
		ok   bool
	}{{MinRSABits - 1, false}, {MinRSABits, true}, {MaxRSABits, true}, {MaxRSABits + 1, false}} {
		n := new(big.Int).Lsh(big.NewInt(1), uint(tt.bits-1))
		if err := checkKey(&rsa.PublicKey{N: n, E: 65537}); (err == nil) != tt.ok {
			t.Errorf("%d bits: got %v", tt.bits, err)
		}
	}
}

func TestSignerFails(t *testing.T) {
	id, broken := someone(t), errors.New("service is away")
	for name, key := range map[string]*service{
		"an error":         {Signer: id.key, err: broken},
		"a bad signature":  {Signer: id.key, spoil: true},
		"another's answer": {Signer: &mixed{newKey(t, elliptic.P256()), id.key.Public()}},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := identity{id.cert, key}.signer(t, nil).Sign([]byte(batch), noon)
			checkReason(t, err, ReasonSigner)
			if text != "" || (key.err != nil && !errors.Is(err, broken)) {
				t.Errorf("got %q, %v", text, err)
			}
		})
	}
}

// mixed says that its key is another than the one it signs with.
type mixed struct {
	crypto.Signer
	public crypto.PublicKey
}

func (m *mixed) Public() crypto.PublicKey { return m.public }

func TestSignerDoesNotPrintItsKey(t *testing.T) {
	id := someone(t)
	s := id.signer(t, nil)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "signer", s)
	want := "Signer(" + ThumbprintOf(id.cert).String() + ")"
	for _, got := range []string{fmt.Sprintf("%v", s), fmt.Sprintf("%+v", s), fmt.Sprintf("%#v", s), fmt.Sprintf("%d", s)} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if !strings.Contains(log.String(), want) || len(log.String()) > 200 {
		t.Errorf("logged as %s", log.String())
	}
}

// The content is the caller's, and is not changed.
func TestSignLeavesContent(t *testing.T) {
	content := []byte(batch)
	id := someone(t)
	text, err := id.signer(t, nil).Sign(content, noon)
	if err != nil || string(content) != batch {
		t.Fatal("the content was changed", err)
	}
	if _, err := base64.StdEncoding.Strict().DecodeString(text); err != nil {
		t.Error(err)
	}
	content[0] ^= 1
	m, err := Parse(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkReason(t, m.Verify(content), ReasonSignature)
}

// A certificate of the largest serial number and of an issuer of its own, as an
// authority gives it, is named by both.
func TestSignWithIssuedCertificate(t *testing.T) {
	ca := issue(t, newKey(t, elliptic.P384()), func(c *x509.Certificate) {
		c.Subject = pkix.Name{Country: []string{"LU"}, CommonName: "Ärzte & Söhne CA"}
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	})
	key := newKey(t, elliptic.P256())
	template := *someone(t).cert
	template.SerialNumber.SetString("7fffffffffffffffffffffffffffffffffffffff", 16)
	der, err := x509.CreateCertificate(rand.Reader, &template, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	id := identity{cert, key}
	got, err := verifierOf(t, nil, id).Verify(t.Context(), []byte(batch), id.sign(t, batch, nil), noon)
	if err != nil || got.Country != "DE" {
		t.Errorf("got %v, %v", got, err)
	}
}
