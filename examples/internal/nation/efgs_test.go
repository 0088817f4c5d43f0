package nation

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/examples/internal/authority"
	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/federation/federationtest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/cms"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A gateway is the scripted one, behind a load balancer that ends TLS.
type gateway struct {
	*federationtest.EFGSServer
	w      *world
	folder *authority.Folder
	http   *httptest.Server

	mu   sync.Mutex
	seen map[string]cms.Thumbprint // of the last client certificate, by country
}

func (w *world) gateway(countries ...string) *gateway {
	w.t.Helper()
	g := &gateway{w: w, folder: &authority.Folder{Path: w.t.TempDir()}, seen: map[string]cms.Thumbprint{}}
	if err := g.folder.Make(countries, []string{"127.0.0.1"}); err != nil {
		w.t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(g.folder.Path, authority.ListName))
	if err != nil {
		w.t.Fatal(err)
	}
	entries, err := cms.ParseList(text, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	list, err := cms.NewAllowList(entries...)
	if err != nil {
		w.t.Fatal(err)
	}
	verifier, err := cms.NewVerifier(list, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	nations, by := make([]federationtest.EFGSNation, len(countries)), map[string]*federationtest.EFGSNation{}
	for i, country := range countries {
		by[country] = &nations[i]
		nations[i].Country = country
	}
	for _, e := range entries {
		switch n := by[e.Country]; e.Use {
		case cms.UseAuthentication:
			n.Thumbprint, n.UploaderCertificate, n.UploaderOperatorSignature = e.Thumbprint.String(), e.Certificate, e.AnchorSignature
		case cms.UseSigning:
			n.SigningThumbprint, n.SigningCertificate, n.SigningCertificateOperatorSignature = e.Thumbprint.String(), e.Certificate, e.AnchorSignature
		}
	}
	g.EFGSServer, err = federationtest.NewEFGSServer(nations, &federationtest.EFGSOptions{Clock: w.clock, Verify: func(country string, content []byte, signature string) error {
		_, err := verifier.Verify(context.Background(), content, signature, w.clock())
		return err
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	g.http = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		cert := r.TLS.PeerCertificates[0]
		country := cert.Subject.Country[0]
		g.mu.Lock()
		g.seen[country] = cms.ThumbprintOf(cert)
		g.mu.Unlock()
		r.Header.Set(federationtest.HeaderThumbprint, by[country].Thumbprint)
		r.Header.Set(federationtest.HeaderDN, "C="+country)
		g.EFGSServer.ServeHTTP(rw, r)
	}))
	g.http.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, Certificates: []tls.Certificate{g.pair("gateway")}}
	g.http.StartTLS()
	w.t.Cleanup(g.http.Close)
	return g
}

func (g *gateway) pair(name string) tls.Certificate {
	g.w.t.Helper()
	pair, err := tls.LoadX509KeyPair(g.path(name+".pem"), g.path(name+"-key.pem"))
	if err != nil {
		g.w.t.Fatal(err)
	}
	return pair
}

func (g *gateway) path(name string) string { return filepath.Join(g.folder.Path, name) }

func (g *gateway) last(country string) cms.Thumbprint {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.seen[country]
}

// instance returns the instance of a country at the gateway, everything verified.
func (g *gateway) instance(region keys.Region) partner.Instance {
	id := strings.ToLower(region.String())
	file := func(name string) partner.Secret { return partner.Secret{File: g.path(name)} }
	in := plain("efgs")
	in.URL, in.Protocol = g.http.URL, partner.EFGS
	in.SigningKey = file(id + "/signing-key.pem")
	in.Rules = withdrawals()
	in.EFGS = &partner.EFGSOptions{
		Certificate: file(id + "/authentication.pem"), CertificateKey: file(id + "/authentication-key.pem"),
		SigningCertificate: file(id + "/signing.pem"), Authority: file("authority.pem"),
		Audit: &partner.Audit{Certificates: file(authority.ListName), Anchor: file("anchor.pem")},
	}
	return in
}

func withdrawals() (r partner.Rules) {
	if err := deploy.Decode([]byte(`{"withdrawals": true}`), &r); err != nil {
		panic(err)
	}
	return r
}

// today is a world of now: TLS goes by the clock of the machine.
func today(t *testing.T) *world {
	w := newWorld(t)
	w.now = time.Now().UTC().Truncate(time.Hour)
	return w
}

// TestEuropean: two nations at a European gateway show each other's keys, sent in
// either format and verified, and hear what is withdrawn.
func TestEuropean(t *testing.T) {
	w := today(t)
	g := w.gateway("DE", "FR")
	germany, france := w.country(de), w.country(fr)
	for _, c := range []*country{germany, france} {
		c.config.Instances = []partner.Instance{g.instance(c.region)}
	}
	france.config.Instances[0].EFGS.Format = "json"
	for _, c := range []*country{germany, france} {
		c.open().tick()
	}
	fromGermany, fromFrance := germany.submit(8), france.submit(7)
	hours := func(n int) {
		t.Helper()
		for range n {
			w.hour(nil, germany, france)
			g.Assemble()
		}
	}
	hours(7)
	germany.shows("EUR", fromGermany, fromFrance)
	france.shows("EUR", fromGermany, fromFrance)
	germany.shows("DE", fromGermany)
	if got := france.units(); got["DE by efgs"] != 8 || got["FR by own"] != 7 {
		t.Errorf("%v", got)
	}

	if _, err := germany.backend.ledger.Withdraw(t.Context(), ledger.UnitID{Origin: de, KeyData: fromGermany[0].KeyData}); err != nil {
		t.Fatal(err)
	}
	// The client certificate is replaced; halfway, the old one is shown.
	before := g.last("DE")
	if err := os.Rename(g.path("de/authentication.pem"), g.path("de/old.pem")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(g.path("de/authentication-key.pem"), g.path("de/old-key.pem")); err != nil {
		t.Fatal(err)
	}
	if err := g.folder.Make([]string{"DE"}, nil); err != nil {
		t.Fatal(err)
	}
	germany.tick()
	if now := g.last("DE"); now == before || now != cms.ThumbprintOf(leaf(t, g.path("de/authentication.pem"))) {
		t.Error("the certificate that was replaced is still shown")
	}
	hours(5)
	for rec, err := range france.backend.ledger.Find(t.Context(), ledger.Query{Source: "efgs"}) {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Unit != nil && (rec.ID.KeyData == fromGermany[0].KeyData) != rec.Unit.SourceWithdrew {
			t.Errorf("the right key: %t; withdrawn: %t", rec.ID.KeyData == fromGermany[0].KeyData, rec.Unit.SourceWithdrew)
		}
	}
	w.clean(append(fromGermany, fromFrance...), germany, france)
}

func leaf(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := cms.ParseCertificate(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// TestUnlistedIsSetAside: what a nation signed that the list does not have is not
// taken, with the audit on, and the rest is.
func TestUnlistedIsSetAside(t *testing.T) {
	for _, off := range []bool{false, true} {
		w := today(t)
		g := w.gateway("DE", "FR", "IT")
		all := map[string]*country{}
		for _, region := range []string{"DE", "FR", "IT"} {
			c := w.country(keys.MustRegion(region))
			c.config.Instances = []partner.Instance{g.instance(c.region)}
			all[region] = c
		}
		text, err := os.ReadFile(g.path(authority.ListName))
		if err != nil {
			t.Fatal(err)
		}
		entries, err := cms.ParseList(text, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range entries {
			entries[i].Revoked = entries[i].Country == "IT"
		}
		if text, err = cms.MarshalList(entries); err != nil {
			t.Fatal(err)
		}
		all["DE"].write("list.json", string(text))
		audit := all["DE"].config.Instances[0].EFGS.Audit
		audit.Certificates, audit.Off = partner.Secret{File: "list.json"}, off
		for _, c := range all {
			c.open().tick()
		}
		all["FR"].submit(4)
		all["IT"].submit(5)
		for range 4 {
			w.hour(nil, all["DE"], all["FR"], all["IT"])
			g.Assemble()
		}
		want := map[bool]int{false: 0, true: 5}[off]
		if got := all["DE"].units(); got["FR by efgs"] != 4 || got["IT by efgs"] != want {
			t.Errorf("off %t: %v", off, got)
		}
	}
}

// TestCallback: a gateway that has something is heard at once, if it is the gateway.
func TestCallback(t *testing.T) {
	w := today(t)
	g := w.gateway("DE", "FR")
	germany := w.country(de)
	in := g.instance(de)
	in.EFGS.Callback = &partner.Callback{
		Listen: "127.0.0.1:0", Certificate: partner.Secret{File: g.path("de/callback.pem")}, Key: partner.Secret{File: g.path("de/callback-key.pem")},
		Allowed: []cms.Thumbprint{cms.ThumbprintOf(leaf(t, g.path("gateway.pem")))}, URL: "https://de.example/callback", ID: "de-1",
	}
	germany.config.Instances = []partner.Instance{in}
	germany.config.Schedule.Every, germany.config.Schedule.Jitter = deploy.Duration(1000*time.Hour), 0
	germany.config.Operations.Listen = ""
	germany.open()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- germany.backend.Serve(ctx) }()
	logged := func(what string) []string {
		w.mu.Lock()
		defer w.mu.Unlock()
		return regexp.MustCompile(what).FindStringSubmatch(w.log.String())
	}
	await := func(what string, holds func() bool) {
		t.Helper()
		for start := time.Now(); !holds(); time.Sleep(10 * time.Millisecond) {
			if time.Since(start) > time.Minute {
				t.Fatalf("it does not come to pass that %s", what)
			}
		}
	}
	count := func(route string) (n int) {
		for _, r := range g.Requests() {
			if r.Route == route {
				n++
			}
		}
		return n
	}
	address := `"for":"callback of efgs","addr":"([^"]*)"`
	await("it listens", func() bool { return logged(address) != nil })
	await("it looks", func() bool { return count(federationtest.RouteDownload) > 0 })
	await("it subscribes", func() bool { return count(federationtest.RouteCallback) >= 2 })
	base := "https://" + logged(address)[1]
	roots := x509.NewCertPool()
	roots.AddCert(leaf(t, g.path("authority.pem")))
	call := func(pair string, query string) int {
		t.Helper()
		config := &tls.Config{RootCAs: roots}
		if pair != "" {
			config.Certificates = []tls.Certificate{g.pair(pair)}
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
		resp, err := client.Get(base + "/whatever?" + query)
		if err != nil {
			return 0
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	const hint = "batchTag=20210602-1&date=2021-06-02"
	before := count(federationtest.RouteDownload)
	for _, c := range []struct {
		pair, query string
		want        int
	}{{"", hint, 0}, {"fr/authentication", hint, 403}, {"gateway", "x=y", 400}} {
		if got := call(c.pair, c.query); got != c.want {
			t.Errorf("%s: status %d, want %d", c.pair, got, c.want)
		}
	}
	if logged(`"msg":"a hint"`) != nil {
		t.Error("what is no hint is heard")
	}
	if got := call("gateway", hint); got != http.StatusAccepted {
		t.Errorf("a hint: status %d", got)
	}
	await("it pulls", func() bool { return count(federationtest.RouteDownload) > before })
	for _, r := range g.Requests() {
		if r.Tag == "20210602-1" {
			t.Error("what a hint names is asked for")
		}
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
