package federation

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// A DoubtError is what a [Downloader] returns of a page that it was given and cannot
// vouch for yet, as where the signatures that go with it are not to be had. [Pull]
// asks for the page again, run after run, and keeps count beside the cursor: whoever
// returns it keeps none, since a back end may be started anew for each run.
type DoubtError struct {
	// Page is what is stored in the end, if nobody ever vouches for it: with the keys
	// in question in [Page.Unreadable].
	Page *Page

	Err error // why; of a class of this package's
}

// Error returns what is wrong.
func (e *DoubtError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *DoubtError) Unwrap() error { return e.Err }

// minTries is how often a page in doubt is asked for at least: after an outage there
// was patience, and no try.
const minTries = 5

// A doubt is a page that nobody vouched for when it was asked for. It goes by its name
// (uploadID), and so does the place: a server may lead there by other pages, or have
// another name for it by now.
type doubt struct {
	Page  string    `json:"page"`
	At    Place     `json:"at"`
	Since time.Time `json:"since"`
	Tries int       `json:"tries"`
}

// maxDoubts bounds the register. One at a time holds up what follows; there are more
// while a day is read once more, and the oldest is the first to be forgotten.
const maxDoubts = 10

// A GivenUp is a page that was stored without its keys, since nobody vouched for them.
// They are lost, unless they come once more: by another server, in another page, or to
// an instance of another name, which reads anew what the server still has.
type GivenUp struct {
	Page  string    `json:"page"` // its tag, or a hash of it
	Since time.Time `json:"since"`
	Time  time.Time `json:"time"` // when it was given up
	Tries int       `json:"tries"`
	Keys  int       `json:"keys"` // that were set aside
}

// maxGivenUp bounds the register. Of more the latest are kept.
const maxGivenUp = 30

// doubted decides about a page that was asked for at a place, and for which nobody
// vouches. Until patience is at an end that is noted, and an error. Then the page is
// to be stored as it is; that it was given up is stored with it, in one step. A run
// that is cut short stores nothing, and counts for nothing.
func (r *pulling) doubted(ctx context.Context, at Place, e *DoubtError) (*Page, error) {
	c := r.cursor
	if err := e.Page.check(); err != nil {
		return nil, err
	}
	if c.gaveUp(e.Page) {
		return e.Page, nil // it is read once more, and is to hold nothing up twice
	}
	d := c.doubtOf(e.Page, at, r.now)
	d.Tries++
	if d.Tries < minTries || r.now.Sub(d.Since) < r.opts.Patience {
		if err := r.save(ctx); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("page %s, try %d: it is asked for again, at least until try %d and %s: %w",
			d.Page, d.Tries, minTries, d.Since.Add(r.opts.Patience).UTC().Format(time.RFC3339), e)
	}
	c.giveUp(d, e.Page, r.now)
	return e.Page, nil
}

// doubtOf returns what is noted of a page that was asked for at a place.
func (c *cursor) doubtOf(page *Page, at Place, now time.Time) *doubt {
	name, at := safeTag(page.Tag), Place{Day: at.Day, Tag: safeTag(at.Tag)}
	i := slices.IndexFunc(c.Doubts, func(d doubt) bool { return d.Page == name })
	if i < 0 {
		i = slices.IndexFunc(c.Doubts, func(d doubt) bool { return d.At == at })
	}
	if i < 0 {
		c.Doubts = last(append(c.Doubts, doubt{Since: now}), maxDoubts)
		i = len(c.Doubts) - 1
	}
	d := &c.Doubts[i]
	d.Page, d.At = name, at
	return d
}

// giveUp notes that a page in doubt is stored without its keys.
func (c *cursor) giveUp(d *doubt, page *Page, now time.Time) {
	g := GivenUp{Page: d.Page, Since: d.Since, Time: now, Tries: d.Tries, Keys: len(page.Unreadable)}
	c.GivenUp = last(append(c.GivenUp, g), maxGivenUp)
	c.Doubts = slices.DeleteFunc(c.Doubts, func(d doubt) bool { return d.Page == g.Page })
}

// last returns the last n of what may be more.
func last[T any](all []T, n int) []T { return all[max(len(all)-n, 0):] }

// gaveUp reports whether a page was given up before.
func (c *cursor) gaveUp(page *Page) bool {
	return slices.ContainsFunc(c.GivenUp, func(g GivenUp) bool { return g.Page == safeTag(page.Tag) })
}

// vouch notes that somebody vouches for a page. If it was given up before, nothing of
// it is lost any more.
func (c *cursor) vouch(page *Page) {
	name := safeTag(page.Tag)
	c.Doubts = slices.DeleteFunc(c.Doubts, func(d doubt) bool { return d.Page == name })
	c.GivenUp = slices.DeleteFunc(c.GivenUp, func(g GivenUp) bool { return g.Page == name })
}

// forget drops what is said of pages that the server does not have any more: nothing
// is to be done about them.
func (c *cursor) forget(before time.Time) {
	c.Doubts = slices.DeleteFunc(c.Doubts, func(d doubt) bool { return d.Since.Before(before) })
	c.GivenUp = slices.DeleteFunc(c.GivenUp, func(g GivenUp) bool { return g.Time.Before(before) })
}

// String says what was given up, and what that means.
func (g GivenUp) String() string {
	return fmt.Sprintf("page %s was given up at %s, after %d tries since %s, as it could not be verified: %d keys of it are set aside, and lost unless they come once more",
		g.Page, g.Time.UTC().Format(time.RFC3339), g.Tries, g.Since.UTC().Format(time.RFC3339), g.Keys)
}

// known has the report say what the register says.
func (r *pulling) known() { r.report.GivenUp = slices.Clone(r.cursor.GivenUp) }
