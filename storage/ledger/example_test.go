package ledger_test

import (
	"context"
	"fmt"
	"time"

	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// What phones submitted during an hour is released by the next cut, and read.
func Example() {
	ctx, now := context.Background(), time.Date(2021, 1, 10, 12, 30, 0, 0, time.UTC)
	store := memledger.New(&memledger.Options{Clock: func() time.Time { return now }})
	l, _ := ledger.Open(ctx, store, nil)
	submitted := keystest.New(1, &keystest.Options{EndOfPeriod: true})
	for range 15 {
		up := submitted.Upload(now)
		l.Accept(ctx, &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: up.ID, Keys: up.Keys}}})
	}

	now = now.Add(time.Hour)
	report, _ := l.Release(ctx, nil)
	n := 0
	for unit, err := range l.Read(ctx, 0, report.Cut.Last) {
		if err == nil && unit.At(report.Cut.Last).Own == ledger.Active {
			n++
		}
	}
	fmt.Println(report.Cut.Time, report.New, n)
	// Output: 2021-01-10 13:00:00 +0000 UTC 165 165
}

// A laboratory has mixed up samples: everything that one upload brought is taken
// back, by the next cut. The operator looks first.
func ExampleLedger_Order() {
	ctx := context.Background()
	l, _ := ledger.Open(ctx, memledger.New(nil), nil)
	bad := keystest.New(1, nil).Upload(time.Now())
	l.Accept(ctx, &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{
		{ID: "bad", Keys: bad.Keys}, {ID: "good", Keys: keystest.New(2, nil).Upload(time.Now()).Keys},
	}})

	order := &ledger.Order{
		Action: ledger.OrderRollBack,
		Select: ledger.Selection{Uploads: []string{"bad"}},
		By:     "duty officer",
		Why:    "ticket 42: samples mixed up",
	}
	preview, _ := l.Preview(ctx, order)
	fmt.Println(preview.Effects.Waiting == len(bad.Keys), "and nobody has them yet")

	l.Order(ctx, order)
	_, err := l.Order(ctx, &ledger.Order{Action: order.Action, Select: order.Select, By: order.By, Why: "once more"})
	fmt.Println(err)
	records, _ := l.Orders(ctx)
	for _, r := range records {
		fmt.Printf("%s: %s of %d upload: %q\n", r.By, r.Action, r.Select.Uploads, r.Refused)
	}
	// Output:
	// true and nobody has them yet
	// ledger: order to roll-back: Selection.Uploads: everything that it selects was so before
	// duty officer: roll-back of 1 upload: ""
	// duty officer: roll-back of 1 upload: "already"
}
