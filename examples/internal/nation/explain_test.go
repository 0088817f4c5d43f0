package nation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// explain asks a back end where a key has been, and says the answer in words.
func (c *country) explain(k keys.DiagnosisKey) string {
	c.w.t.Helper()
	e, err := c.backend.Explain(c.w.t.Context(), ledger.Inquiry{KeyData: k.KeyData})
	if err != nil {
		c.w.t.Fatal(err)
	}
	text, err := json.Marshal(e)
	if err != nil {
		c.w.t.Fatal(err)
	}
	if form := keystest.Leak(string(text)+fmt.Sprintf("%+v", e), k.KeyData); form != "" {
		c.w.t.Errorf("the explanation holds key data as %s", form)
	}
	var words []string
	for _, a := range e.Ledger {
		words = append(words, string(a.Status))
	}
	for _, s := range e.Packages {
		word := s.Package + ":"
		for _, f := range s.Files {
			if f.Span == "hour" {
				word += string(f.As)
			}
		}
		words = append(words, word+string(s.Units[0].Absence))
	}
	for _, p := range e.Partners {
		word := string(p.Partner) + ":"
		for _, t := range p.Told {
			word += fmt.Sprintf("%s(%s)", t.As, t.State)
		}
		words = append(words, word+p.Absence)
	}
	return strings.Join(words, " ")
}

// written returns as what the hours of a package have a key, by what lies in the
// bucket.
func (c *country) written(pkg string, k keys.KeyData) (all []distribution.SaidAs) {
	c.w.t.Helper()
	for _, content := range c.hours(pkg) {
		for _, t := range content.Keys {
			if t.KeyData == k {
				all = append(all, distribution.SaidNew)
			}
		}
		for _, t := range content.RevisedKeys {
			if t.KeyData == k && t.ReportType == keys.Some(keys.ReportRevoked) {
				all = append(all, distribution.SaidRevoked)
			} else if t.KeyData == k {
				all = append(all, distribution.SaidRevised)
			}
		}
	}
	slices.Sort(all)
	return all
}

// hours returns what the hours of a package say.
func (c *country) hours(pkg string) (all []*export.Content) {
	c.w.t.Helper()
	err := filepath.WalkDir(filepath.Join(c.dir, "www"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "/country/"+pkg+"/") || !strings.Contains(path, "/hour/") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !bytes.HasPrefix(text, []byte("PK")) {
			return err
		}
		a, err := export.Open(bytes.NewReader(text), int64(len(text)), nil)
		if err != nil {
			return err
		}
		content, err := a.Unverified().Content()
		all = append(all, content)
		return err
	})
	if err != nil {
		c.w.t.Fatal(err)
	}
	return all
}

// TestExplain follows keys through a back end with two packages and two servers, one
// of which takes no withdrawals, and looks into the bucket and into the servers.
func TestExplain(t *testing.T) {
	w := newWorld(t)
	a, b := w.hub(), w.hub()
	germany := w.country(de)
	takes, ignores := plain("hub-a"), plain("hub-b")
	takes.Rules = rules(t, `{"withdrawals": true}`)
	germany.joins(a, takes, interop.Member{})
	germany.joins(b, ignores, interop.Member{})
	germany.open()
	germany.tick()
	k := germany.submit(3)[0]
	foreign := w.keys.Upload(w.clock()).Keys[0]
	foreign.Origin, foreign.ConsentToFederate = fr, keys.ConsentUnstated
	if _, err := a.hub.Upload(t.Context(), &federation.Nation{Name: "fr", Region: fr}, &federation.Incoming{Tag: "t", Keys: []keys.DiagnosisKey{foreign}}); err != nil {
		t.Fatal(err)
	}
	check := func(when string, k keys.DiagnosisKey, want string) {
		t.Helper()
		if got := germany.explain(k); got != want {
			t.Errorf("%s: got %q, want %q", when, got, want)
		}
	}
	check("submitted", k, "waiting DE:not-released EUR:not-released hub-a:not-released hub-b:not-released")
	hours := func(n int) {
		for range n {
			w.hour([]*hub{a, b}, germany)
		}
	}
	hours(4)
	check("published", k, "active DE:new EUR:new hub-a:key(sent) hub-b:key(sent)")
	check("foreign", foreign, "active DE:region EUR:new hub-a:left-out(not-told)brought-by-partner hub-b:left-out(not-told)credentials")
	if _, err := germany.backend.ledger.Withdraw(t.Context(), ledger.IDOf(&k), ledger.IDOf(&foreign)); err != nil {
		t.Fatal(err)
	}
	hours(1)
	check("withdrawn", k, "withdrawn DE:newrevokedwithdrawn EUR:newrevokedwithdrawn hub-a:key(sent)withdrawal(sent) hub-b:key(sent)withdrawal(not-deliverable)")
	check("foreign, withdrawn here", foreign, "withdrawn DE:region EUR:newrevokedwithdrawn hub-a:left-out(not-told)brought-by-partner hub-b:left-out(not-told)credentials")
	for pkg, want := range map[string][]distribution.SaidAs{
		"DE": {distribution.SaidNew, distribution.SaidRevoked}, "EUR": {distribution.SaidNew, distribution.SaidRevoked},
	} {
		if got := germany.written(pkg, k.KeyData); !slices.Equal(got, want) {
			t.Errorf("%s has the key as %v, want %v", pkg, got, want)
		}
	}
	if got := germany.written("DE", foreign.KeyData); got != nil {
		t.Errorf("a package that never had a key has it as %v", got)
	}
	for h, want := range map[*hub]ledger.Status{a: ledger.StatusWithdrawn, b: ledger.StatusActive} {
		all, err := h.ledger.Account(t.Context(), ledger.Inquiry{KeyData: k.KeyData})
		if err != nil || len(all) != 1 || all[0].Status != want {
			t.Errorf("a server has the key as %+v, %v; want %s", all, err, want)
		}
	}
	if _, err := germany.backend.ledger.Reinstate(t.Context(), ledger.IDOf(&k)); err != nil {
		t.Fatal(err)
	}
	hours(1)
	check("reinstated", k, "active DE:newrevokednew EUR:newrevokednew hub-a:key(sent)withdrawal(sent)reinstatement(not-deliverable) hub-b:key(sent)withdrawal(not-deliverable)")
	w.clean([]keys.DiagnosisKey{k, foreign}, germany)
}
