package main

import (
	"context"
	"errors"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// storeEvery is how often it is stored when nations were here.
const storeEvery = 30 * time.Second

// tick does what is done by the clock, until it is to stop: cuts, removals, and
// storing when nations were here. What it has begun it finishes, unless the context
// ends. It ends early only if the ledger goes by another
// policy now, which means that this process must begin anew.
func (s *server) tick(ctx context.Context, stop <-chan struct{}) error {
	ticker := time.NewTicker(s.every)
	defer ticker.Stop()
	var pruned, stored time.Time
	first := &ledger.ReleaseOptions{AllowGap: s.allowGap}
	for {
		err := s.release(ctx, first)
		if errors.Is(err, ledger.ErrPolicy) {
			return err
		}
		if err == nil {
			first = nil
		}
		// A clock that jumped ahead makes no cut, and must not remove what is kept.
		if day := time.Now().UTC().Truncate(24 * time.Hour); err == nil && !day.Equal(pruned) && s.prune(ctx) {
			pruned = day
		}
		if time.Since(stored) >= storeEvery {
			stored = time.Now()
			s.store(ctx)
		}
		select {
		case <-stop:
			return nil
		case <-ticker.C:
		}
	}
}

// release makes the cut that is due, if one is.
func (s *server) release(ctx context.Context, opts *ledger.ReleaseOptions) error {
	report, err := s.hub.Release(ctx, opts)
	if ctx.Err() != nil {
		return nil
	}
	s.monitor.released.Store(&releaseState{at: time.Now(), err: err})
	if err != nil {
		s.failed("release")(err)
		return err
	}
	if report != nil {
		s.log.Info("cut", "seq", report.Cut.Seq, "time", report.Cut.Time, "last", report.Cut.Last, "new", report.New, "changed", report.Changed, "gone", report.Gone)
		for _, w := range report.Warnings {
			s.log.Warn("cut", "seq", report.Cut.Seq, "warning", w)
		}
		s.peering.nudge()
		s.gateway.nudge()
		s.countArrears(ctx)
	}
	return nil
}

// arrearsShare is the part of the time that goes at most into counting arrears, which
// reads all that is kept.
const arrearsShare = 20

// countArrears counts what nations and peers have not been told, unless that takes too
// long to be done again already.
func (s *server) countArrears(ctx context.Context) {
	begin := time.Now()
	if had := s.monitor.arrears.Load(); had != nil && begin.Sub(had.at) < arrearsShare*had.took {
		return
	}
	a, err := s.office.arrears(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.failed("arrears")(err)
		}
		return
	}
	s.monitor.arrears.Store(&arrearsState{arrears: a, at: begin, took: time.Since(begin)})
}

// prune removes what is too old, unless a peer is still to be sent it, and reports
// whether it did.
func (s *server) prune(ctx context.Context) bool {
	report, err := s.remove(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.failed("prune")(err)
		}
		return false
	}
	for _, name := range report.Expired {
		s.log.Error("a consumer stood still until its keys expired", "consumer", name)
	}
	s.log.Info("pruned", "removed", report.Removed)
	return true
}

func (s *server) remove(ctx context.Context) (*ledger.PruneReport, error) {
	sinks, err := s.peering.sinks(ctx)
	if err != nil {
		return nil, err
	}
	return s.ledger.Prune(ctx, sinks...)
}

// store stores when nations were here. That another process did so at the same time
// is no failure: the next time has it.
func (s *server) store(ctx context.Context) {
	err := s.sightings.store(ctx)
	if _, conflict := errors.AsType[*ledger.ConflictError](err); err != nil && !conflict && ctx.Err() == nil {
		s.failed("store")(err)
	}
}
