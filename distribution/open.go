package distribution

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
)

// openState is what the ledger remembers of the open file of a package, so that a
// run with nothing new need not read it. That the file is ours does not rest on
// it: what a version of it says follows from the base plans.
type openState struct {
	Start time.Time `json:"start"` // of its window
	End   time.Time `json:"end"`   // of the last base window in it
	ETag  string    `json:"etag"`

	// Adopted says that this version is another system's.
	Adopted bool `json:"adopted,omitempty"`
}

type openEntry struct {
	openState
	version int64
}

// checkReplace refuses a bucket that cannot replace on a condition, before the
// first open file is written to it: what phones see could go back.
func (r *run) checkReplace(ctx context.Context) error {
	if _, ok := openSpan(r.layout); !ok || len(r.state.open) > 0 {
		return nil
	}
	var can bool
	err := r.retry(ctx, func() (err error) {
		can, err = storage.CanReplace(ctx, r.bucket, r.layout.Prefix()+"gaen-probe")
		return err
	})
	if err == nil && !can {
		err = errors.ErrUnsupported
	}
	if err != nil {
		return fmt.Errorf("distribution: whether the bucket can replace on a condition, which the open file of layout %s needs: %w", r.layout.Name(), err)
	}
	return nil
}

// putOpenFiles has the open file of each package hold all base windows before the
// first that is not completed.
func (r *run) putOpenFiles(ctx context.Context) error {
	span, ok := openSpan(r.layout)
	if !ok {
		return nil
	}
	return r.replacing(ctx, func(ctx context.Context) error {
		for i := range r.packages {
			if err := r.putOpenFile(ctx, r.packages[i].Name, span); err != nil {
				return err
			}
		}
		return nil
	})
}

// putOpenFile closes the files of the windows that are over, oldest first, and then
// brings the open one up to date. A window whose base windows are not all completed
// stays open, and those after it wait.
func (r *run) putOpenFile(ctx context.Context, pkg string, span Span) error {
	until, undone := r.firstUndone()[line{pkg, base(r.layout).Name}]
	if !undone {
		until = r.state.packages[pkg].Next
	}
	for _, c := range r.state.plans { // by time
		if c.pkg != pkg || c.Span != span.Name || c.done() {
			continue
		}
		if until.Before(c.End) {
			return r.putVersion(ctx, pkg, c.window(), until)
		}
		if closed, err := r.try(ctx, c, r.closeFile); err != nil || !closed {
			return err
		}
	}
	return r.putVersion(ctx, pkg, windowAt(r.layout, span, until), until)
}

// try writes an open file and notes it if that fails. It reports whether the file
// is what it should be; the error is one that stops the run, or errMoved.
func (r *run) try(ctx context.Context, c *committed, write func(context.Context, *committed) error) (bool, error) {
	if r.isStopped(c.pkg) {
		return false, nil
	}
	err := write(ctx, c)
	if err == nil || errors.Is(err, errMoved) {
		return err == nil, err
	}
	return false, r.failure(ctx, c, err)
}

// closeFile carries out the plan of an open file's window: its final content.
func (r *run) closeFile(ctx context.Context, c *committed) error {
	w, err := r.bring(ctx, c)
	switch {
	case errors.Is(err, ledger.ErrPruned):
		return r.giveUp(ctx, c)
	case err != nil:
		return err
	}
	return r.complete(ctx, c, w)
}

// putVersion has the open file of a window hold the base windows that end no later
// than until.
func (r *run) putVersion(ctx context.Context, pkg string, w Window, until time.Time) error {
	bases := r.basesIn(&Package{Name: pkg}, Window{w.Start, until}, nil)
	if len(bases) == 0 {
		return nil
	}
	span, _ := openSpan(r.layout)
	c := &committed{plan: plan{Span: span.Name, Start: w.Start, End: bases[len(bases)-1].End}, pkg: pkg}
	c.rollUp(bases)
	known := r.knownOpen(c)
	if a, listed := r.listed[r.layout.Object(c.file())]; listed && a.ETag == known.ETag && known.End.Equal(c.End) && !r.doubt {
		return nil
	}
	_, err := r.try(ctx, c, r.showVersion)
	return err
}

// showVersion writes a version of an open file and remembers it.
func (r *run) showVersion(ctx context.Context, c *committed) error {
	signers, err := r.signersAt(c.End)
	if err != nil {
		return err
	}
	c.Signers = identities(signers)
	w, err := r.bring(ctx, c)
	switch {
	case errors.Is(err, ledger.ErrPruned):
		r.warn("%s: the open file of %s stays as it is: %v", c.pkg, c.window(), err)
		return nil
	case err != nil:
		return err
	}
	if len(w.put) > 0 {
		r.report.Open = append(r.report.Open, r.planned(c))
		r.report.put(w)
	}
	return r.rememberOpen(ctx, c, w.objects[0].ETag)
}

// knownOpen returns what is remembered of the open file of c's window, nothing if
// that is of another window.
func (r *run) knownOpen(c *committed) openState {
	if e := r.state.open[c.pkg]; e != nil && e.Start.Equal(c.Start) {
		return e.openState
	}
	return openState{}
}

// rememberOpen records which version is there. If another run has recorded its own,
// the next run sorts it out.
func (r *run) rememberOpen(ctx context.Context, c *committed, etag string) error {
	var version int64
	if e := r.state.open[c.pkg]; e != nil {
		version = e.version
	}
	swap, err := swapTo(r.openRegister(c.pkg), version, openState{Start: c.Start, End: c.End, ETag: etag})
	if err != nil {
		return err
	}
	return r.swapAll(ctx, []ledger.Swap{swap})
}

// bring has the bucket hold the file that c says, in the place of an earlier
// version of it or of nothing.
func (r *run) bring(ctx context.Context, c *committed) (*written, error) {
	content, err := r.contentOf(ctx, c)
	if err != nil {
		return nil, err
	}
	if len(c.Parts) == 0 {
		c.Parts = []part{{Keys: len(content.Keys), Revised: len(content.RevisedKeys)}}
	}
	o, etag, err := r.standing(ctx, c, content)
	if err != nil {
		return nil, err
	}
	if o != nil {
		return &written{objects: []object{*o}}, nil
	}
	put, err := r.write(ctx, c, content, 0, etag)
	switch {
	case errors.Is(err, fs.ErrExist) || errors.Is(err, storage.ErrPrecondition):
		return nil, errMoved
	case err != nil:
		return nil, &objectError{r.layout.Object(c.file()), err}
	}
	return &written{objects: []object{put}, put: []object{put}}, nil
}

// standing looks at what is there under an open file's name. It returns the object
// if that is what c says already, else the ETag of the earlier version that it is,
// empty if there is none. Anything else is a conflict.
func (r *run) standing(ctx context.Context, c *committed, content *export.Content) (_ *object, etag string, _ error) {
	name := r.layout.Object(c.file())
	listed, ok := r.listed[name]
	if !ok {
		return nil, "", nil
	}
	known := r.knownOpen(c)
	if known.ETag == listed.ETag && (known.End.Before(c.End) || known.Adopted) {
		return nil, listed.ETag, nil
	}
	archive, a, err := r.get(ctx, name, maxObject)
	switch {
	case errors.Is(err, errAbsent) || err == nil && a.ETag != listed.ETag:
		return nil, "", errMoved
	case err != nil:
		return nil, "", &objectError{name, err}
	}
	digest, err := r.verifyOurs(name, archive, content)
	conflict, _ := errors.AsType[*ConflictError](err)
	if err == nil && r.checkAttributes(c.file(), archive, digest, a) != nil {
		r.report.Repaired = append(r.report.Repaired, name)
		return nil, a.ETag, nil // written again
	}
	switch {
	case err == nil:
		return &object{Name: name, ETag: a.ETag, Size: a.Size, SHA256: hex.EncodeToString(digest[:])}, "", nil
	case conflict == nil:
		return nil, "", err
	case conflict.Damaged && known.ETag != "": // it was an archive of ours when it was remembered
		r.report.Repaired = append(r.report.Repaired, name)
		return nil, a.ETag, nil
	case conflict.Damaged:
		return nil, "", err
	}
	if earlier, failed := r.isEarlier(ctx, c, archive); failed != nil || !earlier {
		return nil, "", errors.Join(failed, err)
	}
	return nil, a.ETag, nil
}

// isEarlier reports whether an archive is the version of c that ended with an
// earlier base window.
func (r *run) isEarlier(ctx context.Context, c *committed, archive []byte) (bool, error) {
	a, err := export.Open(bytes.NewReader(archive), int64(len(archive)), &export.ReadOptions{Format: r.layout.Archive().Format})
	if err != nil {
		return false, nil
	}
	end, length := a.Header().End, base(r.layout).Length
	lacks := int(c.End.Sub(end) / length)
	if !end.Before(c.End) || c.End.Sub(end)%length != 0 || lacks > len(c.Bounds)-2 {
		return false, nil
	}
	v := *c
	v.End, v.Bounds = end, c.Bounds[:len(c.Bounds)-lacks]
	content, err := r.contentOf(ctx, &v)
	if err != nil {
		return false, err
	}
	_, err = r.verifyOurs(r.layout.Object(c.file()), archive, content)
	return err == nil, nil
}
