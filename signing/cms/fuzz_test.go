package cms

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Nothing makes Parse and Verify panic, and nothing is verified but what was
// signed: the fuzzer has no key, so that what verifies is the content of the
// vectors by one of their certificates. What is taken by default, another
// implementation takes, as far as it can.
func FuzzVerify(f *testing.F) {
	known := make(map[string]bool)
	for _, v := range vectors(f) {
		known[v.certificate] = true
		ber, err := base64.StdEncoding.DecodeString(v.signature)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(ber, []byte(v.content))
	}
	f.Add([]byte{0x30, 0x80, 0, 0}, []byte(nil))
	f.Fuzz(func(t *testing.T, ber, content []byte) {
		text := encode(ber)
		for _, opts := range []ParseOptions{{}, {Extras: true, UnsafeWithoutAttributes: true}} {
			m, err := Parse(text, &opts)
			if err != nil {
				if m != nil {
					t.Error("a message and an error")
				}
				if e, ok := errors.AsType[*Error](err); !ok || e.Reason == ReasonOptions || e.Reason == ReasonSigner {
					t.Errorf("got error %v", err)
				}
				checkSilent(t, err)
				continue
			}
			if m.Verify(content) != nil {
				continue
			}
			// A key of the fuzzer's own making signs what it likes, if it can.
			if known[encode(m.Certificate.Raw)] && string(content) != batch {
				t.Errorf("verified, and never signed: %q", content)
			}
			if opts == (ParseOptions{}) && m.signer.serial != nil && m.signer.algorithm.kind != kindPSS {
				if err := pkcs7Verifies(ber, content); err != nil {
					t.Errorf("the other implementation refuses it: %v", err)
				}
			}
		}
	})
}

// What becomes of BER is DER: it has the same values, is no longer, and stays as
// it is.
func FuzzToDER(f *testing.F) {
	for _, v := range vectors(f) {
		ber, err := base64.StdEncoding.DecodeString(v.signature)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(ber)
	}
	f.Add([]byte{0x24, 0x80, 0x04, 0x01, 0x02, 0, 0})
	f.Fuzz(func(t *testing.T, ber []byte) {
		der, err := toDER(ber)
		if err != nil {
			return
		}
		// A length of ours may need three bytes where an indefinite one needs
		// two of its own and two for its end.
		if len(der) > len(ber)+2*len(ber)/4 {
			t.Errorf("%d bytes out of %d", len(der), len(ber))
		}
		again, err := toDER(der)
		if err != nil || !bytes.Equal(again, der) {
			t.Errorf("% x is made % x, %v", der, again, err)
		}
		var element cryptobyte.String
		var tag asn1.Tag
		s := cryptobyte.String(der)
		if !s.ReadAnyASN1Element(&element, &tag) || !s.Empty() {
			t.Errorf("% x is not DER", der)
		}
	})
}

// Whatever is in a list, what is read of it is written and read again as it was.
func FuzzParseList(f *testing.F) {
	text, err := MarshalList([]Entry{
		{Use: UseSigning, Country: "DE", Certificate: pemOf(someone(f).cert)},
		{Use: UseCallback, Country: "FR", Thumbprint: Thumbprint{0, 1}, Revoked: true, AnchorSignature: "AA=="},
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(text), `{"certificates": []}`, `{"certificates": [null]}`, `null`, `{"Certificates": [{"USE": "signing"}]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := ParseList(text, nil)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Errorf("got error %v", err)
			}
			return
		}
		again, err := MarshalList(entries)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseList(again, nil)
		if err != nil || len(back) != len(entries) {
			t.Fatalf("got %v, %v", back, err)
		}
		for i := range back {
			if back[i] != entries[i] {
				t.Errorf("entry %d: got %+v, want %+v", i, back[i], entries[i])
			}
		}
	})
}

// A thumbprint that is read is written and read again as it was.
func FuzzParseThumbprint(f *testing.F) {
	for _, seed := range []string{Thumbprint{}.String(), Thumbprint{0xff}.String(), encode(make([]byte, 32)), "%2B%2f", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParseThumbprint(text)
		if err != nil {
			checkReason(t, err, ReasonMalformed)
			return
		}
		if back, err := ParseThumbprint(p.String()); err != nil || back != p {
			t.Errorf("got %s, %v", back, err)
		}
		if back, err := ParseThumbprint(encode(p[:])); err != nil || back != p {
			t.Errorf("got %s, %v", back, err)
		}
	})
}

// The vectors are not lost: a fuzzer without seeds would say
// nothing.
func TestSeeds(t *testing.T) {
	for _, maker := range []string{"openssl", "bouncycastle"} {
		if found, err := filepath.Glob(filepath.Join("testdata", "vectors", maker+"-*.txt")); err != nil || len(found) < 10 {
			t.Errorf("%d vectors by %s, %v", len(found), maker, err)
		}
	}
	if _, err := os.Stat(filepath.Join("testdata", "vectors", "README")); err != nil {
		t.Error(err)
	}
}
