package ledgertest

import (
	"math"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// ReadAllocations returns how many allocations Read makes for each of 8,192 units of one
// cut or a few more. A day of a large country is read in one go: what a unit costs
// should not depend on how many fields it has.
func ReadAllocations(t *testing.T, open Opener) float64 {
	t.Helper()
	tr := newTrial(t, t, clause{must: "all that is accepted and due is read"}, open, nil)
	tr.open(eager())
	gen := keystest.New(1, &keystest.Options{EndOfPeriod: true})
	d := ledger.Delivery{Source: ledger.Own}
	for n := 0; n < 8192; {
		up := gen.Upload(noon)
		d.Uploads = append(d.Uploads, ledger.Upload{ID: up.ID, Keys: up.Keys})
		n += len(up.Keys)
	}
	accepted := tr.deliver(d).Accepted
	tr.pass(24 * time.Hour)
	_, err := tr.ledger.Release(tr.ctx, nil)
	tr.must(err)
	units := 0
	allocs := testing.AllocsPerRun(2, func() {
		units = 0
		for _, err := range tr.store.Read(tr.ctx, 0, math.MaxInt64) {
			tr.must(err)
			units++
		}
	})
	if units != accepted {
		tr.fail("%d units were read, and %d accepted", units, accepted)
	}
	t.Logf("%.2f allocations for each of %d units", allocs/float64(units), units)
	return allocs / float64(units)
}
