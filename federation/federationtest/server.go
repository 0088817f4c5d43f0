package federationtest

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gaenkit/gaen/keys"
)

// ServerOptions are options of [NewServer]. The zero value keeps every clause of
// [TestServer].
type ServerOptions struct {
	// Hook decides what becomes of each request; see [Server.SetHook].
	Hook Hook

	// Faithful makes the server answer as the open-source interoperability service
	// was measured to (see [FaithfulDeviations]), faults and all.
	Faithful bool

	// Gap is for how long a page of a faithful server can be asked for before its
	// exposures are in it; 0 is 20 ms.
	Gap time.Duration

	Prefix    string           // before "/upload" and "/download", such as "/diagnosiskeys"
	BatchSize int              // exposures in a page; 0 is 1000
	MaxUpload int64            // bytes of a request's body; 0 is 100 MiB
	Clock     func() time.Time // by which pages have a day; nil is time.Now

	// Held has batches made by [Server.Assemble] alone. Otherwise each upload is
	// divided into batches when it comes.
	Held bool
}

// A Server is a server of the interoperability protocol that keeps everything in
// memory and misbehaves where it is told to. It is an [http.Handler], and shares
// no code with package interop.
type Server struct {
	opts    ServerOptions
	nations []Nation

	mu       sync.Mutex
	hook     Hook
	requests []Request
	uploads  []Upload
	rows     []*row
	texts    map[string]bool // key data of all rows
	batches  []*batch
	filed    map[string]int // of a faithful server: whose a tag is
	early    map[claim]bool // withdrawals that came before their keys
	refuse   func(keys.KeyData) bool
	sent     int64
}

var _ http.Handler = (*Server)(nil)

// An Upload is a request to upload that was understood, stored or not.
type Upload struct {
	Nation  keys.Region
	Tag     string
	Payload string // what was signed
	Stored  bool   // it was answered as stored, if the answer arrived
}

// row is an exposure that a nation brought.
type row struct {
	exposure
	nation  int
	unknown []string // fields that were left out
	batch   *batch   // nil until it is in one
}

// A claim is a key as one nation brings it.
type claim struct {
	nation int
	data   keys.KeyData
	origin string
}

// batch is a page, with the exposures of all nations.
type batch struct {
	tag     string
	created time.Time
	rows    []*row
}

// NewServer returns a server for these nations.
func NewServer(nations []Nation, opts *ServerOptions) (*Server, error) {
	s := &Server{nations: slices.Clone(nations), texts: map[string]bool{}, filed: map[string]int{}, early: map[claim]bool{}}
	if opts != nil {
		s.opts = *opts
	}
	s.hook = s.opts.Hook
	s.opts.Gap = cmp.Or(s.opts.Gap, 20*time.Millisecond)
	s.opts.BatchSize = cmp.Or(s.opts.BatchSize, 1000)
	s.opts.MaxUpload = cmp.Or(s.opts.MaxUpload, 100<<20)
	if s.opts.Clock == nil {
		s.opts.Clock = time.Now
	}
	switch {
	case s.opts.Gap < 0:
		return nil, fmt.Errorf("federationtest: ServerOptions.Gap: %s is negative", s.opts.Gap)
	case s.opts.BatchSize < 1:
		return nil, fmt.Errorf("federationtest: ServerOptions.BatchSize: %d, want at least 1", s.opts.BatchSize)
	case s.opts.MaxUpload < 0:
		return nil, fmt.Errorf("federationtest: ServerOptions.MaxUpload: %d is negative", s.opts.MaxUpload)
	case s.opts.Prefix != "" && (!strings.HasPrefix(s.opts.Prefix, "/") || strings.HasSuffix(s.opts.Prefix, "/")):
		return nil, errors.New("federationtest: ServerOptions.Prefix does not begin with a slash, or ends with one")
	}
	for i := range s.nations {
		if err := s.nations[i].check(); err != nil {
			return nil, fmt.Errorf("federationtest: nations[%d]: %w", i, err)
		}
	}
	return s, nil
}

// SetHook has another hook asked from the next request on, which is number 1 to it.
func (s *Server) SetHook(hook Hook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = On(hook, RouteDownload, RouteUpload, RouteOther)
}

// Refuse has uploads answered 400 that hold a key of which refuse reports true, as
// the real service does with keys of another length: nothing of them is stored. Nil
// refuses none.
func (s *Server) Refuse(refuse func(keys.KeyData) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = refuse
}

// Requests returns the requests so far, in order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Uploads returns what was uploaded so far, in order.
func (s *Server) Uploads() []Upload {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.uploads)
}

// Sent returns how many bytes of bodies callers have been sent.
func (s *Server) Sent() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// Assemble makes batches of what was uploaded since the last were made. A faithful
// server makes the rows of its batches first, which can be asked for at once, and
// fills them after a gap: who comes in between gets an empty page, and never sees
// the keys.
func (s *Server) Assemble() {
	fill := s.Begin()
	if s.opts.Faithful {
		time.Sleep(s.opts.Gap)
	}
	fill()
}

// Begin makes empty batches for what was uploaded since the last were made, and
// returns what fills them, so that a test can have its poller come in between. Of a
// server that is not faithful nobody sees them before they are filled.
func (s *Server) Begin() (fill func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var waiting []*row
	for _, r := range s.rows {
		if r.batch == nil {
			waiting = append(waiting, r)
		}
	}
	var made []*batch
	var filling [][]*row
	for part := range slices.Chunk(waiting, s.opts.BatchSize) {
		b := &batch{tag: newUUID(), created: s.opts.Clock()}
		for _, r := range part {
			r.batch = b
		}
		made, filling = append(made, b), append(filling, part)
	}
	if s.opts.Faithful {
		s.batches = append(s.batches, made...)
	}
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, b := range made {
			b.rows = filling[i]
		}
		if !s.opts.Faithful {
			s.batches = append(s.batches, made...)
		}
	})
}

// Forget has the server know none of the tags that it gave: its pages have others
// now, as after its database was lost and filled again.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.batches {
		b.tag = newUUID()
	}
}

// Drop removes the pages created before a time, as a server does that keeps them
// for some days.
func (s *Server) Drop(before time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches = slices.DeleteFunc(s.batches, func(b *batch) bool { return b.created.Before(before) })
}

// Keys returns how many exposures of a nation the server has stored.
func (s *Server) Keys(nation keys.Region) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rows {
		if s.nations[r.nation].Region == nation {
			n++
		}
	}
	return n
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in := s.read(w, r)
	s.mu.Lock()
	in.N = len(s.requests) + 1
	s.requests = append(s.requests, in.Request)
	hook := s.hook
	s.mu.Unlock()
	s.perform(hook.ask(r.Context(), in.Request), w, r, in)
}

// An incoming is a request as far as it could be read.
type incoming struct {
	Request
	nation  int // -1 for nobody
	body    []byte
	tooLong bool
	broken  bool   // the body was not whole
	tag     string // of an upload
	payload string
	form    string // what is wrong with an upload's body, "" for nothing
}

// read reads the whole request, so that a hook knows what it is about.
func (s *Server) read(w http.ResponseWriter, r *http.Request) *incoming {
	in := &incoming{nation: s.caller(r.Header)}
	in.Request = Request{Route: RouteOther, Method: r.Method, Path: r.URL.Path}
	if in.nation >= 0 {
		in.Nation = s.nations[in.nation].Region
	}
	path, _ := strings.CutPrefix(r.URL.Path, s.opts.Prefix)
	if date, ok := strings.CutPrefix(path, "/download/"); ok && !strings.Contains(date, "/") {
		in.Route, in.Date, in.Tag = RouteDownload, date, r.URL.Query().Get("batchTag")
		return in
	}
	if path != "/upload" {
		return in
	}
	in.Route = RouteUpload
	if in.tooLong = r.ContentLength > s.opts.MaxUpload; in.tooLong {
		return in
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.opts.MaxUpload))
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		in.tooLong = true
		return in
	}
	in.body, in.broken = body, err != nil
	in.tag, in.payload, in.form = parseEnvelope(body)
	in.Tag = in.tag
	return in
}

// caller returns the index of the nation whose token a request has, -1 for nobody.
func (s *Server) caller(h http.Header) int {
	header := strings.TrimSpace(h.Get("Authorization"))
	scheme, token, found := strings.Cut(header, " ")
	switch {
	case !found:
		token = header // clients leave the scheme out, and servers take it
	case s.opts.Faithful && scheme != "Bearer":
		return -1
	case !strings.EqualFold(scheme, "Bearer"):
		return -1
	}
	return slices.IndexFunc(s.nations, func(n Nation) bool { return n.Token == strings.TrimSpace(token) })
}
