package privacy_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/cwa"
	"github.com/gaenkit/gaen/distribution/privacy"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// A small nation, in which two uploads wait for a day and go as they are.
func ExampleOfLedger() {
	ctx := context.Background()
	clock := time.Date(2026, 3, 2, 21, 0, 0, 0, time.UTC)
	l, err := ledger.Open(ctx, memledger.New(&memledger.Options{Clock: func() time.Time { return clock }}), nil)
	if err != nil {
		log.Fatal(err)
	}
	gen := keystest.New(4, &keystest.Options{EndOfPeriod: true})
	var uploads []ledger.Upload
	for range 2 {
		up := gen.Upload(clock)
		uploads = append(uploads, ledger.Upload{ID: up.ID, Keys: up.Keys})
	}
	if _, err := l.Accept(ctx, &ledger.Delivery{Source: ledger.Own, Uploads: uploads}); err != nil {
		log.Fatal(err)
	}
	for range 26 {
		clock = clock.Add(time.Hour)
		if _, err := l.Release(ctx, nil); err != nil {
			log.Fatal(err)
		}
	}

	layout, err := cwa.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	report, err := privacy.OfLedger(ctx, l, []privacy.Output{{Layout: layout, Packages: []distribution.Package{{
		Name: "DE", Select: distribution.FromOrigin(keys.MustRegion("DE")), Map: distribution.Identity(),
	}}}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range report.Findings {
		fmt.Printf("%s: %s: %.2g, limit %.2g (%s)\n", f.Rule, f.Where, f.Measured, f.Limit, f.Unit)
	}
	// Output:
	// lone-uploads: cwa DE: 1, limit 0.05 (share of uploads)
	// threshold-never-reached: DE, own: 2, limit 13 (uploads)
	// waited-out: DE, own: 2, limit 12 (uploads)
}
