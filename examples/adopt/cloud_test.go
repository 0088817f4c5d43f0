//go:build cloud

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/internal/pgtest"
)

// TestTableFromDatabase reads cwa-server's table from PostgreSQL, and finds in it what
// is in the file.
func TestTableFromDatabase(t *testing.T) {
	dir := t.TempDir()
	if err := leave(dir); err != nil {
		t.Fatal(err)
	}
	pool := pgtest.Database(t)
	_, err := pool.Exec(t.Context(), `CREATE TABLE diagnosis_key (
		key_data bytea, rolling_period integer NOT NULL, rolling_start_interval_number integer NOT NULL,
		submission_timestamp bigint NOT NULL, transmission_risk_level integer NOT NULL,
		consent_to_federation boolean, origin_country varchar(2), visited_countries varchar(2)[], report_type varchar(30),
		days_since_onset_of_symptoms integer, submission_type varchar(30) NOT NULL, PRIMARY KEY (key_data, submission_type))`)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := os.Open(filepath.Join(dir, "keys.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Conn().PgConn().CopyFrom(t.Context(), rows, "COPY diagnosis_key FROM STDIN WITH CSV HEADER"); err != nil {
		t.Fatal(err)
	}
	var fromFile, fromDatabase, errs bytes.Buffer
	args := append([]string{"-dry-run", "-dir", dir, "-now", "2026-03-11T09:20:00Z"}, settings...)
	if code := run(append(args, "-table", filepath.Join(dir, "keys.csv")), &fromFile, &errs); code != exitDone {
		t.Fatalf("exits with %d: %s", code, errs.String())
	}
	place := pool.Config().ConnString()
	if !strings.Contains(place, "://") {
		t.Skipf("the test's server has no address that is a URL")
	}
	if code := run(append(args, "-table", place), &fromDatabase, &errs); code != exitDone {
		t.Fatalf("exits with %d: %s", code, errs.String())
	}
	if fromFile.String() != fromDatabase.String() || !strings.Contains(fromFile.String(), "adopted 68 files") {
		t.Errorf("from the file\n%s\nfrom the database\n%s", fromFile.String(), fromDatabase.String())
	}
}
