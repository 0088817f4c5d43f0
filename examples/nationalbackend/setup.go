package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/gaenkit/gaen/examples/internal/orders"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger/submit"
)

// init makes the signing keys that are files and missing.
func (c *command) init(context.Context) error {
	made, err := c.config.MakeKeys()
	for _, path := range made {
		fmt.Fprintln(c.stdout, "made", path)
	}
	return err
}

// check says what would be done, and asks nobody.
func (c *command) check(ctx context.Context) error {
	if err := c.config.Rehearse(ctx); err != nil {
		return usageError{err}
	}
	fmt.Fprint(c.stdout, c.config, c.config.Plan())
	return nil
}

// books prints the books. That they do not balance is the error, after them.
func (c *command) books(ctx context.Context) (err error) {
	b, err := c.openAlone(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	balance, err := b.Balance(ctx)
	if err != nil {
		return err
	}
	if balance.Unbalanced != "" {
		err = errors.New(balance.Unbalanced)
	}
	return errors.Join(orders.Print(c.stdout, balance), err)
}

// reconcile prints the books, and what is published that is not as it was planned.
func (c *command) reconcile(ctx context.Context) (err error) {
	b, err := c.openAlone(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	found, err := b.Reconcile(ctx)
	if err != nil {
		return err
	}
	if wrong := found.Wrong(); wrong != "" {
		err = errors.New(wrong)
	}
	return errors.Join(orders.Print(c.stdout, found), err)
}

// repair has what is published be as it was planned.
func (c *command) repair(ctx context.Context) (err error) {
	b, err := c.openAlone(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	reports, err := b.Repair(ctx)
	for _, r := range reports {
		fmt.Fprint(c.stdout, r)
	}
	return err
}

// issue prints a new one-time token.
func (c *command) issue(ctx context.Context) (err error) {
	terms := submit.Terms{}
	if c.kit != "" {
		if terms.TestType, err = keys.ParseTestType(c.kit); err != nil {
			return usageError{fmt.Errorf("-kit: %w", err)}
		}
	}
	switch c.consent {
	case "":
	case "given":
		terms.ConsentToFederate = keys.ConsentGiven
	case "refused":
		terms.ConsentToFederate = keys.ConsentRefused
	default:
		return usageError{fmt.Errorf("-consent: %q, want given or refused", c.consent)}
	}
	b, err := c.openAlone(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	token, err := b.IssueToken(ctx, terms)
	if err == nil {
		fmt.Fprintln(c.stdout, token)
	}
	return err
}
