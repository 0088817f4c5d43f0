package interop_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/signing/jws"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// must is what the examples do about errors.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// A federation server of two nations: Ireland uploads a key, Gibraltar downloads
// it.
func Example() {
	ctx := context.Background()
	now := time.Date(2021, 6, 2, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now } // left out, it is the machine's

	// The server's operator has a ledger, a secret for tokens, and the nations'
	// public keys.
	l := must(ledger.Open(ctx, memledger.New(&memledger.Options{Clock: clock}), nil))
	hub := must(federation.NewHub(l, nil))
	tokens := must(jws.NewSecretTokens([]jws.SecretKey{{Secret: jws.NewSecret()}}, &jws.TokenOptions{Now: clock}))
	signer := newSigner() // Ireland's, which keeps the private key to itself
	nations := must(interop.NewDirectory(map[string]interop.Member{
		"IE": {
			Nation:    federation.Nation{Name: "ireland", Region: keys.MustRegion("IE"), Withdrawals: true},
			Verifier:  must(jws.NewVerifier([]jws.Key{signer.Key()}, nil)),
			Downloads: true,
		},
		"GI": {
			Nation:    federation.Nation{Name: "gibraltar", Region: keys.MustRegion("GI")},
			Downloads: true,
		},
	}))
	server := httptest.NewServer(must(interop.NewServer(hub, nations, tokens, nil))) // or interop.NewHTTPServer
	defer server.Close()

	// Ireland has got a token from the operator. Its back end would have a
	// federation.Push make batches.
	irish, _, err := tokens.Issue("IE")
	if err != nil {
		log.Fatal(err)
	}
	ireland := must(interop.NewClient(server.URL, interop.TokenText(irish), &interop.ClientOptions{
		Signer: signer, Region: keys.MustRegion("IE"),
	}))
	answer := must(ireland.Upload(ctx, &federation.Batch{Tag: "2021-06-02-1", Keys: []keys.DiagnosisKey{{
		TemporaryExposureKey: keys.TemporaryExposureKey{
			KeyData:                    keys.KeyData{1, 2, 3},
			RollingStartIntervalNumber: keys.StartOfDay(keys.IntervalAt(now).Day() - 1),
			RollingPeriod:              144,
			ReportType:                 keys.Some(keys.ReportConfirmedTest),
		},
		Origin:   keys.MustRegion("IE"),
		TestType: keys.TestLab,
	}}}))
	fmt.Println("new to the server:", answer.Inserted)

	// The server makes a batch of it.
	now = now.Add(time.Hour)
	must(hub.Release(ctx, nil))

	// Gibraltar's back end would have a federation.Pull follow.
	gibraltarian, _, err := tokens.Issue("GI")
	if err != nil {
		log.Fatal(err)
	}
	gibraltar := must(interop.NewClient(server.URL, interop.TokenText(gibraltarian), nil))
	at := federation.Place{Day: federation.DayOf(now)}
	for {
		page := must(gibraltar.Download(ctx, at))
		if page == nil {
			break
		}
		for _, k := range page.Keys {
			fmt.Println(k.Origin, k.ReportType, k.TestType)
		}
		at = page.Next
	}
	// Output:
	// new to the server: 1
	// IE CONFIRMED_TEST LAB_RESULT
}

func newSigner() *jws.Signer {
	key := must(signing.GenerateKey()) // or ReadPrivateKeyFile, or a key service's crypto.Signer
	named := must(signing.NewSigner(signing.Identity{KeyID: "IE", KeyVersion: "v1"}, key, nil))
	return must(jws.NewSigner(named, nil))
}
