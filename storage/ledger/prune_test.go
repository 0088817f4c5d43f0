package ledger_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// TestPruneAhead: a clock that jumped ahead removes nothing, neither what is still to be
// published nor what consumers have yet to read.
func TestPruneAhead(t *testing.T) {
	s := open(t, nil)
	s.accept(ledger.Own, "released", s.key())
	s.release()
	s.accept(ledger.Own, "waiting", s.key())
	floor := ledger.Swap{Name: ledger.FloorRegister("package"), Value: ledger.Floor{Time: s.now}.Value()}
	if err := s.Swap(t.Context(), ledger.NewNonce(), floor); err != nil {
		t.Fatal(err)
	}
	right := s.now
	s.now = right.AddDate(0, 0, 30)
	if r, err := s.Prune(t.Context()); !errors.Is(err, ledger.ErrTime) || r != nil {
		t.Errorf("30 days after the last cut, pruning gives %+v, %v", r, err)
	}
	s.now = right.Add(25*time.Hour - 1) // the cut of 24 hours later may be made
	if r, err := s.Prune(t.Context()); err != nil || r.Removed > 0 || len(r.Expired) > 0 {
		t.Errorf("a day after the last cut, pruning gives %+v, %v", r, err)
	}
	s.now = right
	if r := s.release(); r.New != 1 {
		t.Errorf("with the clock set right, a cut takes %+v", r)
	}
	s.outage(right.AddDate(0, 0, 30))
	if r, err := s.Prune(t.Context()); err != nil || r.Removed != 2 || len(r.Expired) != 1 {
		t.Errorf("after an outage and a cut, pruning gives %+v, %v", r, err)
	}
}

// TestPruneElsewhere: a process that accepts only younger keys itself may prune. What was
// withdrawn and removed stays refused as long as any other process would accept it.
func TestPruneElsewhere(t *testing.T) {
	s := open(t, nil)
	strict := keys.FromPhone()
	strict.MaxAge = 36 * time.Hour
	pruner, err := ledger.Open(t.Context(), s.store, &ledger.Options{FromPhone: &strict, FromPartner: &strict})
	if err != nil {
		t.Fatal(err)
	}
	k := s.key()
	s.accept(ledger.Own, "erased", k)
	if _, err := s.Erase(t.Context(), "erased"); err != nil {
		t.Fatal(err)
	}
	if r, err := pruner.Prune(t.Context()); err != nil || r.Removed != 1 {
		t.Fatalf("pruning gives %+v, %v", r, err)
	}
	s.outage(k.End().AddDate(0, 0, 14))
	if _, err := pruner.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := outcome(s.accept(ledger.Own, "again", k)); got != string(keys.FieldKeyData)+" "+string(ledger.ReasonWithdrawn) {
		t.Errorf("on the last moment that it might be accepted, it is %s", got)
	}
	s.now = s.now.Add(time.Second)
	if _, err := pruner.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := ledger.IDOf(&k)
	for _, rec := range s.find(ledger.Query{Unit: &id}) {
		t.Errorf("the tombstone outlives the prune age: %s", rec.Tombstone)
	}
}
