package cms

import (
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	encoding "encoding/asn1"
	"errors"
	"io/fs"
	"testing"
	"time"
)

// A certificate is good if it is listed for this use and its country, not
// revoked, valid now, and its key has signed.
func TestVerifyCertificates(t *testing.T) {
	good, twin := someone(t), someone(t)
	named := func(change func(*x509.Certificate)) identity { return issue(t, newKey(t, elliptic.P256()), change) }
	subject := func(name pkix.Name) identity {
		return named(func(c *x509.Certificate) { c.Subject = name })
	}
	raw := func(values ...any) identity { // countries as they are
		return named(func(c *x509.Certificate) {
			c.Subject = pkix.Name{CommonName: "Signing"}
			for _, v := range values {
				c.Subject.ExtraNames = append(c.Subject.ExtraNames, pkix.AttributeTypeAndValue{Type: oidCountry, Value: v})
			}
		})
	}
	for _, tt := range []struct {
		name   string
		signer identity
		list   func(e *Entry) // what is changed in the entry
		at     time.Time
		want   Reason
	}{
		{"good", good, nil, noon, ""},
		{"at its first moment", good, nil, good.cert.NotBefore, ""},
		{"at its last moment", good, nil, good.cert.NotAfter, ""},
		{"before its time", good, nil, good.cert.NotBefore.Add(-time.Nanosecond), ReasonNotYet},
		{"expired", good, nil, good.cert.NotAfter.Add(time.Nanosecond), ReasonExpired},
		{"revoked", good, func(e *Entry) { e.Revoked = true }, noon, ReasonRevoked},
		{"listed for authentication", good, func(e *Entry) { e.Use = UseAuthentication }, noon, ReasonUnlisted},
		{"listed for callbacks", good, func(e *Entry) { e.Use = UseCallback }, noon, ReasonUnlisted},
		{"another is listed", good, func(e *Entry) { *e = twin.entry() }, noon, ReasonUnlisted},
		{"listed by thumbprint", good, func(e *Entry) { e.Thumbprint, e.Certificate = ThumbprintOf(good.cert), "" }, noon, ""},
		{"listed for another country", good, func(e *Entry) {
			e.Country, e.Thumbprint, e.Certificate = "FR", ThumbprintOf(good.cert), ""
		}, noon, ReasonCountry},
		{"no country", subject(pkix.Name{CommonName: "DE"}), byThumbprint, noon, ReasonCountry},
		{"two countries", subject(pkix.Name{Country: []string{"DE", "FR"}}), byThumbprint, noon, ReasonCountry},
		{"a country twice", raw("DE", "DE"), byThumbprint, noon, ReasonCountry},
		{"a country in lower case", subject(pkix.Name{Country: []string{"de"}}), byThumbprint, noon, ReasonCountry},
		{"a country in mixed case", subject(pkix.Name{Country: []string{"De"}}), byThumbprint, noon, ReasonCountry},
		{"a country of three letters", subject(pkix.Name{Country: []string{"DEU"}}), byThumbprint, noon, ReasonCountry},
		{"a country of no letters", raw(""), byThumbprint, noon, ReasonCountry},
		{"a country with a digit", subject(pkix.Name{Country: []string{"D1"}}), byThumbprint, noon, ReasonCountry},
		{"a country with a space", subject(pkix.Name{Country: []string{"DE "}}), byThumbprint, noon, ReasonCountry},
		{"a country in UTF-8", raw(encoding.RawValue{Tag: encoding.TagUTF8String, Bytes: []byte("DE")}), nil, noon, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			entry := tt.signer.entry()
			if tt.list != nil {
				tt.list(&entry)
				if entry.Country == "" {
					entry.Country, entry.Thumbprint = "DE", ThumbprintOf(tt.signer.cert)
				}
			}
			v, err := NewVerifier(newList(t, entry), nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := v.Verify(t.Context(), []byte(batch), tt.signer.sign(t, batch, nil), tt.at)
			checkReason(t, err, tt.want)
			if (got == nil) != (tt.want != "") || (got != nil && got.Country != "DE") {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func byThumbprint(e *Entry) { e.Country, e.Certificate = "", "" }

// A certificate that has everything of a listed one but the key, or the key but
// not the bytes, is another.
func TestVerifyImpostor(t *testing.T) {
	good := someone(t)
	same := func(c *x509.Certificate) {
		c.SerialNumber, c.Subject, c.SubjectKeyId = good.cert.SerialNumber, good.cert.Subject, good.cert.SubjectKeyId
	}
	v := verifierOf(t, nil, good)
	for name, id := range map[string]identity{
		"another key, the same names":   issue(t, newKey(t, elliptic.P256()), same),
		"the same key, issued again":    issue(t, good.key, same),
		"the same key, another country": issue(t, good.key, func(c *x509.Certificate) { c.Subject.Country = []string{"FR"} }),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v.Verify(t.Context(), []byte(batch), id.sign(t, batch, nil), noon)
			checkReason(t, err, ReasonUnlisted)
		})
	}
	// The listed certificate around another's signature.
	impostor := issue(t, newKey(t, elliptic.P256()), same)
	n := tree(t, decode(t, impostor.sign(t, batch, nil)))
	n.at(atCertificates...).inner[0] = tree(t, good.cert.Raw)
	_, err := v.Verify(t.Context(), []byte(batch), encode(n.der()), noon)
	checkReason(t, err, ReasonSignature)
}

// During a rotation both certificates of a nation are good, and what the old one
// has signed no longer once it is taken off.
func TestVerifyRotation(t *testing.T) {
	old, next := someone(t), someone(t)
	list := newList(t, old.entry())
	v, err := NewVerifier(list, nil)
	if err != nil {
		t.Fatal(err)
	}
	verify := func(id identity, want Reason) {
		t.Helper()
		_, err := v.Verify(t.Context(), []byte(batch), id.sign(t, batch, nil), noon)
		checkReason(t, err, want)
	}
	replace := func(entries ...Entry) {
		t.Helper()
		if err := list.Replace(entries...); err != nil {
			t.Fatal(err)
		}
	}
	verify(old, "")
	verify(next, ReasonUnlisted)
	replace(old.entry(), next.entry())
	verify(old, "")
	verify(next, "")
	revoked := old.entry()
	revoked.Revoked = true
	replace(revoked, next.entry())
	verify(old, ReasonRevoked)
	verify(next, "")
	replace(next.entry())
	verify(old, ReasonUnlisted)
	replace()
	verify(next, ReasonUnlisted) // nothing in the list is nobody, not everybody
}

// A list that fails is not one that does not have the certificate.
func TestVerifyListFails(t *testing.T) {
	id, away := someone(t), errors.New("database is away")
	entry, err := newList(t, id.entry()).Find(t.Context(), ThumbprintOf(id.cert), UseSigning)
	if err != nil {
		t.Fatal(err)
	}
	other := entry
	other.Thumbprint[0] ^= 1
	authentication := entry
	authentication.Use = UseAuthentication
	for _, tt := range []struct {
		name  string
		entry Entry
		err   error
		want  Reason
	}{
		{"good", entry, nil, ""},
		{"an error", Entry{}, away, ReasonUnavailable},
		{"an error and an entry", entry, away, ReasonUnavailable},
		{"not there", Entry{}, &fs.PathError{Op: "find", Path: "x", Err: fs.ErrNotExist}, ReasonUnlisted},
		{"not there, and an entry", entry, fs.ErrNotExist, ReasonUnlisted},
		{"an empty entry and no error", Entry{}, nil, ReasonCountry},
		{"another's entry", other, nil, ReasonUnavailable},
		{"an entry for another use", authentication, nil, ReasonUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := 0
			v, err := NewVerifier(listFunc(func(p Thumbprint, use Use) (Entry, error) {
				asked++
				if p != ThumbprintOf(id.cert) || use != UseSigning {
					t.Errorf("asked for %s, %s", p, use)
				}
				return tt.entry, tt.err
			}), nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = v.Verify(t.Context(), []byte(batch), id.sign(t, batch, nil), noon)
			checkReason(t, err, tt.want)
			if tt.err == away && !errors.Is(err, away) {
				t.Errorf("got %v, which does not tell why", err)
			}
			if asked != 1 {
				t.Errorf("asked %d times", asked)
			}
		})
	}
}

// What a certificate that nobody lists has signed is not worth a verification:
// the list is asked first.
func TestVerifyAsksListFirst(t *testing.T) {
	id := someone(t)
	_, err := verifierOf(t, nil).Verify(t.Context(), []byte("other content"), id.sign(t, batch, nil), noon)
	checkReason(t, err, ReasonUnlisted)
}

func TestNewVerifier(t *testing.T) {
	v, err := NewVerifier(nil, nil)
	checkReason(t, err, ReasonOptions)
	if v != nil {
		t.Error("a verifier and an error")
	}
	// Options are those of Parse.
	id, other := someone(t), someone(t)
	n := tree(t, decode(t, id.sign(t, batch, nil)))
	n.at(atCertificates...).inner = append(n.at(atCertificates...).inner, tree(t, other.cert.Raw))
	for extras, want := range map[bool]Reason{false: ReasonExtras, true: ""} {
		v := verifierOf(t, &VerifierOptions{ParseOptions{Extras: extras}}, id)
		_, err := v.Verify(t.Context(), []byte(batch), encode(n.der()), noon)
		checkReason(t, err, want)
	}
	// The further certificate is not the one that counts.
	v = verifierOf(t, &VerifierOptions{ParseOptions{Extras: true}}, other)
	_, err = v.Verify(t.Context(), []byte(batch), encode(n.der()), noon)
	checkReason(t, err, ReasonUnlisted)
}

// Where TLS ends before the server, a thumbprint and a country are all there is.
func TestLookup(t *testing.T) {
	id := someone(t)
	entry := id.entry()
	entry.Use = UseAuthentication
	list := newList(t, entry)
	for _, tt := range []struct {
		thumbprint Thumbprint
		use        Use
		country    string
		want       Reason
	}{
		{ThumbprintOf(id.cert), UseAuthentication, "DE", ""},
		{ThumbprintOf(id.cert), UseAuthentication, "FR", ReasonCountry},
		{ThumbprintOf(id.cert), UseAuthentication, "", ReasonCountry},
		{ThumbprintOf(id.cert), UseSigning, "DE", ReasonUnlisted},
		{Thumbprint{}, UseAuthentication, "DE", ReasonUnlisted},
	} {
		got, err := Lookup(t.Context(), list, tt.thumbprint, tt.use, tt.country)
		checkReason(t, err, tt.want)
		if (got.Country == "DE") != (tt.want == "") {
			t.Errorf("got %+v", got)
		}
	}
}

// One certificate in 256 has a thumbprint that begins with a zero byte, which
// the gateway's own code loses. Here it counts like any other.
func TestLeadingZeros(t *testing.T) {
	key := newKey(t, elliptic.P256())
	find := func(good func(Thumbprint) bool) identity {
		for range 1 << 16 {
			if id := issue(t, key, nil); good(ThumbprintOf(id.cert)) {
				return id
			}
		}
		t.Fatal("none found")
		return identity{}
	}
	for name, id := range map[string]identity{
		"a zero byte":  find(func(p Thumbprint) bool { return p[0] == 0 }),
		"a zero digit": find(func(p Thumbprint) bool { return p[0] > 0 && p[0] < 16 }),
	} {
		t.Run(name, func(t *testing.T) {
			text := ThumbprintOf(id.cert).String()
			if len(text) != 64 || text[0] != '0' {
				t.Fatalf("got %s", text)
			}
			back, err := ParseThumbprint(text)
			if err != nil || back != ThumbprintOf(id.cert) {
				t.Errorf("got %v, %v", back, err)
			}
			list, err := ParseList([]byte(`{"certificates": [{"use": "signing", "country": "DE", "thumbprint": "`+text+`"}]}`), nil)
			if err != nil {
				t.Fatal(err)
			}
			v, err := NewVerifier(newList(t, list...), nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = v.Verify(t.Context(), []byte(batch), id.sign(t, batch, nil), noon)
			checkReason(t, err, "")
		})
	}
}
