package bucketledger

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
	"github.com/gaenkit/gaen/storage/memstore"
)

// everyKind takes steps of every kind on a new ledger.
func everyKind(tb testing.TB, b storage.Bucket) *Store {
	tb.Helper()
	now := time.Date(2021, 1, 10, 12, 0, 0, 1000, time.UTC)
	s, err := Open(context.Background(), b, &Options{Clock: func() time.Time { return now }})
	if err != nil {
		tb.Fatal(err)
	}
	p := ledger.DefaultPolicy()
	p.MinKeys, p.MinUploads = 0, 0
	l, err := ledger.Open(context.Background(), s, &ledger.Options{Policy: &p})
	if err != nil {
		tb.Fatal(err)
	}
	visited, _ := keys.ParseRegions("AT", "FR")
	key := func(n byte, start keys.Interval) keys.DiagnosisKey {
		return keys.DiagnosisKey{
			TemporaryExposureKey: keys.TemporaryExposureKey{
				KeyData: keys.KeyData{n, 1}, RollingStartIntervalNumber: start, RollingPeriod: 144,
				ReportType: keys.Some(keys.ReportConfirmedTest), DaysSinceOnsetOfSymptoms: keys.Some(keys.DaysSinceOnset(-3)),
			},
			Origin: keys.MustRegion("DE"), VisitedCountries: visited, ConsentToFederate: keys.ConsentGiven,
		}
	}
	yesterday := keys.IntervalAt(now) - 200
	steps := []func() error{
		func() error {
			_, err := l.Accept(context.Background(), &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{
				{ID: "a", Keys: []keys.DiagnosisKey{key(1, yesterday), key(2, yesterday), {}}}, {ID: "b", Keys: []keys.DiagnosisKey{key(1, yesterday)}}}})
			return err
		},
		func() error {
			unknown := key(3, yesterday)
			_, err := l.Accept(context.Background(), &ledger.Delivery{Source: "p", Uploads: []ledger.Upload{{ID: "a", Keys: []keys.DiagnosisKey{key(1, yesterday)}}},
				Withdrawals: []ledger.UnitID{ledger.IDOf(&unknown)}, Swaps: []ledger.Swap{{Name: "cursor", Value: []byte("x")}}})
			return err
		},
		func() error { now = now.Add(time.Hour); _, err := l.Release(context.Background(), nil); return err },
		func() error { _, err := l.Erase(context.Background(), "b"); return err },
		func() error {
			return l.Swap(context.Background(), ledger.NewNonce(), ledger.Swap{Name: "cursor", Version: 2, Delete: true})
		},
		func() error {
			k := key(2, yesterday)
			_, err := l.Withdraw(context.Background(), ledger.IDOf(&k))
			return err
		},
		func() error {
			n, err := s.memory.Remove(context.Background(), &ledger.Removal{Now: now.Add(2000 * time.Hour), Ended: now, Floor: 100, Limit: 100, Forget: []string{"padded"},
				Each: func(*ledger.Unit) time.Time { return now.Add(3000 * time.Hour) }, Tallies: func() ledger.Tallies { return ledger.Tallies{"x": 1} }, Again: func() {}})
			if n == 0 {
				tb.Fatal("nothing was removed")
			}
			return err
		},
	}
	for i, step := range steps {
		if err := step(); err != nil {
			tb.Fatalf("step %d: %v", i, err)
		}
	}
	return s
}

// body returns the content of an object, without header and digest.
func body(object []byte) []byte { return object[headerSize : len(object)-32] }

// FuzzSegment reads anything as a segment. What can be read comes out the same
// when it is written and read again, and neither reading nor replaying it panics,
// whatever it says.
func FuzzSegment(f *testing.F) {
	b := memstore.New(nil)
	everyKind(f, b)
	for a := range storage.List(f.Context(), b, logPrefix) {
		object, _, err := storage.ReadAll(f.Context(), b, a.Name, MaxSegment)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body(object))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		h := header{kind: segmentKind, number: 7}
		b, _ := seal(append(h.append(nil), body...))
		seg, _, err := decodeSegment(b, 7)
		if err != nil {
			return
		}
		first, _ := seg.encode()
		again, _, err := decodeSegment(first, 7)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if second, _ := again.encode(); !bytes.Equal(first, second) {
			t.Fatal("written, read and written again, it is another")
		}
		m, err := memledger.Restore(emptyState(h), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = m.Apply(&seg.step)
	})
}

// FuzzSnapshot does the same with snapshots.
func FuzzSnapshot(f *testing.F) {
	f.Add(body(stateOf(everyKind(f, memstore.New(nil)))))
	f.Fuzz(func(t *testing.T, body []byte) {
		h := header{kind: stateKind, number: 9}
		b, _ := seal(append(h.append(nil), body...))
		_, _, _ = decodeTrail(b, 9)
		snap, err := decodeSnapshot(b, 9)
		if err != nil {
			return
		}
		first := snap.encode()
		again, err := decodeSnapshot(first, 9)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if !bytes.Equal(first, again.encode()) {
			t.Fatal("written, read and written again, it is another")
		}
		m, err := memledger.Restore(snap.state, nil)
		if err != nil {
			return
		}
		for range m.Read(t.Context(), 0, 1<<62) {
		}
	})
}

// TestReplayedIsTheSame compares, byte by byte, the state that a store has come to
// with the state that another comes to by its objects.
func TestReplayedIsTheSame(t *testing.T) {
	b := memstore.New(nil)
	s := everyKind(t, b)
	other, err := Open(t.Context(), b, &Options{Clock: s.opts.Clock})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(stateOf(s), stateOf(other)) {
		t.Error("replayed, the state is another")
	}
	if err := s.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if other, err = Open(t.Context(), b, &Options{Clock: s.opts.Clock}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(stateOf(s), stateOf(other)) {
		t.Error("restored, the state is another")
	}
}

func stateOf(s *Store) (b []byte) {
	s.memory.View(func(st *memledger.State) {
		snap := snapshot{header: header{kind: stateKind, number: 9}, trail: []place{{number: 9}}, state: st}
		b = snap.encode()
	})
	return b
}
