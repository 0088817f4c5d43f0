package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/bucketledger"
)

// job is one run of the program.
type job struct {
	*options
	site     site
	clock    *clock // nil in the live job
	progress *progress
	summary  *summary

	closers    []func() error
	ring       *signing.Ring
	trees      []deploy.Tree
	bucket     storage.Bucket
	store      ledger.Store
	ledger     *ledger.Ledger
	outputs    deploy.Outputs
	intake     *intake
	inbox      *bucketledger.Inbox // nil for none
	unread     error               // of the inbox: objects that could not be read
	incomplete error               // of the last publication
}

func newJob(o *options, stderr io.Writer) *job {
	return &job{
		options:  o,
		site:     site{dir: o.dir, config: o.config},
		progress: newProgress(stderr, o.progress),
		summary:  newSummary(o),
	}
}

// run does the whole job. What it did is in the summary, also after an error.
func (j *job) run(ctx context.Context) (err error) {
	defer j.progress.end()
	defer func() { err = j.at(errors.Join(err, j.close())) }()
	if err := j.open(ctx); err != nil {
		return err
	}
	if err := j.play(ctx); err != nil {
		return err
	}
	if err := j.account(ctx); err != nil {
		return err
	}
	return errors.Join(j.verify(ctx), j.unread)
}

// at returns an error as one that names the place where it happened, if it is one
// that stops the job.
func (j *job) at(err error) error {
	output, ledgers := j.site.output(), j.site.ledger()
	switch {
	case errors.Is(err, distribution.ErrForeign), errors.Is(err, ledger.ErrOtherLedger), errors.Is(err, ledger.ErrWentBack):
		return deploy.At(output, fmt.Errorf("with the ledger %s: %w", deploy.Redacted(ledgers), err))
	case errors.Is(err, distribution.ErrIncomplete), errors.Is(err, errTree), errors.Is(err, ledger.ErrPolicy):
		return err
	case deploy.IsLedgers(err):
		return deploy.At(ledgers, err)
	case deploy.IsBuckets(err):
		return deploy.At(output, err)
	}
	return err
}

// play takes keys in, lets go what is due, and publishes it.
func (j *job) play(ctx context.Context) error {
	if err := j.announce(ctx); err != nil {
		return err
	}
	switch {
	case j.generate > 0:
		return j.replayGenerated(ctx)
	case j.replay():
		return j.replayInput(ctx)
	}
	return j.live(ctx)
}

// live is the job for cron.
func (j *job) live(ctx context.Context) error {
	if err := j.takeIn(ctx); err != nil {
		return err
	}
	if _, err := j.release(ctx, j.allowGap); err != nil {
		return err
	}
	return j.publish(ctx)
}

// takeIn accepts everything that -in names.
func (j *job) takeIn(ctx context.Context) error {
	r := newReader(j.options, j.intake)
	for _, path := range j.in {
		j.progress.step("taking in %s", path)
		if err := r.read(ctx, path); err != nil {
			return err
		}
	}
	if err := j.intake.flush(ctx); err != nil {
		return err
	}
	return j.takeInbox(ctx)
}

// release makes the cut of the hour, if it is not made yet.
func (j *job) release(ctx context.Context, allowGap bool) (*ledger.ReleaseReport, error) {
	report, err := j.ledger.Release(ctx, &ledger.ReleaseOptions{AllowGap: allowGap})
	if errors.Is(err, ledger.ErrTime) && !allowGap {
		return nil, fmt.Errorf("%w (after an outage: -allow-gap)", err)
	}
	if err != nil {
		return nil, err
	}
	j.summary.released(report)
	return report, nil
}

// announce publishes the empty packages of a new ledger. A package begins where
// the log stands when it is first seen, so it must be seen before the first cut.
func (j *job) announce(ctx context.Context) error {
	log, err := j.ledger.Log(ctx, 0)
	if err != nil || log.Last.Seq > 0 {
		return err
	}
	return j.publish(ctx)
}

// publish writes what has been released and removes what is too old. Objects
// that fail within the budget are left to the next publication.
func (j *job) publish(ctx context.Context) error {
	if j.dryRun {
		return nil // on a copy of the ledger; due says it all in the end
	}
	reports, err := j.outputs.Run(ctx)
	j.summary.published(reports)
	j.incomplete = nil
	if errors.Is(err, distribution.ErrIncomplete) {
		j.incomplete = err
		return nil
	}
	if err != nil {
		return err
	}
	return j.prune(ctx)
}

func (j *job) prune(ctx context.Context) error {
	sinks, err := j.outputs.Sinks(ctx)
	if err != nil {
		return err
	}
	report, err := j.ledger.Prune(ctx, sinks...)
	if err != nil {
		return fmt.Errorf("removing what is too old: %w", err)
	}
	j.summary.pruned(report)
	return nil
}

// account reads what became of every key.
func (j *job) account(ctx context.Context) error {
	j.progress.step("reading the books")
	if j.dryRun {
		due, err := j.outputs.Due(ctx)
		if err != nil {
			return err
		}
		j.summary.due = due
	}
	sinks, err := j.outputs.Sinks(ctx)
	if err != nil {
		return err
	}
	j.summary.stats, err = j.ledger.Stats(ctx, sinks...)
	if err != nil {
		return err
	}
	return j.summary.stats.Check()
}

// errTree is a tree that does not verify.
var errTree = errors.New("the published tree does not verify")

// verify checks the tree as a phone sees it.
func (j *job) verify(ctx context.Context) error {
	if j.dryRun {
		return nil
	}
	j.progress.step("verifying what is published")
	trusted, err := signing.NewTrustList(j.ring.PublicKeys()...)
	if err != nil {
		return err
	}
	findings := 0
	for _, t := range j.trees {
		report, err := j.config.CheckTree(ctx, j.bucket, t.Layout, trusted)
		if err != nil {
			return fmt.Errorf("verifying the tree: %w", err)
		}
		j.summary.trees = append(j.summary.trees, report)
		findings += len(report.Findings)
	}
	if findings > 0 {
		return errors.Join(fmt.Errorf("%w: %d findings", errTree, findings), j.incomplete)
	}
	return j.incomplete
}
