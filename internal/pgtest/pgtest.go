// Package pgtest starts a throwaway PostgreSQL server for the tests of other
// packages: on a Unix socket alone, in a folder of its own, stopped by its
// process and removed with everything in it.
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
//
//	func TestX(t *testing.T) {
//		pool := pgtest.Database(t) // skips where no PostgreSQL is installed
//	}
//
// There is one server for each test binary, started by whoever asks first. What
// it needs is Debian's package postgresql, or initdb and postgres in PATH.
package pgtest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
)

// shared is the server of this test binary.
var shared struct {
	once   sync.Once
	server *Server
	err    error
}

// Main runs the tests and stops the server that they started, if they did.
func Main(m *testing.M) int {
	code := m.Run()
	if shared.server != nil {
		shared.server.Stop()
	}
	return code
}

// Shared returns the server of this test binary, which does not care to keep
// what it stores: nothing is synchronised with the disk. It skips the test, and
// says why, where there is no PostgreSQL.
func Shared(tb testing.TB) *Server {
	tb.Helper()
	shared.once.Do(func() { shared.server, shared.err = Start(Settings{"fsync": "off", "full_page_writes": "off"}) })
	Need(tb, shared.err)
	return shared.server
}

// Need skips the test where err says that there is no PostgreSQL, and ends it
// where err is anything else.
func Need(tb testing.TB, err error) {
	tb.Helper()
	switch {
	case err == nil:
	case missing(err):
		tb.Skipf("needs PostgreSQL: %v", err)
	default:
		tb.Fatal(err)
	}
}

var databases atomic.Int64

// Database makes an empty database on the shared server, and returns a pool of
// connections to it.
func Database(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	return Shared(tb).Database(tb)
}

// Database makes an empty database, and returns a pool of connections to it.
func (s *Server) Database(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	name := fmt.Sprintf("test%d", databases.Add(1))
	s.Exec(tb, "CREATE DATABASE "+name)
	return s.Pool(tb, name)
}

// Copy makes a copy of a database, to which nobody may be connected but through
// pool, and returns a pool of connections to it: a backup that was restored.
// Connections that rest in pool are closed.
func (s *Server) Copy(tb testing.TB, pool *pgxpool.Pool) *pgxpool.Pool {
	tb.Helper()
	pool.Reset()
	name := fmt.Sprintf("test%d", databases.Add(1))
	from := pool.Config().ConnConfig.Database
	s.Exec(tb, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '"+from+"'")
	s.Exec(tb, "CREATE DATABASE "+name+" TEMPLATE "+from)
	return s.Pool(tb, name)
}

// Pool returns another pool of connections to a database, closed with the test.
func (s *Server) Pool(tb testing.TB, database string, settings ...func(*pgxpool.Config)) *pgxpool.Pool {
	tb.Helper()
	config, err := pgxpool.ParseConfig(s.URL(database))
	if err != nil {
		tb.Fatal(err)
	}
	config.MaxConns = 12
	for _, set := range settings {
		set(config)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	return pool
}

// Exec executes a statement as the owner of the server.
func (s *Server) Exec(tb testing.TB, query string) {
	tb.Helper()
	if err := s.exec(context.Background(), query); err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
}

// copySchema is a program that has the tables and sequences of one schema hold
// what those of another do. Nothing refers to anything in it: rows go in as they
// come.
const copySchema = `DO $do$
DECLARE
	name text;
BEGIN
	FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = '%[1]s' LOOP
		EXECUTE format('DELETE FROM %[2]s.%%I', name);
		EXECUTE format('INSERT INTO %[2]s.%%1$I OVERRIDING SYSTEM VALUE SELECT * FROM %[1]s.%%1$I', name);
	END LOOP;
	FOR name IN SELECT sequencename FROM pg_sequences WHERE schemaname = '%[1]s' LOOP
		EXECUTE format('SELECT setval(''%[2]s.%%1$I'', last_value, is_called) FROM %[1]s.%%1$I', name);
	END LOOP;
END $do$`

// CopySchema has a schema hold what another of the same tables does, which is
// much quicker than a copy of the database.
func CopySchema(tb testing.TB, pool *pgxpool.Pool, from, to string) {
	tb.Helper()
	if _, err := pool.Exec(tb.Context(), fmt.Sprintf(copySchema, from, to)); err != nil {
		tb.Fatalf("copying schema %s: %v", from, err)
	}
}
