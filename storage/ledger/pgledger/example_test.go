package pgledger_test

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
)

// A submission's token is spent exactly if its keys are stored.
func ExampleStore_WithTx() {
	ctx := context.Background()
	accept := func(pool *pgxpool.Pool, store *pgledger.Store, l *ledger.Ledger, token string, d *ledger.Delivery) (*ledger.Receipt, error) {
		tx, err := pool.Begin(ctx)
		if err != nil {
			return nil, err
		}
		defer tx.Rollback(ctx)
		if _, err := tx.Exec(ctx, `DELETE FROM token WHERE id = $1`, token); err != nil {
			return nil, err
		}
		receipt, err := l.With(store.WithTx(tx)).Accept(ctx, d)
		if err != nil {
			return nil, err
		}
		return receipt, tx.Commit(ctx)
	}
	_ = accept
}
