package main

import (
	"context"
	"fmt"
	"time"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// replayInput takes the input in at the time of -now and lets hours pass until
// nothing waits any more, and then to the end of that day, so that every key is
// in the archive of a day, too. On a ledger that an earlier replay left behind,
// the hours between pass first.
func (j *job) replayInput(ctx context.Context) error {
	now := j.end()
	begin, err := j.resume(ctx, now)
	if err != nil {
		return err
	}
	if err := j.catchUp(ctx, begin, now); err != nil {
		return err
	}
	now = later(begin, now)
	j.clock.set(now)
	if err := j.takeIn(ctx); err != nil {
		return err
	}
	last, waits, err := j.lastDue(ctx)
	if err != nil {
		return err
	}
	if waits {
		if err := j.passUntilRest(ctx, now, last); err != nil {
			return err
		}
	}
	return j.publish(ctx)
}

// catchUp lets the hours from the last cut of an earlier replay to now pass.
func (j *job) catchUp(ctx context.Context, begin, now time.Time) error {
	for t := begin.Add(time.Hour); !t.After(now); t = t.Add(time.Hour) {
		j.progress.step("%s: letting time pass", deploy.Shown(t))
		if err := j.passHour(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// lastDue returns when the last unit that waits is due, and whether any waits.
func (j *job) lastDue(ctx context.Context) (last time.Time, waits bool, err error) {
	for rec, err := range j.ledger.Find(ctx, ledger.Query{}) {
		if err != nil {
			return last, waits, err
		}
		if _, wait := rec.Unit.Pending(); wait == ledger.WaitNothing || rec.Unit.Held() {
			continue
		}
		waits = true
		if rec.Unit.Due.After(last) {
			last = rec.Unit.Due
		}
	}
	return last, waits, nil
}

// passUntilRest lets hours pass until all is due and no group waits for others,
// and then to midnight. It gives up after the longest time that anything can
// take: a key that has just begun ends in a day, is under embargo then, and may
// wait for others.
func (j *job) passUntilRest(ctx context.Context, begin, lastDue time.Time) error {
	p := j.config.Release.Policy()
	bound := begin.Add(keys.IntervalsPerDay*keys.IntervalLength + p.Embargo + max(p.LongestWait, p.WithdrawalWait) + 3*time.Hour)
	rest := false
	for t := begin.Truncate(time.Hour).Add(time.Hour); ; t = t.Add(time.Hour) {
		j.progress.step("%s: letting time pass until nothing waits", deploy.Shown(t))
		j.clock.set(t)
		report, err := j.release(ctx, false)
		if err != nil {
			return err
		}
		rest = rest || report != nil && t.After(lastDue) && len(report.Waiting) == 0
		midnight := t.Truncate(24 * time.Hour).Equal(t)
		switch {
		case rest && midnight:
			return nil
		case midnight:
			err = j.publish(ctx)
		case t.After(bound) && !rest:
			j.summary.note(fmt.Sprintf("stopped at %s with keys still waiting", deploy.Shown(t)))
			return nil
		}
		if err != nil {
			return err
		}
	}
}
