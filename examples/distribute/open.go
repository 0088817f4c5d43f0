package main

import (
	"context"
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
	if j.layout, err = j.config.Layout(); err != nil {
		return usageError{err}
	}
	if j.packages, err = j.config.Packages(); err != nil {
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
	if err := j.openStore(ctx); err != nil {
		return err
	}
	if err := j.openLedger(ctx); err != nil {
		return err
	}
	return j.openPublisher(ctx)
}

// rehearse opens everything in memory, which finds all that is wrong with the
// configuration.
func (j *job) rehearse(ctx context.Context) error {
	key, err := signing.GenerateKey()
	if err != nil {
		return err
	}
	signer, err := signing.NewSigner(j.config.Identity(), key, nil)
	if err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	ring, err := signing.NewRing(signer)
	if err != nil {
		return err
	}
	l, err := ledger.Open(ctx, memledger.New(nil), j.ledgerOptions())
	if err != nil {
		return err
	}
	opts := j.config.Publisher()
	_, err = distribution.New(l, memstore.New(nil), j.layout, j.packages, ring, &opts)
	return err
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

// openStore opens the ledger. A dry run works on a copy of it, in memory if there
// is nothing to copy.
func (j *job) openStore(ctx context.Context) error {
	place := j.site.ledger()
	if j.replay() {
		j.clock = &clock{t: j.end()}
	}
	if j.dryRun {
		if deploy.IsURL(place) {
			return usageError{fmt.Errorf("-dry-run works on a copy of the ledger, and %s is no file", deploy.Redacted(place))}
		}
		if _, err := os.Stat(place); errors.Is(err, fs.ErrNotExist) {
			j.store = memledger.New(&memledger.Options{Clock: j.clock.function()})
			return nil
		}
		copied, err := j.scratch(ctx, place)
		if err != nil {
			return fmt.Errorf("copying the ledger: %w", err)
		}
		place = copied
	}
	store, closing, err := deploy.OpenStore(ctx, place, j.clock.function())
	if errors.Is(err, ledger.ErrReplay) {
		return usageError{fmt.Errorf("%s: replays (-generate, -now) and the live job need ledgers of their own; name another -dir: %w", deploy.Redacted(j.site.ledger()), err)}
	}
	if err != nil {
		return err
	}
	j.store = store
	j.closing(closing)
	return nil
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
	_, version := l.Policy()
	return ledger.ChangePolicy(ctx, j.store, *j.config.Release.Policy(), version)
}

func (j *job) openPublisher(ctx context.Context) (err error) {
	if j.bucket, err = j.openOutput(ctx); err != nil {
		return err
	}
	opts := j.config.Publisher()
	if staging := j.config.Paths.Staging; staging != "" && !j.dryRun {
		if opts.Staging, err = j.openBucket(ctx, staging); err != nil {
			return err
		}
	}
	opts.Progress = func(p distribution.Progress) {
		j.progress.step("publishing %d of %d: %s", p.Done, p.Total, p.Object)
	}
	if j.dryRun {
		if err := j.beginWithLedger(ctx); err != nil {
			return err
		}
	}
	j.publisher, err = distribution.New(j.ledger, j.bucket, j.layout, j.packages, j.ring, &opts)
	return err
}

// beginWithLedger has the packages of a new ledger begin where it begins, in a
// dry run, which cannot announce them.
func (j *job) beginWithLedger(ctx context.Context) error {
	log, err := j.ledger.Log(ctx, 0)
	if err != nil {
		return err
	}
	for i := range j.packages {
		p := &j.packages[i]
		p.FromBeginning = p.FromBeginning || log.Last.Seq == 0
	}
	return nil
}

// openOutput opens the bucket of the tree. A dry run, which writes nothing, asks
// nothing of a server; a folder may be missing, and is not made.
func (j *job) openOutput(ctx context.Context) (storage.Bucket, error) {
	if j.dryRun {
		output := j.site.output()
		if _, err := os.Stat(output); deploy.IsURL(output) || errors.Is(err, fs.ErrNotExist) {
			return memstore.New(nil), nil
		}
	}
	return j.openBucket(ctx, j.config.Paths.Output)
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
