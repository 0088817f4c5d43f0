package pgledger_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
)

func anyClock() time.Time { return time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC) }

// relations returns what is in a database, so that a change is noticed.
func relations(t *testing.T, pool *pgxpool.Pool) string {
	t.Helper()
	return strings.Join(queryAll(t, pool, `SELECT nspname || '.' || coalesce(relname, '') FROM pg_namespace LEFT JOIN pg_class ON relnamespace = pg_namespace.oid
		WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema' ORDER BY 1`), " ")
}

// TestOpenRefuses expects an error for what is no place for a ledger, and that
// nothing is changed there.
func TestOpenRefuses(t *testing.T) {
	server := pgtest.Shared(t)
	server.Exec(t, `DO $$ BEGIN CREATE ROLE guest LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`)
	asGuest := func(c *pgxpool.Config) { c.ConnConfig.User = "guest" }
	readOnly := func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on" }
	single := func(c *pgxpool.Config) { c.MaxConns = 1 }
	ledgerThere := func(t *testing.T, pool *pgxpool.Pool) { open(t, pool, nil) }
	for _, tt := range []struct {
		name     string
		prepare  func(*testing.T, *pgxpool.Pool)
		sql      string
		settings func(*pgxpool.Config)
		opts     pgledger.Options
		want     error
		text     string
	}{
		{name: "somebody else's schema", sql: `CREATE SCHEMA gaen; CREATE TABLE gaen.unit (id int)`, want: pgledger.ErrNotLedger, text: "somebody else"},
		{name: "a later version", prepare: ledgerThere, sql: `INSERT INTO gaen.gaen_migration (version) VALUES (2)`, want: pgledger.ErrNewer},
		{name: "none, to be read", opts: pgledger.Options{ReadOnly: true}, want: pgledger.ErrNotLedger},
		{name: "none, to be made by others", opts: pgledger.Options{NoMigrations: true}, want: pgledger.ErrNotLedger},
		{name: "an earlier version, to be migrated by others", prepare: ledgerThere, sql: `DELETE FROM gaen.gaen_migration`, opts: pgledger.Options{NoMigrations: true}, want: pgledger.ErrOlder},
		{name: "a read-only role", settings: readOnly, want: pgledger.ErrReadOnly},
		{name: "a read-only role, of a ledger", prepare: ledgerThere, settings: readOnly, want: pgledger.ErrReadOnly},
		{name: "a role that may not create", settings: asGuest, want: pgledger.ErrPermission},
		{name: "a role that may not use", prepare: ledgerThere, settings: asGuest, want: pgledger.ErrPermission},
		{name: "a role that may only read", prepare: ledgerThere, sql: `GRANT USAGE ON SCHEMA gaen TO guest; GRANT SELECT ON ALL TABLES IN SCHEMA gaen TO guest`, settings: asGuest, want: pgledger.ErrPermission},
		{name: "a ledger by the clock, with one", prepare: ledgerThere, opts: pgledger.Options{Clock: anyClock}, want: ledger.ErrReplay},
		{name: "a ledger for replays, without", prepare: func(t *testing.T, pool *pgxpool.Pool) { open(t, pool, &pgledger.Options{Clock: anyClock}) }, want: ledger.ErrReplay},
		{name: "a pool of one", settings: single, text: "pool of 1 "},
		{name: "a schema's name", opts: pgledger.Options{Schema: `x"; DROP`}, text: "Options.Schema"},
		{name: "a schema of the system", opts: pgledger.Options{Schema: `pg_gaen`}, text: "Options.Schema"},
		{name: "a long name", opts: pgledger.Options{Schema: strings.Repeat("x", 64)}, text: "Options.Schema"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool := fresh(t)
			if tt.prepare != nil {
				tt.prepare(t, pool)
			}
			if _, err := pool.Exec(t.Context(), tt.sql); err != nil {
				t.Fatal(err)
			}
			before := relations(t, pool)
			with := pool
			if tt.settings != nil {
				with = pgtest.Shared(t).Pool(t, pool.Config().ConnConfig.Database, tt.settings)
			}
			s, err := pgledger.Open(t.Context(), with, &tt.opts)
			var e *pgledger.Error
			if s != nil || !errors.As(err, &e) || e.Op != "open" || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, want %v %q", err, tt.want, tt.text)
			}
			if after := relations(t, pool); after != before {
				t.Errorf("there was %s\nand is %s", before, after)
			}
		})
	}
}

// TestOpenLatin expects that a database in another encoding is refused.
func TestOpenLatin(t *testing.T) {
	server := pgtest.Shared(t)
	server.Exec(t, "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
	if _, err := pgledger.Open(t.Context(), server.Pool(t, "latin"), nil); !errors.Is(err, pgledger.ErrServer) {
		t.Errorf("got %v, want %v", err, pgledger.ErrServer)
	}
}

// TestOpenAtOnce has many open a ledger that is not there yet, by pools of their
// own and by one that they share.
func TestOpenAtOnce(t *testing.T) {
	first := fresh(t)
	shared := pgtest.Shared(t).Pool(t, first.Config().ConnConfig.Database, func(c *pgxpool.Config) { c.MaxConns = 2 })
	identities := make(chan ledger.Identity, 16)
	var wg sync.WaitGroup
	for i := range cap(identities) {
		pool := shared
		if i%2 == 0 {
			pool = another(t, first)
		}
		wg.Go(func() {
			s, err := pgledger.Open(t.Context(), pool, nil)
			if err != nil {
				t.Error(err)
				return
			}
			log, err := s.Log(t.Context(), 0)
			if err != nil {
				t.Error(err)
				return
			}
			identities <- log.Identity
		})
	}
	wg.Wait()
	close(identities)
	want := <-identities
	for got := range identities {
		if got != want {
			t.Errorf("two identities: %s and %s", got, want)
		}
	}
}

// TestMigrationsByHand runs the files as a team's own tool would, and opens what
// they make, as somebody who may do no more than use it.
func TestMigrationsByHand(t *testing.T) {
	pool := fresh(t)
	server := pgtest.Shared(t)
	server.Exec(t, `DO $$ BEGIN CREATE ROLE teller LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`)
	script, err := pgledger.Migrations.ReadFile("migrations/0001_ledger.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, err = pool.Exec(t.Context(), `CREATE SCHEMA keys; SET LOCAL search_path TO keys;`+string(script)+`;
		GRANT USAGE ON SCHEMA keys TO teller; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA keys TO teller; GRANT USAGE ON ALL SEQUENCES IN SCHEMA keys TO teller`)
	if err != nil {
		t.Fatal(err)
	}
	teller := server.Pool(t, pool.Config().ConnConfig.Database, func(c *pgxpool.Config) { c.ConnConfig.User = "teller" })
	s := open(t, teller, &pgledger.Options{Schema: "keys", NoMigrations: true, Clock: anyClock})
	l, err := ledger.Open(t.Context(), s, &ledger.Options{Policy: eager()})
	if err != nil {
		t.Fatal(err)
	}
	up := keystest.New(1, &keystest.Options{EndOfPeriod: true}).Upload(anyClock())
	d := &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: up.ID, Keys: up.Keys}}}
	for range 2 {
		if _, err := l.Accept(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Release(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%s %v %x", s, s, struct{ S *pgledger.Store }{s}); strings.Count(got, "pgledger.Store(keys)") != 3 {
		t.Errorf("it prints %s", got)
	}
}

// TestTwoSchemas expects two ledgers in one database to know nothing of each other.
func TestTwoSchemas(t *testing.T) {
	pool := fresh(t)
	a, b := open(t, pool, nil), open(t, pool, &pgledger.Options{Schema: "other"})
	if err := a.Swap(t.Context(), ledger.NewNonce(), []ledger.Swap{{Name: "r", Value: []byte("1")}}); err != nil {
		t.Fatal(err)
	}
	if found, err := b.Registers(t.Context(), ""); err != nil || len(found) > 0 {
		t.Errorf("found %d registers of the other ledger (%v)", len(found), err)
	}
}

// TestClock expects a ledger that is not for replays to go by the database's
// clock.
func TestClock(t *testing.T) {
	log, err := open(t, fresh(t), nil).Log(t.Context(), 0)
	if err != nil || log.Replay || time.Since(log.Now).Abs() > time.Minute || log.Now.Location() != time.UTC {
		t.Errorf("the log says %+v, %v", log, err)
	}
}
