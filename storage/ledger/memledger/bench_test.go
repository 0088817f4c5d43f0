package memledger_test

import (
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// BenchmarkOrder withdraws 100,000 released keys, and reinstates them.
func BenchmarkOrder(b *testing.B) {
	now := time.Date(2022, 2, 8, 12, 0, 0, 0, time.UTC)
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	p := ledger.DefaultPolicy()
	p.MinWithdrawnUploads = 0
	l, err := ledger.Open(b.Context(), memledger.New(&memledger.Options{Clock: func() time.Time { return now }}), &ledger.Options{Policy: &p})
	must(err)
	random := keystest.New(1, &keystest.Options{EndOfPeriod: true})
	for n := 0; n < 100_000; {
		d := &ledger.Delivery{Source: ledger.Own}
		for range 500 {
			up := random.Upload(now)
			d.Uploads = append(d.Uploads, ledger.Upload{ID: up.ID, Keys: up.Keys})
			n += len(up.Keys)
		}
		_, err := l.Accept(b.Context(), d)
		must(err)
	}
	now = now.Add(time.Hour)
	_, err = l.Release(b.Context(), nil)
	must(err)
	ledgertest.BenchmarkOrder(b, l)
}
