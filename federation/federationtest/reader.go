package federationtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gaenkit/gaen/federation"
)

// A reader reads a server's pages as one nation, from a place on.
type reader struct {
	x      *examination
	nation *Nation
	day    federation.Day
	from   string // the tag before the first page that the suite made
	tag    string // of the last page
	pages  []handedOut
	again  *reader // what a second reading found
}

// A handedOut is a page as it came.
type handedOut struct {
	answer    outcome
	tag       string
	exposures []json.RawMessage
	wrong     string // what is wrong with its form, "" for nothing
}

// drain reads until there is nothing more.
func (r *reader) drain() error {
	for range r.x.opts.MaxPages {
		p, err := r.next()
		if err != nil || p == nil {
			return err
		}
		if p.tag == "" || p.tag == r.tag {
			return fmt.Errorf("a page whose tag does not lead on: %s", p.wrong)
		}
		r.tag = p.tag
		r.pages = append(r.pages, *p)
	}
	return fmt.Errorf("more than %d pages", r.x.opts.MaxPages)
}

// next returns the page after the last, nil if there is none.
func (r *reader) next() (*handedOut, error) {
	got, err := r.x.do(call{path: downloadPath(r.day.String(), r.tag), token: r.nation.Token})
	switch {
	case err != nil:
		return nil, err
	case got.status == http.StatusNoContent:
		return nil, nil
	case got.status != http.StatusOK:
		return nil, fmt.Errorf("status %d to a download", got.status)
	}
	return pageOf(got), nil
}

func downloadPath(date, tag string) string {
	path := "/download/" + url.PathEscape(date)
	if tag != "" {
		path += "?" + url.Values{"batchTag": {tag}}.Encode()
	}
	return path
}

// pageOf takes a page apart, as far as it goes.
func pageOf(a outcome) *handedOut {
	p := &handedOut{answer: a}
	var f map[string]json.RawMessage
	if err := json.Unmarshal(a.body, &f); err != nil || f == nil {
		p.wrong = "it is no JSON object"
		return p
	}
	if err := json.Unmarshal(orNull(f["batchTag"]), &p.tag); err != nil || p.tag == "" {
		p.wrong = "batchTag is missing, empty or no string"
	}
	if err := json.Unmarshal(orNull(f["exposures"]), &p.exposures); err != nil || p.exposures == nil {
		p.wrong = "exposures is missing, null or no array"
	}
	return p
}

// seen returns the exposures that can be read, by their key data.
func (r *reader) seen() map[string]exposure {
	seen := map[string]exposure{}
	for _, p := range r.pages {
		for _, text := range p.exposures {
			if e, ok := readExposure(text); ok {
				seen[e.KeyData] = e
			}
		}
	}
	return seen
}

// readExposure reads an exposure, whatever its origin and ranges.
func readExposure(text json.RawMessage) (e exposure, ok bool) {
	if err := json.Unmarshal(text, &e); err != nil {
		return e, false
	}
	return e, e.KeyData != ""
}

// final returns what a nation is given in the end: by the second reading.
func (r *reader) final() map[string]exposure {
	if r.again == nil {
		return r.seen()
	}
	return r.again.seen()
}

// heard returns all that a nation was given of a key, in order, by the second
// reading.
func (r *reader) heard(data string) (all []exposure, texts []json.RawMessage) {
	for _, p := range r.again.all() {
		for _, text := range p.exposures {
			if e, ok := readExposure(text); ok && e.KeyData == data {
				all, texts = append(all, e), append(texts, text)
			}
		}
	}
	return all, texts
}
