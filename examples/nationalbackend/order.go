package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/gaenkit/gaen/examples/internal/orders"
)

// atOffice works at the office of the back end.
func (c *command) atOffice(ctx context.Context, work func(*orders.Office) error) (err error) {
	b, err := c.openAlone(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	return work(b.Office())
}

// giveOrder prints what an order would do, or does it and prints that.
func (c *command) giveOrder(ctx context.Context) error {
	if err := c.order.Finish(c.stdin); err != nil {
		return usageError{err}
	}
	return c.atOffice(ctx, func(f *orders.Office) error { return f.Give(ctx, &c.order, c.stdout) })
}

// listOrders prints the records of orders.
func (c *command) listOrders(ctx context.Context) error {
	return c.atOffice(ctx, func(f *orders.Office) error { return f.List(ctx, c.stdout) })
}

// explain prints where a key has been.
func (c *command) explain(ctx context.Context) error {
	in, err := orders.ReadInquiry(c.keyFile, c.stdin)
	if err != nil {
		return usageError{fmt.Errorf("the key: %w", err)}
	}
	return c.atOffice(ctx, func(f *orders.Office) error { return f.Ask(ctx, in, c.stdout) })
}
