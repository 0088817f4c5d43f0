package federation

import (
	"context"
	"errors"
	"time"
)

// A probe reads a server by date, to find a tag.
type probe struct {
	At    Place  `json:"at"`
	Known bool   `json:"known"`          // the tag was found
	Pages int    `json:"pages"`          // read
	Last  string `json:"last,omitempty"` // tag of the last of them
	Early bool   `json:"early,omitempty"`
}

// newProbe returns the probe that looks for the tag where it would be if all was
// read as it came. That is soon done, wherever silence is honest.
func newProbe(c *cursor) *probe { return &probe{At: Place{Day: DayOf(c.Found) - 1}} }

// earlier returns the probe to follow one that did not find the tag, nil if there
// is none. The last page may have been read long after its day, by an instance that
// was catching up: whatever follows on that day has not been read.
func (r *pulling) earlier() *probe {
	c := r.cursor
	at := r.from(c.At, c.Found)
	if c.Probe.Known || c.Probe.Early || at.Day >= newProbe(c).At.Day {
		return nil
	}
	return &probe{At: at, Early: true}
}

// probe finds out after long silence whether the server still knows the tag that
// it is asked for. One that does not says "nothing new" for ever (spec/interop,
// measured). It is asked by date: if it gives pages and ours is not among them, the
// last of them is where it goes on.
func (r *pulling) probe(ctx context.Context) error {
	c := r.cursor
	if c.Probe == nil {
		if r.opts.Silence < 0 || c.At.Tag == "" || r.report.Pages > r.report.Reread || r.now.Sub(c.Heard) < r.opts.Silence {
			return nil
		}
		c.Probe = newProbe(c)
	}
	seen := map[string]bool{}
	for !r.spent() {
		page, err := r.download(ctx, c.Probe.At)
		switch {
		case errors.Is(err, ErrGone) && c.Probe.At.Day < DayOf(r.now):
			c.Probe.At = Place{Day: c.Probe.At.Day + 1}
			continue
		case errors.Is(err, ErrGone):
			c.Probe, c.Heard = nil, r.now // it cannot be found out; the next silence tries again
			return r.save(ctx)
		case err != nil:
			return err
		case page == nil || seen[page.Tag]:
			next := r.earlier()
			if next == nil {
				return r.probed(ctx)
			}
			c.Probe = next
			clear(seen)
			continue
		}
		seen[page.Tag] = true
		r.report.Reread++
		c.Probe.Known = c.Probe.Known || page.Tag == c.At.Tag
		c.Probe.At, c.Probe.Last, c.Probe.Pages = page.Next, page.Tag, c.Probe.Pages+1
		if err := r.store(ctx, page); err != nil {
			return err
		}
	}
	return nil
}

// probed ends a probe.
func (r *pulling) probed(ctx context.Context) error {
	c, p := r.cursor, r.cursor.Probe
	if !p.Known && p.Pages > 0 {
		r.report.Resynchronised = true
		r.report.warn("the server does not know page %s any more; it was read again by date, and goes on from page %s", safeTag(c.At.Tag), safeTag(p.Last))
		c.At = p.At
		c.settleAt(p.At)
		if r.opts.Settle >= 0 { // what was read for the first time now can still fill
			c.Settled, c.Marks = r.from(Place{Day: DayOf(r.now)}, r.now), []mark{{Tag: uploadID(p.Last), Time: r.moment()}}
		}
	} else if !p.Known {
		r.report.warn("nothing for %s, and the server gives no page from before that either", r.now.Sub(c.Heard).Round(time.Minute))
	}
	c.Probe, c.Heard = nil, r.now
	return r.save(ctx)
}
