package main

import (
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing/cms"
	"github.com/gaenkit/gaen/storage/ledger"
)

// europeanHub starts a federation server that speaks both protocols, and calls back
// at these ports.
func (j *journey) europeanHub(name string, ports ...string) {
	j.t.Helper()
	j.hubs[name] = j.start(3, "federationserver", "serve", "-ledger", name+".db", "-secrets", name+".secrets",
		"-listen", "127.0.0.1:0", "-monitor", "127.0.0.1:0", "-every", "50ms",
		"-efgs", "127.0.0.1:0", "-efgs-cert", "certificates/gateway.pem", "-efgs-key", "certificates/gateway-key.pem", "-efgs-anchor", "certificates/anchor.pem",
		"-efgs-callback-networks", "127.0.0.0/8", "-efgs-callback-ports", strings.Join(ports, ","))
}

// european returns the settings of a nation that speaks the European protocol with
// a server, verifies everything, and is called back at a port, with any of the
// gateway's certificates.
func (j *journey) european(id, hub, port string, gateway ...string) settings {
	file := func(name string) map[string]string { return map[string]string{"file": "../certificates/" + name} }
	return settings{
		rights: []string{"-protocol", "efgs", "-certificates", "certificates/certificates.json", "-anchor", "certificates/anchor.pem", "-withdrawals"},
		switches: map[string]any{
			"url": strings.Replace(j.hubs[hub].addr["serving efgs"], "http:", "https:", 1), "protocol": "efgs",
			"import": true, "export": true, "rules": map[string]any{"withdrawals": true}, "limits": map[string]any{},
			"signingKey": file(id + "/signing-key.pem"),
			"efgs": map[string]any{
				"certificate": file(id + "/authentication.pem"), "certificateKey": file(id + "/authentication-key.pem"),
				"signingCertificate": file(id + "/signing.pem"), "authority": file("authority.pem"),
				"audit": map[string]any{"certificates": file("certificates.json"), "anchor": file("anchor.pem"), "unsigned": true},
				"callback": map[string]any{"listen": "127.0.0.1:" + port, "url": "https://127.0.0.1:" + port + "/callback", "id": id,
					"certificate": file(id + "/callback.pem"), "key": file(id + "/callback-key.pem"), "allowed": gateway},
			},
		},
		european: true,
	}
}

// freePort returns a port that nobody listens at.
func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// onLedger works with a nation's ledger, beside its processes.
func (c *country) onLedger(f func(l *ledger.Ledger)) {
	c.j.t.Helper()
	store, closing, err := deploy.OpenStore(c.j.t.Context(), c.j.path(c.id, "ledger.db"), c.j.clock.Now)
	if err != nil {
		c.j.t.Fatal(err)
	}
	defer closing()
	l, err := ledger.Open(c.j.t.Context(), store, nil)
	if err != nil {
		c.j.t.Fatal(err)
	}
	f(l)
}

// withdraw takes back what was submitted here, as an operator.
func (c *country) withdraw(k keys.DiagnosisKey) {
	c.j.t.Helper()
	c.onLedger(func(l *ledger.Ledger) {
		r, err := l.Withdraw(c.j.t.Context(), ledger.UnitID{Origin: c.region, KeyData: k.KeyData})
		if err != nil || r.Done != 1 {
			c.j.t.Fatalf("%s: %+v, %v", c.id, r, err)
		}
	})
}

// hears waits until exactly these keys of a nation are withdrawn here.
func (c *country) hears(from *country, want ...keys.DiagnosisKey) {
	c.j.t.Helper()
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		withdrawn := map[keys.KeyData]bool{}
		c.onLedger(func(l *ledger.Ledger) {
			for rec, err := range l.Find(c.j.t.Context(), ledger.Query{}) {
				if err != nil {
					c.j.t.Fatal(err)
				}
				if rec.Unit != nil && rec.ID.Origin == from.region && rec.Unit.SourceWithdrew {
					withdrawn[rec.ID.KeyData] = true
				}
			}
		})
		right := 0
		for i := range want {
			if withdrawn[want[i].KeyData] {
				right++
			}
		}
		switch {
		case right == len(want) && len(withdrawn) == right:
			return
		case len(withdrawn) > len(want) || time.Since(start) > time.Minute:
			c.j.t.Fatalf("%s: of %s %d keys are withdrawn, %d of the right ones; want %d", c.id, from.id, len(withdrawn), right, len(want))
		}
	}
}

// get returns what is at a URL.
func (j *journey) get(url string) (int, string) {
	j.t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		j.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		j.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func thumbprint(t *testing.T, path string) string {
	t.Helper()
	cert, err := readCertificate(path)
	if err != nil {
		t.Fatal(err)
	}
	return cms.ThumbprintOf(cert).String()
}

// TestTwoProtocols: a nation that speaks the European protocol and one that speaks
// the interoperability protocol exchange keys and withdrawals through one server,
// and the archives of both verify.
func TestTwoProtocols(t *testing.T) {
	if testing.Short() {
		t.Skip("programs are built and run")
	}
	t.Parallel()
	j := newJourney(t)
	made := strings.Fields(j.run("nationalbackend", "certificates", "-out", "certificates", "DE"))
	gateway, port := made[len(made)-1], freePort(t)
	j.europeanHub("hub", port)
	de := j.country("de", map[string]settings{"hub": j.european("de", "hub", port, gateway)})
	ie := j.country("ie", map[string]settings{"hub": {rights: []string{"-withdrawals"},
		switches: map[string]any{"import": true, "export": true, "rules": map[string]any{"withdrawals": true}}}})

	german, irish := de.submit(5), ie.submit(4)
	de.comesToShow("EUR", german, irish)
	ie.comesToShow("EUR", german, irish)
	de.comesToShow("DE", german)
	ie.comesToShow("IE", irish)

	de.withdraw(german[2])
	ie.withdraw(irish[1])
	ie.hears(de, german[2])
	de.hears(ie, irish[1])

	for c, want := range map[*country]map[string]int{de: {"own": 5, "hub": 4}, ie: {"own": 4, "hub": 5}} {
		if got := c.accepted(); !maps.Equal(got, want) {
			t.Errorf("%s has keys %v, want %v", c.id, got, want)
		}
		j.run("verify", "-set", "api.originCountry="+c.region.String(), "-set", "api.unionPackage=EUR", "-key", c.id+"/keys/private.pem.pub", c.id+"/www")
	}
	if !strings.Contains(de.text(), `"msg":"a hint"`) {
		t.Errorf("the server has not called back:\n%s", j.hubs["hub"].text())
	}
	_, metrics := j.get(j.hubs["hub"].addr["monitoring"] + "/metrics")
	for _, want := range []string{"federation_callbacks_total ", `federation_lag_batches{nation="de"} 0`, `federation_lag_batches{nation="ie"} 0`, "federation_callbacks_failing 0"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %q in\n%s", want, metrics)
		}
	}

	// A certificate that is revoked is refused with the next request, and nobody
	// else notices.
	j.run("federationserver", "nation", "certificate", "-ledger", "hub.db", "-revoke", thumbprint(t, j.path("certificates", "de", "authentication.pem")), "de")
	for start := time.Now(); !strings.Contains(j.hubs["hub"].text(), "revoked"); time.Sleep(50 * time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatalf("the certificate is not refused:\n%s", j.hubs["hub"].text())
		}
	}
	logs := []string{j.hubs["hub"].text(), de.text(), ie.text()}
	for i, k := range append(german, irish...) {
		for _, log := range logs {
			if form := keystest.Leak(log, k.KeyData); form != "" {
				t.Fatalf("key %d is in a log (%s)", i, form)
			}
		}
	}
}
