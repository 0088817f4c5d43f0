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
