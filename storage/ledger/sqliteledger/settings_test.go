package sqliteledger

import (
	"fmt"
	"path/filepath"
	"testing"
)

// TestSettings expects connections to be set as the package promises. That what
// is answered survives a loss of power cannot be tested otherwise.
func TestSettings(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tests := []struct {
		run  func(func(*tx) error) error
		want map[string]string
	}{
		{
			func(f func(*tx) error) error { return s.writeStep(t.Context(), f) },
			map[string]string{"journal_mode": "wal", "synchronous": "2", "secure_delete": "1", "temp_store": "2", "query_only": "0"},
		}, {
			func(f func(*tx) error) error { return s.readStep(t.Context(), f) },
			map[string]string{"journal_mode": "wal", "temp_store": "2", "query_only": "1"},
		},
	}
	for _, tt := range tests {
		for pragma, want := range tt.want {
			var got any
			err := tt.run(func(x *tx) error {
				_, err := x.get("PRAGMA "+pragma, nil, &got)
				return err
			})
			if err != nil || fmt.Sprint(got) != want {
				t.Errorf("%s: got %v, %v; want %s", pragma, got, err, want)
			}
		}
	}
}

// TestCreateTwice has a process make a ledger that another has made meanwhile.
func TestCreateTwice(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before := s.identity
	if err := s.writeStep(t.Context(), s.create); err != nil {
		t.Fatal(err)
	}
	if err := s.check(t.Context()); err != nil || s.identity != before {
		t.Errorf("got identity %s, %v; want %s", s.identity, err, before)
	}
}
