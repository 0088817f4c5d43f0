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
