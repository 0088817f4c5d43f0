package federationtest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A reply is what a request is answered.
type reply struct {
	status int
	body   []byte // JSON; nil for none
	stored int    // 1 + the index of the upload that it says is stored, 0 for none
}

// refuse returns an answer in the form of the real service.
func refuse(status int, message string) *reply {
	return &reply{status: status, body: marshal(map[string]any{"statusCode": status, "error": http.StatusText(status), "message": message})}
}

// broke is what the real service answers if its database or its code fails.
func broke(code, message string) *reply {
	return &reply{status: 500, body: marshal(map[string]any{"statusCode": 500, "code": code, "error": "Internal Server Error", "message": message})}
}

func unauthorized() *reply { return refuse(http.StatusUnauthorized, "Unauthorized") }

// answer does what a request asks for.
func (s *Server) answer(r *http.Request, in *incoming) *reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch in.Route {
	case RouteUpload:
		return s.upload(r, in)
	case RouteDownload:
		return s.download(r, in)
	}
	return refuse(http.StatusNotFound, "no such route")
}

func (s *Server) upload(r *http.Request, in *incoming) *reply {
	if r.Method != http.MethodPost {
		return refuse(http.StatusNotFound, "no such route")
	}
	if in.nation < 0 && !s.opts.Faithful {
		return unauthorized()
	}
	if why := s.illFormed(r, in); why != nil {
		return why
	}
	if in.nation < 0 {
		return unauthorized()
	}
	_, payload, err := open(s.nations[in.nation].publicKey(), in.payload, s.opts.Faithful)
	if err != nil {
		if s.opts.Faithful {
			return refuse(500, "no key found")
		}
		return refuse(http.StatusUnauthorized, "the payload is not signed by the nation")
	}
	s.uploads = append(s.uploads, Upload{Nation: in.Nation, Tag: in.tag, Payload: string(payload)})
	a := s.store(in, payload)
	if a.status == http.StatusOK {
		a.stored = len(s.uploads)
		s.uploads[a.stored-1].Stored = true
		if !s.opts.Held {
			s.shelve()
		}
	}
	return a
}

// illFormed returns what is wrong with an upload before anybody looks into the
// message, nil for nothing.
func (s *Server) illFormed(r *http.Request, in *incoming) *reply {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch {
	case in.tooLong:
		return refuse(http.StatusRequestEntityTooLarge, "Request body is too large")
	case in.broken:
		return refuse(http.StatusBadRequest, "the body is not whole")
	case strings.TrimSpace(kind) != "application/json":
		return refuse(http.StatusUnsupportedMediaType, "Unsupported Media Type")
	case in.form != "":
		return refuse(http.StatusBadRequest, in.form)
	}
	return nil
}

// parseEnvelope takes the body of an upload apart. A number is taken for a tag.
func parseEnvelope(body []byte) (tag, payload, wrong string) {
	var f map[string]json.RawMessage
	if err := json.Unmarshal(body, &f); err != nil || f == nil {
		return "", "", "body should be object"
	}
	if err := json.Unmarshal(f["batchTag"], &tag); err != nil {
		if tag = string(f["batchTag"]); tag == "" || strings.ContainsAny(tag, "{[tfn") {
			return "", "", "body should have required property 'batchTag'"
		}
	}
	if err := json.Unmarshal(f["payload"], &payload); err != nil {
		return tag, "", "body should have required property 'payload'"
	}
	return tag, payload, ""
}

// shelve makes batches of what is waiting, whole. The lock is held.
func (s *Server) shelve() {
	var waiting []*row
	for _, r := range s.rows {
		if r.batch == nil {
			waiting = append(waiting, r)
		}
	}
	for part := range slices.Chunk(waiting, s.opts.BatchSize) {
		b := &batch{tag: newUUID(), created: s.opts.Clock(), rows: part}
		for _, r := range part {
			r.batch = b
		}
		s.batches = append(s.batches, b)
	}
}

var dateForm = regexp.MustCompile(`^\d{4}-\d\d-\d\d$`)

func (s *Server) download(r *http.Request, in *incoming) *reply {
	if r.Method != http.MethodGet {
		return refuse(http.StatusNotFound, "no such route")
	}
	if in.nation < 0 && !s.opts.Faithful {
		return unauthorized()
	}
	if !dateForm.MatchString(in.Date) {
		return refuse(http.StatusBadRequest, `params.date should match format "date"`)
	}
	if in.nation < 0 {
		return unauthorized()
	}
	day, ok := s.day(in.Date)
	if !ok && s.opts.Faithful {
		return broke("22007", "invalid input syntax for type date")
	}
	if !ok {
		return refuse(http.StatusBadRequest, "no such day")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(query["batchTag"]) > 1 {
		return refuse(http.StatusBadRequest, "querystring.batchTag should be string")
	}
	i, a := s.after(day, query.Get("batchTag"))
	switch {
	case a != nil:
		return a
	case i >= len(s.batches):
		return &reply{status: http.StatusNoContent}
	}
	return s.page(i, in.nation)
}

// day returns the beginning of a day. A faithful server takes the 30th of February
// for the 2nd of March.
func (s *Server) day(date string) (time.Time, bool) {
	if day, err := time.Parse(time.DateOnly, date); err == nil && day.Year() > 0 {
		return day, true
	}
	var y, m, d int
	if _, err := fmt.Sscanf(date, "%4d-%2d-%2d", &y, &m, &d); err != nil || !s.opts.Faithful || y < 1 || m < 1 || m > 12 || d < 1 || d > 31 {
		return time.Time{}, false
	}
	return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC), true
}

var uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// after returns the index of the page that follows a tag or, without one that is
// known, the first of a day.
func (s *Server) after(day time.Time, tag string) (int, *reply) {
	i := slices.IndexFunc(s.batches, func(b *batch) bool { return strings.EqualFold(b.tag, tag) })
	switch {
	case i >= 0:
		return i + 1, nil
	case tag != "" && s.opts.Faithful && !uuidForm.MatchString(tag):
		return 0, broke("22P02", "invalid input syntax for type uuid")
	case tag != "" && s.opts.Faithful:
		return len(s.batches), nil // for ever
	}
	for i, b := range s.batches {
		if !b.created.Before(day) {
			return i, nil
		}
	}
	return len(s.batches), nil
}

// page returns a page as a nation is given it: without its own exposures, and with
// its tag even if there are no others.
func (s *Server) page(i, nation int) *reply {
	b := s.batches[i]
	n := &s.nations[nation]
	list := []any{}
	for _, r := range slices.Backward(b.rows) { // in no order that means anything
		switch {
		case r.nation == nation:
		case s.opts.Faithful:
			list = append(list, r.exposure)
		case r.Origin == n.Region.String(), r.ReportType == revoked && !n.Withdrawals:
		case n.Extended:
			list = append(list, without(r.exposure, r.unknown))
		default:
			list = append(list, r.exposure)
		}
	}
	return &reply{status: http.StatusOK, body: pageBody(b.tag, list)}
}

// pageBody returns a page; list is anything that has the form of exposures.
func pageBody(tag string, list any) []byte {
	return marshal(struct {
		BatchTag  string `json:"batchTag"`
		Exposures any    `json:"exposures"`
	}{tag, list})
}

// newUUID returns a random UUID.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
