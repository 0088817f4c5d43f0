package nation

import (
	"context"

	"github.com/gaenkit/gaen/storage/ledger"
)

// Preview says what an order of the operator would do, and changes nothing.
func (b *Backend) Preview(ctx context.Context, o *ledger.Order) (*ledger.OrderReport, error) {
	return b.ledger.Preview(ctx, o)
}

// Order carries out an order of the operator. What it changes is published, and
// told to partners, by the ticks after the next cut.
func (b *Backend) Order(ctx context.Context, o *ledger.Order) (*ledger.OrderReport, error) {
	return b.ledger.Order(ctx, o)
}

// Orders returns the records of orders.
func (b *Backend) Orders(ctx context.Context) ([]ledger.OrderRecord, error) {
	return b.ledger.Orders(ctx)
}
