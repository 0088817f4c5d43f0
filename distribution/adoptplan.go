package distribution

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// plan makes the plans of the windows that were published, completed ones with their
// files, and those of the windows between that have none.
func (a *adoption) plan(ctx context.Context) error {
	for i := range a.packages {
		a.state.packages[a.packages[i].Name] = &packageEntry{packageState: a.standAt(&a.packages[i])}
	}
	for _, f := range a.tree.files {
		if !a.closed(f) {
			a.keepOpen(f)
			continue
		}
		c := a.planOf(f)
		a.state.plans = append(a.state.plans, c)
		a.found.Files = append(a.found.Files, a.planned(c))
		if err := a.compare(ctx, c, f); err != nil {
			return err
		}
	}
	for i := range a.packages {
		if err := a.planMissing(ctx, &a.packages[i]); err != nil {
			return err
		}
	}
	a.found.Indexes = sortedKeys(a.tree.indexes)
	return nil
}

// standAt returns where a package goes on. One that has no file begins now.
func (a *adoption) standAt(pkg *Package) packageState {
	last := a.positionAt(a.found.Until)
	next, ok := a.found.Next[pkg.Name]
	if !ok {
		next = windowAt(a.layout, base(a.layout), a.found.Until).Start
		s := packageState{Next: next, Position: last}
		s.goBy(pkg)
		a.found.Next[pkg.Name] = next
		a.found.Warnings = append(a.found.Warnings, fmt.Sprintf("package %s has no file yet; it begins now", pkg.Name))
		return s
	}
	s := packageState{Next: next, Position: a.positionAt(next)}
	if last.Number > 0 {
		s.Epochs = append(s.Epochs, epoch{Select: pkg.Select, Map: pkg.Map.Name, Adopted: true})
	}
	s.Epochs = append(s.Epochs, epoch{After: last.Number, Select: pkg.Select, Map: pkg.Map.Name})
	return s
}

// positionAt returns the last cut that is not after t.
func (a *adoption) positionAt(t time.Time) (p ledger.Position) {
	for _, c := range a.log.Cuts {
		if c.Time.After(t) {
			break
		}
		p = c.Position()
	}
	return p
}

// planOf returns the plan of a file that is there.
func (a *adoption) planOf(f *foreignFile) *committed {
	c := a.newPlan(a.pkg(f.Package), a.span(f.Span), f.Window)
	c.From, c.To = a.positionAt(c.Start), a.positionAt(c.End)
	hash := f.content.Hash()
	c.Adopted = hex.EncodeToString(hash[:])
	c.Parts = []part{{Keys: len(f.content.Keys)}}
	c.Signers = f.signers
	c.Completed = a.now
	c.Objects = []object{f.object}
	return c
}

// keepOpen remembers the file of a window that is in progress, which the next run
// that has more takes the place of.
func (a *adoption) keepOpen(f *foreignFile) {
	end := a.found.Next[f.Package]
	if end.Before(f.Window.Start) {
		end = f.Window.Start
	}
	a.state.open[f.Package] = &openEntry{openState: openState{Start: f.Window.Start, End: end, ETag: f.ETag, Adopted: true}}
}

// compare notes in what a file differs from what the ledger says of its window.
func (a *adoption) compare(ctx context.Context, c *committed, f *foreignFile) error {
	content, err := a.contentOf(ctx, c)
	if errors.Is(err, ledger.ErrPruned) {
		return nil // by an adoption before this one, which was interrupted
	}
	if err != nil {
		return err
	}
	if hash := content.Hash(); hex.EncodeToString(hash[:]) != c.Adopted {
		a.found.Differences = append(a.found.Differences, Finding{f.Name, differenceOf(f.content, content)})
	}
	return nil
}

// differenceOf says in words how the content of a file differs from that of its
// window.
func differenceOf(file, window *export.Content) string {
	says := map[keys.KeyData]keys.TemporaryExposureKey{}
	for _, k := range window.Keys {
		says[k.KeyData] = k
	}
	more, otherwise := 0, 0
	for _, k := range file.Keys {
		w, ok := says[k.KeyData]
		switch {
		case !ok:
			more++
		case w != k:
			otherwise++
		}
	}
	lacks := len(window.Keys) - (len(file.Keys) - more)
	return fmt.Sprintf("has %d keys that the ledger does not have in its window, lacks %d that it has, and says otherwise of %d", more, lacks, otherwise)
}

// planMissing plans the windows between those of the files that have none: base
// windows, and longer ones if they lie between others, or all their base windows are
// there.
func (a *adoption) planMissing(ctx context.Context, pkg *Package) error {
	next := a.found.Next[pkg.Name]
	for _, span := range a.layout.Spans() {
		have := map[time.Time]bool{}
		first := next
		for _, f := range a.tree.files {
			if f.Package != pkg.Name {
				continue
			}
			if f.Span == span.Name {
				have[f.Window.Start.UTC()] = true
			}
			if w := windowAt(a.layout, span, f.Window.Start); w.Start.Before(first) && (f.Span == span.Name || f.Span == base(a.layout).Name) {
				first = w.Start
			}
		}
		between := false
		for w := windowAt(a.layout, span, first); !w.End.After(next); w = windowAt(a.layout, span, w.End) {
			between = between || have[w.Start.UTC()]
			if have[w.Start.UTC()] {
				continue
			}
			if err := a.planMissingWindow(ctx, pkg, span, w, between); err != nil {
				return err
			}
		}
	}
	return nil
}

// planMissingWindow plans a window that has no file, if it should have one.
func (a *adoption) planMissingWindow(ctx context.Context, pkg *Package, span Span, w Window, between bool) error {
	c := a.newPlan(pkg, span, w)
	c.From, c.To = a.positionAt(w.Start), a.positionAt(w.End)
	if span != base(a.layout) {
		bases := a.basesIn(pkg, w, nil)
		switch whole := len(bases) == int(span.Length/base(a.layout).Length); {
		case whole:
			slices.SortFunc(bases, func(b, d *committed) int { return b.Start.Compare(d.Start) })
			c.rollUp(bases)
		case !between:
			return nil
		}
	}
	if err := a.fill(ctx, []*committed{c}); err != nil {
		return err
	}
	a.state.plans = append(a.state.plans, c)
	if !c.done() {
		a.found.Missing = append(a.found.Missing, a.planned(c))
	}
	return nil
}

// commit has the publisher stand where the other system stopped: plans, packages,
// indexes and open files in one step.
func (a *adoption) commit(ctx context.Context) error {
	swaps, err := a.swapsOf(a.state.plans)
	if err != nil {
		return err
	}
	for name, e := range a.tree.indexes {
		swap, err := swapTo(a.indexRegister(name), 0, &e.indexState)
		if err != nil {
			return err
		}
		swaps = append(swaps, swap)
	}
	for pkg, e := range a.state.open {
		swap, err := swapTo(a.openRegister(pkg), 0, &e.openState)
		if err != nil {
			return err
		}
		swaps = append(swaps, swap)
	}
	err = a.ledger.Swap(ctx, ledger.NewNonce(), swaps...)
	if _, conflict := errors.AsType[*ledger.ConflictError](err); conflict {
		return fmt.Errorf("distribution: another process adopted the tree, or began to publish; adopt again: %w", err)
	}
	return err
}

// carryAdopted has the file of a plan be what another system published. One that is
// missing or damaged is made again if the ledger says the same.
func (r *run) carryAdopted(ctx context.Context, c *committed, progress *progress) error {
	hash, err := c.adoptedHash()
	if err != nil {
		return err
	}
	w := &written{}
	o, etag, err := r.adoptedObject(ctx, c, hash)
	bare, _ := errors.AsType[*attributesError](err)
	switch {
	case bare != nil:
		var dressed object
		dressed, err = r.dress(ctx, bare)
		o, w.put = &dressed, []object{dressed}
	case err == nil && o == nil:
		if o, err = r.remake(ctx, c, hash, etag); o != nil {
			w.put = []object{*o}
		}
	}
	if err != nil {
		return err
	}
	if o == nil {
		for _, o := range c.Objects {
			r.lose(o)
		}
		return nil
	}
	w.objects = []object{*o}
	progress.step(o.Name)
	return r.complete(ctx, c, w)
}

// adoptedHash returns the content hash of an adopted file.
func (c *committed) adoptedHash() (hash [32]byte, err error) {
	if n, err := hex.Decode(hash[:], []byte(c.Adopted)); err != nil || n != len(hash) {
		return hash, fmt.Errorf("distribution: register %s: %q is no hash", c.name, c.Adopted)
	}
	return hash, nil
}

// adoptedObject returns the object of an adopted file, if it still says what it did,
// else the ETag of what is damaged, empty if there is nothing.
func (r *run) adoptedObject(ctx context.Context, c *committed, hash [32]byte) (_ *object, etag string, _ error) {
	name := r.layout.Object(c.file())
	archive, a, err := r.get(ctx, name, maxObject)
	switch {
	case errors.Is(err, errAbsent):
		return nil, "", nil
	case err != nil:
		return nil, "", &objectError{name, err}
	}
	digest, err := r.verifyHash(name, archive, hash, r.regionOf(c))
	conflict, _ := errors.AsType[*ConflictError](err)
	switch {
	case conflict != nil && conflict.Damaged:
		return nil, a.ETag, nil
	case err != nil:
		return nil, "", err
	}
	o := &object{Name: name, ETag: a.ETag, Size: a.Size, SHA256: hex.EncodeToString(digest[:])}
	return o, "", r.checkAttributes(c.file(), archive, digest, a)
}

// remake writes an adopted file again. It returns nil if the ledger does not say what
// the file did.
func (r *run) remake(ctx context.Context, c *committed, hash [32]byte, etag string) (*object, error) {
	content, err := r.contentOf(ctx, c)
	switch {
	case errors.Is(err, ledger.ErrPruned):
		return nil, nil
	case err != nil:
		return nil, err
	case content.Hash() != hash:
		return nil, nil
	}
	o, err := r.write(ctx, c, content, 0, etag)
	if err != nil {
		return nil, &objectError{r.layout.Object(c.file()), err} // also where another run was quicker: the next looks
	}
	return &o, nil
}
