package ledger_test

import (
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// got is an operator's receipt, or a zero one with an error.
func got(t *testing.T) func(r *ledger.OperatorReceipt, err error) ledger.OperatorReceipt {
	return func(r *ledger.OperatorReceipt, err error) ledger.OperatorReceipt {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return *r
	}
}

func TestOperatorReceipts(t *testing.T) {
	s := open(t, nil)
	a, b, both, bySource, foreign, stranger := s.key(), s.key(), s.key(), s.key(), s.key(), s.key()
	s.accept(ledger.Own, "a", a, both)
	s.accept(ledger.Own, "b", b, both, bySource)
	s.accept("p", "a", foreign) // a batch of a partner, of the same name
	s.withdraw(ledger.Own, bySource)
	ids := func(ks ...keys.DiagnosisKey) (list []ledger.UnitID) {
		for i := range ks {
			list = append(list, ledger.IDOf(&ks[i]))
		}
		return list
	}
	ctx := t.Context()
	type receipt = ledger.OperatorReceipt
	steps := []struct {
		name string
		got  func() (*receipt, error)
		want receipt
	}{
		{"reinstate what stands", func() (*receipt, error) { return s.Reinstate(ctx, ids(a)...) }, receipt{Already: 1}},
		{"withdraw, named twice", func() (*receipt, error) { return s.Withdraw(ctx, ids(a, a, stranger)...) }, receipt{Done: 1, Unknown: 1}},
		{"withdraw again", func() (*receipt, error) { return s.Withdraw(ctx, ids(a, foreign)...) }, receipt{Done: 1, Already: 1}},
		{"roll back what is withdrawn, and what another brought", func() (*receipt, error) { return s.RollBack(ctx, "a") }, receipt{Already: 1, Spared: 1}},
		{"roll back again", func() (*receipt, error) { return s.RollBack(ctx, "a") }, receipt{Already: 2}},
		{"roll back the other", func() (*receipt, error) { return s.RollBack(ctx, "b") }, receipt{Done: 3}},
		{"withdraw what was rolled back", func() (*receipt, error) { return s.Withdraw(ctx, ids(b)...) }, receipt{Already: 1}},
		{"reinstate", func() (*receipt, error) { return s.Reinstate(ctx, ids(a, b, both, bySource, foreign, stranger)...) }, receipt{Done: 4, Unknown: 2}},
		{"erase", func() (*receipt, error) { return s.Erase(ctx, "b") }, receipt{Done: 2, Spared: 1}},
		{"erase again", func() (*receipt, error) { return s.Erase(ctx, "b") }, receipt{Already: 2}},
		{"reinstate what was erased", func() (*receipt, error) { return s.Reinstate(ctx, ids(b)...) }, receipt{Unknown: 1}},
		{"nothing", func() (*receipt, error) { return s.Withdraw(ctx) }, receipt{}},
	}
	for _, step := range steps {
		if got := got(t)(step.got()); got != step.want {
			t.Errorf("%s: got %+v, want %+v", step.name, got, step.want)
		}
	}
	for _, order := range []func() (*receipt, error){
		func() (*receipt, error) { return s.RollBack(ctx, "unknown") },
		func() (*receipt, error) { return s.Erase(ctx, "unknown") },
		func() (*receipt, error) { return s.Erase(ctx, "") },
	} {
		if r, err := order(); err == nil {
			t.Errorf("got %+v for an upload that is not known, want an error", *r)
		}
	}
}

// TestReinstateAfterSparing reinstates a unit that stood all the time: the
// upload that was rolled back counts again.
func TestReinstateAfterSparing(t *testing.T) {
	s := open(t, nil)
	k := s.key()
	s.accept(ledger.Own, "a", k)
	s.accept(ledger.Own, "b", k)
	got(t)(s.RollBack(t.Context(), "a"))
	if r := got(t)(s.Reinstate(t.Context(), ledger.IDOf(&k))); r != (ledger.OperatorReceipt{Already: 1}) {
		t.Errorf("reinstating what stands gives %+v", r)
	}
	if r := got(t)(s.RollBack(t.Context(), "b")); r != (ledger.OperatorReceipt{Spared: 1}) {
		t.Errorf("rolling back the other upload gives %+v, want it spared for the first", r)
	}
}

// TestEraseOfWhatWasSetAside erases an upload of which no key was taken.
func TestEraseOfWhatWasSetAside(t *testing.T) {
	s := open(t, nil)
	bad := s.key()
	bad.RollingPeriod = 0
	s.accept(ledger.Own, "u", bad)
	s.accept("p", "u", bad)
	if got := got(t)(s.Erase(t.Context(), "u")); got != (ledger.OperatorReceipt{}) {
		t.Errorf("got %+v", got)
	}
	for _, rec := range s.find(ledger.Query{SetAside: true}) {
		if len(rec.SetAside) != 1 || rec.SetAside[0].Source != "p" {
			t.Errorf("set aside are still %d keys", len(rec.SetAside))
		}
	}
}

// TestEraseLeavesNoTrace erases one of two uploads of a key.
func TestEraseLeavesNoTrace(t *testing.T) {
	s := open(t, nil)
	k := s.key()
	s.accept(ledger.Own, "a", k)
	s.accept(ledger.Own, "b", k)
	got(t)(s.RollBack(t.Context(), "b"))
	if r := got(t)(s.Erase(t.Context(), "a")); r.Done != 1 || r.Spared != 0 {
		t.Errorf("an upload that was rolled back spares: %+v", r)
	}
	other := s.key()
	s.accept(ledger.Own, "c", other)
	s.accept(ledger.Own, "d", other)
	got(t)(s.Erase(t.Context(), "c"))
	if u := s.unit(other); u.Upload != "d" || len(u.Claims) != 1 || u.Claims[0].Upload != "d" || u.Erase || u.OperatorWithdrew {
		t.Errorf("the unit is of upload %s, with the claims %+v", u.Upload, u.Claims)
	}
}

// TestAdmit: what came beyond a quota waits until the operator admits it, and
// does not speak for a unit meanwhile.
func TestAdmit(t *testing.T) {
	p := ledger.DefaultPolicy()
	p.Quota = 2
	s := open(t, &ledger.Options{Policy: &p})
	first, second, held, shared := s.key(), s.key(), s.key(), s.key()
	s.accept("q", "u", shared)
	s.accept("p", "u", first, second, held, shared)
	s.now = s.now.Add(time.Hour)
	released := func(want int64) {
		t.Helper()
		s.now = s.now.Add(time.Hour)
		r, err := s.Release(t.Context(), nil)
		if err != nil || r.New+r.Changed != want {
			t.Fatalf("the cut is %+v, %v; want %d keys", r, err, want)
		}
	}
	released(3)
	pair := ledger.Pair{Source: "p", Origin: keys.MustRegion("DE")}
	if r := got(t)(s.Admit(t.Context(), pair)); r.Done != 2 {
		t.Errorf("admitted %+v", r)
	}
	released(2) // the one that was held, and the other's further source
	if r := got(t)(s.Admit(t.Context(), pair)); r.Done != 0 {
		t.Errorf("admitted again %+v", r)
	}
}
