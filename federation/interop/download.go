package interop

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/jsontext"
	"github.com/gaenkit/gaen/federation/internal/remote"
)

// Download implements [federation.Downloader].
//
// The day of a place goes with every request, though a server that knows the tag
// passes over it. The next place keeps it: pages do not say from when they are, and
// should the server not know the tag some day, reading from too early on does no
// harm.
func (c *Client) Download(ctx context.Context, at federation.Place) (*federation.Page, error) {
	a, err := c.server.Ask(ctx, &remote.Request{
		Op: opDownload, Method: http.MethodGet, Path: downloadPath(at), Limit: c.opts.MaxPage,
		Header: map[string]string{"Accept": mediaType},
	})
	if err != nil {
		return nil, err
	}
	switch {
	case a.Status == http.StatusNoContent:
		return nil, nil
	case a.Status == http.StatusOK:
		return c.page(at, a)
	case a.Status == http.StatusInternalServerError && at.Tag != "" && says(a.Body, "code", notUUID):
		// A tag that is not the server's, which for one with the form of a UUID it
		// would say by 204. Either is silence, and found out about by date.
		return nil, nil
	}
	return nil, a.Failure(meaning(opDownload, a.Status, a.Body))
}

func downloadPath(at federation.Place) string {
	path := "/download/" + at.Day.String()
	if at.Tag != "" {
		path += "?" + url.Values{"batchTag": {at.Tag}}.Encode()
	}
	return path
}

// page reads what the server hands out.
func (c *Client) page(at federation.Place, a *remote.Answer) (*federation.Page, error) {
	tag, exposures, err := parsePage(a.Body)
	if err != nil {
		return nil, unavailable(opDownload, a.Status, "%w", err)
	}
	if tag == "" {
		return nil, nil // nor are there exposures
	}
	page := &federation.Page{Tag: tag, Next: federation.Place{Day: at.Day, Tag: tag}}
	if exposures.IsAbsent() {
		return page, nil
	}
	r := reader{ignoreRegions: c.opts.IgnoreRegions, extended: c.opts.Extended}
	page.Keys, page.Unreadable, err = r.all(exposures, c.opts.MaxKeys)
	if err != nil {
		return nil, unavailable(opDownload, a.Status, "%w: at most %d", err, c.opts.MaxKeys)
	}
	return page, nil
}

// parsePage takes a page apart. Only one without exposures may be without a tag:
// whoever read it would have no place to go on from.
func parsePage(text []byte) (tag string, exposures jsontext.Value, err error) {
	v, ok := jsontext.Parse(text)
	if !ok || !v.IsObject() {
		return "", nil, errors.New("the page is no JSON object")
	}
	var f [2]jsontext.Value
	if twice := v.Once([]string{"batchTag", "exposures"}, f[:]); twice != "" {
		return "", nil, fmt.Errorf("the page has %s twice", twice)
	}
	if exposures = f[1]; !exposures.IsAbsent() && !exposures.IsArray() {
		return "", nil, errors.New("exposures is no array")
	}
	if tag, err = parseTag(f[0]); err != nil {
		return "", nil, err
	}
	if tag == "" && !exposures.IsAbsent() {
		for range exposures.Elements() {
			return "", nil, errors.New("the page has no batchTag")
		}
	}
	return tag, exposures, nil
}

// parseTag reads a tag, which one server of the field takes as a number, too. It is
// empty if there is none.
func parseTag(v jsontext.Value) (string, error) {
	switch {
	case v.IsAbsent():
		return "", nil
	case v.IsNumber() && len(v) <= federation.MaxTag:
		return string(v), nil
	}
	tag, ok := v.Text()
	switch {
	case !ok:
		return "", errors.New("batchTag is no string")
	case len(tag) > federation.MaxTag:
		return "", fmt.Errorf("batchTag has %d bytes, at most %d", len(tag), federation.MaxTag)
	}
	return string(tag), nil
}
