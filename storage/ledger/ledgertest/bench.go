package ledgertest

import (
	"testing"

	"github.com/gaenkit/gaen/storage/ledger"
)

// BenchmarkOrder has an operator withdraw all own keys of a ledger, and reinstate
// them: each in steps of 5,000. What counts is a key: the ledger should have many,
// released.
func BenchmarkOrder(b *testing.B, l *ledger.Ledger) {
	total := 0
	for i := 0; b.Loop(); i++ {
		action := []ledger.Action{ledger.OrderWithdraw, ledger.OrderReinstate}[i%2]
		o := &ledger.Order{Action: action, Select: ledger.Selection{Source: ledger.Own}, By: "bench", Why: "bench"}
		seen, err := l.Preview(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		o.Confirm = seen.Effects.Changes()
		if _, err := l.Order(b.Context(), o); err != nil {
			b.Fatal(err)
		}
		total += o.Confirm
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(total), "ns/key")
}
