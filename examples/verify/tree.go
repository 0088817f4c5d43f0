package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/privacy"
	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
)

// treeReport is what was found out about a folder.
type treeReport struct {
	Folder   string                 `json:"folder"`
	Verified bool                   `json:"verified"` // and nothing is wrong with it
	Indexes  int                    `json:"indexes"`
	Archives int                    `json:"archives"`
	Keys     int                    `json:"keys"`
	Revised  int                    `json:"revisedKeys"`
	Bytes    int64                  `json:"bytes"`
	Newest   map[string]time.Time   `json:"newest"`   // the end of a package's newest window
	Unlisted []string               `json:"unlisted"` // archives that no index reaches
	Findings []distribution.Finding `json:"findings"`
	TooOld   []string               `json:"tooOld"` // packages

	Trends          []*trend                       `json:"trends,omitempty"`
	Comparisons     []*comparison                  `json:"comparisons,omitempty"`
	Reconciliations []*distribution.Reconciliation `json:"reconciliations,omitempty"`
	Privacy         []*privacy.Report              `json:"privacy,omitempty"`
}

// treeCheck is what looks at a tree, in one layout or several.
type treeCheck struct {
	*options
	trusted *signing.TrustList
	bucket  storage.Bucket
	layouts []distribution.Layout
	trees   []*distribution.Tree
	report  *treeReport
}

func (o *options) checkTree(ctx context.Context, trust *deploy.Trust) (_ report, err error) {
	t := &treeCheck{options: o, report: &treeReport{
		Folder: o.path, Verified: true, Newest: map[string]time.Time{},
		Unlisted: []string{}, Findings: []distribution.Finding{}, TooOld: []string{},
	}}
	if trust.Len() == 0 {
		return nil, errors.New("a folder is checked with -key")
	}
	if t.trusted, err = trust.List(o.config.Identity()); err != nil {
		return nil, fmt.Errorf("-key: %w", err)
	}
	if t.layouts, err = o.makeLayouts(o.config); err != nil {
		return nil, err
	}
	var closing func() error
	if t.bucket, closing, err = o.openTree(ctx, o.path); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closing()) }()
	for _, step := range []func(context.Context) error{t.verify, t.open, t.trends, t.compare, t.withLedger, t.privacy} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return t.report, nil
}

// makeLayouts returns the layouts that are looked at, by a configuration.
func (o *options) makeLayouts(config *deploy.Config) (layouts []distribution.Layout, _ error) {
	metadata, err := o.metadataKeys()
	if err != nil {
		return nil, err
	}
	for _, name := range o.layoutNames {
		layout, err := config.LayoutNamed(name, nil, metadata...)
		if err != nil {
			return nil, err
		}
		layouts = append(layouts, layout)
	}
	return layouts, nil
}

// openTree opens the bucket at a place. What is on a server is fetched once, within
// limits.
func (o *options) openTree(ctx context.Context, place string) (storage.Bucket, func() error, error) {
	bucket, closing, err := deploy.OpenBucket(ctx, place, deploy.Access{ReadOnly: true})
	if err != nil || !deploy.IsURL(place) || strings.HasPrefix(place, "file:") {
		return bucket, closing, err
	}
	fetched, err := deploy.Fetch(bucket, o.limits, o.tell)
	if err != nil {
		return nil, nil, errors.Join(err, closing())
	}
	return fetched, func() error { return errors.Join(fetched.Close(), closing()) }, nil
}

// everyObjects is after how many objects progress is told.
const everyObjects = 100

// tell tells progress.
func (o *options) tell(objects int, bytes int64) {
	if o.progress && objects%everyObjects == 0 {
		fmt.Fprintf(o.stderr, "verify: %d objects, %d bytes\n", objects, bytes)
	}
}

// metadataKeys returns the keys by which metadata may be signed.
func (o *options) metadataKeys() ([]signing.PublicKey, error) {
	trust, err := deploy.ReadTrust(o.metadata...)
	if err != nil {
		return nil, fmt.Errorf("-metadata-key: %w", err)
	}
	list, err := trust.List(o.config.MetadataIdentity())
	if err != nil {
		return nil, fmt.Errorf("-metadata-key: %w", err)
	}
	return list.Keys(), nil
}

// verify checks each layout.
func (t *treeCheck) verify(ctx context.Context) error {
	r := t.report
	for i, layout := range t.layouts {
		tree, err := t.config.CheckTree(ctx, t.bucket, layout, t.trusted)
		if err != nil {
			return err
		}
		if t.maxAge == 0 && tree.Archives+tree.Indexes+len(tree.Findings) == 0 { // else it is too old
			return fmt.Errorf("%s: nothing of the layout %s is there", t.path, layout.Name())
		}
		r.Verified = r.Verified && len(tree.Findings) == 0
		r.Indexes += tree.Indexes
		r.Archives += tree.Archives
		r.Keys += tree.Keys
		r.Revised += tree.Revised
		r.Bytes += tree.Bytes
		r.Unlisted = append(r.Unlisted, tree.Unlisted...)
		for pkg, end := range tree.Newest {
			r.Newest[t.shownPackage(i, pkg)] = end
		}
		r.Findings = append(r.Findings, tree.Findings...)
		if t.maxAge > 0 {
			r.TooOld = append(r.TooOld, t.tooOld(i, tree)...)
		}
	}
	return nil
}

// shownPackage returns how a package of a layout is called: where there are several
// layouts, with its name.
func (t *treeCheck) shownPackage(layout int, pkg string) string {
	if len(t.layouts) == 1 {
		return pkg
	}
	return t.layouts[layout].Name() + " " + pkg
}

// tooOld returns the packages whose newest window ended too long ago; if there
// is no window at all, the tree as a whole.
func (t *treeCheck) tooOld(layout int, tree *distribution.TreeReport) []string {
	old := []string{}
	for _, pkg := range slices.Sorted(maps.Keys(tree.Newest)) {
		if t.now.Sub(tree.Newest[pkg]) > t.maxAge {
			old = append(old, t.shownPackage(layout, pkg))
		}
	}
	if len(tree.Newest) == 0 {
		old = append(old, t.shownPackage(layout, "everything"))
	}
	return old
}

// open opens the trees for those who look at what they say.
func (t *treeCheck) open(ctx context.Context) (err error) {
	if t.readsContent() {
		t.trees, err = openTrees(ctx, t.bucket, t.layouts, t.trusted, t.config)
	}
	return err
}

func openTrees(ctx context.Context, b storage.Bucket, layouts []distribution.Layout, trusted *signing.TrustList, config *deploy.Config) (trees []*distribution.Tree, _ error) {
	for _, layout := range layouts {
		tree, err := distribution.OpenTree(ctx, b, layout, trusted, &distribution.VerifyOptions{Regions: config.Regions()})
		if err != nil {
			return nil, err
		}
		trees = append(trees, tree)
	}
	return trees, nil
}

func (r *treeReport) status() int {
	warned := 0
	for _, p := range r.Privacy {
		warned += p.Warnings()
	}
	switch {
	case !r.Verified || !r.equal() || !r.reconciled():
		return exitWrong
	case len(r.TooOld) > 0:
		return exitTooOld
	case warned > 0:
		return exitWarned
	}
	return exitVerified
}

func (r *treeReport) text(w io.Writer) {
	fmt.Fprintf(w, "%s: %d indexes, %d archives (%d bytes) with %d keys and %d revised ones\n",
		r.Folder, r.Indexes, r.Archives, r.Bytes, r.Keys, r.Revised)
	for _, pkg := range slices.Sorted(maps.Keys(r.Newest)) {
		fmt.Fprintf(w, "%s: newest window until %s\n", pkg, deploy.Shown(r.Newest[pkg]))
	}
	if n := len(r.Unlisted); n > 0 {
		fmt.Fprintf(w, "%d archives are in no index, the first: %s\n", n, r.Unlisted[0])
	}
	r.views(w)
	for _, f := range r.Findings {
		fmt.Fprintf(w, "wrong: %s: %s\n", f.Object, f.Problem)
	}
	for _, pkg := range r.TooOld {
		fmt.Fprintf(w, "too old: %s\n", pkg)
	}
	switch status := r.status(); {
	case !r.Verified:
		fmt.Fprintln(w, "NOT verified")
	case status == exitWrong:
		fmt.Fprintln(w, "verified, but not what it is compared with")
	case status == exitTooOld:
		fmt.Fprintln(w, "verified, but too old")
	case status == exitWarned:
		fmt.Fprintln(w, "verified, but see the warnings")
	default:
		fmt.Fprintln(w, "verified")
	}
}

// views writes what else was looked at.
func (r *treeReport) views(w io.Writer) {
	if len(r.Trends) > 0 {
		table(w, r.Trends)
	}
	for _, c := range r.Comparisons {
		c.text(w)
	}
	for _, c := range r.Reconciliations {
		printReconciliation(w, c)
	}
	for _, p := range r.Privacy {
		fmt.Fprint(w, "privacy, of the ")
		p.Text(w)
	}
}
