package deltaset_test

import (
	"context"
	"fmt"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/deltaset"
	"github.com/gaenkit/gaen/signing"
)

func ExampleNew() {
	l, err := deltaset.New(nil)
	if err != nil {
		panic(err)
	}
	end := time.Date(2026, 3, 1, 23, 0, 0, 0, time.UTC)
	fmt.Println(l.Object(distribution.File{
		Package: "DE",
		Span:    "interval",
		Kind:    "exposures",
		Window:  distribution.Window{Start: end.Add(-time.Hour), End: end},
	}))
	// Output: deltaset/DE/exposures/492334
}

func ExampleClient() {
	follow := func(ctx context.Context, trusted *signing.TrustList) error {
		source, err := deltaset.FromURL(nil, "https://keys.example/deltaset/DE")
		if err != nil {
			return err
		}
		client, err := deltaset.NewClient("/var/lib/app/keys", source, trusted, nil)
		if err != nil {
			return err
		}
		if _, err := client.Update(ctx); err != nil {
			return err // the state is what it was; the next update does it all
		}
		for record, err := range client.Keys() {
			if err != nil {
				return err
			}
			_ = record.Key // to be matched against what the phone has seen
		}
		return nil
	}
	_ = follow
}
