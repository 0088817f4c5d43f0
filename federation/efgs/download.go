package efgs

import (
	"context"
	"errors"
	"net/http"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/remote"
)

// Download implements [federation.Downloader].
//
// The gateway has no request for "what follows this batch": a batch says which is
// next, once there is one. So the batch of the place is asked for again, and then
// the next one, of which this client remembers what it said; in a run each batch is
// asked for once. "null" means that nothing has followed yet, and the place stays.
//
// The day that goes with a tag is the tag's own: batches are linked over midnight,
// and a day that the gateway no longer keeps is 410 whatever the tag.
//
// Where the gateway does not know the tag of the place any more, the first batch of
// that day is returned, and what was read of the day is read once more.
func (c *Client) Download(ctx context.Context, at federation.Place) (*federation.Page, error) {
	if at.Tag == "" {
		return c.first(ctx, at.Day)
	}
	next, err := c.following(ctx, at)
	if errors.Is(err, errUnknownTag) {
		page, err := c.first(ctx, dayOf(at.Tag, at.Day))
		if page == nil && err == nil {
			err = unavailable(opDownload, http.StatusNotFound, "neither the tag is known nor a batch of its day or a later one")
		}
		return page, err
	}
	if err != nil || next == "" {
		return nil, err
	}
	h, err := c.get(ctx, dayOf(next, at.Day), next)
	if err != nil {
		return nil, err
	}
	return c.page(ctx, h)
}

// errUnknownTag: the gateway does not know the tag.
var errUnknownTag = errors.New("no batch has this tag")

// A step is what the gateway said follows a batch.
type step struct{ tag, next string }

// first returns the first batch of a day, which may be of a later one; nil if there
// is none.
func (c *Client) first(ctx context.Context, day federation.Day) (*federation.Page, error) {
	h, err := c.get(ctx, day, "")
	if err != nil || h == nil {
		return nil, err
	}
	return c.page(ctx, h)
}

// following returns the tag of the batch after a place, empty if there is none yet.
// What is remembered is used once: should it be wrong, the gateway is asked again.
func (c *Client) following(ctx context.Context, at federation.Place) (string, error) {
	c.mu.Lock()
	known := c.ahead
	c.ahead = step{}
	c.mu.Unlock()
	if known.tag == at.Tag && known.next != "" {
		return known.next, nil
	}
	h, err := c.get(ctx, dayOf(at.Tag, at.Day), at.Tag)
	if err != nil {
		return "", err
	}
	return h.next, nil
}

// dayOf returns the day that goes with a tag, or another if the tag does not say.
func dayOf(tag string, other federation.Day) federation.Day {
	if t, ok := ParseTag(tag); ok {
		return t.Day
	}
	return other
}

// A handout is a batch as it was downloaded.
type handout struct {
	step
	day   federation.Day // with which it was asked for, or that of its tag
	batch *Batch
}

// get downloads a batch: that with a tag or, without one, the first of a day, nil if
// there is none.
func (c *Client) get(ctx context.Context, day federation.Day, tag string) (*handout, error) {
	a, err := c.ask(ctx, day, tag)
	if err != nil {
		return nil, err
	}
	if a.Status == http.StatusBadRequest && tag != "" {
		// The batch is of the day before: around midnight its tag can have the
		// later one (EFGS 226).
		if a, err = c.ask(ctx, day-1, tag); err != nil {
			return nil, err
		}
	}
	switch {
	case a.Status == http.StatusOK:
		return c.handout(a, day, tag)
	case a.Status == http.StatusNotFound && tag == "":
		return nil, nil
	case a.Status == http.StatusNotFound:
		return nil, unavailable(opDownload, a.Status, "%w", errUnknownTag)
	}
	return nil, a.Failure(meaning(opDownload, a.Status))
}

func (c *Client) ask(ctx context.Context, day federation.Day, tag string) (*remote.Answer, error) {
	r := &remote.Request{Op: opDownload, Method: http.MethodGet, Path: "/download/" + day.String(),
		Header: accepting(c.opts.Format), Limit: c.opts.MaxPage}
	if tag != "" {
		r.Header[headerBatchTag] = tag
	}
	return c.do(ctx, r)
}

// handout reads a batch. Another than the one asked for is none.
func (c *Client) handout(a *remote.Answer, day federation.Day, tag string) (*handout, error) {
	h := &handout{step: step{tag: headerTag(a.Header.Get(headerBatchTag)), next: headerTag(a.Header.Get(headerNextBatchTag))}}
	format, err := answeredIn(a.Header.Get("Content-Type"), c.opts.Format)
	if err != nil {
		return nil, unavailable(opDownload, a.Status, "content type: %w", err)
	}
	if h.batch, err = format.Decode(a.Body, c.opts.MaxKeys); err != nil {
		return nil, unavailable(opDownload, a.Status, "%w", err)
	}
	switch {
	case h.tag == "" && tag == "" && len(h.batch.Keys) == 0:
		return nil, nil // the gateway has answered so where there was nothing (CWA 819)
	case h.tag == "":
		return nil, unavailable(opDownload, a.Status, "the batch has no tag")
	case len(h.next) > federation.MaxTag:
		return nil, unavailable(opDownload, a.Status, "the next batch has a tag of %d bytes, at most %d", len(h.next), federation.MaxTag)
	case tag != "" && h.tag != tag:
		return nil, unavailable(opDownload, a.Status, "another batch than the one that was asked for")
	}
	h.day = dayOf(h.tag, day)
	return h, nil
}

// page returns a batch as a page, with the keys whose signatures are not good set
// aside.
func (c *Client) page(ctx context.Context, h *handout) (*federation.Page, error) {
	aside, err := c.audited(ctx, h)
	if err != nil {
		return nil, err
	}
	page := &federation.Page{Tag: h.tag, Next: federation.Place{Day: h.day, Tag: h.tag}}
	h.batch.sort(page, aside)
	c.mu.Lock()
	c.ahead = h.step
	c.mu.Unlock()
	return page, nil
}
