package distribution

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A Reconciliation says whether a published tree is what its ledger says.
type Reconciliation struct {
	Output  string `json:"output"`
	Windows int    `json:"windows"` // whose files say what the ledger says, or do not
	Objects int    `json:"objects"` // files of those

	Due       int `json:"due"`       // windows that are planned and not carried out
	Forgotten int `json:"forgotten"` // windows of whose keys the ledger no longer has all
	Retired   int `json:"retired"`   // windows that no index names any more, or that were never written

	Findings []Finding `json:"findings"`
}

// Reconcile reads every file that a ledger has a record of and holds it against what
// the ledger says of its window: keys, revisions and bounds, signed by a trusted
// key; and indexes, and an open file, against what was written last. Where the bucket
// can be listed, it finds files that the ledger never planned, too. Nothing is changed;
// [Publisher.Repair] makes good what is found.
//
// layout, packages and opts are those of the [Publisher] of the output, which
// [Publisher.Reconcile] has already. What is wrong is in the report; the error is for
// what could not be read, and for a ledger that is not the one that published
// ([ledger.ErrOtherLedger], [ledger.ErrWentBack]).
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
	return p.Reconcile(ctx)
}

// Reconcile is [Reconcile] of what the publisher publishes.
func (p *Publisher) Reconcile(ctx context.Context) (*Reconciliation, error) {
	r := &reconciling{run: newRun(p), report: &Reconciliation{Output: p.opts.Output, Findings: []Finding{}}}
	if err := r.readBooks(ctx); err != nil {
		return nil, err
	}
	if err := r.checkHistory(ctx); err != nil {
		return nil, err
	}
	if err := r.windows(ctx); err != nil {
		return nil, err
	}
	for _, look := range []func(context.Context) error{r.indexes, r.openFiles, r.unplanned} {
		if err := look(ctx); err != nil {
			return nil, err
		}
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
		bare, undressed := errors.AsType[*attributesError](err)
		switch {
		case errors.Is(err, errAbsent):
			r.found(r.layout.Object(c.files()[i]), "the ledger has published it, and it is not there")
		case differs:
			r.found(conflict.Name, "%s: has %s, the ledger says %s", conflict.Reason, conflict.Have, conflict.Want)
		case undressed:
			r.found(r.layout.Object(c.files()[i]), "%v", bare)
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
	bare, undressed := errors.AsType[*attributesError](err)
	switch {
	case differs:
		r.found(name, "%s: has %s, the ledger says %s", conflict.Reason, conflict.Have, conflict.Want)
	case undressed:
		r.found(name, "%v", bare)
	case err != nil:
		return err
	case o == nil && etag == "":
		r.found(name, "the ledger has adopted it, and it is not there")
	case o == nil:
		r.found(name, "it is damaged since it was adopted")
	}
	return nil
}

// indexes holds indexes against what was written last.
func (r *reconciling) indexes(ctx context.Context) error {
	e, encoder := r.layout.(Encoder)
	for name, known := range r.state.indexes {
		if !known.Unlisted.IsZero() {
			continue
		}
		content, a, err := r.get(ctx, name, maxObject)
		switch digest := sha256.Sum256(content); {
		case errors.Is(err, errAbsent):
			r.found(name, "the ledger has written it, and it is not there")
		case err != nil:
			return err
		case !encoder && a.ETag != known.ETag && hex.EncodeToString(digest[:]) != known.SHA256:
			r.found(name, "it does not say what was written")
		}
	}
	if !encoder {
		return nil
	}
	read := func(name string) ([]byte, error) {
		content, _, err := r.get(ctx, name, maxObject)
		return content, err
	}
	if _, _, err := e.Survey(read, r.trusted); err != nil && !errors.Is(err, errAbsent) { // which is found already, or nothing is published yet
		r.found(r.layout.Prefix(), "indexes: %v", err)
	}
	return nil
}

// openFiles holds the files of windows that are in progress against what was written
// last: their signature and their end, since their keys are those of windows that are
// looked at one by one.
func (r *reconciling) openFiles(ctx context.Context) error {
	span, ok := openSpan(r.layout)
	if !ok {
		return nil
	}
	for pkg, known := range r.state.open {
		name := r.openName(pkg, span, known.Start)
		content, a, err := r.get(ctx, name, maxObject)
		switch {
		case errors.Is(err, errAbsent):
			r.found(name, "the ledger has written it, and it is not there")
		case err != nil:
			return err
		case a.ETag != known.ETag && !r.endsAt(content, known.End):
			r.found(name, "it is not the version that was written last")
		}
	}
	return nil
}

// endsAt reports whether an archive that a trusted key signed ends at a time.
func (r *reconciling) endsAt(content []byte, end time.Time) bool {
	a, err := export.Open(bytes.NewReader(content), int64(len(content)), &export.ReadOptions{Format: r.layout.Archive().Format})
	if err != nil {
		return false
	}
	_, err = a.Verify(r.trusted, nil)
	return err == nil && a.Header().End.Equal(end)
}

// unplanned finds files that no plan names.
func (r *reconciling) unplanned(ctx context.Context) error {
	planned := r.plannedNames()
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
