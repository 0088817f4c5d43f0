package main

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver that sqliteledger uses
)

// copyLedger copies a ledger while other processes may be using it. It must be
// called while this process has no store open on it.
func copyLedger(ctx context.Context, from, to string) (err error) {
	abs, err := filepath.Abs(from)
	if err != nil {
		return err
	}
	name := url.URL{Scheme: "file", Path: abs, RawQuery: "mode=rw&_pragma=busy_timeout(30000)"}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", to)
	return err
}
