package efgs_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/efgs"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing/cms"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// A gateway of two countries, which reach it directly: each is known by its client
// certificate, and signs what it uploads by another.
func ExampleNewServer() {
	ctx := context.Background()
	now := time.Now()
	clock := func() time.Time { return now } // so that nobody has to wait here

	authentication := map[string]*tls.Certificate{"DE": newCertificate("DE"), "FR": newCertificate("FR")}
	france := newCertificate("FR") // to sign by
	list := must(cms.NewAllowList(
		entryOf(cms.UseAuthentication, "DE", authentication["DE"]), entryOf(cms.UseAuthentication, "FR", authentication["FR"]),
		entryOf(cms.UseSigning, "FR", france),
	))
	nations := must(efgs.NewDirectory(
		federation.Nation{Name: "de", Region: keys.MustRegion("DE"), Withdrawals: true},
		federation.Nation{Name: "fr", Region: keys.MustRegion("FR"), Withdrawals: true},
	))

	policy := ledger.DefaultPolicy()
	policy.Grid, policy.FineGrid = 5*time.Minute, true // batches every five minutes
	l := must(ledger.Open(ctx, memledger.New(&memledger.Options{Clock: clock}), &ledger.Options{Policy: &policy}))
	hub := must(federation.NewHub(l, nil))
	server := must(efgs.NewServer(hub, nations, list, &efgs.ServerOptions{Clock: clock}))

	// In production that is efgs.NewHTTPServer, with TLS by efgs.Certificate.
	gateway := httptest.NewUnstartedServer(server)
	gateway.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	gateway.StartTLS()
	defer gateway.Close()
	by := func(country string) *http.Client {
		transport := gateway.Client().Transport.(*http.Transport).Clone()
		transport.TLSClientConfig.Certificates = []tls.Certificate{*authentication[country]}
		return &http.Client{Transport: transport}
	}

	signer := must(cms.NewSigner(france.Leaf, france.PrivateKey.(*ecdsa.PrivateKey), nil))
	sender := must(efgs.NewClient(gateway.URL, keys.MustRegion("FR"), &efgs.ClientOptions{Signer: signer, HTTPClient: by("FR"), Clock: clock}))
	all := keystest.New(1, &keystest.Options{Origins: []keys.Region{keys.MustRegion("FR")}, EndOfPeriod: true}).Upload(now.Add(-24 * time.Hour)).Keys
	if _, err := sender.Upload(ctx, &federation.Batch{Tag: "first", Keys: all}); err != nil {
		log.Fatal(err)
	}

	now = now.Add(5 * time.Minute)
	must(hub.Release(ctx, nil)) // which a timer calls

	receiver := must(efgs.NewClient(gateway.URL, keys.MustRegion("DE"), &efgs.ClientOptions{
		HTTPClient: by("DE"), Audit: &efgs.Audit{Verifier: must(cms.NewVerifier(list, nil))}, Clock: clock,
	}))
	page, err := receiver.Download(ctx, federation.Place{Day: federation.DayOf(now)})
	fmt.Println(len(page.Keys) == len(all), len(page.Unreadable), err)
	// Output: true 0 <nil>
}

func entryOf(use cms.Use, country string, cert *tls.Certificate) cms.Entry {
	return cms.Entry{Use: use, Country: country, Thumbprint: cms.ThumbprintOf(cert.Leaf)}
}

func newCertificate(country string) *tls.Certificate {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{Country: []string{country}}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: must(x509.ParseCertificate(der))}
}
