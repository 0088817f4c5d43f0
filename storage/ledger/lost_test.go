package ledger_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
)

// TestLostAnswers has every answer of the store lost once, after its effect or
// before it, repeats the call, and wants the outcome of a ledger where none was.
func TestLostAnswers(t *testing.T) {
	want := outcomeOf(t, nil)
	for _, verdict := range []ledgertest.Verdict{ledgertest.FailAfter, ledgertest.Fail} {
		for n := 1; ; n++ {
			met := false
			got := outcomeOf(t, func(_ context.Context, c ledgertest.Call) ledgertest.Verdict {
				if c.N != n {
					return ledgertest.Pass
				}
				met = true
				return verdict
			})
			if !met {
				break // there are no more calls
			}
			if got != want {
				t.Errorf("with verdict %d on call %d: got %+v, want %+v", verdict, n, got, want)
			}
		}
	}
}

// result is what came of a ledger's day.
type result struct {
	last, cuts               int64
	accepted, offered, taken int64
	left, held               int
	cursor                   string
}

// outcomeOf leads a ledger through a day, repeating whatever fails.
func outcomeOf(t *testing.T, hook ledgertest.Hook) result {
	s := open(t, nil)
	p, _ := s.Policy()
	faulty := ledgertest.Faulty(s.store, hook)
	try := func(f func() error) {
		t.Helper()
		for range 2 {
			err := f()
			if err == nil {
				return
			}
			if !errors.Is(err, ledgertest.ErrFault) {
				t.Fatalf("got %v, want the fault itself", err)
			}
		}
		t.Fatal("it failed twice")
	}
	try(func() (err error) {
		s.Ledger, err = ledger.Open(t.Context(), faulty, &ledger.Options{Policy: &p})
		return err
	})
	own, foreign := []keys.DiagnosisKey{s.key(), s.key()}, s.key()
	d := &ledger.Delivery{
		Source: ledger.Own, Uploads: []ledger.Upload{{ID: "u", Keys: own}},
		Swaps: []ledger.Swap{{Name: "cursor", Value: []byte("1")}},
	}
	try(func() error { _, err := s.Accept(t.Context(), d); return err })
	try(func() error { return s.Hold(t.Context(), ledger.Holds{Sources: []ledger.Source{"p"}}) })
	back := &ledger.Delivery{
		Source: "p", Uploads: []ledger.Upload{{ID: "u", Keys: []keys.DiagnosisKey{foreign}}}, Withdrawals: []ledger.UnitID{ledger.IDOf(&foreign)},
		Swaps: []ledger.Swap{{Name: "cursor/p", Value: []byte("1")}},
	}
	try(func() error { _, err := s.Accept(t.Context(), back); return err })
	s.now = noon.Add(time.Hour)
	try(func() error { _, err := s.Release(t.Context(), nil); return err })
	try(func() error { _, err := s.Withdraw(t.Context(), ledger.IDOf(&own[0])); return err })
	s.now = noon.Add(2 * time.Hour)
	try(func() error { _, err := s.Release(t.Context(), nil); return err })
	s.now = noon.Add(20 * 24 * time.Hour)
	try(func() error {
		_, err := s.Release(t.Context(), &ledger.ReleaseOptions{AllowGap: true})
		return err
	})
	try(func() error { _, err := s.Prune(t.Context(), sink{"all", 2}); return err })
	return s.result()
}

func (s *setup) result() result {
	s.t.Helper()
	l, err := ledger.Open(s.t.Context(), s.store, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	stats, err := l.Stats(s.t.Context(), sink{"all", 2})
	if err != nil || stats.Check() != nil {
		s.t.Errorf("the books: %v, %v", err, stats.Check())
	}
	log, _ := l.Log(s.t.Context(), 0)
	cursor, err := l.Registers(s.t.Context(), "cursor")
	if err != nil || len(cursor) != 2 {
		s.t.Fatalf("%d cursors, %v", len(cursor), err)
	}
	holds, _ := l.Holds(s.t.Context())
	left := 0
	for range l.Find(s.t.Context(), ledger.Query{}) {
		left++
	}
	return result{
		last: log.Last.Last, cuts: log.Last.Seq, left: left, held: len(holds.Sources), cursor: string(cursor[0].Value) + string(cursor[1].Value),
		accepted: stats.Sources["own"].Accepted, offered: stats.Sources["own"].Offered, taken: stats.Sources["p"].WithdrawalsTaken,
	}
}
