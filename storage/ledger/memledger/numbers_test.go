package memledger

import (
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// TestRemovedTakesNoMemory: of a unit that was numbered and removed, nothing
// stays in memory but that its cut is pruned.
func TestRemovedTakesNoMemory(t *testing.T) {
	s := New(nil)
	k := keys.DiagnosisKey{Origin: keys.MustRegion("DE")}
	k.KeyData, k.RollingPeriod = keys.KeyData{1}, 144
	id := ledger.IDOf(&k)
	cut := ledger.Cut{}.Next(s.identity, time.Unix(0, 0), 1, 1)
	for _, st := range []Step{
		{Units: []*ledger.Unit{{Key: k}}},
		{Cut: &cut, Numbered: []Numbered{{ID: id, Event: ledger.Event{Number: 1, Own: ledger.Active}}}},
		{Removed: []Removed{{ID: id}}},
	} {
		if err := s.Apply(&st); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.numbers)+len(s.units)+len(s.origins) != 0 || !s.cuts[0].Pruned {
		t.Errorf("%d numbers, %d units, %d origins are left", len(s.numbers), len(s.units), len(s.origins))
	}
}
