package cms

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
)

func TestAllowListEntries(t *testing.T) {
	id := someone(t)
	good := id.entry()
	change := func(f func(*Entry)) Entry { e := good; f(&e); return e }
	for _, tt := range []struct {
		name    string
		entries []Entry
		subject string // of the error, "" for none
	}{
		{"none", nil, ""},
		{"one", []Entry{good}, ""},
		{"a certificate for two uses", []Entry{good, change(func(e *Entry) { e.Use = UseAuthentication })}, ""},
		{"two of a country", []Entry{good, someone(t).entry()}, ""},
		{"its thumbprint too", []Entry{change(func(e *Entry) { e.Thumbprint = ThumbprintOf(id.cert) })}, ""},
		{"only its thumbprint", []Entry{change(func(e *Entry) { e.Thumbprint, e.Certificate = ThumbprintOf(id.cert), "" })}, ""},
		{"the same twice", []Entry{good, good}, "entries[1]"},
		{"the same twice, once revoked", []Entry{good, change(func(e *Entry) { e.Revoked = true })}, "entries[1]"},
		{"another thumbprint", []Entry{change(func(e *Entry) { e.Thumbprint[5] = 1 })}, "entries[0].thumbprint"},
		{"neither", []Entry{change(func(e *Entry) { e.Certificate = "" })}, "entries[0].thumbprint"},
		{"no use", []Entry{change(func(e *Entry) { e.Use = "" })}, "entries[0].use"},
		{"an unknown use", []Entry{change(func(e *Entry) { e.Use = "SIGNING" })}, "entries[0].use"},
		{"no country", []Entry{good, change(func(e *Entry) { e.Country = "" })}, "entries[1].country"},
		{"another country", []Entry{change(func(e *Entry) { e.Country = "FR" })}, "entries[0].country"},
		{"no certificate", []Entry{change(func(e *Entry) { e.Certificate = "x" })}, "entries[0].certificate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := NewAllowList(tt.entries...)
			kept := newList(t, good)
			replaceErr := kept.Replace(tt.entries...)
			if tt.subject == "" {
				if err != nil || replaceErr != nil || len(l.Entries()) != len(tt.entries) || len(kept.Entries()) != len(tt.entries) {
					t.Errorf("got %v, %v", err, replaceErr)
				}
				return
			}
			checkReason(t, err, ReasonOptions)
			checkReason(t, replaceErr, ReasonOptions)
			if e, ok := errors.AsType[*Error](err); !ok || e.Subject != tt.subject || l != nil {
				t.Errorf("got %v, want an error about %s", err, tt.subject)
			}
			if len(kept.Entries()) != 1 {
				t.Error("what was there is gone")
			}
		})
	}
}

func TestAllowListFind(t *testing.T) {
	id := someone(t)
	var zero AllowList
	for name, l := range map[string]*AllowList{"zero": &zero, "empty": newList(t), "another": newList(t, someone(t).entry())} {
		if _, err := l.Find(t.Context(), ThumbprintOf(id.cert), UseSigning); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	l := newList(t, id.entry())
	if _, err := l.Find(t.Context(), ThumbprintOf(id.cert), UseAuthentication); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v for another use", err)
	}
	e, err := l.Find(t.Context(), ThumbprintOf(id.cert), UseSigning)
	if err != nil || e.Thumbprint != ThumbprintOf(id.cert) || e.Country != "DE" || e.Certificate != pemOf(id.cert) {
		t.Errorf("got %+v, %v", e, err)
	}
}

func TestEntriesAreInOrder(t *testing.T) {
	a, b := someone(t), someone(t)
	if ThumbprintOf(a.cert).String() > ThumbprintOf(b.cert).String() {
		a, b = b, a
	}
	entry := func(country string, use Use, id identity) Entry {
		return Entry{Use: use, Country: country, Thumbprint: ThumbprintOf(id.cert)}
	}
	want := []Entry{
		entry("AT", UseSigning, a), entry("DE", UseAuthentication, b), entry("DE", UseCallback, a), entry("DE", UseSigning, b),
	}
	for range 20 { // as often as a map may happen to be in order
		if got := newList(t, want...).Entries(); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v", got)
		}
	}
	if got := newList(t, entry("DE", UseSigning, b), entry("DE", UseSigning, a)).Entries(); got[0].Thumbprint != ThumbprintOf(a.cert) {
		t.Errorf("got %v", got)
	}
	if got := new(AllowList).Entries(); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestAllowListConcurrently(t *testing.T) {
	a, b := someone(t).entry(), someone(t).entry()
	l := newList(t, a, b)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if err := l.Replace(b, a); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 500 {
				if got := l.Entries(); len(got) != 2 {
					t.Errorf("%d entries", len(got))
				}
				if _, err := l.Find(t.Context(), l.Entries()[0].Thumbprint, UseSigning); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestListFile(t *testing.T) {
	anchor, id := someone(t), someone(t)
	signed := id.entry()
	signed.AnchorSignature = anchorSign(t, anchor, signed.Certificate)
	revoked := someone(t).entry()
	revoked.Revoked = true
	entries := newList(t, signed, revoked, Entry{Use: UseAuthentication, Country: "FR", Thumbprint: Thumbprint{0, 7}}).Entries()
	text, err := MarshalList(entries)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseList(text, nil)
	if err != nil || !reflect.DeepEqual(back, entries) {
		t.Errorf("got %+v, %v", back, err)
	}
	none, err := MarshalList(nil)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := ParseList(none, anchor.cert); err != nil || len(back) != 0 {
		t.Errorf("got %+v, %v", back, err)
	}

	path := filepath.Join(t.TempDir(), "certificates.json")
	l := newList(t)
	checkReason(t, l.Load(path, nil), ReasonUnavailable)
	if err := l.Load(path, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	checkReason(t, l.Load(t.TempDir(), nil), ReasonUnavailable)
	for _, tt := range []struct {
		text string
		want Reason
	}{{string(text), ""}, {"{", ReasonMalformed}, {"", ReasonMalformed}, {strings.Repeat(" ", MaxListText+1), ReasonTooLarge}} {
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		checkReason(t, l.Load(path, nil), tt.want)
		if got := l.Entries(); !reflect.DeepEqual(got, entries) {
			t.Errorf("after %.10q: got %+v", tt.text, got)
		}
	}
	checkReason(t, l.Load(path, nil), ReasonTooLarge)
}

func TestParseList(t *testing.T) {
	id := someone(t)
	quoted := strings.ReplaceAll(pemOf(id.cert), "\n", `\n`)
	entry := `{"use": "signing", "country": "DE", "certificate": "` + quoted + `"}`
	for _, tt := range []struct {
		name, text string
		want       Reason
	}{
		{"one", `{"certificates": [` + entry + `]}`, ""},
		{"none", `{"certificates": []}`, ""},
		{"nothing", `{}`, ReasonMalformed},
		{"null", `null`, ReasonMalformed},
		{"a list", `[` + entry + `]`, ReasonMalformed},
		{"something behind", `{"certificates": []} x`, ReasonMalformed},
		{"another behind", `{"certificates": []}{"certificates": []}`, ReasonMalformed},
		{"an unknown field", `{"certificates": [], "anchor": 1}`, ReasonMalformed},
		{"an unknown field of an entry", `{"certificates": [{"use": "signing", "country": "DE", "revokedAt": "x"}]}`, ReasonMalformed},
		{"a thumbprint that is none", `{"certificates": [{"use": "signing", "country": "DE", "thumbprint": "00"}]}`, ReasonMalformed},
		{"revoked in words", `{"certificates": [{"use": "signing", "country": "DE", "revoked": "no"}]}`, ReasonMalformed},
		{"an entry that is not right", `{"certificates": [{"use": "signing", "country": "DE"}]}`, ReasonOptions},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseList([]byte(tt.text), nil)
			checkReason(t, err, tt.want)
			if tt.want != "" && got != nil {
				t.Errorf("got %v and an error", got)
			}
			if tt.name == "one" && got[0].Thumbprint != ThumbprintOf(id.cert) {
				t.Errorf("got %v", got)
			}
		})
	}
}

// With a trust anchor, each entry must be signed by it.
func TestParseListWithAnchor(t *testing.T) {
	anchor, other, id := someone(t), someone(t), someone(t)
	good := id.entry()
	good.AnchorSignature = anchorSign(t, anchor, good.Certificate)
	for _, tt := range []struct {
		name   string
		change func(*Entry)
		want   Reason
	}{
		{"signed", func(*Entry) {}, ""},
		{"not signed", func(e *Entry) { e.AnchorSignature = "" }, ReasonAnchor},
		{"signed by another", func(e *Entry) { e.AnchorSignature = anchorSign(t, other, e.Certificate) }, ReasonAnchor},
		{"written otherwise", func(e *Entry) { e.Certificate += "\n" }, ReasonAnchor},
		{"only a thumbprint", func(e *Entry) { e.Certificate, e.Thumbprint = "", ThumbprintOf(id.cert) }, ReasonAnchor},
		{"only a thumbprint, and nothing signed", func(e *Entry) {
			e.Certificate, e.Thumbprint, e.AnchorSignature = "", ThumbprintOf(id.cert), anchorSign(t, anchor, "")
		}, ReasonAnchor},
		{"revoked, not signed", func(e *Entry) { e.Revoked, e.AnchorSignature = true, "" }, ReasonAnchor},
		{"a signature that is none", func(e *Entry) { e.AnchorSignature = "%" }, ReasonAnchor},
	} {
		t.Run(tt.name, func(t *testing.T) {
			entry := good
			tt.change(&entry)
			second := other.entry()
			second.AnchorSignature = anchorSign(t, anchor, second.Certificate)
			text, err := MarshalList([]Entry{second, entry})
			if err != nil {
				t.Fatal(err)
			}
			_, err = ParseList(text, anchor.cert)
			checkReason(t, err, tt.want)
			if err != nil && !strings.Contains(fmt.Sprint(err), "entries[1].") {
				t.Errorf("got %v, which does not say which", err)
			}
		})
	}
}
