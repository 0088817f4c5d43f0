package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/privacy"
	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
)

// readsContent reports whether somebody looks at what the files say.
func (o *options) readsContent() bool {
	return o.trends || o.plot != "" || o.compare != "" || o.privacy
}

// trends adds up the days of all layouts, and draws them.
func (t *treeCheck) trends(ctx context.Context) error {
	if !t.options.trends && t.plot == "" {
		return nil
	}
	all := map[trendID]*trend{}
	for i, tree := range t.trees {
		if err := trends(ctx, all, tree, func(pkg string) string { return t.shownPackage(i, pkg) }); err != nil {
			return err
		}
	}
	days := sorted(all)
	if t.options.trends {
		t.report.Trends = days
	}
	if t.plot == "" {
		return nil
	}
	return writePlot(t.plot, days)
}

func writePlot(path string, days []*trend) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("-plot: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return plot(f, days)
}

// comparison is in what another tree differs, in one layout.
type comparison struct {
	With   string `json:"with"`
	Layout string `json:"layout"`
	*distribution.Comparison
}

// compare compares with another tree.
func (t *treeCheck) compare(ctx context.Context) (err error) {
	if t.options.compare == "" {
		return nil
	}
	bucket, closing, err := t.openTree(ctx, t.options.compare)
	if err != nil {
		return fmt.Errorf("-compare: %w", err)
	}
	defer func() { err = errors.Join(err, closing()) }()
	others, err := t.openOthers(ctx, bucket)
	if err != nil {
		return fmt.Errorf("-compare: %w", err)
	}
	for i, tree := range t.trees {
		c, err := distribution.CompareTrees(ctx, tree, others[i])
		if err != nil {
			return fmt.Errorf("-compare: %w", err)
		}
		for _, f := range others[i].Findings() {
			t.report.Findings = append(t.report.Findings, distribution.Finding{Object: t.options.compare + ": " + f.Object, Problem: f.Problem})
			t.report.Verified = false
		}
		t.report.Comparisons = append(t.report.Comparisons, &comparison{t.options.compare, tree.Layout().Name(), c})
	}
	return nil
}

// openOthers opens the trees that are compared with.
func (t *treeCheck) openOthers(ctx context.Context, b storage.Bucket) ([]*distribution.Tree, error) {
	layouts, err := t.makeLayouts(t.other)
	if err != nil {
		return nil, err
	}
	trusted := t.trusted
	if len(t.others) > 0 {
		trust, err := deploy.ReadTrust(t.others...)
		if err != nil {
			return nil, err
		}
		if trusted, err = trust.List(t.other.Identity()); err != nil {
			return nil, err
		}
	}
	return openTrees(ctx, b, layouts, trusted, t.other)
}

// equal reports whether all that was compared says the same.
func (r *treeReport) equal() bool {
	for _, c := range r.Comparisons {
		if !c.Equal() {
			return false
		}
	}
	return true
}

func (c *comparison) text(w io.Writer) {
	fmt.Fprintf(w, "%s, with %s: %d windows with %d keys compared\n", c.Layout, c.With, c.Windows, c.Keys)
	for i := range c.OnlyFirst {
		fmt.Fprintf(w, "only in the first: %s\n", &c.OnlyFirst[i])
	}
	for i := range c.OnlySecond {
		fmt.Fprintf(w, "only in the second: %s\n", &c.OnlySecond[i])
	}
	for i := range c.Differences {
		fmt.Fprintf(w, "differs: %s\n", &c.Differences[i])
	}
}

// withLedger holds the tree against its ledger, and has the ledger's privacy report.
func (t *treeCheck) withLedger(ctx context.Context) (err error) {
	if t.ledger == "" {
		return nil
	}
	l, closing, err := t.openLedger(ctx)
	if err != nil {
		return fmt.Errorf("-ledger: %w", err)
	}
	defer func() { err = errors.Join(err, closing()) }()
	var outputs []privacy.Output
	for i, layout := range t.layouts {
		packages, err := t.config.PackagesOf(t.layoutNames[i])
		if err != nil {
			return err
		}
		outputs = append(outputs, privacy.Output{Layout: layout, Packages: packages})
		opts := t.config.Publisher()
		r, err := distribution.Reconcile(ctx, l, t.bucket, layout, packages, t.trusted, &opts)
		if err != nil {
			return fmt.Errorf("-ledger: %w", deploy.At(t.ledger, err))
		}
		t.report.Reconciliations = append(t.report.Reconciliations, r)
	}
	if !t.options.privacy {
		return nil
	}
	p, err := privacy.OfLedger(ctx, l, outputs, t.limit)
	t.report.Privacy = append(t.report.Privacy, p)
	return err
}

// openLedger opens a ledger that is there, to read it.
func (o *options) openLedger(ctx context.Context) (*ledger.Ledger, func() error, error) {
	has, err := deploy.HasLedger(ctx, o.ledger)
	switch {
	case err != nil:
		return nil, nil, err
	case !has:
		return nil, nil, fmt.Errorf("%s: there is no ledger", deploy.Redacted(o.ledger))
	}
	store, closing, err := openStore(ctx, o.ledger, nil)
	if errors.Is(err, ledger.ErrReplay) {
		store, closing, err = openStore(ctx, o.ledger, func() time.Time { return o.now.Time })
	}
	if err != nil {
		return nil, nil, err
	}
	l, err := ledger.Open(ctx, store, nil)
	if err != nil {
		return nil, nil, errors.Join(deploy.At(o.ledger, err), closing())
	}
	return l, closing, nil
}

// openStore opens the store of a ledger: of one in a bucket, a copy in memory.
func openStore(ctx context.Context, place string, clock func() time.Time) (ledger.Store, func() error, error) {
	store, closing, err := deploy.Rehearse(ctx, place, clock)
	if errors.Is(err, deploy.ErrNoCopy) {
		return deploy.OpenStore(ctx, place, clock)
	}
	return store, closing, err
}

// reconciled reports whether the tree is what the ledger says.
func (r *treeReport) reconciled() bool {
	for _, c := range r.Reconciliations {
		if len(c.Findings) > 0 {
			return false
		}
	}
	return true
}

func printReconciliation(w io.Writer, c *distribution.Reconciliation) {
	fmt.Fprintf(w, "%s, with the ledger: %d windows in %d files; %d windows are due, %d forgotten, %d retired\n",
		c.Output, c.Windows, c.Objects, c.Due, c.Forgotten, c.Retired)
	for _, f := range c.Findings {
		fmt.Fprintf(w, "not as in the ledger: %s: %s\n", f.Object, f.Problem)
	}
}

// privacy reports what the trees reveal.
func (t *treeCheck) privacy(ctx context.Context) error {
	if !t.options.privacy {
		return nil
	}
	p, err := privacy.OfTree(ctx, t.trees, t.limit)
	if err != nil {
		return err
	}
	t.report.Privacy = append(t.report.Privacy, p)
	return nil
}
