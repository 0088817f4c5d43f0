package sqliteledger_test

import (
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A writer brings keys to a store, by the rules of package ledger.
type writer struct {
	t      *testing.T
	store  ledger.Store
	ledger *ledger.Ledger
	keys   *keystest.Generator
}

// volume returns how much of something a test does: n, or with the race detector
// slowly, which is enough to find races.
func volume(n, slowly int) int {
	if slow {
		return slowly
	}
	return n
}

// eager lets a cut take whatever is due.
func eager() *ledger.Policy {
	p := ledger.DefaultPolicy()
	p.MinKeys, p.MinUploads, p.MinWithdrawnUploads = 0, 0, 0
	p.MaxCut, p.MaxDay, p.Quota = 1e7, 1e7, 1e9
	return &p
}

func newWriter(t *testing.T, s ledger.Store) *writer {
	t.Helper()
	l, err := ledger.Open(t.Context(), s, &ledger.Options{Policy: eager()})
	if err != nil {
		t.Fatal(err)
	}
	return &writer{t: t, store: s, ledger: l, keys: keystest.New(uint64(time.Now().UnixNano()), nil)}
}

// newReader is newWriter for a store that cannot be written.
func newReader(t *testing.T, s ledger.Store) *writer { return &writer{t: t, store: s} }

// accept brings n keys, each in an upload of its own.
func (w *writer) accept(n int) {
	w.t.Helper()
	d := &ledger.Delivery{Source: ledger.Own}
	now := w.now()
	for range n {
		up := w.keys.Upload(now)
		d.Uploads = append(d.Uploads, ledger.Upload{ID: up.ID, Keys: up.Keys[:1]})
	}
	receipt, err := w.ledger.Accept(w.t.Context(), d)
	if err != nil {
		w.t.Fatal(err)
	}
	if receipt.Accepted != n {
		w.t.Fatalf("%d keys accepted of %d: %+v", receipt.Accepted, n, receipt.Rejected)
	}
}

// now returns the time by the ledger's clock.
func (w *writer) now() time.Time {
	w.t.Helper()
	log, err := w.store.Log(w.t.Context(), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return log.Now
}

// count returns how many units there are.
func (w *writer) count() (n int) {
	w.t.Helper()
	for _, err := range w.store.Find(w.t.Context(), ledger.Query{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		n++
	}
	return n
}
