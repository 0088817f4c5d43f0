package federation

import (
	"context"
	"errors"
	"time"
)

// settle reads once more what was first read a settle time ago. A server that
// gives pages out before they are filled has the rest in them now (lesson E6).
func (r *pulling) settle(ctx context.Context) error {
	c := r.cursor
	seen := map[string]bool{}
	for !r.spent() {
		mark := c.due(r.now.Add(-r.opts.Settle))
		if mark == "" || r.opts.Settle < 0 {
			return nil
		}
		page, err := r.download(ctx, c.Settled)
		again := page != nil && seen[page.Tag]
		switch {
		case errors.Is(err, ErrGone) && c.Settled.Tag == "" && c.Settled.Day < DayOf(r.now):
			c.Settled.Day++
			continue
		case errors.Is(err, ErrGone):
			r.report.warn("pages up to %s could not be read once more: %v", mark, err)
			c.settleAt(c.At)
			return r.save(ctx)
		case err != nil:
			return err
		case (page == nil || again) && c.Settled.Tag != "" && c.Searched:
			return r.lost(ctx, mark)
		case (page == nil || again) && c.Settled.Tag == "":
			// There were pages, and now there are none at all. Until there are any
			// nothing says that ours are lost.
			return nil
		case page == nil || again:
			// There was a page, and now there is none, or one from before it: the
			// server does not know where we were, now or for good.
			c.Settled, c.Searched = r.from(c.Settled, c.Marks[0].Time), true
			clear(seen)
			continue
		}
		seen[page.Tag] = true
		r.report.Reread++
		c.settle(page)
		if err := r.store(ctx, page); err != nil {
			return err
		}
	}
	return nil
}

// lost gives up the pages that were to be read once more, since the server has
// others now, and has the next step find out by date where to go on.
func (r *pulling) lost(ctx context.Context, mark string) error {
	c := r.cursor
	r.report.warn("pages up to %s could not be read once more: the server has others now", mark)
	c.settleAt(c.At)
	if c.Probe == nil && r.opts.Silence >= 0 {
		c.Probe = newProbe(c)
	}
	return r.save(ctx)
}

// from returns where a search by date begins for what followed a place that was
// reached by a time: a day before the place's, since days are the server's, and
// clocks differ; but not before a new instance would begin.
func (r *pulling) from(at Place, reached time.Time) Place {
	first := DayOf(r.now.Add(-r.opts.History))
	if at.Day > DayOf(reached) { // the server has days of its own
		return Place{Day: first - 1}
	}
	return Place{Day: max(at.Day, first) - 1}
}
