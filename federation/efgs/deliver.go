package efgs

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/service"
)

// download hands a batch out: the one with a tag or, without one, the first of a
// day, which may be of a later day. The rules, and their order, are the gateway's.
func (s *Server) download(r *http.Request, c *caller, date string) (*service.Reply, error) {
	if err := service.OnlyBy(r, http.MethodGet); err != nil {
		return nil, err
	}
	format, err := acceptOf(r)
	if err != nil {
		return nil, err
	}
	day, err := s.day(date)
	if err != nil {
		return nil, err
	}
	tag, err := header(r, headerBatchTag)
	if err != nil {
		return nil, err
	}
	var page *federation.SealedPage
	if tag == "" {
		page, err = s.hub.DownloadSealed(r.Context(), c.nation, federation.Place{Day: day})
	} else if len(tag) <= federation.MaxTag {
		page, err = s.hub.DownloadSealedBatch(r.Context(), c.nation, tag)
	}
	switch {
	case err != nil:
		return nil, service.Unable(err)
	case page == nil:
		return nil, service.Refuse(http.StatusNotFound, "no such batch")
	case federation.DayOf(page.Time) < day:
		return nil, service.Refuse(http.StatusBadRequest, "the batch is of an earlier day")
	}
	answer, err := pageReply(page, format)
	if err == nil {
		s.tell(Exchange{Nation: c.nation.Name, Page: page})
	}
	return answer, err
}

// acceptOf returns the format that a caller wants.
func acceptOf(r *http.Request) (Format, error) {
	text, err := header(r, "Accept")
	if err != nil {
		return 0, err
	}
	format, err := Accept(text)
	if err != nil {
		e := err.(*MediaError)
		return 0, service.Refuse(e.Status, e.Header+": "+e.Err.Error())
	}
	return format, nil
}

// day reads a day of which batches are handed out.
func (s *Server) day(date string) (federation.Day, error) {
	day, err := federation.ParseDay(date)
	switch {
	case err != nil:
		return 0, service.Refuse(http.StatusBadRequest, "date: not a day in the form 2006-01-02")
	case day < s.today()-federation.Day(s.opts.MaxAge):
		return 0, service.Refuse(http.StatusGone, fmt.Sprintf("date: more than %d days ago", s.opts.MaxAge))
	}
	return day, nil
}

// pageReply returns a batch as it is handed out. In protobuf several batches one
// after another are one, so that what was uploaded is only copied.
func pageReply(page *federation.SealedPage, format Format) (*service.Reply, error) {
	next := page.Following
	if next == "" {
		next = noTag
	}
	a := &service.Reply{Status: http.StatusOK, Kind: format.MediaType(), Header: map[string]string{
		headerBatchTag: page.Tag, headerNextBatchTag: next,
		"X-Protobuf-Schema": "Efgs.proto", "X-Protobuf-Message": "eu.interop.DiagnosisKeyBatch",
	}}
	for i := range page.Pieces {
		a.Parts = append(a.Parts, page.Pieces[i].Body)
	}
	if len(page.Keys) > 0 {
		a.Parts = append(a.Parts, Protobuf.Append(nil, BatchOf(page.Keys).Keys))
	}
	if format == Protobuf {
		return a, nil
	}
	var all []DiagnosisKey
	for _, part := range a.Parts {
		batch, err := Protobuf.Decode(part, len(part))
		if err != nil {
			return nil, service.Unable(fmt.Errorf("batch %s: %w", page.Tag, err))
		}
		all = append(all, batch.Keys...)
	}
	a.Parts = [][]byte{format.Append(nil, all)}
	return a, nil
}

// audit tells of the uploads that a batch is made of, those of the caller among
// them. When each was uploaded would tell in what order, so that the time of them
// all is the batch's.
func (s *Server) audit(r *http.Request, c *caller, date, tag string) (*service.Reply, error) {
	if err := service.OnlyBy(r, http.MethodGet); err != nil {
		return nil, err
	}
	day, err := s.day(date)
	if err != nil {
		return nil, err
	}
	var page *federation.SealedPage
	if tag != "" && len(tag) <= federation.MaxTag {
		if page, err = s.hub.Audit(r.Context(), c.nation, tag); err != nil {
			return nil, service.Unable(err)
		}
	}
	if page == nil || federation.DayOf(page.Time) != day {
		return nil, service.Refuse(http.StatusNotFound, "no such batch")
	}
	entries := make([]AuditEntry, len(page.Pieces))
	for i := range page.Pieces {
		if err := json.Unmarshal(page.Pieces[i].Seal, &entries[i]); err != nil {
			return nil, service.Unable(fmt.Errorf("batch %s: the seal of an upload: %w", page.Tag, err))
		}
		entries[i].UploadedTime = UploadTime{page.Time}
	}
	return service.JSON(http.StatusOK, JSON.MediaType(), entries)
}
