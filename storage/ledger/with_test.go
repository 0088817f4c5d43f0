package ledger_test

import (
	"testing"

	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
)

// TestWith sees that a ledger works by way of another handle, and goes on by way
// of its own.
func TestWith(t *testing.T) {
	s := open(t, nil)
	other := ledgertest.Faulty(s.store, nil)
	d := &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: "u", Keys: nil}}}
	l := s.With(other)
	if _, err := l.Accept(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if n := len(other.Calls()); n != 1 || l.Identity() != s.Identity() {
		t.Errorf("%d calls by way of the other handle, want 1", n)
	}
	s.accept(ledger.Own, "v", s.key())
	if n := len(other.Calls()); n != 1 {
		t.Errorf("the ledger goes by way of the other handle")
	}
}
