package sqliteledger_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
)

// The test binary is also the other processes that tests need: one of them if
// the environment says which.
const (
	childRole = "SQLITELEDGER_TEST_ROLE"
	childPath = "SQLITELEDGER_TEST_PATH"
	childName = "SQLITELEDGER_TEST_NAME"
)

var childRoles = map[string]func(ctx context.Context, path, name string) error{
	"cat":    cat,
	"worker": work,
}

func TestMain(m *testing.M) {
	ledgertest.Victim(openPath)
	role := os.Getenv(childRole)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := childRoles[role](context.Background(), os.Getenv(childPath), os.Getenv(childName)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child returns another process, which writes its errors where ours go.
func child(t *testing.T, role, path, name string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), childRole+"="+role, childPath+"="+path, childName+"="+name)
	c.Stderr = os.Stderr
	return c
}

// cat writes a file to the standard output. If there is none, it writes nothing.
func cat(_ context.Context, path, _ string) error {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(os.Stdout, f)
	return err
}

// contentOf reads a file that a store of this process has open. Another process
// does the reading: to close the file here would undo the store's locks.
func contentOf(t *testing.T, path string) []byte {
	t.Helper()
	content, err := child(t, "cat", path, "").Output()
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// queryAll returns the first column of a query, by SQLite alone.
func queryAll(t *testing.T, path, query string) (found []string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		found = append(found, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// checkIntegrity has SQLite check the file, and what refers to what in it.
func checkIntegrity(t *testing.T, path string) {
	t.Helper()
	if got := queryAll(t, path, "PRAGMA integrity_check"); len(got) != 1 || got[0] != "ok" {
		t.Errorf("integrity_check: %q", got)
	}
	if got := queryAll(t, path, `SELECT "table" FROM pragma_foreign_key_check`); len(got) > 0 {
		t.Errorf("foreign_key_check: %q", got)
	}
	for _, query := range []string{
		`SELECT name FROM upload WHERE id NOT IN (SELECT upload FROM unit) AND id NOT IN (SELECT upload FROM claim WHERE upload IS NOT NULL)`,
		`SELECT codes FROM countries WHERE id NOT IN (SELECT visited_countries FROM unit WHERE visited_countries IS NOT NULL)
			AND id NOT IN (SELECT visited_countries FROM statement WHERE visited_countries IS NOT NULL)`,
		`SELECT a.id FROM unit a JOIN unit b ON a.key_data = b.key_data AND a.id <> b.id WHERE NOT a.shared`,
		`SELECT unit FROM event GROUP BY unit HAVING count(*) > 1 AND NOT (SELECT changed FROM unit WHERE id = unit)`,
		`SELECT seq FROM cut WHERE after <> ifnull((SELECT last FROM cut AS b WHERE b.seq = cut.seq - 1), 0)`,
		`SELECT seq FROM cut WHERE NOT pruned AND last - after <> (SELECT count(*) FROM event WHERE number > after AND number <= last)`,
	} {
		if got := queryAll(t, path, query); len(got) > 0 {
			t.Errorf("%d rows, such as %q, for which the ledger is wrong: %s", len(got), got[0], query)
		}
	}
}
