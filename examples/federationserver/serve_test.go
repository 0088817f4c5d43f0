package main

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
)

// noLeak fails the test if a text holds key data.
func noLeak(t *testing.T, what, text string, ks []keys.DiagnosisKey) {
	t.Helper()
	for i := range ks {
		if form := keystest.Leak(text, ks[i].KeyData); form != "" {
			t.Errorf("%s holds key data (%s)", what, form)
			return
		}
	}
}

// TestExchange has two nations onboarded, exchange keys through the program, and
// seen by its monitor; and a third that comes while it runs.
func TestExchange(t *testing.T) {
	s := newSite(t)
	ieKey := s.onboard("ie", "IE")
	p := s.start()
	giKey := s.onboard("gi", "GI") // while it serves
	ie, gi := s.client("ie", "IE", ieKey, p.base, nil), s.client("gi", "GI", giKey, p.base, nil)

	irish, gibraltar := s.keysOf("IE", 40), s.keysOf("GI", 3)
	for _, up := range []struct {
		c  federation.Uploader
		ks []keys.DiagnosisKey
	}{{ie, irish}, {gi, gibraltar}} {
		answer, err := up.c.Upload(t.Context(), batchOf("first", up.ks))
		if err != nil || answer.Inserted != len(up.ks) {
			t.Fatal(answer, err)
		}
	}
	irishReader, gibraltarReader := newReader(ie), newReader(gi)
	await(t, "both have what the other uploaded", func() bool {
		for _, r := range []*reader{irishReader, gibraltarReader} {
			if err := r.read(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		return irishReader.lacks(gibraltar) == 0 && gibraltarReader.lacks(irish) == 0
	})
	if len(irishReader.has) != 3 || len(gibraltarReader.has) != 40 {
		t.Errorf("read %d and %d keys, want 3 and 40", len(irishReader.has), len(gibraltarReader.has))
	}
	if status, text := p.get("/healthz"); status != http.StatusOK || text != "ok\n" {
		t.Errorf("health: %d %s", status, text)
	}
	await(t, "who has read all is not behind", func() bool {
		lag, _ := p.metric(`federation_lag_batches{nation="ie"}`)
		age, _ := p.metric(`federation_lag_seconds{nation="ie"}`)
		return lag == 0 && age == 0
	})

	// One that is added now has everything before it.
	s.onboard("je", "JE")
	if lag, ok := p.metric(`federation_lag_batches{nation="je"}`); !ok || lag < 1 {
		t.Errorf("who never asked is %v batches behind, want 1 or more", lag)
	}
	if age, ok := p.metric(`federation_lag_seconds{nation="je"}`); !ok || age < 1 {
		t.Errorf("who never asked is %v s behind", age)
	}

	// What was counted is shown when the hour is over, which is half a minute here.
	await(t, "the hour is over", func() bool {
		n, ok := p.metric(`federation_uploaded_keys_total{nation="ie"}`)
		if ok && n != 40 {
			t.Fatalf("%v keys uploaded, want 40", n)
		}
		down, _ := p.metric(`federation_downloaded_keys_total{nation="gi"}`)
		return ok && down == 40
	})
	hour, ok := p.metric(`federation_last_upload_timestamp_seconds{nation="gi"}`)
	if !ok || int64(hour)%3600 != 0 {
		t.Errorf("the last upload was at %v, want a whole hour", hour)
	}
	_, metrics := p.get("/metrics")
	p.terminate()
	token, err := os.ReadFile(s.path("ie.token"))
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"the log": p.log.String(), "the metrics": metrics} {
		noLeak(t, what, text, append(irish, gibraltar...))
		if strings.Contains(text, strings.Split(string(token), ".")[2][:20]) {
			t.Errorf("%s holds a token", what)
		}
	}
	if !strings.Contains(p.log.String(), `"msg":"interop: upload","nation":"ie","offered":40`) {
		t.Errorf("the log lacks the upload:\n%s", p.log)
	}

	// Where everybody stands is known to the next process.
	p = s.start()
	if lag, ok := p.metric(`federation_lag_batches{nation="ie"}`); !ok || lag != 0 {
		t.Errorf("after a restart ie is %v batches behind", lag)
	}
}

// TestChangesApplyAtOnce: whatever the operator changes holds for the next request,
// at each of two servers.
func TestChangesApplyAtOnce(t *testing.T) {
	s := newSite(t)
	key := s.onboard("ie", "IE")
	servers := []*process{s.start(), s.start()}
	expect := func(what string, want error) {
		t.Helper()
		for i, p := range servers {
			_, err := s.client("ie", "IE", key, p.base, nil).Download(t.Context(), federation.Place{Day: federation.DayOf(time.Now())})
			if !errors.Is(err, want) {
				t.Errorf("%s: server %d: got %v, want %v", what, i, err, want)
			}
		}
	}
	upload := func(what string, want error) {
		t.Helper()
		for i, p := range servers {
			_, err := s.client("ie", "IE", key, p.base, nil).Upload(t.Context(), batchOf("x", s.keysOf("IE", 1)))
			if !errors.Is(err, want) {
				t.Errorf("%s: server %d: got %v, want %v", what, i, err, want)
			}
		}
	}
	expect("at first", nil)
	upload("at first", nil)
	s.run("nation", "revoke", "ie")
	expect("revoked", federation.ErrDenied)
	s.newToken("ie")
	expect("with a new token", nil)

	id := tokenID(t, s.run("nation", "list"))
	s.run("nation", "revoke", "-token", id, "ie")
	expect("with that token revoked", federation.ErrDenied)
	s.newToken("ie")
	expect("with another one", nil)

	s.run("nation", "rights", "-downloads=false", "ie")
	expect("without the right", federation.ErrDenied)
	s.run("nation", "rights", "-downloads", "ie")
	expect("with the right", nil)

	// A key is exchanged while the old one is still good.
	old := key
	key = newKey(t)
	upload("with a key that is not known", federation.ErrDenied)
	if err := os.WriteFile(s.path("new.pem"), publicPEM(t, key), 0o644); err != nil {
		t.Fatal(err)
	}
	s.run("nation", "key", "-add", s.path("new.pem"), "ie")
	upload("with the new key", nil)
	key = old
	upload("with the old key", nil)
	n := &nation{}
	if err := n.addKey(old.PublicKey().Key, "", time.Now()); err != nil {
		t.Fatal(err)
	}
	s.run("nation", "key", "-remove", n.Keys[0].fingerprint(), "ie")
	upload("with the old key removed", federation.ErrDenied)

	// So is the secret of tokens.
	if err := os.Rename(s.path("token-secrets"), s.path("elsewhere")); err != nil {
		t.Fatal(err)
	}
	expect("with the secrets gone", nil)
	if err := os.Link(s.path("elsewhere"), s.path("token-secrets")); err != nil {
		t.Errorf("the server has made others: %v", err)
	}
	first := strings.Fields(s.run("token", "list", "-secrets", s.path("token-secrets")))[0]
	s.run("token", "rotate")
	expect("with a token of the old secret", nil)
	s.run("token", "drop", first)
	expect("with the old secret dropped", federation.ErrDenied)
	s.newToken("ie")
	expect("with a token of the new secret", nil)

	s.run("nation", "remove", "ie")
	expect("removed", federation.ErrDenied)
	s.run("nation", "add", "-region", "IE", "ie")
	expect("added again", federation.ErrDenied)
	s.newToken("ie")
	expect("with a token of now", nil)
	for _, p := range servers {
		p.terminate()
	}
}

// tokenID returns the id of the last token in a list.
func tokenID(t *testing.T, list string) string {
	t.Helper()
	id := ""
	for line := range strings.Lines(list) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "token" {
			id = f[1]
		}
	}
	if id == "" {
		t.Fatalf("no token in\n%s", list)
	}
	return id
}
