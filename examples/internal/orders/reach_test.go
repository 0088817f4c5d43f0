package orders

import (
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/storage/ledger"
)

// TestPackageReach: clients of a package that retracts forget all that they have, and
// by when is said where a cut is known that says something.
func TestPackageReach(t *testing.T) {
	cut := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	closes := func(cut time.Time) time.Time { return cut.Add(time.Hour) }
	f := &distribution.Foresight{Keys: 9, Forgettable: 2, Kept: map[distribution.Keeping]int{"why": 3}, Unchanged: map[distribution.Absence]int{"why": 4}}
	none := &distribution.Foresight{Keys: 4, Unchanged: map[distribution.Absence]int{"why": 4}}
	plain, retracts, nothing := NewPackageReach("x", false, f, closes), NewPackageReach("x", true, f, closes), NewPackageReach("x", true, none, closes)
	if plain.Retracted != 0 || plain.Forgettable != 2 || len(plain.Kept) != 1 || retracts.Retracted != 5 || retracts.Forgettable != 0 || len(retracts.Kept) != 0 {
		t.Errorf("got %+v and %+v", plain, retracts)
	}
	r := &Reach{Packages: []*PackageReach{plain, retracts, nothing}}
	for _, c := range []time.Time{{}, cut} {
		r.schedule(&ledger.OrderReport{Cut: c})
		for _, p := range r.Packages {
			want := time.Time{}
			if p != nothing && !c.IsZero() {
				want = closes(c)
			}
			if !p.By.Equal(want) {
				t.Errorf("with the cut of %s it is due by %s, want %s", c, p.By, want)
			}
		}
	}
}
