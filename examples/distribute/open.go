package main

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
	"github.com/gaenkit/gaen/storage/memstore"
)

// open opens what the job works on. What is wrong with the configuration comes
// first, before anything is made.
func (j *job) open(ctx context.Context) (err error) {
	if j.trees, err = j.config.Trees(nil); err != nil {
		return usageError{err}
	}
	if err := j.rehearse(ctx); err != nil {
		return usageError{err}
	}
	if !j.dryRun {
		if err := os.MkdirAll(j.dir, 0o755); err != nil {
			return err
		}
	}
	if j.ring, err = j.site.ring(!j.dryRun); err != nil {
		return err
	}
	if err := j.openMetadata(); err != nil {
		return err
	}
	if j.bucket, err = j.openOutput(ctx); err != nil {
		return err
	}
	if err := j.openInbox(ctx); err != nil {
		return err
	}
	if err := j.checkNew(ctx); err != nil {
		return err
	}
	if err := j.openStore(ctx); err != nil {
		return err
	}
	if err := j.openLedger(ctx); err != nil {
		return err
	}
	if err := j.openOutputs(ctx); err != nil {
		return err
	}
	return j.outputs.Check(ctx) // before anything is taken in
}

// openMetadata has metadata signed, if there is a layout that has them.
func (j *job) openMetadata() error {
	if !j.config.HasLayout(deploy.NHS) {
		return nil
	}
	signer, err := j.site.metadata(!j.dryRun)
	if err != nil {
		return err
	}
	j.trees, err = j.config.Trees(signer)
	return err
}

// rehearse opens everything in memory, which finds all that is wrong with the
// configuration.
func (j *job) rehearse(ctx context.Context) error {
	ring, err := j.config.Ring(func(string) (*ecdsa.PrivateKey, error) { return signing.GenerateKey() })
	if err != nil {
		return err
	}
	_, err = j.outputsInMemory(ctx, memstore.New(nil), ring)
	return err
}

// outputsInMemory returns what publishes a new ledger in memory.
func (j *job) outputsInMemory(ctx context.Context, b storage.Bucket, ring *signing.Ring) (deploy.Outputs, error) {
	l, err := ledger.Open(ctx, memledger.New(nil), j.ledgerOptions())
	if err != nil {
		return nil, err
	}
	opts := j.config.Publisher()
	return deploy.NewOutputs(l, b, j.trees, ring, &opts)
}

// checkNew sees to it that no ledger is made beside a tree that has one already:
// the place of the ledger is misspelt then, or that of the tree.
func (j *job) checkNew(ctx context.Context) error {
	if j.dryRun {
		return nil // nothing is made
	}
	has, err := deploy.HasLedger(ctx, j.site.ledger())
	if err != nil || has {
		return err
	}
	p, err := j.outputsInMemory(ctx, j.bucket, j.ring)
	if err != nil {
		return err
	}
	foreign := p.Check(ctx)
	if errors.Is(foreign, distribution.ErrForeign) { // or of a process that has just made the ledger
		if has, err := deploy.HasLedger(ctx, j.site.ledger()); err != nil || has {
			return err
		}
	}
	return foreign
}

func (j *job) ledgerOptions() *ledger.Options {
	return &ledger.Options{Policy: j.config.Release.Policy(), MaxUpload: j.config.Input.MaxKeysPerUpload}
}

// close closes in the reverse order of opening.
func (j *job) close() error {
	var errs []error
	for _, c := range slices.Backward(j.closers) {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

func (j *job) closing(c func() error) { j.closers = append(j.closers, c) }

// openStore opens the ledger; a dry run, one that may be changed freely.
func (j *job) openStore(ctx context.Context) error {
	place := j.site.ledger()
	if j.replay() {
		j.clock = &clock{t: j.end()}
	}
	open := deploy.OpenStore
	if j.dryRun {
		open = j.openCopy
	}
	store, closing, err := open(ctx, place, j.clock.function())
	if errors.Is(err, ledger.ErrReplay) {
		return usageError{fmt.Errorf("replays (-generate, -now) and the live job need ledgers of their own; name another -dir or -ledger: %w", err)}
	}
	if err != nil {
		return err
	}
	j.store = store
	j.closing(closing)
	return nil
}

// openCopy opens a copy of the ledger: of a file, a file; of one that lies in a
// bucket, what it would be, in memory. If there is nothing to copy it is a new
// one.
func (j *job) openCopy(ctx context.Context, place string, clock func() time.Time) (ledger.Store, func() error, error) {
	path, isFile := deploy.FileOf(place)
	if !isFile {
		store, closing, err := deploy.Rehearse(ctx, place, clock)
		if errors.Is(err, deploy.ErrNoCopy) {
			return nil, nil, usageError{fmt.Errorf("-dry-run works on a copy of the ledger, which cannot be made of %s: restore a backup of it and name that (-ledger), without -dry-run and with another -out", deploy.Redacted(place))}
		}
		return store, closing, err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return memledger.New(&memledger.Options{Clock: clock}), func() error { return nil }, nil
	}
	copied, err := j.scratch(ctx, path)
	if err != nil {
		return nil, nil, fmt.Errorf("copying the ledger: %w", err)
	}
	return deploy.OpenStore(ctx, copied, clock)
}

// end returns the time at which a replay takes its input in, or ends.
func (j *job) end() time.Time {
	if j.now.IsZero() {
		return time.Now().UTC()
	}
	return j.now.Time
}

func (j *job) openLedger(ctx context.Context) error {
	if j.changePolicy {
		if err := j.setPolicy(ctx); err != nil {
			return err
		}
	}
	var err error
	j.ledger, err = ledger.Open(ctx, j.store, j.ledgerOptions())
	if errors.Is(err, ledger.ErrPolicy) {
		return fmt.Errorf("%w\n-change-policy gives it the one of the configuration", err)
	}
	if err != nil {
		return err
	}
	j.intake = newIntake(j.ledger, j.summary)
	return nil
}

// setPolicy gives the ledger another policy, if it has one that differs.
func (j *job) setPolicy(ctx context.Context) error {
	_, err := ledger.Open(ctx, j.store, j.ledgerOptions())
	if err == nil || !errors.Is(err, ledger.ErrPolicy) {
		return err
	}
	l, err := ledger.Open(ctx, j.store, nil)
	if err != nil {
		return err
	}
	outputs, err := j.newOutputs(l, j.config.Publisher())
	if err != nil {
		return err
	}
	if err := outputs.Check(ctx); err != nil {
		return err
	}
	_, version := l.Policy()
	return ledger.ChangePolicy(ctx, j.store, *j.config.Release.Policy(), version)
}

func (j *job) openOutputs(ctx context.Context) (err error) {
	opts := j.config.Publisher()
	if staging := j.config.Paths.Staging; staging != "" && !j.dryRun {
		if opts.Staging, err = j.openBucket(ctx, staging); err != nil {
			return err
		}
	}
	if opts.Invalidator, err = j.config.Invalidator(ctx); err != nil {
		return usageError{err}
	}
	opts.Progress = func(p distribution.Progress) {
		j.progress.step("publishing %d of %d: %s", p.Done, p.Total, p.Object)
	}
	if j.dryRun {
		if err := j.beginWithLedger(ctx); err != nil {
			return err
		}
	}
	j.outputs, err = j.newOutputs(j.ledger, opts)
	return err
}

func (j *job) newOutputs(l *ledger.Ledger, opts distribution.Options) (deploy.Outputs, error) {
	return deploy.NewOutputs(l, j.bucket, j.trees, j.ring, &opts)
}

// beginWithLedger has the packages of a new ledger begin where it begins, in a
// dry run, which cannot announce them.
func (j *job) beginWithLedger(ctx context.Context) error {
	log, err := j.ledger.Log(ctx, 0)
	if err != nil {
		return err
	}
	for _, t := range j.trees {
		for i := range t.Packages {
			p := &t.Packages[i]
			p.FromBeginning = p.FromBeginning || log.Last.Seq == 0
		}
	}
	return nil
}

// openOutput opens the bucket of the tree. A dry run only reads it; a folder may
// be missing then, and is not made.
func (j *job) openOutput(ctx context.Context) (storage.Bucket, error) {
	if !j.dryRun {
		return j.openBucket(ctx, j.config.Paths.Output)
	}
	b, closing, err := deploy.OpenBucket(ctx, j.site.output(), deploy.Access{ReadOnly: true})
	if !deploy.IsURL(j.site.output()) && errors.Is(err, fs.ErrNotExist) {
		return memstore.New(nil), nil
	}
	if err != nil {
		return nil, err
	}
	j.closing(closing)
	return b, nil
}

func (j *job) openBucket(ctx context.Context, place string) (storage.Bucket, error) {
	place, err := j.site.bucket(place)
	if err != nil {
		return nil, err
	}
	b, closing, err := deploy.OpenBucket(ctx, place, deploy.Access{
		PublicRead: j.config.ObjectStore.PublicReadACL,
		NoSync:     j.replay(), // which can be repeated
	})
	if err != nil {
		return nil, err
	}
	j.closing(closing)
	return b, nil
}

// scratch returns the path of a copy of the ledger. The copy has key data in it,
// so it is made beside the ledger, readable by the owner alone, and removed in
// the end.
func (j *job) scratch(ctx context.Context, path string) (string, error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".dry-run-*")
	if err != nil {
		return "", err
	}
	j.closing(func() error { return os.RemoveAll(dir) })
	copied := filepath.Join(dir, "ledger.db")
	return copied, copyLedger(ctx, path, copied)
}
