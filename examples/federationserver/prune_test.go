package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/signing/jws"
	"github.com/gaenkit/gaen/storage/ledger"
)

// TestPruneWaitsForPeers: what is owed to a peer is not removed, up to the age after
// which nobody waits for it; and the books know what became of it.
func TestPruneWaitsForPeers(t *testing.T) {
	l, now := newMemory(t)
	hub, err := federation.NewHub(l, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := partner.MakeKey(filepath.Join(dir, "key.pem")); err != nil {
		t.Fatal(err)
	}
	other := newOther(t, filepath.Join(dir, "key.pem"))
	for name, text := range map[string]string{
		"token":      other.token,
		"peers.json": `{"instances": [{"name": "other", "url": "` + other.url + `", "token": {"file": "token"}, "signingKey": {"file": "key.pem"}}]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	p, err := newPeering(t.Context(), newRegistry(l), filepath.Join(dir, "peers.json"), time.Minute, log)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{ledger: l, hub: hub, peering: p, log: log, monitor: &monitor{}}
	s.office = &office{ledger: l, hub: hub, registry: newRegistry(l), peers: p.file.get}
	c := &connection{peering: p, peer: p.file.get()[0]}

	ie := &federation.Nation{Name: "ie", Region: keys.MustRegion("IE")}
	ks := keystest.New(1, &keystest.Options{Origins: []keys.Region{ie.Region}, EndOfPeriod: true}).Keys(now.Add(-3*time.Hour), 4)[:4]
	if _, err := hub.Upload(t.Context(), ie, &federation.Incoming{Tag: "x", Keys: ks}); err != nil {
		t.Fatal(err)
	}
	*now = now.Add(5 * time.Minute)
	if err := s.release(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	kept := func() (n int) {
		for rec, err := range l.Find(t.Context(), ledger.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			if rec.Unit != nil {
				n++
			}
		}
		return n
	}
	prune := func(what string, want int) {
		t.Helper()
		if !s.prune(t.Context()) || kept() != want {
			t.Errorf("%s: %d keys are kept, want %d", what, kept(), want)
		}
		sinks, err := p.sinks(t.Context())
		if err != nil || len(sinks) != 1 {
			t.Fatal(len(sinks), err)
		}
		stats, err := l.Stats(t.Context(), sinks...)
		if err == nil {
			err = stats.Check()
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	other.down = true
	c.round(t.Context())
	if n := p.counts.failedOf("other"); n != 2 {
		t.Errorf("%d failures, want a pull and a push", n)
	}
	policy, _ := l.Policy()
	*now = now.Add(policy.PruneAge - time.Hour)
	if err := s.release(t.Context(), &ledger.ReleaseOptions{AllowGap: true}); err != nil {
		t.Fatal(err)
	}
	prune("owed", len(ks))
	other.down = false
	c.round(t.Context())
	if p.counts.failedOf("other") != 2 || other.uploads != 1 {
		t.Errorf("%d failures and %d uploads, want 2 and 1", p.counts.failedOf("other"), other.uploads)
	}
	if _, err := hub.Release(t.Context(), &ledger.ReleaseOptions{AllowGap: true}); err != nil { // nor do nations any longer
		t.Fatal(err)
	}
	prune("sent", 0)
}

// other is a federation server that may be down.
type other struct {
	url, token string
	down       bool
	uploads    int
}

// newOther returns one of which the owner of a key is a client.
func newOther(t *testing.T, keyFile string) *other {
	t.Helper()
	l, _ := newMemory(t)
	hub, err := federation.NewHub(l, nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := signing.ReadPrivateKeyFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := jws.NewVerifier([]jws.Key{{Key: &key.PublicKey}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	members, err := interop.NewDirectory(map[string]interop.Member{"us": {
		Nation: federation.Nation{Name: "us", Relays: keys.All[keys.Region]()}, Verifier: verifier, Downloads: true, Extended: true,
	}})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := jws.NewSecretTokens([]jws.SecretKey{newSecret()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	server, err := interop.NewServer(hub, members, tokens, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := &other{}
	if o.token, _, err = tokens.Issue("us"); err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o.down {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		if r.Method == http.MethodPost {
			o.uploads++
		}
		server.ServeHTTP(w, r)
	}))
	t.Cleanup(h.Close)
	o.url = h.URL
	return o
}
