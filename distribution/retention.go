package distribution

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
)

// retire notes what no index names any longer, and deletes what none has named
// for as long as a cache may keep an index and a run may take. Only objects that
// plans and registers name are touched; anything else in the bucket is left
// alone.
func (r *run) retire(ctx context.Context) error {
	if r.report.indexesStopped {
		return nil // indexes may still name what is past its time
	}
	var swaps []ledger.Swap
	var doomed []string
	note := func(s []ledger.Swap, names []string, err error) error {
		swaps, doomed = append(swaps, s...), append(doomed, names...)
		return err
	}
	if err := note(r.retirePlans()); err != nil {
		return err
	}
	if err := note(r.retireIndexes()); err != nil {
		return err
	}
	if err := r.delete(ctx, doomed); err != nil {
		return err
	}
	return r.swapAll(ctx, swaps)
}

// gone reports whether what was unlisted then may be deleted.
func (r *run) gone(unlisted time.Time) bool {
	return !unlisted.IsZero() && r.now.After(unlisted.Add(r.opts.MaxAge+r.opts.Deadline))
}

// retirePlans finds the plans whose time is over. Without indexes, nobody was told
// of their objects, and their own names say when it was.
func (r *run) retirePlans() (swaps []ledger.Swap, doomed []string, err error) {
	unindexed := r.unindexed()
	for _, c := range r.state.plans {
		listed := !r.retired(c)
		switch {
		case !c.done() || listed && c.Unlisted.IsZero() || !listed && r.neededByRollUp(c):
			continue
		case listed: // again, since files are kept for longer now
			c.Unlisted = time.Time{}
			swap, err := c.swap()
			if err != nil {
				return nil, nil, err
			}
			swaps = append(swaps, swap)
		case c.Unlisted.IsZero() && !unindexed:
			c.Unlisted = r.now
			swap, err := c.swap()
			if err != nil {
				return nil, nil, err
			}
			swaps = append(swaps, swap)
		case r.gone(c.Unlisted) || unindexed && r.gone(retiredAt(r.layout, r.span(c.Span), c.window())):
			doomed = append(doomed, r.remains(c)...)
			swaps = append(swaps, ledger.Swap{Name: c.name, Version: c.version, Delete: true})
		}
	}
	return swaps, doomed, nil
}

// remains returns the objects of a plan, and if it was given up what there is by their
// names: the open file that it had, and what a run wrote that came to no end. Left
// there, it would be taken for somebody else's as soon as the plan is forgotten.
func (r *run) remains(c *committed) []string {
	var names []string
	for _, o := range c.Objects {
		names = append(names, o.Name)
	}
	if len(names) > 0 {
		return names
	}
	files := c.files()
	if r.span(c.Span).Open {
		files = []File{c.file()}
	}
	for _, f := range files {
		if name := r.layout.Object(f); r.isListed(name) {
			names = append(names, name)
		}
	}
	return names
}

func (r *run) isListed(name string) bool {
	_, listed := r.listed[name]
	return listed
}

// neededByRollUp reports whether a base plan belongs to a roll-up that has not
// been planned yet and would still have a file. A package that is not published any
// more never plans one.
func (r *run) neededByRollUp(c *committed) bool {
	e := r.state.packages[c.pkg]
	if c.Span != base(r.layout).Name || e == nil {
		return false
	}
	for _, span := range r.layout.Spans()[1:] {
		w := windowAt(r.layout, span, c.Start)
		if !span.State && w.End.After(e.Next) && r.now.Before(retiredAt(r.layout, span, w)) {
			return true
		}
	}
	return false
}

// retireIndexes finds the indexes that are no longer wanted, such as that of the
// hours of a day that is past its retention.
func (r *run) retireIndexes() (swaps []ledger.Swap, doomed []string, err error) {
	indexes, err := r.wantedIndexes()
	if err != nil {
		return nil, nil, err
	}
	wanted := map[string]bool{}
	for _, i := range indexes {
		wanted[i.Name] = true
	}
	for name, e := range r.state.indexes {
		switch {
		case wanted[name]:
			continue
		case e.Unlisted.IsZero():
			e.Unlisted = r.now
			swap, err := swapTo(r.indexRegister(name), e.version, &e.indexState)
			if err != nil {
				return nil, nil, err
			}
			swaps = append(swaps, swap)
		case r.gone(e.Unlisted):
			doomed = append(doomed, name)
			swaps = append(swaps, ledger.Swap{Name: r.indexRegister(name), Version: e.version, Delete: true})
		}
	}
	return swaps, doomed, nil
}

// delete deletes objects. One that fails counts as a failure, and keeps all
// their registers for the next run. Where there are no indexes, those of a package go
// one by one in the order of time, so that none is missing between two that are there.
func (r *run) delete(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	size := len(names)
	if r.unindexed() {
		size = 1
	}
	for some := range slices.Chunk(names, size) {
		if err := r.retry(ctx, func() error { return storage.DeleteAll(ctx, r.bucket, some) }); err != nil {
			return fmt.Errorf("distribution: deleting what is past its retention: %w", err)
		}
	}
	r.report.Deleted = len(names)
	return nil
}

// swapAll changes registers one by one, since they have nothing to do with each
// other: where another run was quicker, it did the same.
func (r *run) swapAll(ctx context.Context, swaps []ledger.Swap) error {
	for _, s := range swaps {
		err := r.ledger.Swap(ctx, ledger.NewNonce(), s)
		if _, conflict := errors.AsType[*ledger.ConflictError](err); err != nil && !conflict {
			return fmt.Errorf("distribution: register %s: %w", s.Name, err)
		}
	}
	return nil
}

// settleFloors tells the ledger what the packages need no longer.
func (r *run) settleFloors(ctx context.Context) error {
	var swaps []ledger.Swap
	for i := range r.packages {
		name := r.packages[i].Name
		e := r.state.packages[name]
		if e == nil {
			continue
		}
		value := r.floorOf(name, &e.packageState, r.state.plans).Value()
		have := r.state.floors[r.floorRegister(name)]
		if string(have.Value) == string(value) {
			continue
		}
		swaps = append(swaps, ledger.Swap{Name: r.floorRegister(name), Version: have.Version, Value: value})
	}
	return r.swapAll(ctx, swaps)
}
