package distribution

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A Reconciliation says whether a published tree is what its ledger says.
type Reconciliation struct {
	Output  string
	Windows int // whose files say what the ledger says, or do not
	Objects int // files of those

	Due       int // windows that are planned and not carried out
	Forgotten int // windows of whose keys the ledger no longer has all
	Retired   int // windows that no index names any more, or that were never written

	Findings []Finding
}

// Reconcile reads every file that a ledger has a record of and holds it against what
// the ledger says of its window: keys, revisions and bounds, signed by a trusted
// key. Where the bucket can be listed, it finds files that the ledger never planned,
// too. Nothing is changed; [Publisher.Repair] makes good what is found.
//
// layout, packages and opts are those of the [Publisher] of the output. What is
// wrong is in the report; the error is for what could not be read, and for a ledger
// that is not the one that published ([ledger.ErrOtherLedger], [ledger.ErrWentBack]).
func Reconcile(ctx context.Context, l *ledger.Ledger, b storage.Bucket, layout Layout, packages []Package, trusted *signing.TrustList, opts *Options) (*Reconciliation, error) {
	p := &Publisher{ledger: l, bucket: b, layout: layout, packages: packages, trusted: trusted}
	if opts != nil {
		p.opts = *opts
	}
	p.opts.setDefaults(layout)
	if err := p.opts.check(); err != nil {
		return nil, err
	}
	if err := p.checkPackages(); err != nil {
		return nil, err
	}
	r := &reconciling{run: newRun(p), report: &Reconciliation{Output: p.opts.Output}}
	if err := r.readBooks(ctx); err != nil {
		return nil, err
	}
	if err := r.checkHistory(ctx); err != nil {
		return nil, err
	}
	if err := r.windows(ctx); err != nil {
		return nil, err
	}
	if err := r.unplanned(ctx); err != nil {
		return nil, err
	}
	slices.SortFunc(r.report.Findings, func(a, b Finding) int { return strings.Compare(a.String(), b.String()) })
	return r.report, nil
}

type reconciling struct {
	*run
	mu     sync.Mutex // guards report
	report *Reconciliation
}

func (r *reconciling) found(object, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Findings = append(r.report.Findings, Finding{object, fmt.Sprintf(format, args...)})
}

// count adds to a number of the report.
func (r *reconciling) count(number *int, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*number += n
}

// windows compares all windows, several at a time.
func (r *reconciling) windows(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.opts.Parallel)
	for _, c := range r.state.plans {
		switch {
		case r.pkg(c.pkg) == nil: // no longer published
		case !c.done():
			r.count(&r.report.Due, 1)
		case !c.published() || !c.Unlisted.IsZero():
			r.count(&r.report.Retired, 1)
		default:
			group.Go(func() error { return r.window(ctx, c) })
		}
	}
	return group.Wait()
}

func (r *reconciling) window(ctx context.Context, c *committed) error {
	if c.Adopted != "" {
		return r.adoptedWindow(ctx, c)
	}
	content, err := r.contentOf(ctx, c)
	if errors.Is(err, ledger.ErrPruned) || err == nil && r.span(c.Span).State && c.Parts[0].Keys != len(content.Keys) {
		r.count(&r.report.Forgotten, 1)
		return nil
	}
	if err != nil {
		return err
	}
	r.count(&r.report.Windows, 1)
	for i := range c.Parts {
		r.count(&r.report.Objects, 1)
		_, err := r.adopt(ctx, c, content, i)
		conflict, differs := errors.AsType[*ConflictError](err)
		switch {
		case errors.Is(err, errAbsent):
			r.found(r.layout.Object(c.files()[i]), "the ledger has published it, and it is not there")
		case differs:
			r.found(conflict.Name, "%s: has %s, the ledger says %s", conflict.Reason, conflict.Have, conflict.Want)
		case err != nil:
			return err
		}
	}
	return nil
}

// adoptedWindow holds the file of another system against what it said when it was
// adopted.
func (r *reconciling) adoptedWindow(ctx context.Context, c *committed) error {
	hash, err := c.adoptedHash()
	if err != nil {
		return err
	}
	r.count(&r.report.Windows, 1)
	r.count(&r.report.Objects, 1)
	name := r.layout.Object(c.file())
	o, etag, err := r.adoptedObject(ctx, c, hash)
	conflict, differs := errors.AsType[*ConflictError](err)
	switch {
	case differs:
		r.found(name, "%s: has %s, the ledger says %s", conflict.Reason, conflict.Have, conflict.Want)
	case err != nil:
		return err
	case o == nil && etag == "":
		r.found(name, "the ledger has adopted it, and it is not there")
	case o == nil:
		r.found(name, "it is damaged since it was adopted")
	}
	return nil
}

// unplanned finds files that no plan names.
func (r *reconciling) unplanned(ctx context.Context) error {
	planned := map[string]bool{}
	for _, c := range r.state.plans {
		for _, f := range c.files() {
			planned[r.layout.Object(f)] = true
		}
	}
	for a, err := range storage.List(ctx, r.bucket, r.layout.Prefix()) {
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			return nil
		case err != nil:
			return err
		}
		if f, ok := r.layout.Parse(a.Name); ok && r.pkg(f.Package) != nil && !planned[a.Name] {
			r.found(a.Name, "the ledger has no record of it")
		}
	}
	return nil
}
