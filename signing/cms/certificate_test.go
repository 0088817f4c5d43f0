package cms

import (
	"bytes"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"net/url"
	"strings"
	"testing"
)

func TestThumbprint(t *testing.T) {
	id := someone(t)
	sum := sha256.Sum256(id.cert.Raw)
	if got := ThumbprintOf(id.cert).String(); got != hex.EncodeToString(sum[:]) {
		t.Errorf("got %s, want that of the certificate's bytes", got)
	}
	var raw Thumbprint
	copy(raw[:], strings.Repeat("\xfb\xef\xff", 11)) // pluses and slashes, in base64
	padded := base64.StdEncoding.EncodeToString(raw[:])
	if !strings.ContainsAny(padded, "+") || !strings.ContainsAny(padded, "/") {
		t.Fatal("the base64 is too plain to tell anything")
	}
	var full strings.Builder
	for _, c := range []byte(padded) {
		full.WriteString("%" + hex.EncodeToString([]byte{c}))
	}
	for _, tt := range []struct {
		name, text string
		ok         bool
	}{
		{"hex", raw.String(), true},
		{"upper-case hex", strings.ToUpper(raw.String()), true},
		{"mixed hex", strings.ToUpper(raw.String()[:32]) + raw.String()[32:], true},
		{"base64", padded, true},
		{"base64 without padding", strings.TrimRight(padded, "="), true},
		{"escaped base64", url.QueryEscape(padded), true},
		{"base64 with its padding escaped", strings.Replace(padded, "=", "%3D", 1), true},
		{"base64, every character escaped", full.String(), true},
		{"hex, one digit less", raw.String()[1:], false},
		{"hex, a zero byte lost", raw.String()[2:], false},
		{"hex, one digit more", "0" + raw.String(), false},
		{"hex with colons", strings.Join(strings.SplitAfter(raw.String(), "f"), ":"), false},
		{"escaped hex", "%30" + raw.String()[1:], false},
		{"64 that are no hex", strings.Repeat("g", 64), false},
		{"base64 of URLs", base64.URLEncoding.EncodeToString(raw[:]), false},
		{"base64 of 31 bytes", base64.StdEncoding.EncodeToString(raw[:31]), false},
		{"base64 of 33 bytes", base64.StdEncoding.EncodeToString(append(raw[:], 1)), false},
		{"base64 with bits behind", padded[:42] + "/" + "=", false},
		{"base64 with a line break", padded[:20] + "\n" + padded[20:], false},
		{"base64 with an escaped line break", padded[:20] + "%0A" + padded[20:], false},
		{"base64, padded twice", padded + "=", false},
		{"a bad escape", padded + "%", false},
		{"empty", "", false},
		{"long", full.String() + "A", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseThumbprint(tt.text)
			if tt.ok {
				checkReason(t, err, "")
				if got != raw {
					t.Errorf("got %s", got)
				}
				return
			}
			checkReason(t, err, ReasonMalformed)
			if got != (Thumbprint{}) {
				t.Errorf("got %s and an error", got)
			}
		})
	}
	text, err := raw.MarshalText()
	if err != nil || string(text) != raw.String() {
		t.Errorf("got %s, %v", text, err)
	}
	var back Thumbprint
	if err := back.UnmarshalText(text); err != nil || back != raw {
		t.Errorf("got %s, %v", back, err)
	}
}

// Where no list is asked, as for the client of a TLS connection, the country must
// be right all the same.
func TestCountryOf(t *testing.T) {
	for _, tt := range []struct {
		countries []string
		want      string // "" for an error
	}{
		{[]string{"DE"}, "DE"}, {[]string{"AZ"}, "AZ"}, {[]string{"ZA"}, "ZA"},
		{nil, ""}, {[]string{"DE", "DE"}, ""}, {[]string{"DE", "FR"}, ""},
		{[]string{"de"}, ""}, {[]string{"dE"}, ""}, {[]string{"De"}, ""}, {[]string{"D"}, ""}, {[]string{"DEU"}, ""},
		{[]string{"D1"}, ""}, {[]string{"@A"}, ""}, {[]string{"A["}, ""}, {[]string{""}, ""}, {[]string{"\u00dc"}, ""},
	} {
		id := issue(t, newKey(t, elliptic.P256()), func(c *x509.Certificate) { c.Subject.Country = tt.countries })
		got, err := CountryOf(id.cert)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q: got %q, %v", tt.countries, got, err)
		}
		if err != nil {
			checkReason(t, err, ReasonCountry)
		}
	}
}

func TestParseCertificate(t *testing.T) {
	id := someone(t)
	text := pemOf(id.cert)
	other := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	for _, tt := range []struct {
		name, text string
		want       Reason
	}{
		{"plain", text, ""},
		{"without its last line break", strings.TrimSpace(text), ""},
		{"with lines of Windows", strings.ReplaceAll(text, "\n", "\r\n"), ""},
		{"white space around", "\n " + text + "\n\n", ""},
		{"two", text + text, ReasonCertificate},
		{"text before", "x\n" + text, ReasonCertificate},
		{"text behind", text + "x", ReasonCertificate},
		{"a key", keyPEM(t, id.key), ReasonCertificate},
		{"called by another name", other("X509 CRL", id.cert.Raw), ReasonCertificate},
		{"cut", other("CERTIFICATE", id.cert.Raw[:100]), ReasonCertificate},
		{"longer than itself", other("CERTIFICATE", append(bytes.Clone(id.cert.Raw), 0)), ReasonCertificate},
		{"DER", string(id.cert.Raw), ReasonCertificate},
		{"empty", "", ReasonCertificate},
		{"long", text + strings.Repeat("\n", MaxCertificateText), ReasonTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cert, err := ParseCertificate(tt.text)
			checkReason(t, err, tt.want)
			if (cert == nil) != (tt.want != "") || (cert != nil && !cert.Equal(id.cert)) {
				t.Error("got another certificate, or one and an error")
			}
		})
	}
}

// anchorSign returns what the trust anchor says of a text.
func anchorSign(t testing.TB, anchor identity, text string) string {
	t.Helper()
	a, ok := anchorAlgorithms[anchor.cert.SignatureAlgorithm]
	if !ok {
		t.Fatalf("no algorithm of an anchor: %v", anchor.cert.SignatureAlgorithm)
	}
	signature, err := anchor.key.Sign(nil, digestOf(a.hash, []byte(text)), a.opts())
	if err != nil {
		t.Fatal(err)
	}
	return encode(signature)
}

func TestVerifyAnchor(t *testing.T) {
	text := pemOf(someone(t).cert)
	for name, anchor := range map[string]identity{
		"P-256": someone(t),
		"P-384": issue(t, newKey(t, elliptic.P384()), nil), // by SHA-384, as x509 chooses
		"RSA":   issue(t, rsaKey(), nil),
	} {
		t.Run(name, func(t *testing.T) {
			signature := anchorSign(t, anchor, text)
			for _, tt := range []struct {
				name, text, signature string
				want                  Reason
			}{
				{"as signed", text, signature, ""},
				{"not padded", text, strings.TrimRight(signature, "="), ""},
				{"another line break", strings.TrimSpace(text), signature, ReasonAnchor},
				{"another certificate", pemOf(someone(t).cert), signature, ReasonAnchor},
				{"no certificate", "", signature, ReasonAnchor},
				{"signed by another", text, anchorSign(t, someone(t), text), ReasonAnchor},
				{"not signed", text, "", ReasonAnchor},
				{"a signature in CMS", text, anchor.sign(t, text, nil), ReasonAnchor},
				{"line breaks in the signature", text, signature[:20] + "\n" + signature[20:], ReasonMalformed},
				{"a long text", strings.Repeat("x", MaxCertificateText+1), signature, ReasonTooLarge},
				{"a long signature", text, strings.Repeat("A", MaxText+1), ReasonTooLarge},
			} {
				t.Run(tt.name, func(t *testing.T) {
					checkReason(t, VerifyAnchor(anchor.cert, tt.text, tt.signature), tt.want)
				})
			}
		})
	}
	weak := issue(t, newKey(t, elliptic.P224()), nil)
	checkReason(t, VerifyAnchor(weak.cert, text, anchorSign(t, weak, text)), ReasonAnchor)
	old := *someone(t).cert
	old.SignatureAlgorithm = 0
	checkReason(t, VerifyAnchor(&old, text, ""), ReasonAnchor)
}
