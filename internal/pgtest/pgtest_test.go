package pgtest_test

import (
	"os"
	"testing"

	"github.com/gaenkit/gaen/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// TestDatabases expects databases of their own, and a copy that goes its own way.
func TestDatabases(t *testing.T) {
	a, b := pgtest.Database(t), pgtest.Database(t)
	if _, err := a.Exec(t.Context(), "CREATE TABLE t (n int); INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Exec(t.Context(), "SELECT n FROM t"); err == nil {
		t.Error("what is in one database is in the other")
	}
	c := pgtest.Shared(t).Copy(t, a)
	if _, err := c.Exec(t.Context(), "INSERT INTO t VALUES (2)"); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := a.QueryRow(t.Context(), "SELECT count(*) FROM t").Scan(&n); err != nil || n != 1 {
		t.Errorf("the original has %d rows (%v), want 1", n, err)
	}
}

// TestCopySchema expects rows, also those with numbers of their own, and what
// sequences give next.
func TestCopySchema(t *testing.T) {
	pool := pgtest.Database(t)
	exec := func(query string) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	for _, schema := range []string{"a", "b"} {
		exec("CREATE SCHEMA " + schema)
		exec("CREATE TABLE " + schema + ".t (id bigint GENERATED ALWAYS AS IDENTITY, n int); CREATE SEQUENCE " + schema + ".s")
	}
	exec("INSERT INTO a.t (n) VALUES (1), (2); DELETE FROM a.t WHERE n = 1; SELECT nextval('a.s'), nextval('a.s')")
	exec("INSERT INTO b.t (n) VALUES (7)")
	pgtest.CopySchema(t, pool, "a", "b")
	exec("INSERT INTO b.t (n) VALUES (3)")
	var got string
	const query = "SELECT string_agg(id || '=' || n, ' ' ORDER BY id) || ', ' || nextval('b.s') || ', ' || (SELECT count(*) FROM a.t) FROM b.t"
	if err := pool.QueryRow(t.Context(), query).Scan(&got); err != nil || got != "2=2 3=3, 3, 1" {
		t.Errorf("got %s (%v)", got, err)
	}
}
