package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/storage/ledger"
)

// hubPolicy returns the policy of a federation server: a cut every few minutes of
// whatever has come, since it was grouped at its origin.
func hubPolicy() ledger.Policy {
	p := ledger.DefaultPolicy()
	p.Grid, p.FineGrid = 5*time.Minute, true
	p.MinKeys, p.MinUploads, p.MinWithdrawnUploads = 0, 0, 0
	p.LongestWait, p.WithdrawalWait = 0, 0
	p.MaxDay = 20_000_000 // no layout of files limits it
	return p
}

// openStore opens the ledger's store. The caller closes it.
func openStore(ctx context.Context, place string) (ledger.Store, func() error, error) {
	return deploy.OpenStore(ctx, place, ledgerClock)
}

// withRegistry opens a ledger that is there, whatever policy it has, for a command that
// is about nations. It makes none: in the wrong folder there would be no nations.
func withRegistry(ctx context.Context, place string, f func(g *registry) error) error {
	has, err := deploy.HasLedger(ctx, place)
	switch {
	case err != nil:
		return err
	case !has:
		return fmt.Errorf("%s: there is no ledger; nation add and serve make one, -ledger names another", deploy.Redacted(place))
	}
	return withNewRegistry(ctx, place, f)
}

// withNewRegistry is withRegistry where a ledger is made if there is none.
func withNewRegistry(ctx context.Context, place string, f func(g *registry) error) (err error) {
	store, closing, err := openStore(ctx, place)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closing()) }()
	l, err := ledger.Open(ctx, store, &ledger.Options{Policy: new(hubPolicy())})
	if errors.Is(err, ledger.ErrPolicy) {
		l, err = ledger.Open(ctx, store, nil)
	}
	if err != nil {
		return err
	}
	return f(newRegistry(l))
}
