package distribution

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
)

// carryOut writes the archives of all plans that are not done, and those that
// are done and have gone missing, and then completes their plans.
func (r *run) carryOut(ctx context.Context) error {
	var work []*committed
	for _, c := range r.undone() {
		if !r.span(c.Span).Open { // those come last, as indexes do
			work = append(work, c)
		}
	}
	for _, c := range r.state.plans {
		if c.published() && (r.doubt || !r.intact(c)) && !r.retired(c) && r.pkg(c.pkg) != nil {
			work = append(work, c)
		}
	}
	if len(work) == 0 {
		return nil
	}
	return r.carryAll(ctx, work)
}

// intact reports whether a completed plan's objects are listed as they were
// written.
func (r *run) intact(c *committed) bool {
	for _, o := range c.Objects {
		if a, ok := r.listed[o.Name]; !ok || a.ETag != o.ETag || a.Size != o.Size {
			return false
		}
	}
	return true
}

// carry carries out one plan, whose content has been read.
func (r *run) carry(ctx context.Context, d *draft, progress *progress) error {
	c := d.committed
	if r.isStopped(c.pkg) {
		return nil
	}
	if c.Adopted != "" {
		return r.carryAdopted(ctx, c, progress)
	}
	if errors.Is(d.err, ledger.ErrPruned) {
		return r.giveUp(ctx, c)
	}
	if d.err != nil {
		return d.err
	}
	if _, ok := r.layout.(Encoder); !ok {
		d.sort()
	}
	content := d.content
	if r.span(c.Span).State {
		if published := c.Parts[0].Keys; !c.Completed.IsZero() && published != len(content.Keys) {
			return r.giveUp(ctx, c) // something in it has been erased since
		}
		c.Parts[0].Keys = len(content.Keys)
	}
	w := &written{}
	for i := range c.Parts {
		o, err := r.carryPart(ctx, c, content, i, w)
		if err != nil {
			return err
		}
		w.objects = append(w.objects, o)
		progress.step(o.Name)
	}
	return r.complete(ctx, c, w)
}

// written is what was done for one plan.
type written struct {
	objects []object
	put     []object // of those, which this run wrote
}

// carryPart writes one file, or finds it written already. One that was complete
// once and is damaged now is written again; any other that is there with another
// content is left as it is.
func (r *run) carryPart(ctx context.Context, c *committed, content *export.Content, i int, w *written) (o object, err error) {
	name := r.layout.Object(c.files()[i])
	etag := ""
	if a, listed := r.listed[name]; listed {
		o, err = r.adopt(ctx, c, content, i)
		damaged, _ := errors.AsType[*ConflictError](err)
		bare, _ := errors.AsType[*attributesError](err)
		switch {
		case errors.Is(err, errAbsent): // deleted since it was listed
		case bare != nil:
			if o, err = r.dress(ctx, bare); err == nil {
				w.put = append(w.put, o)
			}
			return o, err
		case damaged != nil && damaged.Damaged && !c.Completed.IsZero():
			etag = a.ETag
		default:
			return o, err
		}
	}
	o, err = r.write(ctx, c, content, i, etag)
	switch {
	case errors.Is(err, fs.ErrExist):
		return r.adopt(ctx, c, content, i)
	case err != nil:
		return object{}, &objectError{name, err}
	}
	w.put = append(w.put, o)
	return o, nil
}

// write encodes and signs one file, and creates it, or replaces the version of it
// that has the given ETag.
func (r *run) write(ctx context.Context, c *committed, content *export.Content, i int, etag string) (object, error) {
	a, err := r.encode(c, content, i)
	if err != nil {
		return object{}, err
	}
	opts, err := r.layout.FileOptions(a)
	if err != nil {
		return object{}, err
	}
	name := r.layout.Object(a.File)
	attrs, err := r.put(ctx, name, etag, a.Bytes, opts)
	if err != nil {
		return object{}, err
	}
	return object{Name: name, ETag: attrs.ETag, Size: attrs.Size, SHA256: hex.EncodeToString(a.Info.SHA256[:])}, nil
}

// adopt takes what is already there under a file's name for the file, if a
// trusted key verifies it and its content is the plan's.
func (r *run) adopt(ctx context.Context, c *committed, content *export.Content, i int) (object, error) {
	name := r.layout.Object(c.files()[i])
	if e, ok := r.layout.(Encoder); ok {
		return r.adoptEncoded(ctx, e, c.files()[i], content)
	}
	archive, attrs, err := r.get(ctx, name, maxObject)
	if err != nil {
		return object{}, &objectError{name, err}
	}
	digest, err := r.verifyOurs(name, archive, partOf(content, c.Parts, i))
	if err != nil {
		return object{}, err
	}
	if err := r.checkAttributes(c.files()[i], archive, digest, attrs); err != nil {
		return object{}, &objectError{name, err}
	}
	return object{Name: name, ETag: attrs.ETag, Size: attrs.Size, SHA256: hex.EncodeToString(digest[:])}, nil
}

// complete records that all of a plan's objects are in the bucket. If another
// run has recorded it, its record stands.
func (r *run) complete(ctx context.Context, c *committed, w *written) error {
	done := *c
	done.Objects = w.objects
	if c.Completed.IsZero() {
		done.Completed = r.now
	}
	if _, err := r.store(ctx, &done); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.Completed.IsZero() {
		r.report.published(r.planned(c), w)
	} else {
		r.report.repaired(w)
	}
	return nil
}

// giveUp closes a plan whose keys the ledger no longer has. One that was completed
// may be there all the same.
func (r *run) giveUp(ctx context.Context, c *committed) error {
	if !c.Completed.IsZero() {
		return r.recover(ctx, c)
	}
	done := *c
	done.Expired = r.now
	if _, err := r.store(ctx, &done); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.expired(r.planned(c))
	return nil
}

// recover looks for the files of a plan that cannot be made again: they are as they
// were written, or have been brought back from a copy, or are gone for good. Indexes
// do not name those that are gone.
func (r *run) recover(ctx context.Context, c *committed) error {
	if r.intact(c) {
		r.warn("%s %s: the ledger no longer has all keys of it, so that it cannot be read for whether it is as it was written", c.pkg, c.window())
		return nil
	}
	back, w := *c, &written{}
	back.Objects = slices.Clone(c.Objects)
	for i, o := range c.Objects {
		whose, content, attrs, err := r.whose(ctx, o)
		switch {
		case err != nil:
			return &objectError{o.Name, err}
		case whose == ours:
			if back.Objects[i], err = r.brought(ctx, c.files()[i], o, content, attrs, w); err != nil {
				return err
			}
		default:
			r.lose(o)
		}
	}
	if !slices.Equal(back.Objects, c.Objects) {
		if _, err := r.store(ctx, &back); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.repaired(w)
	return nil
}

// brought returns an object that was brought back, as it is there now.
func (r *run) brought(ctx context.Context, f File, o object, content []byte, a storage.Attributes, w *written) (object, error) {
	var digest [32]byte
	if n, err := hex.Decode(digest[:], []byte(o.SHA256)); err != nil || n != len(digest) {
		return o, fmt.Errorf("distribution: %s: %q is no hash", o.Name, o.SHA256)
	}
	err := r.checkAttributes(f, content, digest, a)
	if bare, _ := errors.AsType[*attributesError](err); bare != nil {
		if o, err = r.dress(ctx, bare); err == nil {
			w.put = append(w.put, o)
		}
		return o, err
	}
	o.ETag, o.Size = a.ETag, a.Size
	return o, err
}

// lose notes that an object is gone for good.
func (r *run) lose(o object) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost[o.Name] = true
	r.report.Lost = append(r.report.Lost, o.Name)
}

// store changes a plan's register. It reports false if another run was quicker.
func (r *run) store(ctx context.Context, to *committed) (bool, error) {
	swap, err := to.swap()
	if err != nil {
		return false, err
	}
	err = r.ledger.Swap(ctx, ledger.NewNonce(), swap)
	if _, conflict := errors.AsType[*ledger.ConflictError](err); conflict {
		return false, nil
	}
	return err == nil, err
}

// objectError is the failure of one object, which the budget allows some of.
type objectError struct {
	name string
	err  error
}

func (e *objectError) Error() string { return fmt.Sprintf("distribution: %s: %v", e.name, e.err) }
func (e *objectError) Unwrap() error { return e.err }

// failure notes that a plan could not be carried out, and returns the error that
// stops the run, if it is one that should.
func (r *run) failure(ctx context.Context, c *committed, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if isConflict(err) {
		r.stopped[c.pkg] = true
		r.report.conflict(err)
		r.opts.Logger.Error("archive is in conflict; its package stops", "package", c.pkg, "err", err)
		return nil
	}
	failed, ok := errors.AsType[*objectError](err)
	if !ok || ctx.Err() != nil {
		return err
	}
	r.failed++
	r.report.failure(err)
	r.opts.Logger.Error("object failed", "object", failed.name, "err", failed.err)
	if r.failed > r.opts.Budget {
		return fmt.Errorf("%w: %w", ErrBudget, err)
	}
	return nil
}

func (r *run) isStopped(pkg string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stopped[pkg]
}
