package efgs_test

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/efgs"
	"github.com/gaenkit/gaen/federation/federationtest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing/cms"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// A back end pulls from the gateway what another country has uploaded, with every
// signature verified.
func Example() {
	ctx := context.Background()
	gateway, france := newGateway()
	defer gateway.Close()

	all := keystest.New(1, &keystest.Options{Origins: []keys.Region{keys.MustRegion("FR")}, EndOfPeriod: true}).Upload(time.Now().Add(-24 * time.Hour)).Keys
	sender := must(efgs.NewClient(gateway.URL, keys.MustRegion("FR"), &efgs.ClientOptions{Signer: france, Header: nation("FR").Header()}))
	if _, err := sender.Upload(ctx, &federation.Batch{Tag: "first", Keys: all}); err != nil {
		log.Fatal(err)
	}

	trusted := must(cms.NewAllowList(cms.Entry{Use: cms.UseSigning, Country: "FR", Thumbprint: cms.ThumbprintOf(france.Certificate())}))
	client := must(efgs.NewClient(gateway.URL, keys.MustRegion("DE"), &efgs.ClientOptions{
		Audit:  &efgs.Audit{Verifier: must(cms.NewVerifier(trusted, nil))},
		Header: nation("DE").Header(), // where TLS does not end at a load balancer, as it does not here
	}))
	l := must(ledger.Open(ctx, memledger.New(nil), nil))
	pull := must(federation.NewPull(l, "efgs", client, client.PullOptions()))
	report, err := pull.Run(ctx)
	fmt.Println(report.Pages, report.Accepted == len(all), report.Rejected, err)
	// Output: 1 true 0 <nil>
}

// The gateway calls when it has made a batch. All it says is that it is time to pull.
func ExampleCallback() {
	gatewaysCertificate := must(cms.ParseThumbprint(strings.Repeat("00", 32)))
	callback := efgs.NewCallback(gatewaysCertificate)
	mux := http.NewServeMux()
	mux.Handle("/efgs/callback", callback)

	pull := func() { /* pull.Run */ }
	go func() {
		for {
			select {
			case <-callback.Hints():
			case <-time.After(10 * time.Minute): // whether it calls or not
			}
			pull()
		}
	}()
}

func nation(country string) *federationtest.EFGSNation {
	return &federationtest.EFGSNation{Country: country, Thumbprint: strings.Repeat(fmt.Sprintf("%x", country), 16)}
}

// newGateway returns a gateway that makes a batch of each upload at once, and a
// country's signer.
func newGateway() (*httptest.Server, *cms.Signer) {
	gateway := must(federationtest.NewEFGSServer([]federationtest.EFGSNation{*nation("DE"), *nation("FR")}, nil))
	france := newCertificate("FR")
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		gateway.ServeHTTP(w, r)
		gateway.Assemble()
	})), must(cms.NewSigner(france.Leaf, france.PrivateKey.(*ecdsa.PrivateKey), nil))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
