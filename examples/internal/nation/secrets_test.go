package nation

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/keys"
)

// TestSecretsOfOthers: while a secret of one server cannot be used, those of everybody
// else are replaced all the same; who is struck off the operators' list gives no more
// orders. The one that cannot be used is named with every look, and is as it was.
func TestSecretsOfOthers(t *testing.T) {
	const ada, grace = "ada:0123456789abcdef", "grace:fedcba9876543210"
	w := newWorld(t)
	h := w.hub()
	a, b := w.country(de), w.country(fr)
	for _, c := range []*country{a, b} {
		c.joins(h, plain("hub"), interop.Member{})
	}
	a.config.Orders = Orders{Listen: "127.0.0.1:0", Operators: partner.Secret{File: "operators"}}
	a.write("operators", ada+"\n")
	a.open()
	b.open()
	var submitted [][]keys.DiagnosisKey
	now, then := ada, grace
	for _, c := range []struct{ name, file, field string }{
		{"no token", "hub.token", "instances[0].token"},
		{"no key", "keys/federation.pem", "instance hub"},
	} {
		path := filepath.Join(a.dir, c.file)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if c.name == "no token" {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		} else {
			a.write(c.file, "half of one")
		}
		a.write("operators", then+"\n")
		submitted = append(submitted, a.submit(2))
		for range 4 {
			w.add(time.Hour)
			if _, err := a.backend.Tick(t.Context()); !errors.Is(err, ErrPartial) || !strings.Contains(err.Error(), c.field) {
				t.Errorf("%s: a look ends with %v, want %s named", c.name, err, c.field)
			}
			h.release()
			b.tick()
		}
		b.shows("EUR", submitted...)
		if status, _ := a.ask(now, "GET", "/orders", ""); status != http.StatusUnauthorized {
			t.Errorf("%s: who is no longer an operator is answered %d", c.name, status)
		}
		if status, _ := a.ask(then, "GET", "/orders", ""); status != http.StatusOK {
			t.Errorf("%s: a new operator is answered %d", c.name, status)
		}
		a.write(c.file, string(good))
		now, then = then, now
	}
	a.tick()
}

// TestMadeUpSecrets: nobody knows the secrets of a back end that is opened alone, whose
// ledger is a real one.
func TestMadeUpSecrets(t *testing.T) {
	w := newWorld(t)
	a := w.country(de)
	a.config.Orders = Orders{Listen: "127.0.0.1:0", Operators: partner.Secret{File: "operators"}}
	a.config.Submission.APIKeys = partner.Secret{File: "apikeys"}
	seen := map[string]bool{}
	for range 2 {
		s, err := a.config.madeUpSecrets(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		seen[s.Of(a.config.Orders.Operators)] = true
		seen[s.Of(a.config.Submission.APIKeys)] = true
	}
	if len(seen) != 4 {
		t.Errorf("%d different secrets of four", len(seen))
	}
}
