package interop

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/service"
)

// download hands out the page after the place that is asked for.
func (s *Server) download(r *http.Request, m *Member, day string) (*service.Reply, error) {
	if !m.Downloads {
		return nil, service.Refuse(http.StatusForbidden, "no right to download")
	}
	if err := service.OnlyBy(r, http.MethodGet); err != nil {
		return nil, err
	}
	at, err := placeOf(day, r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	page, err := s.hub.Download(r.Context(), &m.Nation, at)
	switch {
	case err != nil:
		return nil, service.Unable(err)
	case page == nil:
		s.tell(Exchange{Nation: m.Name, Asked: at})
		return &service.Reply{Status: http.StatusNoContent}, nil
	}
	body, err := appendPage(page, m.Extended)
	if err != nil {
		return nil, service.Unable(err)
	}
	s.tell(Exchange{Nation: m.Name, Asked: at, Page: page})
	return &service.Reply{Status: http.StatusOK, Kind: jsonKind, Parts: [][]byte{body}}, nil
}

// placeOf returns the place that a path and a query name. Parameters of other names
// are passed over.
func placeOf(day, query string) (at federation.Place, err error) {
	if at.Day, err = federation.ParseDay(day); err != nil {
		return at, service.Refuse(http.StatusBadRequest, "date: not a day in the form 2006-01-02")
	}
	params, err := url.ParseQuery(query)
	if err != nil {
		return at, service.Refuse(http.StatusBadRequest, "query: malformed")
	}
	tags := params["batchTag"]
	switch {
	case len(tags) > 1:
		return at, service.Refuse(http.StatusBadRequest, "batchTag: there twice")
	case len(tags) == 1 && len(tags[0]) > federation.MaxTag:
		return at, service.Refuse(http.StatusBadRequest, fmt.Sprintf("batchTag: %d bytes, at most %d", len(tags[0]), federation.MaxTag))
	case len(tags) == 1:
		at.Tag = tags[0]
	}
	return at, nil
}

// appendPage returns a page as it is handed out. One without exposures is handed
// out as well: the tag is what the caller goes on from.
func appendPage(page *federation.Page, extended bool) ([]byte, error) {
	tag, err := json.Marshal(page.Tag)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, len(tag)+64+usualExposure*len(page.Keys))
	b = append(append(b, `{"batchTag":`...), tag...)
	b = append(b, `,"exposures":`...)
	w := writer{origin: true, extended: extended}
	return append(w.appendAll(b, page.Keys), '}'), nil
}
