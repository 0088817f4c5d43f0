package sqliteledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// A tx is one transaction.
type tx struct {
	*session
	ctx   context.Context // of the one call that the transaction is for
	names names

	// removed says that something has been, of which pages may hold copies.
	removed bool
}

func newTx(ctx context.Context, s *session) *tx { return &tx{session: s, ctx: ctx} }

// countRemoval notes that there is something to scrub.
func (t *tx) countRemoval() error {
	if !t.removed {
		return nil
	}
	_, err := t.exec(`UPDATE ledger SET removals = removals + 1`)
	return err
}

func (t *tx) stmt(query string) (*sql.Stmt, error) {
	if stmt, ok := t.stmts[query]; ok {
		return stmt, nil
	}
	if t.trace != nil {
		t.trace(query)
	}
	stmt, err := t.conn.PrepareContext(t.ctx, query)
	if err != nil {
		return nil, fmt.Errorf("%w, in %s", err, query)
	}
	t.stmts[query] = stmt
	return stmt, nil
}

// exec executes a statement. id is that of the row it added, if it added one.
func (t *tx) exec(query string, args ...any) (id int64, err error) {
	stmt, err := t.stmt(query)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

// change executes a statement and returns how many rows it changed.
func (t *tx) change(query string, args ...any) (int64, error) {
	stmt, err := t.stmt(query)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// scanner is a row of a query: [*sql.Rows] as far as it concerns what reads it.
type scanner interface{ Scan(dest ...any) error }

// each calls row for each row of a query.
func (t *tx) each(query string, args []any, row func(scanner) error) error {
	stmt, err := t.stmt(query)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(t.ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// errEnough ends a query whose first row was all that was asked for.
var errEnough = errors.New("enough")

// get scans the first row of a query and reports whether there was one.
func (t *tx) get(query string, args []any, dest ...any) (found bool, err error) {
	err = t.each(query, args, func(row scanner) error {
		found = true
		if err := row.Scan(dest...); err != nil {
			return err
		}
		return errEnough
	})
	if err == errEnough {
		err = nil
	}
	return found, err
}

// has reports whether a query has any row.
func (t *tx) has(query string, args ...any) (bool, error) {
	var ignored any
	return t.get(query, args, &ignored)
}
