package federationtest_test

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/federationtest"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/jws"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// The server of TestEndpoint. Each flag has a variable of the environment.
var (
	endpointURL     = flag.String("federationtest.url", os.Getenv("FEDERATIONTEST_URL"), "base `URL` of the server for TestEndpoint")
	endpointNations = flag.String("federationtest.nations", os.Getenv("FEDERATIONTEST_NATIONS"), "`file` of the nations (see ReadNations)")
	endpointHost    = flag.String("federationtest.upload-to", os.Getenv("FEDERATIONTEST_UPLOAD_TO"), "the `host` again, if it is not this machine: keys are uploaded to it")
	endpointCA      = flag.String("federationtest.ca", os.Getenv("FEDERATIONTEST_CA"), "`file` of the certificates (PEM) to trust, if the server's is not by one that everybody does")
	endpointWait    = flag.Duration("federationtest.patience", time.Minute, "how long until uploads are handed out")
	endpointReal    = flag.Bool("federationtest.real-service", false, "declare the deviations of the open-source interoperability service")
	endpointSkip    = flag.String("federationtest.skip", os.Getenv("FEDERATIONTEST_SKIP"), "declared deviations: `name=reason;name=reason`")
)

// TestEndpoint runs the suite against a server that somebody names.
func TestEndpoint(t *testing.T) {
	if *endpointURL == "" {
		t.Skip("no server is named: -args -federationtest.url=… -federationtest.nations=…, or FEDERATIONTEST_URL and FEDERATIONTEST_NATIONS")
	}
	nations, err := federationtest.ReadNations(*endpointNations)
	if err != nil {
		t.Fatal(err)
	}
	skip := map[string]string{}
	if *endpointReal {
		skip = federationtest.FaithfulDeviations()
	}
	for entry := range strings.SplitSeq(*endpointSkip, ";") {
		if name, why, ok := strings.Cut(entry, "="); ok {
			skip[name] = why
		}
	}
	federationtest.TestServer(t, &federationtest.Endpoint{URL: *endpointURL, Nations: nations},
		&federationtest.EndpointOptions{UploadTo: *endpointHost, Patience: *endpointWait, Skip: skip, HTTPClient: trusting(t, *endpointCA)})
}

// trusting returns a client that trusts the certificates in a file and no others;
// nil, which is one that trusts those of the system, without a file.
func trusting(t *testing.T, file string) *http.Client {
	t.Helper()
	if file == "" {
		return nil
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: rootsIn(t, file)}
	return &http.Client{Transport: transport}
}

// rootsIn returns the certificates in a file.
func rootsIn(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatalf("%s: no certificate", file)
	}
	return pool
}

// hubEndpoint returns a hub of this library over HTTP, and what releases it.
func hubEndpoint(t *testing.T) (*federationtest.Endpoint, func() error) {
	t.Helper()
	var now = time.Now()
	policy := ledger.DefaultPolicy()
	policy.MinKeys, policy.MinUploads, policy.MinWithdrawnUploads = 0, 0, 0
	l, err := ledger.Open(t.Context(), memledger.New(&memledger.Options{Clock: func() time.Time { return now }}), &ledger.Options{Policy: &policy})
	if err != nil {
		t.Fatal(err)
	}
	return serveHub(t, l, func() { now = now.Add(time.Hour) })
}

// serveHub serves a hub over a ledger whose clock moves on before each release.
func serveHub(t *testing.T, l *ledger.Ledger, move func()) (*federationtest.Endpoint, func() error) {
	t.Helper()
	hub, err := federation.NewHub(l, &federation.HubOptions{Fresh: time.Nanosecond, BatchSize: 300})
	if err != nil {
		t.Fatal(err)
	}
	secret := []jws.SecretKey{{Secret: jws.NewSecret()}}
	tokens, err := jws.NewSecretTokens(secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	old, err := jws.NewSecretTokens(secret, &jws.TokenOptions{Lifetime: time.Hour, Now: func() time.Time { return time.Now().Add(-48 * time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	members := map[string]interop.Member{}
	var nations []federationtest.Nation
	for i, code := range []string{"IE", "GI", "GB-EAW"} {
		n := federationtest.NewNation(keys.MustRegion(code))
		n.Withdrawals, n.Extended = i < 2, i < 2
		if i == 1 {
			n.Relays = []keys.Region{keys.MustRegion("FR")}
		}
		id := strings.ToLower(code)
		if n.Token, _, err = tokens.Issue(id); err != nil {
			t.Fatal(err)
		}
		if n.Expired, _, err = old.Issue(id); err != nil {
			t.Fatal(err)
		}
		signer, err := n.Signer()
		if err != nil {
			t.Fatal(err)
		}
		verifier, err := jws.NewVerifier([]jws.Key{signer.Key()}, nil)
		if err != nil {
			t.Fatal(err)
		}
		members[id] = interop.Member{
			Nation:   federation.Nation{Name: ledger.Source(id), Region: n.Region, Relays: keys.Only(n.Relays...), Withdrawals: n.Withdrawals},
			Verifier: verifier, Downloads: true, Extended: n.Extended,
		}
		nations = append(nations, n)
	}
	directory, err := interop.NewDirectory(members)
	if err != nil {
		t.Fatal(err)
	}
	server, err := interop.NewServer(hub, directory, tokens, &interop.ServerOptions{MaxUpload: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(server)
	t.Cleanup(h.Close)
	release := func() error {
		move()
		_, err := hub.Release(t.Context(), nil)
		return err
	}
	return &federationtest.Endpoint{URL: h.URL, Nations: nations}, release
}

// TestOurServer holds our server to the suite, without a deviation.
func TestOurServer(t *testing.T) {
	e, release := hubEndpoint(t)
	federationtest.TestServer(t, e, &federationtest.EndpointOptions{MaxUpload: 4 << 20, Release: release})
}
