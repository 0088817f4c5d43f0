package federationtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"
)

// FuzzServer has a nation upload anything: the server must answer, and
// whatever it takes it must hand out to others as exposures of every field that can
// be read, but for what a nation of the extended form is not told.
func FuzzServer(f *testing.F) {
	nations := newNations()
	good := strangeKey()
	f.Add([]byte("[]"), false)
	f.Add([]byte(marshal([]any{good, bare(good), nil, 7})), false)
	f.Add([]byte(marshal([]json.RawMessage{changed(good, "reportType", 5), changed(good, "origin", "FR")})), true)
	for i, odd := range oddExposures(good) { // each by itself: what is long is minimized for long
		f.Add([]byte(marshal([]json.RawMessage{odd})), i%2 == 0)
	}
	f.Fuzz(func(t *testing.T, payload []byte, faithful bool) {
		s, err := NewServer(nations, &ServerOptions{Faithful: faithful})
		if err != nil {
			t.Fatal(err)
		}
		// The message was opened: signing it here would have each run take another way.
		up := s.store(&incoming{nation: 1, tag: "t"}, payload)
		if (up.status == http.StatusOK) == (up.status >= 400) || up.status != http.StatusOK && s.Keys(nations[1].Region) > 0 {
			t.Fatalf("status %d, and %d keys are stored", up.status, s.Keys(nations[1].Region))
		}
		s.shelve()
		for _, nation := range []int{0, 2} {
			if len(s.batches) == 0 {
				continue
			}
			down := s.page(0, nation)
			page := pageOf(outcome{status: down.status, body: down.body})
			if page.wrong != "" {
				t.Fatalf("a page of which %s", page.wrong)
			}
			for _, text := range page.exposures {
				e, ok := readExposure(text)
				if !ok && !faithful {
					t.Fatal("an exposure that cannot be read")
				}
				if field := missingField(text); field != "" && nation == 2 && !faithful {
					t.Fatalf("an exposure without %s", field)
				}
				if e.ReportType == revoked && nation == 2 && !faithful {
					t.Fatal("a withdrawal for one that takes none")
				}
			}
		}
	})
}

// FuzzMessage opens anything. What opens is what the key's owner signed, in whatever
// encoding: nobody else can sign.
func FuzzMessage(f *testing.F) {
	// The processes that fuzz have one key, so that what opens in one does in all.
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{7}, 32))
	if err != nil {
		f.Fatal(err)
	}
	n := Nation{Region: ie, Token: "t", Key: key}
	whole, err := seal(n.Key, base64.RawURLEncoding, es256, []byte("[]"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole + "==")
	f.Add("..")
	f.Add("e30.e30.e30")
	f.Fuzz(func(t *testing.T, text string) {
		for _, lenient := range []bool{false, true} {
			header, payload, err := open(n.publicKey(), text, lenient)
			if err != nil {
				continue
			}
			if string(payload) != "[]" || header["alg"] != "ES256" {
				t.Fatal("what was never signed opens")
			}
		}
	})
}

// FuzzPage takes anything for a page.
func FuzzPage(f *testing.F) {
	f.Add(pageBody("t", []exposure{strangeKey()}))
	f.Add(pageBody("", nil))
	f.Add([]byte("null"))
	f.Add([]byte(`{"batchTag":"t","exposures":[null,7,[],{"keyData":7},{"keyData":"","rollingPeriod":1e30}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p := pageOf(outcome{status: http.StatusOK, body: body})
		if (p.wrong == "") != (p.tag != "" && p.exposures != nil) {
			t.Fatalf("%q of a page with the tag %q", p.wrong, p.tag)
		}
		for _, text := range p.exposures {
			if e, ok := readExposure(text); ok && e.KeyData == "" {
				t.Fatal("an exposure without key data")
			}
			missingField(text)
		}
	})
}
