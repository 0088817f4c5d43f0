package pgledger_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
)

// TestStandby follows a ledger on a standby that is held back, and expects it to
// say so wherever it would show less than there is.
func TestStandby(t *testing.T) {
	primary, err := pgtest.Start(pgtest.Settings{"fsync": "off"})
	pgtest.Need(t, err)
	defer primary.Stop()
	now := anyClock()
	opts := pgledger.Options{Clock: func() time.Time { return now }}
	store := open(t, primary.Pool(t, "postgres"), &opts)
	l, err := ledger.Open(t.Context(), store, &ledger.Options{Policy: eager()})
	if err != nil {
		t.Fatal(err)
	}
	replica, err := primary.Standby()
	if err != nil {
		t.Fatal(err)
	}
	defer replica.Stop()
	pool := replica.Pool(t, "postgres")
	if _, err := pgledger.Open(t.Context(), pool, &opts); !errors.Is(err, pgledger.ErrReadOnly) {
		t.Errorf("opened to write: got %v, want %v", err, pgledger.ErrReadOnly)
	}
	opts.ReadOnly = true
	far := open(t, pool, &opts)
	follower, err := ledger.Open(t.Context(), far, nil)
	if err != nil {
		t.Fatal(err)
	}

	g := keystest.New(1, &keystest.Options{EndOfPeriod: true})
	cut := func() ledger.Cut {
		t.Helper()
		up := g.Upload(now)
		if _, err := l.Accept(t.Context(), &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: up.ID, Keys: up.Keys}}}); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Hour)
		r, err := l.Release(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return r.Cut
	}
	follow(t, pool, store, far, cut())
	if _, err := pool.Exec(t.Context(), `SELECT pg_wal_replay_pause()`); err != nil {
		t.Fatal(err)
	}
	for len(queryAll(t, pool, `SELECT 1 WHERE pg_get_wal_replay_pause_state() = 'paused'`)) == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	next := cut()
	if err := follower.Check(t.Context(), next.Position()); !errors.Is(err, ledger.ErrWentBack) {
		t.Errorf("Check: got %v, want %v", err, ledger.ErrWentBack)
	}
	n := 0
	for _, err := range far.Read(t.Context(), 0, next.Last) {
		if n++; !errors.Is(err, pgledger.ErrLags) || !errors.Is(err, ledger.ErrWentBack) {
			t.Errorf("Read: got %v, want %v", err, pgledger.ErrLags)
		}
	}
	if n != 1 {
		t.Errorf("Read yields %d times", n)
	}
	if err := far.Swap(t.Context(), ledger.NewNonce(), []ledger.Swap{{Name: "r"}}); !errors.Is(err, pgledger.ErrReadOnly) {
		t.Errorf("Swap: got %v, want %v", err, pgledger.ErrReadOnly)
	}
	if _, err := pool.Exec(t.Context(), `SELECT pg_wal_replay_resume()`); err != nil {
		t.Fatal(err)
	}
	follow(t, pool, store, far, next)
}

// follow waits until a standby has come to a cut, and expects it to read as on the
// primary.
func follow(t *testing.T, pool *pgxpool.Pool, near, far *pgledger.Store, cut ledger.Cut) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		log, err := far.Log(t.Context(), 0)
		if err != nil || time.Since(start) > time.Minute {
			t.Fatalf("the standby does not follow: %v", err)
		}
		if log.Last == cut {
			break
		}
	}
	ids := func(s *pgledger.Store) (all []ledger.UnitID) {
		for u, err := range s.Read(t.Context(), 0, cut.Last) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, u.ID())
		}
		return all
	}
	a, b := ids(near), ids(far)
	if len(a) != len(b) || int64(len(a)) != cut.Last {
		t.Errorf("%d units on the standby, %d on the primary", len(b), len(a))
	}
}
