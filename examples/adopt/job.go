package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// job is one run.
type job struct {
	*options
	out io.Writer

	bucket  storage.Bucket // of the tree, only read
	tree    deploy.Tree
	ring    *signing.Ring
	opts    distribution.Options
	ledger  *ledger.Ledger
	table   *table
	closers []func() error
}

func (j *job) run(ctx context.Context) (err error) {
	defer func() {
		for _, c := range slices.Backward(j.closers) {
			err = errors.Join(err, c())
		}
	}()
	for _, step := range []func(context.Context) error{
		j.openTree,
		j.readTable,
		j.openLedger,
		j.fill,
		j.adopt,
		j.setCursors,
		j.foresee,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// path returns where a place of the configuration is.
func (j *job) path(place string) string {
	if deploy.IsURL(place) || filepath.IsAbs(place) {
		return place
	}
	return filepath.Join(j.dir, place)
}

func (j *job) openBucket(ctx context.Context, place string, access deploy.Access) (storage.Bucket, error) {
	b, closing, err := deploy.OpenBucket(ctx, j.path(place), access)
	if err == nil {
		j.closers = append(j.closers, closing)
	}
	return b, err
}

// openTree opens the tree and the keys: the one that will sign, and those of who signed
// so far. The tree is opened as those who publish to it do, since what they go by
// (ETags) is what is recorded, and nothing is put into it but in memory. A dry run has no
// need of them; but a folder that is opened for reading alone has no metadata, which are
// part of the British layout.
func (j *job) openTree(ctx context.Context) error {
	b, err := j.openBucket(ctx, j.config.Paths.Output, deploy.Access{ReadOnly: j.dryRun && !j.config.HasLayout(deploy.NHS)})
	if err != nil {
		return err
	}
	j.bucket = deploy.NewOverlay(b)
	signer, err := j.signer(j.config.Paths.PrivateKey, j.config.Identity())
	if err != nil {
		return err
	}
	if j.ring, err = signing.NewRing(signer); err != nil {
		return usageError{err}
	}
	layout := j.config.API.Layouts[0]
	var metadata *signing.Signer
	if layout == deploy.NHS {
		if metadata, err = j.signer(j.config.Paths.MetadataKey, j.config.MetadataIdentity()); err != nil {
			return err
		}
	}
	others, err := j.metadata.List(j.config.MetadataIdentity())
	if err != nil {
		return usageError{fmt.Errorf("-metadata-key: %w", err)}
	}
	if j.tree.Layout, err = j.config.LayoutNamed(layout, metadata, others.Keys()...); err != nil {
		return usageError{err}
	}
	if j.tree.Packages, err = j.config.PackagesOf(layout); err != nil {
		return usageError{err}
	}
	j.opts = j.config.Publisher()
	trusted, err := j.trust.List(j.config.Identity())
	if err != nil {
		return usageError{fmt.Errorf("-trust: %w", err)}
	}
	for _, k := range trusted.Keys() {
		if k.Identity != signer.Identity() || !k.Key.Equal(signer.PublicKey().Key) {
			j.opts.Trusted = append(j.opts.Trusted, k)
		}
	}
	return nil
}

func (j *job) signer(path string, id signing.Identity) (*signing.Signer, error) {
	key, err := signing.ReadPrivateKeyFile(j.path(path))
	if err != nil {
		return nil, usageError{fmt.Errorf("the key that will sign: %w", err)}
	}
	return signing.NewSigner(id, key, nil)
}

// readTable reads what the other system knows, before anything is made.
func (j *job) readTable(ctx context.Context) (err error) {
	if j.options.table == "" {
		return nil
	}
	content, err := j.openTable(ctx)
	if err == nil {
		j.table, err = readTable(content, j.config.API.OriginCountry)
		err = errors.Join(err, content.Close())
	}
	if err != nil {
		return usageError{fmt.Errorf("-table: %w", err)}
	}
	fmt.Fprintf(j.out, "table: %d rows, %d of them bad\n", len(j.table.rows)+len(j.table.bad), len(j.table.bad))
	for _, err := range j.table.bad[:min(len(j.table.bad), maxBad)] {
		fmt.Fprintf(j.out, "bad: %v\n", err)
	}
	return nil
}

// openTable opens the table: a file, or what a database copies.
func (j *job) openTable(ctx context.Context) (io.ReadCloser, error) {
	if !deploy.IsURL(j.options.table) {
		return os.Open(j.options.table)
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(copyTable(ctx, j.options.table, w)) }() // ends with r, at the latest
	return r, nil
}

// clock returns the clock of a replay.
func (j *job) clock() func() time.Time {
	if j.now.IsZero() {
		return nil
	}
	return func() time.Time { return j.now.Time }
}

// openLedger opens the ledger, or, in a dry run, one in memory in its place.
func (j *job) openLedger(ctx context.Context) error {
	place := j.path(j.config.Paths.Ledger)
	var store ledger.Store
	if j.dryRun {
		has, err := deploy.HasLedger(ctx, place)
		if err != nil {
			return err
		}
		if has {
			return usageError{fmt.Errorf("-dry-run goes by a new ledger, and there is one at %s", deploy.Redacted(place))}
		}
		store = memledger.New(&memledger.Options{Clock: j.clock()})
	} else {
		s, closing, err := deploy.OpenStore(ctx, place, j.clock())
		if err != nil {
			return err
		}
		j.closers = append(j.closers, closing)
		store = s
	}
	var err error
	j.ledger, err = ledger.Open(ctx, store, &ledger.Options{Policy: j.config.Release.Policy(), MaxUpload: j.config.Input.MaxKeysPerUpload})
	return err
}

// fill has the ledger accept what the other system knows.
func (j *job) fill(ctx context.Context) error {
	log, err := j.ledger.Log(ctx, 0)
	if err != nil || log.Last.Seq > 0 {
		return err // it is adopted from already, or in use
	}
	if err := j.fillFromTable(ctx); err != nil {
		return err
	}
	if j.config.Input.Inbox == "" {
		return nil
	}
	b, err := j.openBucket(ctx, j.config.Input.Inbox, deploy.Access{ReadOnly: true})
	if err != nil {
		return err
	}
	inbox, err := j.config.MakeInbox(b)
	if err != nil {
		return usageError{err}
	}
	report, err := inbox.TakeIn(ctx, j.ledger)
	fmt.Fprintf(j.out, "inbox: %d objects, %d taken in, %d of them bad\n", report.Listed, report.Taken, len(report.Bad))
	j.received(report.Receipts)
	if err != nil {
		return fmt.Errorf("inbox: %w", err)
	}
	return nil
}

func (j *job) fillFromTable(ctx context.Context) error {
	if j.table == nil {
		return nil
	}
	totals := map[ledger.Source]*ledger.Receipt{}
	for _, d := range j.table.deliveries(j.config.API.OriginCountry, ledger.Source(j.tableSource), j.config.Input.MaxKeysPerUpload) {
		r, err := j.ledger.Accept(ctx, d)
		if err != nil {
			return err
		}
		t := totals[d.Source]
		if t == nil {
			t = &ledger.Receipt{}
			totals[d.Source] = t
		}
		t.Offered += r.Offered
		t.Accepted += r.Accepted
		t.Duplicates += r.Duplicates
		t.Rejected = append(t.Rejected, r.Rejected...)
	}
	j.received(totals)
	return nil
}

// received prints what became of keys: how many were rejected for what.
func (j *job) received(receipts map[ledger.Source]*ledger.Receipt) {
	for _, source := range slices.Sorted(maps.Keys(receipts)) {
		r := receipts[source]
		fmt.Fprintf(j.out, "%s: %d keys offered, %d accepted, %d known\n", source, r.Offered, r.Accepted, r.Duplicates)
		why := map[string]int{}
		for _, a := range r.Rejected {
			why[string(a.Field)+" "+string(a.Reason)]++
		}
		for _, reason := range slices.Sorted(maps.Keys(why)) {
			fmt.Fprintf(j.out, "%s: %d rejected: %s\n", source, why[reason], reason)
		}
	}
}

// publisher returns the publisher of the tree on top of what is there.
func (j *job) publisher() (*distribution.Publisher, error) {
	p, err := distribution.New(j.ledger, j.bucket, j.tree.Layout, j.tree.Packages, j.ring, &j.opts)
	if err != nil {
		return nil, usageError{err}
	}
	return p, nil
}

func (j *job) adopt(ctx context.Context) error {
	p, err := j.publisher()
	if err != nil {
		return err
	}
	opts := &distribution.AdoptOptions{Unknown: j.unknown}
	if opts.Earlier, err = j.earlier(ctx); err != nil {
		return err
	}
	report, err := p.Adopt(ctx, opts)
	fmt.Fprint(j.out, report)
	return err
}

// earlier returns the rows whose time was over before the oldest file begins.
func (j *job) earlier(ctx context.Context) (gone []ledger.UnitID, err error) {
	if j.table == nil {
		return nil, nil
	}
	var first time.Time
	for a, err := range storage.List(ctx, j.bucket, j.tree.Prefix()) {
		if err != nil {
			return nil, err
		}
		if f, ok := j.tree.Parse(a.Name); ok && (first.IsZero() || f.Window.Start.Before(first)) {
			first = f.Window.Start
		}
	}
	policy := *j.config.Release.Policy()
	policy.DueRule = ledger.DueCWAHour
	for i := range j.table.rows {
		r := &j.table.rows[i]
		if policy.Due(r.submitted, &r.key.TemporaryExposureKey).Before(first) {
			gone = append(gone, ledger.IDOf(&r.key))
		}
	}
	return gone, nil
}

// setCursors says up to where federation servers have been read.
func (j *job) setCursors(ctx context.Context) error {
	for _, c := range j.cursors {
		if err := federation.BeginAt(ctx, j.ledger, c.instance, c.at); err != nil {
			return err
		}
		fmt.Fprintf(j.out, "%s: goes on after %s\n", c.instance, c.at.Day)
	}
	return nil
}

// foresee makes the next cut and publishes, in a dry run, and says what was written.
func (j *job) foresee(ctx context.Context) error {
	if !j.dryRun {
		return nil
	}
	if _, err := j.ledger.Release(ctx, &ledger.ReleaseOptions{AllowGap: true}); err != nil {
		return err
	}
	p, err := j.publisher()
	if err != nil {
		return err
	}
	if _, err := p.Run(ctx); err != nil {
		return err
	}
	put, deleted, err := j.bucket.(*deploy.Overlay).Changes(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(j.out, "the next run puts %d objects and deletes %d:\n", len(put), len(deleted))
	for _, name := range put {
		fmt.Fprintln(j.out, "put", name)
	}
	for _, name := range deleted {
		fmt.Fprintln(j.out, "delete", name)
	}
	return nil
}
