package main

import (
	"context"
	"fmt"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/examples/internal/deploy"
)

// openInbox opens the bucket that others put submissions into, if there is one.
func (j *job) openInbox(ctx context.Context) error {
	if j.config.Input.Inbox == "" {
		return nil
	}
	b, closing, err := deploy.OpenBucket(ctx, j.site.inbox(), deploy.Access{ReadOnly: true})
	if err != nil {
		return err
	}
	j.closing(closing)
	j.inbox, err = j.config.MakeInbox(b)
	return err
}

// unreadError is that of objects of the inbox that could not be read: the rest
// was done, and the next run tries again.
type unreadError struct{ error }

func (e unreadError) Is(target error) bool { return target == distribution.ErrIncomplete }

func (e unreadError) Unwrap() error { return e.error }

// takeInbox takes in what is new in the inbox.
func (j *job) takeInbox(ctx context.Context) error {
	if j.inbox == nil {
		return nil
	}
	place := j.site.inbox()
	j.progress.step("taking in %s", deploy.Redacted(place))
	report, err := j.inbox.TakeIn(ctx, j.ledger)
	j.summary.tookInbox(report)
	switch {
	case err == nil:
		return nil
	case report.Listed == 0, deploy.IsLedgers(err), !deploy.IsBuckets(err), ctx.Err() != nil:
		if deploy.IsBuckets(err) {
			err = deploy.At(place, err)
		}
		return fmt.Errorf("inbox: %w", err)
	}
	j.unread = unreadError{fmt.Errorf("not everything in the inbox could be read: %w", deploy.At(place, err))}
	return nil
}
