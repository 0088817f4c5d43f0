package main

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A connection is a peer as it is exchanged with.
type connection struct {
	*peering
	peer   *peer
	before *connection // with the same peer, as its file said before; nil if there was none
	cancel context.CancelFunc
	nudged chan struct{}
	ended  chan struct{}

	noted    bool
	secrets  partner.Secrets // that the exchange was opened with
	exchange *partner.Exchange
}

// live exchanges with the peer until the context ends.
func (c *connection) live(ctx context.Context) {
	defer close(c.ended)
	if c.before != nil {
		<-c.before.ended // of two runs at once the slower one is for nothing
		c.before = nil
	}
	for ctx.Err() == nil {
		c.round(ctx)
		select {
		case <-ctx.Done():
		case <-c.nudged:
		case <-time.After(c.every + rand.N(c.every/4+1)): // not every peer asks the same server in the same second
		}
	}
}

// round takes what the peer has, and sends it what has been cut.
func (c *connection) round(ctx context.Context) {
	if err := c.introduce(ctx); err != nil {
		c.failed(ctx, "name", err)
		return
	}
	if err := c.refresh(ctx); err != nil {
		c.failed(ctx, "secrets", err)
	}
	if c.exchange == nil {
		return
	}
	if c.exchange.Pull != nil {
		c.done(ctx, "pull", &c.counts.pulls, c.pull(ctx))
	}
	if c.exchange.Push != nil {
		c.done(ctx, "push", &c.counts.pushes, c.push(ctx))
	}
}

// introduce sees to it that nobody else has the name of the peer, and will have it.
func (c *connection) introduce(ctx context.Context) error {
	if err := c.registry.allows(ctx, c.peer); err != nil {
		return err
	}
	if c.noted {
		return nil
	}
	err := c.registry.notePeer(ctx, c.peer)
	c.noted = err == nil
	if _, conflict := errors.AsType[*ledger.ConflictError](err); conflict {
		return nil // the next round sees what the other process has noted
	}
	return err
}

// secretsTimeout bounds what it takes to read the secrets of a peer.
const secretsTimeout = time.Minute

// refresh reads the secrets as they are now. While they cannot be read, what there
// is goes on.
func (c *connection) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, secretsTimeout)
	defer cancel()
	s, err := partner.ReadSecrets(ctx, c.dir, c.peer.SecretFields("", keys.Region{}))
	if err != nil || maps.Equal(s, c.secrets) {
		return err
	}
	x, err := c.peer.open(c.ledger, s, c.pauses)
	if err != nil {
		return err
	}
	c.secrets, c.exchange = s, x
	return nil
}

func (c *connection) pull(ctx context.Context) error {
	r, err := c.exchange.PullAll(ctx)
	c.counts.pulled(r)
	if r.Pages > 0 || len(r.Warnings) > 0 {
		c.log.Info("pulled", "peer", c.peer.Name, "pages", r.Pages, "accepted", r.Accepted, "duplicates", r.Duplicates, "rejected", r.Rejected, "withdrawals", r.WithdrawalsTaken, "warnings", r.Warnings)
	}
	return err
}

func (c *connection) push(ctx context.Context) error {
	_, err := c.exchange.PushAll(ctx, func(r *federation.PushReport) {
		c.counts.pushed(r)
		if r.Batches > 0 || len(r.Warnings) > 0 {
			c.log.Info("pushed", "peer", c.peer.Name, "batches", r.Batches, "keys", r.Keys, "withdrawals", r.Withdrawals, "warnings", r.Warnings)
		}
	})
	return err
}

// done notes how a run went. One that another process was quicker than has worked
// as well.
func (c *connection) done(ctx context.Context, step string, last *moments, err error) {
	if err != nil && !errors.Is(err, federation.ErrOvertaken) {
		c.failed(ctx, step, err)
		return
	}
	last.note(c.peer.Name, clock())
}

// failed notes a failure, unless it is that this is to end.
func (c *connection) failed(ctx context.Context, step string, err error) {
	if ctx.Err() != nil {
		return
	}
	c.counts.failed(c.peer.Name)
	c.log.Warn("failed", "part", step, "peer", c.peer.Name, "error", err)
}
