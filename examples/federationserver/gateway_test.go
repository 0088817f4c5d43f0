package main

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/examples/internal/authority"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/efgs"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/cms"
)

// certificates makes those of countries, in the folder of the same name.
func (s *site) certificates(countries ...string) *authority.Folder {
	s.t.Helper()
	f := &authority.Folder{Path: s.path("certificates")}
	if err := f.Make(countries, []string{"127.0.0.1"}); err != nil {
		s.t.Fatal(err)
	}
	return f
}

const theList = "certificates/" + authority.ListName

// european onboards a nation of the European protocol.
func (s *site) european(id, country string, flags ...string) {
	s.t.Helper()
	s.run(append([]string{"nation", "add", "-protocol", "efgs", "-region", country, "-certificates", theList, "-anchor", "certificates/anchor.pem", "-withdrawals", id}, flags...)...)
}

// directly are the flags of a server that ends TLS itself.
var directly = []string{"-efgs", "127.0.0.1:0", "-efgs-cert", "certificates/gateway.pem", "-efgs-key", "certificates/gateway-key.pem", "-efgs-anchor", "certificates/anchor.pem"}

func (s *site) pair(name string) *tls.Certificate {
	s.t.Helper()
	pair, err := tls.LoadX509KeyPair(s.path("certificates/"+name+".pem"), s.path("certificates/"+name+"-key.pem"))
	if err != nil {
		s.t.Fatal(err)
	}
	return &pair
}

func (s *site) thumbprint(name string) string { return cms.ThumbprintOf(s.pair(name).Leaf).String() }

// caller returns a client of HTTP with a client certificate, none if it has no name.
func (s *site) caller(name string) *http.Client {
	s.t.Helper()
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	config.RootCAs.AddCert(s.pair("authority").Leaf)
	if name != "" {
		config.Certificates = []tls.Certificate{*s.pair(name)}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
}

// europeanClient returns the client of a country, everything verified, by its
// certificates as they are now.
func (s *site) europeanClient(country, base string, change func(*efgs.ClientOptions)) *efgs.Client {
	s.t.Helper()
	id := strings.ToLower(country)
	pair := s.pair(id + "/signing")
	signer, err := cms.NewSigner(pair.Leaf, pair.PrivateKey.(crypto.Signer), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	anchor := s.pair("anchor").Leaf
	entries, err := listedIn(s.path(theList), s.path("certificates/anchor.pem"))
	if err != nil {
		s.t.Fatal(err)
	}
	list, err := cms.NewAllowList(entries...)
	if err != nil {
		s.t.Fatal(err)
	}
	verifier, err := cms.NewVerifier(list, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	opts := &efgs.ClientOptions{
		Signer: signer, Audit: &efgs.Audit{Verifier: verifier, Anchor: anchor, Unsigned: true},
		HTTPClient: s.caller(id + "/authentication"), Clock: s.time.Now,
	}
	if change != nil {
		change(opts)
	}
	c, err := efgs.NewClient(base, keys.MustRegion(country), opts)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *site) upload(c federation.Uploader, tag string, ks []keys.DiagnosisKey) {
	s.t.Helper()
	if a, err := c.Upload(s.t.Context(), batchOf(tag, ks)); err != nil || len(a.Known)+len(a.Refused) > 0 {
		s.t.Fatalf("upload %s: %+v, %v", tag, a, err)
	}
}

// comes waits until all of these keys were read, and fails if another one was.
func (r *reader) comes(t *testing.T, who string, want ...[]keys.DiagnosisKey) {
	t.Helper()
	all := slices.Concat(want...)
	await(t, who+" has what the others brought", func() bool {
		if err := r.read(t.Context()); err != nil {
			t.Fatalf("%s: %v", who, err)
		}
		return r.lacks(all) == 0
	})
	if len(r.has) != len(all) {
		t.Errorf("%s has %d keys, want %d", who, len(r.has), len(all))
	}
}

// TestBothProtocols: nations of either protocol have the keys of all others through
// one server, but one that wants nothing that nobody has signed.
func TestBothProtocols(t *testing.T) {
	s := newSite(t)
	s.certificates("DE", "FR")
	s.european("de", "DE")
	s.european("fr", "FR", "-sealed-only")
	ireland := s.onboard("ie", "IE")
	s.onboard("aa", "DE") // whose keys are of Germany, too, and who has no certificate
	p := s.start(directly...)
	de, fr := s.europeanClient("DE", p.european, nil), s.europeanClient("FR", p.european, func(o *efgs.ClientOptions) { o.Format = efgs.JSON })
	ie := s.client("ie", "IE", ireland, p.base, nil)
	german, french, irish := s.keysOf("DE", 30), s.keysOf("FR", 20), s.keysOf("IE", 10)
	s.upload(de, "d-1", german)
	s.upload(fr, "f-1", french)
	s.upload(ie, "i-1", irish)
	newReader(de).comes(t, "de", french, irish)
	newReader(fr).comes(t, "fr", german)
	newReader(ie).comes(t, "ie", german, french)

	if n, ok := p.metric(`federation_lag_batches{nation="de"}`); !ok || n != 0 {
		t.Errorf("de has everything, and lags by %v, %t", n, ok)
	}
	if _, ok := p.metric(`federation_requests_total{status="201"}`); !ok {
		t.Error("requests are not counted")
	}
	if n, ok := p.metric("federation_callbacks_failing"); !ok || n != 0 {
		t.Errorf("subscriptions that fail: %v, %t", n, ok)
	}
	if err := de.Subscribe(t.Context(), efgs.Subscription{ID: "x", URL: "https://127.0.0.1/x"}); err == nil {
		t.Error("it would call itself")
	}
	p.terminate()
}

// TestCertificates: whose certificate is good, is found out anew for every request;
// nobody else is answered, and nobody else's trouble is anybody's.
func TestCertificates(t *testing.T) {
	s := newSite(t)
	f := s.certificates("DE", "FR", "IT")
	s.european("de", "DE")
	s.european("fr", "FR")
	p := s.start(directly...)
	status := func(name string) int {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, p.european+"/diagnosiskeys/download/"+federation.DayOf(s.time.Now()).String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", efgs.Protobuf.MediaType())
		r.Header.Set("X-SSL-Client-SHA256", s.thumbprint("fr/authentication"))
		r.Header.Set("X-SSL-Client-DN", "C=FR")
		resp, err := s.caller(name).Do(r)
		if err != nil {
			return 0
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	expect := func(when string, want map[string]int) {
		t.Helper()
		for name, status1 := range want {
			if got := status(name); got != status1 {
				t.Errorf("%s: %q is answered %d, want %d", when, name, got, status1)
			}
		}
	}
	const here = http.StatusNotFound // nothing has been uploaded yet
	expect("at first", map[string]int{"": 0, "de/authentication": here, "fr/authentication": here, "de/signing": 403, "de/callback": 403, "it/authentication": 403})

	s.run("nation", "certificate", "-revoke", s.thumbprint("de/authentication"), "de")
	expect("revoked", map[string]int{"de/authentication": 403, "fr/authentication": here})
	if out := s.run("nation", "list"); strings.Count(out, "revoked") != 1 || strings.Count(out, "good until") != 5 {
		t.Errorf("the list is\n%s", out)
	}
	s.run("nation", "certificate", "-add", theList, "-anchor", "certificates/anchor.pem", "de")
	expect("revoked, and still in the list", map[string]int{"de/authentication": 403, "fr/authentication": here})
	for _, name := range []string{"de/authentication.pem", "de/authentication-key.pem"} {
		if err := os.Remove(f.Path + "/" + name); err != nil {
			t.Fatal(err)
		}
	}
	s.certificates("DE")
	expect("replaced, unknown", map[string]int{"de/authentication": 403})
	s.run("nation", "certificate", "-add", theList, "-anchor", "certificates/anchor.pem", "de")
	expect("replaced", map[string]int{"de/authentication": here, "fr/authentication": here})
	s.run("nation", "certificate", "-remove", s.thumbprint("de/authentication"), "de")
	expect("forgotten", map[string]int{"de/authentication": 403})
	s.run("nation", "remove", "fr")
	expect("removed", map[string]int{"fr/authentication": 403})
	s.european("fr", "FR")
	expect("here again", map[string]int{"fr/authentication": here})

	// Another trust anchor has signed nothing; half a file of one changes nothing.
	anchor, err := os.ReadFile(s.path("certificates/anchor.pem"))
	if err != nil {
		t.Fatal(err)
	}
	replace := func(text string) {
		t.Helper()
		if err := os.WriteFile(s.path("new"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(s.path("new"), s.path("certificates/anchor.pem")); err != nil {
			t.Fatal(err)
		}
	}
	replace(string(anchor[:100]))
	expect("half an anchor", map[string]int{"fr/authentication": here})
	other, err := authority.Root("another")
	if err != nil {
		t.Fatal(err)
	}
	replace(other.PEM())
	expect("another anchor", map[string]int{"fr/authentication": 403})
	replace(string(anchor))
	expect("the anchor", map[string]int{"fr/authentication": here})

	// The server's own certificate is replaced while it runs.
	had := s.pair("gateway").Leaf
	for _, name := range []string{"gateway.pem", "gateway-key.pem"} {
		if err := os.Remove(f.Path + "/" + name); err != nil {
			t.Fatal(err)
		}
	}
	s.certificates()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(p.european, "https://"), s.caller("fr/authentication").Transport.(*http.Transport).TLSClientConfig)
	if err != nil {
		t.Fatal(err)
	}
	if conn.ConnectionState().PeerCertificates[0].Equal(had) {
		t.Error("the old certificate is still shown")
	}
	conn.Close() // or the server waits for what it has to say
	p.terminate()
}

// TestBalancers: headers are believed of load balancers that are named, and of
// nobody else.
func TestBalancers(t *testing.T) {
	s := newSite(t)
	s.certificates("DE")
	s.european("de", "DE")
	status := func(p *process, country string) int {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, p.european+"/diagnosiskeys/download/"+federation.DayOf(s.time.Now()).String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", efgs.Protobuf.MediaType())
		r.Header.Set("X-Hash", s.thumbprint("de/authentication"))
		r.Header.Set("X-Name", "CN=x,C="+country)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	common := []string{"-efgs", "127.0.0.1:0", "-efgs-anchor", "certificates/anchor.pem", "-efgs-thumbprint-header", "X-Hash", "-efgs-dn-header", "X-Name", "-efgs-callbacks=false", "-efgs-balancers"}
	p := s.start(append(common, "10.0.0.0/8,127.0.0.0/8")...)
	if de, fr := status(p, "DE"), status(p, "FR"); de != 404 || fr != 403 {
		t.Errorf("by a load balancer: %d, %d", de, fr)
	}
	if _, ok := p.metric("federation_callbacks_failing"); ok {
		t.Error("there are callbacks")
	}
	p.terminate()
	p = s.start(append(common, "10.0.0.0/8")...)
	if de := status(p, "DE"); de != 403 {
		t.Errorf("by somebody else: %d", de)
	}
	p.terminate()
}

// TestEuropeanOnboarding: what is wrong is said, and nothing is changed.
func TestEuropeanOnboarding(t *testing.T) {
	s := newSite(t)
	s.certificates("DE", "FR")
	other := &authority.Folder{Path: s.path("other")}
	if err := other.Make([]string{"DE"}, nil); err != nil {
		t.Fatal(err)
	}
	add := func(args ...string) []string { return append([]string{"nation", "add", "-protocol", "efgs"}, args...) }
	for _, c := range []struct {
		want string
		args []string
	}{
		{"interop or efgs", []string{"nation", "add", "-protocol", "gopher", "-region", "DE", "de"}},
		{"-certificates: is for", []string{"nation", "add", "-region", "DE", "-certificates", theList, "de"}},
		{"are for -protocol efgs", []string{"nation", "add", "-region", "DE", "-sealed-only", "de"}},
		{"-region: want a country", add("de")},
		{"-region: want a country", add("-region", "GB-SCT", "de")},
		{"-relays", add("-region", "DE", "-relays", "FR", "de")},
		{"-extended", add("-region", "DE", "-extended", "de")},
		{"-downloads", add("-region", "DE", "-downloads=false", "de")},
		{"no certificate of IE", add("-region", "IE", "-certificates", theList, "ie")},
		{"operator signature", add("-region", "DE", "-certificates", theList, "-anchor", "other/anchor.pem", "de")},
		{"-anchor", add("-region", "DE", "-certificates", theList, "-anchor", "missing", "de")},
		{"missing", add("-region", "DE", "-certificates", "missing", "de")},
		{"no such nation", []string{"nation", "certificate", "-add", theList, "de"}},
	} {
		out, err := s.try(c.args...)
		if err == nil || !strings.Contains(out, c.want) {
			t.Errorf("%v: %v, want %q:\n%s", c.args, err, c.want, out)
		}
	}
	if out := s.run("nation", "list"); out != "" {
		t.Errorf("there are nations:\n%s", out)
	}
	s.european("de", "DE")
	s.onboard("ie", "IE")
	hash := s.thumbprint("de/signing")
	for _, c := range []struct {
		want string
		args []string
	}{
		{"-region: DE is that of de", add("-region", "DE", "second")},
		{"is of DE", []string{"nation", "rights", "-region", "FR", "de"}},
		{"-relays", []string{"nation", "rights", "-relays", "FR", "de"}},
		{"certificates, not by tokens", []string{"nation", "token", "de"}},
		{"certificates, not by keys", []string{"nation", "key", "-add", "ie.pem", "de"}},
		{"want one of", []string{"nation", "certificate", "de"}},
		{"want one of", []string{"nation", "certificate", "-revoke", hash, "-remove", hash, "de"}},
		{"thumbprint", []string{"nation", "certificate", "-revoke", "x", "de"}},
		{"has no certificate", []string{"nation", "certificate", "-revoke", s.thumbprint("fr/signing"), "de"}},
		{"has no certificate", []string{"nation", "certificate", "-remove", s.thumbprint("fr/signing"), "de"}},
		{"are for -protocol efgs", []string{"nation", "certificate", "-add", theList, "ie"}},
	} {
		out, err := s.try(c.args...)
		if err == nil || !strings.Contains(out, c.want) {
			t.Errorf("%v: %v, want %q:\n%s", c.args, err, c.want, out)
		}
	}
	s.run("nation", "remove", "ie")
	if out, err := s.try(add("-region", "IE", "ie")...); err == nil || !strings.Contains(out, "another protocol") {
		t.Errorf("another protocol for the same source: %v\n%s", err, out)
	}
	s.run("nation", "add", "-region", "IE", "-key", s.path("ie.pem"), "ie")
	for _, c := range []struct {
		want  string
		flags []string
	}{
		{"-efgs-anchor: missing", []string{"-efgs", ":0"}},
		{"-efgs-cert: missing", []string{"-efgs", ":0", "-efgs-anchor", "certificates/anchor.pem"}},
		{"go together", []string{"-efgs", ":0", "-efgs-anchor", "certificates/anchor.pem", "-efgs-cert", "x"}},
		{"-efgs-anchor", append([]string{"-efgs-anchor", "missing"}, directly[:6]...)},
		{"-efgs-cert", []string{"-efgs", ":0", "-efgs-anchor", "certificates/anchor.pem", "-efgs-cert", "x", "-efgs-key", "y"}},
		{"-efgs-balancers", []string{"-efgs", ":0", "-efgs-balancers", "10.0.0.1"}},
		{"whole of the internet", append([]string{"-efgs-balancers", "0.0.0.0/0"}, directly...)},
		{"-efgs-callback-ports", append([]string{"-efgs-callback-ports", "0"}, directly...)},
	} {
		out, err := s.try(append([]string{"serve", "-listen", "127.0.0.1:0", "-monitor", ""}, c.flags...)...)
		if err == nil || !strings.Contains(out, c.want) {
			t.Errorf("%v: %v, want %q:\n%s", c.flags, err, c.want, out)
		}
	}
}

// TestEuropeanPeer: a European gateway is a peer that a federation server is a
// client of for one country.
func TestEuropeanPeer(t *testing.T) {
	s := newSite(t)
	f := s.certificates("DE")
	const peer = `{"instances": [{"name": "efgs", "url": "https://efgs.example", "protocol": "efgs", "region": "DE",
		"signingKey": {"file": "de/signing-key.pem"}, "efgs": {
			"certificate": {"file": "de/authentication.pem"}, "certificateKey": {"file": "de/authentication-key.pem"},
			"signingCertificate": {"file": "de/signing.pem"}}}]}`
	for _, c := range []struct{ replace, by, want string }{
		{"", "", "efgs: imports, relays what others bring, certificate from file de/authentication.pem"},
		{`, "region": "DE"`, ``, "instances[0] (efgs).gateway"},
		{`"region": "DE"`, `"region": "DE", "extended": true`, "instances[0] (efgs).extended"},
		{`, "signingCertificate": {"file": "de/signing.pem"}`, ``, "signingCertificate"},
		{`"efgs": {`, `"efgs": {"callback": {"listen": ":0", "certificate": {"file": "a"}, "key": {"file": "b"}, "allowed": ["` + strings.Repeat("0f", 32) + `"]},`, "instances[0] (efgs).efgs.callback"},
	} {
		text := strings.Replace(strings.ReplaceAll(peer, "\n\t\t\t\"signingCertificate", " \"signingCertificate"), c.replace, c.by, 1)
		if err := os.WriteFile(f.Path+"/peers.json", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := s.try("peer", "check", "-peers", f.Path+"/peers.json")
		if !strings.Contains(out, c.want) || (err == nil) != (c.replace == "") {
			t.Errorf("%s for %s: %v, want %q:\n%s", c.by, c.replace, err, c.want, out)
		}
	}
	if err := os.WriteFile(f.Path+"/peers.json", []byte(peer), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := s.run("peer", "init", "-peers", f.Path+"/peers.json"); out != "" {
		t.Errorf("made %s", out)
	}
}

// TestGatewayCounts: what is counted of a nation is what became of its keys.
func TestGatewayCounts(t *testing.T) {
	l, _ := newMemory(t)
	hub, err := federation.NewHub(l, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{ledger: l, hub: hub, sightings: newSightings(hub, l), counts: newCounts(clock)}
	w := &gateway{server: s}
	for _, x := range []efgs.Exchange{
		{Nation: "de", Sent: 5, Answer: &federation.SealedAnswer{Stored: true}},
		{Nation: "de", Sent: 5, Answer: &federation.SealedAnswer{Stored: true, Again: true}},
		{Nation: "de", Sent: 9, Answer: &federation.SealedAnswer{Known: []int{1, 2}, Refused: make([]federation.Refusal, 3)}},
		{Nation: "de", Page: &federation.SealedPage{Tag: "20210602-1", Time: clock(), Pieces: []federation.Piece{{Keys: 4}, {Keys: 2}}, Keys: make([]keys.DiagnosisKey, 1)}},
	} {
		w.granted(&x)
	}
	if got, want := s.counts.nations.live["de"], (tally{accepted: 5, duplicates: 7, rejected: 3, keys: 7, batches: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	seen, err := s.sightings.all(context.Background())
	if err != nil || seen["de"].Asked.Tag != "20210602-1" || seen["de"].Uploaded.IsZero() || seen["de"].Downloaded.IsZero() {
		t.Errorf("%+v, %v", seen["de"], err)
	}
}
