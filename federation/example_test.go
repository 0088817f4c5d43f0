package federation_test

import (
	"context"
	"fmt"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// nearby is the client of a hub in the same process, where others are clients of a
// protocol.
type nearby struct {
	hub    *federation.Hub
	nation federation.Nation
}

func (c *nearby) Download(ctx context.Context, at federation.Place) (*federation.Page, error) {
	return c.hub.Download(ctx, &c.nation, at)
}

func (c *nearby) Upload(ctx context.Context, b *federation.Batch) (*federation.Answer, error) {
	receipt, err := c.hub.Upload(ctx, &c.nation, &federation.Incoming{Tag: b.Tag, Keys: b.Keys})
	if err != nil {
		return nil, err
	}
	return &federation.Answer{Inserted: receipt.Accepted}, nil
}

func (c *nearby) Origins() keys.Set[keys.Region] { return keys.Only(c.nation.Region) }

// A key that is submitted in Germany arrives in France, with its origin.
func Example() {
	ctx := context.Background()
	now := time.Date(2021, 6, 2, 10, 30, 0, 0, time.UTC)
	open := func(grid time.Duration) *ledger.Ledger {
		policy := ledger.DefaultPolicy()
		policy.MinKeys, policy.MinUploads, policy.Grid, policy.FineGrid = 1, 1, grid, grid < time.Hour
		store := memledger.New(&memledger.Options{Clock: func() time.Time { return now }})
		return must(ledger.Open(ctx, store, &ledger.Options{Policy: &policy}))
	}
	hub := must(federation.NewHub(open(5*time.Minute), nil))
	germany, france := open(time.Hour), open(time.Hour)
	push := must(federation.NewPush(germany, "hub", &nearby{hub, federation.Nation{Name: "de", Region: keys.MustRegion("DE")}},
		federation.Export(), &federation.PushOptions{FromBeginning: true}))
	pull := must(federation.NewPull(france, "hub", &nearby{hub, federation.Nation{Name: "fr", Region: keys.MustRegion("FR")}}, nil))

	up := keystest.New(1, &keystest.Options{EndOfPeriod: true}).Upload(now.Add(-3 * time.Hour))
	for i := range up.Keys {
		up.Keys[i].ConsentToFederate = keys.ConsentGiven
	}
	must(germany.Accept(ctx, &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: up.ID, Keys: up.Keys}}}))
	now = now.Add(time.Hour)
	must(germany.Release(ctx, nil))
	sent := must(push.Run(ctx))
	now = now.Add(5 * time.Minute)
	must(hub.Release(ctx, nil))
	got := must(pull.Run(ctx))
	fmt.Println("sent", sent.Keys, "of", len(up.Keys), "and fetched", got.Accepted)
	for origin, r := range got.Origins {
		fmt.Println("from", origin, r.Offered)
	}
	// Output:
	// sent 13 of 13 and fetched 13
	// from DE 13
}
