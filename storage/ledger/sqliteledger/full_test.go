package sqliteledger

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// TestFull fills a ledger until there is no room, and makes room again.
func TestFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	s, err := Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l, err := ledger.Open(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	limit := func(pages int) { // the disk, as SQLite sees it
		w := <-s.writer
		defer func() { s.writer <- w }()
		if err := w.run(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(120)
	g := keystest.New(5, nil)
	bring := func() (*ledger.Receipt, error) {
		now := time.Now()
		d := &ledger.Delivery{Source: ledger.Own, Swaps: cursor(t, s)}
		for range 20 {
			up := g.Upload(now)
			d.Uploads = append(d.Uploads, ledger.Upload{ID: up.ID, Keys: up.Keys})
		}
		return l.Accept(t.Context(), d)
	}
	accepted, deliveries := 0, 0
	for {
		receipt, err := bring()
		if err != nil {
			checkFull(t, err, path)
			break
		}
		accepted += receipt.Accepted
		if deliveries++; deliveries > 1000 {
			t.Fatal("there is still room")
		}
	}
	checkStored(t, s, accepted, deliveries)
	limit(1 << 20)
	if receipt, err := bring(); err != nil || receipt.Accepted == 0 {
		t.Errorf("after room was made: %v", err)
	}
}

// cursor counts deliveries in the step that stores them.
func cursor(t *testing.T, s *Store) []ledger.Swap {
	t.Helper()
	have, err := s.Registers(t.Context(), "cursor")
	if err != nil {
		t.Fatal(err)
	}
	if len(have) == 0 {
		return []ledger.Swap{{Name: "cursor", Value: []byte{1}}}
	}
	return []ledger.Swap{{Name: "cursor", Version: have[0].Version, Value: []byte{have[0].Value[0] + 1}}}
}

func checkFull(t *testing.T, err error, path string) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !errors.Is(err, ErrFull) || !ok || e.Op != "accept" || e.Path != path {
		t.Fatalf("got %v, want ErrFull, and the operation and the path named", err)
	}
}

// checkStored fails unless everything that was answered is there, and nothing
// else.
func checkStored(t *testing.T, s *Store, accepted, deliveries int) {
	t.Helper()
	log, err := s.Log(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	units := 0
	for _, err := range s.Find(t.Context(), ledger.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		units++
	}
	have, err := s.Registers(t.Context(), "cursor")
	if err != nil {
		t.Fatal(err)
	}
	if units != accepted || log.Tallies["accepted/own"] != int64(accepted) || int(have[0].Value[0]) != deliveries {
		t.Errorf("%d units, %d counted, %d deliveries; want %d, %d, %d",
			units, log.Tallies["accepted/own"], have[0].Value[0], accepted, accepted, deliveries)
	}
}
