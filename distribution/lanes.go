package distribution

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// lanes carry out plans side by side, while the next ones are read.
type lanes struct {
	*run
	progress *progress
	writing  errgroup.Group      // as many at a time as the options say
	free     *semaphore.Weighted // room for keys in memory

	// ordered has the files of a package appear in the order of time, each only if
	// those before it did: where there are no indexes, phones that had a later one
	// would not come back for one before it.
	ordered bool

	mu     sync.Mutex
	broken map[string]bool // packages, of which an ordered file is missing
}

// carryAll carries out plans, sweep by sweep. What is read and not written yet is
// never more than what a run holds: memory goes by the largest files, and not by how
// much there is to be written.
func (r *run) carryAll(ctx context.Context, work []*committed) error {
	l := &lanes{run: r, progress: newProgress(r, work), ordered: r.unindexed(), broken: map[string]bool{}}
	l.writing.SetLimit(r.opts.Parallel)
	l.free = semaphore.NewWeighted(int64(r.held()))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, s := range sweeps(work, r.room, r.held()) {
		weight := min(int64(s.weight), int64(r.held()))
		if l.free.Acquire(ctx, weight) != nil {
			break // stopped while it waited for its turn
		}
		l.carry(ctx, cancel, s, weight)
	}
	l.writing.Wait()
	return context.Cause(ctx)
}

// carry reads a sweep and has it written. The room for it is free again when all of
// it is.
func (l *lanes) carry(ctx context.Context, cancel context.CancelCauseFunc, s sweep, weight int64) {
	var chains sync.WaitGroup
	var left atomic.Int64
	left.Store(1)
	done := func() {
		if left.Add(-1) == 0 {
			l.free.Release(weight)
		}
	}
	for _, chain := range l.chains(l.draft(ctx, s)) {
		left.Add(1)
		chains.Add(1)
		l.writing.Go(func() error {
			defer chains.Done()
			defer done()
			l.write(ctx, cancel, chain)
			return nil
		})
	}
	done()
	if l.ordered || l.opts.Parallel == 1 { // which is nothing beside anything else
		chains.Wait()
	}
}

// draft reads what the plans of a sweep say, but for those that it was kept of since
// they were made.
func (l *lanes) draft(ctx context.Context, s sweep) []*draft {
	var drafts, unread []*draft
	for _, c := range s.plans {
		if l.isStopped(c.pkg) || l.isBroken(c.pkg) {
			continue
		}
		d := l.takeKept(c)
		if d == nil {
			d = l.newDraft(c, true)
			if c.Adopted == "" { // what others published is made as they made it
				unread = append(unread, d)
			}
		}
		drafts = append(drafts, d)
	}
	l.read(ctx, unread...)
	return drafts
}

// takeKept returns what was read for a plan when it was made, nil if that is not kept.
func (r *run) takeKept(c *committed) *draft {
	d := r.kept.drafts[c.name]
	if d == nil {
		return nil
	}
	delete(r.kept.drafts, c.name)
	d.committed = c
	return d
}

// chains returns what is to be carried out one after the other: each plan is on its
// own, unless the files of a package are ordered.
func (l *lanes) chains(drafts []*draft) [][]*draft {
	if !l.ordered {
		return slices.Collect(slices.Chunk(drafts, 1))
	}
	var chains [][]*draft
	for i := range l.packages {
		var chain []*draft
		for _, d := range drafts {
			if d.pkg == l.packages[i].Name {
				chain = append(chain, d)
			}
		}
		chains = append(chains, chain)
	}
	return chains
}

// write carries out a chain, until one fails.
func (l *lanes) write(ctx context.Context, cancel context.CancelCauseFunc, chain []*draft) {
	for _, d := range chain {
		if ctx.Err() != nil {
			return
		}
		err := l.run.carry(ctx, d, l.progress)
		d.content = nil // which is large
		if err == nil {
			continue
		}
		l.breakOff(d.pkg)
		if fatal := l.failure(ctx, d.committed, err); fatal != nil {
			cancel(fatal)
		}
		return
	}
}

func (l *lanes) breakOff(pkg string) {
	if !l.ordered {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken[pkg] = true
}

func (l *lanes) isBroken(pkg string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken[pkg]
}
