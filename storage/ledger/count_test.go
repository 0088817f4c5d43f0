package ledger_test

import (
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// guarded opens a ledger whose cuts take new keys, and withdrawals, of two uploads at
// least.
func guarded(t *testing.T) *setup {
	t.Helper()
	p := ledger.DefaultPolicy()
	p.MinKeys, p.MinUploads, p.LongestWait = 0, 2, 24*time.Hour
	p.MinWithdrawnUploads, p.WithdrawalWait = 2, 24*time.Hour
	return open(t, &ledger.Options{Policy: &p})
}

// waits makes a cut, which must leave one group, of one upload and two keys.
func (s *setup) waits(what string) {
	s.t.Helper()
	r := s.release()
	if len(r.Waiting) != 1 || r.Waiting[0].Uploads != 1 || r.Waiting[0].Keys != 2 || r.New+r.Gone > 0 {
		s.t.Errorf("%s: the cut takes %d new and %d gone, and leaves %+v; want the two keys of one upload to wait", what, r.New, r.Gone, r.Waiting)
	}
}

// TestCountRolledBack: an upload that was rolled back is no company for the one that
// spared its key, neither when they are released nor when they are withdrawn.
func TestCountRolledBack(t *testing.T) {
	for name, withdraw := range map[string]func(s *setup, upload string) error{
		"rolled back": func(s *setup, upload string) error {
			_, err := s.RollBack(t.Context(), upload)
			return err
		},
		"rolled back by order": func(s *setup, upload string) error {
			_, err := s.Order(t.Context(), &ledger.Order{Action: ledger.OrderRollBack, Select: ledger.Selection{Uploads: []string{upload}}, Confirm: 2, By: "test", Why: "test"})
			return err
		},
		"erased": func(s *setup, upload string) error {
			_, err := s.Erase(t.Context(), upload)
			return err
		},
	} {
		s := guarded(t)
		both, first, second := s.key(), s.key(), s.key()
		s.accept(ledger.Own, "first", both, first)
		s.accept(ledger.Own, "second", both, second)
		if err := withdraw(s, "first"); err != nil {
			t.Fatal(err)
		}
		s.waits(name)
		if u := s.unit(both); u.Upload != "second" {
			t.Errorf("%s, it is still what the key is counted with", name)
		}
		s.accept(ledger.Own, "third", s.key())
		if r := s.release(); r.New != 3 {
			t.Fatalf("with another upload, the cut takes %+v", r)
		}
		if err := withdraw(s, "second"); err != nil {
			t.Fatal(err)
		}
		s.waits("the other " + name)
	}
}

// TestCountReinstated: what is reinstated is counted with the first own upload again.
func TestCountReinstated(t *testing.T) {
	s := guarded(t)
	both := s.key()
	for _, upload := range []string{"first", "second", "third"} {
		s.accept(ledger.Own, upload, both)
	}
	for _, step := range []struct{ back, counted string }{{"third", "first"}, {"first", "second"}, {"second", "second"}} {
		if _, err := s.RollBack(t.Context(), step.back); err != nil {
			t.Fatal(err)
		}
		if u := s.unit(both); u.Upload != step.counted {
			t.Errorf("with the %s rolled back, it is counted with the %s", step.back, u.Upload)
		}
	}
	if _, err := s.Reinstate(t.Context(), ledger.IDOf(&both)); err != nil {
		t.Fatal(err)
	}
	if u := s.unit(both); u.Upload != "first" {
		t.Errorf("reinstated, it is counted with %q", u.Upload)
	}
}

// TestCountBroughtBefore: keys of one upload are one upload, whoever else brought some
// of them before, and in how many batches.
func TestCountBroughtBefore(t *testing.T) {
	s := guarded(t)
	a, b := s.key(), s.key()
	s.accept("hub", "batch", a)
	s.accept("hub", "another", b)
	if r := s.release(); r.New != 2 {
		t.Fatalf("the cut takes %+v", r)
	}
	s.accept(ledger.Own, "upload", a, b)
	s.release() // the further source
	if _, err := s.RollBack(t.Context(), "upload"); err != nil {
		t.Fatal(err)
	}
	s.waits("rolled back")
}

// TestCountAdopted: what was rolled back before it was adopted is counted with its first
// own upload, as its withdrawal waits until it has its number.
func TestCountAdopted(t *testing.T) {
	s := guarded(t)
	both := s.key()
	s.accept(ledger.Own, "first", both)
	s.accept(ledger.Own, "second", both)
	if _, err := s.RollBack(t.Context(), "first"); err != nil {
		t.Fatal(err)
	}
	if err := s.BeginAdoption(t.Context(), morning(11)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Adopt(t.Context(), published(both, 9)); err != nil {
		t.Fatal(err)
	}
	if u := s.unit(both); u.Upload != "first" || u.Claims[0].Withdrawn {
		t.Errorf("adopted, it is counted with %q", u.Upload)
	}
}
