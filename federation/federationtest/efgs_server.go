package federationtest

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gaenkit/gaen/internal/efgspb"
)

// The routes of requests to an [EFGSServer], beside [RouteDownload], [RouteUpload]
// and [RouteOther].
const (
	RouteAudit    = "audit"
	RouteCallback = "callback"
)

// Headers of the European gateway.
const (
	// HeaderThumbprint and HeaderDN are those by which a load balancer tells the
	// gateway whose client certificate it has seen. Tests set them themselves.
	HeaderThumbprint = "X-SSL-Client-SHA256"
	HeaderDN         = "X-SSL-Client-DN"

	headerBatchTag  = "batchTag"
	headerNext      = "nextBatchTag"
	headerSignature = "batchSignature"
)

// An EFGSNation is a country as the European gateway knows it.
type EFGSNation struct {
	Country    string // "DE"
	Thumbprint string // of its authentication certificate: SHA-256 in hexadecimal

	// What audits say of it. The gateway only hands them on.
	UploaderCertificate, UploaderOperatorSignature                             string
	SigningCertificate, SigningThumbprint, SigningCertificateOperatorSignature string
}

// Header returns what a load balancer would send for the nation.
func (n *EFGSNation) Header() http.Header {
	h := http.Header{}
	h.Set(HeaderThumbprint, n.Thumbprint)
	h.Set(HeaderDN, "CN=test,C="+n.Country)
	return h
}

// EFGSOptions are options of [NewEFGSServer].
type EFGSOptions struct {
	// Hook decides what becomes of each request; see [EFGSServer.SetHook].
	Hook Hook

	// Verify decides whether the signature of an upload is good. Nil takes any that
	// is there.
	Verify func(country string, content []byte, signature string) error

	Clock func() time.Time // nil is time.Now

	// Call calls a subscription for a batch, in the order of batches. Nil calls
	// nobody.
	Call func(url, batchTag, date string)

	// Networks may be called although they are not of the public internet.
	Networks []netip.Prefix

	MaxAge  int           // days before today of which batches can be had; 0 is 2
	KeyAge  time.Duration // of the oldest key that is taken, before today; 0 is 15 days
	MaxKeys int           // of an upload and of a batch; 0 is 5000

	MaxUpload int64 // bytes of a body; 0 is 64 MiB
}

// An EFGSServer is the European federation gateway as it was read from its code,
// rule by rule and in its order, that keeps everything in memory and misbehaves where
// it is told to. It is an [http.Handler]. It shares no code with package efgs: it
// encodes with protobuf's generated code, and signs by its own.
//
// Uploads become batches when [EFGSServer.Assemble] is called, which the real one
// does every 300 s.
type EFGSServer struct {
	opts    EFGSOptions
	nations []EFGSNation

	mu       sync.Mutex
	hook     Hook
	requests []Request
	uploads  []*efgsUpload // stored
	digests  map[[32]byte]bool
	batches  []*efgsBatch
	fails    func(key *efgspb.DiagnosisKey) bool
	refuses  func(key *efgspb.DiagnosisKey) bool
	calls    map[string][]efgsSubscription // by country
	answers  map[int]int                   // how many there were of each status
}

var _ http.Handler = (*EFGSServer)(nil)

type efgsUpload struct {
	nation    int
	tag       string
	signature string
	created   time.Time
	keys      []*efgspb.DiagnosisKey
	batch     *efgsBatch // nil until it is in one
}

type efgsBatch struct {
	tag     string
	created time.Time
	uploads []*efgsUpload
	cleaned bool
}

type efgsSubscription struct {
	ID  string `json:"callbackId"`
	URL string `json:"url"`
}

// NewEFGSServer returns a gateway for these nations.
func NewEFGSServer(nations []EFGSNation, opts *EFGSOptions) (*EFGSServer, error) {
	s := &EFGSServer{nations: slices.Clone(nations), digests: map[[32]byte]bool{}, calls: map[string][]efgsSubscription{}, answers: map[int]int{}}
	if opts != nil {
		s.opts = *opts
	}
	s.opts.MaxAge = cmp.Or(s.opts.MaxAge, 2)
	s.opts.KeyAge = cmp.Or(s.opts.KeyAge, 15*24*time.Hour)
	s.opts.MaxKeys = cmp.Or(s.opts.MaxKeys, MaxEFGSKeys)
	s.opts.MaxUpload = cmp.Or(s.opts.MaxUpload, maxEFGSBody)
	if s.opts.Clock == nil {
		s.opts.Clock = time.Now
	}
	if s.opts.Verify == nil {
		s.opts.Verify = func(_ string, _ []byte, signature string) error {
			if signature == "" {
				return errors.New("no signature")
			}
			return nil
		}
	}
	for i, n := range nations {
		if len(n.Country) != 2 || len(n.Thumbprint) != 64 {
			return nil, fmt.Errorf("federationtest: nations[%d]: country %q with a thumbprint of %d digits", i, n.Country, len(n.Thumbprint))
		}
	}
	s.hook = s.opts.Hook
	return s, nil
}

// SetHook has another hook asked from the next request on, which is number 1 to it.
func (s *EFGSServer) SetHook(hook Hook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = On(hook, RouteDownload, RouteUpload, RouteAudit, RouteCallback, RouteOther)
}

// Refuse has uploads answered 400 as a whole that hold a key of which refuses
// reports true, and 207 in which those are under 500 of which fails does. Nil is
// none.
func (s *EFGSServer) Refuse(refuses, fails func(key []byte) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuses, s.fails = nil, nil
	if refuses != nil {
		s.refuses = func(k *efgspb.DiagnosisKey) bool { return refuses(k.GetKeyData()) }
	}
	if fails != nil {
		s.fails = func(k *efgspb.DiagnosisKey) bool { return fails(k.GetKeyData()) }
	}
}

// Requests returns the requests so far, in order.
func (s *EFGSServer) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Answers returns how often each status was answered, lost answers included.
func (s *EFGSServer) Answers() map[int]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.answers)
}

// Keys returns the report types with which each key of a country was stored, in
// order, by its key data, and in how many uploads.
func (s *EFGSServer) Keys(country string) (reports map[string][]int32, uploads int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reports = map[string][]int32{}
	for _, u := range s.uploads {
		if s.nations[u.nation].Country != country {
			continue
		}
		uploads++
		for _, k := range u.keys {
			data := string(k.GetKeyData())
			reports[data] = append(reports[data], int32(k.GetReportType()))
		}
	}
	return reports, uploads
}

// mayCall reports whether a host may be called: names are not looked up here.
func (s *EFGSServer) mayCall(host string) bool {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host != "localhost" && strings.ContainsFunc(host, func(c rune) bool { return c < '0' || c > '9' })
	}
	ip = ip.Unmap()
	public := ip.IsGlobalUnicast() && !ip.IsPrivate() && !netip.MustParsePrefix("100.64.0.0/10").Contains(ip)
	return public || slices.ContainsFunc(s.opts.Networks, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// Assemble makes batches of the uploads since the last were made: of whole ones, in
// their order, as many as go into a batch. It returns their tags, when everybody who
// has subscribed was called.
func (s *EFGSServer) Assemble() (tags []string) {
	tags, date, targets := s.assemble()
	for _, target := range targets {
		for _, tag := range tags {
			s.opts.Call(target, tag, date)
		}
	}
	return tags
}

func (s *EFGSServer) assemble() (tags []string, date string, targets []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.opts.Clock().UTC()
	var b *efgsBatch
	size := 0
	for _, u := range s.uploads {
		if u.batch != nil {
			continue
		}
		if b == nil || size+len(u.keys) > s.opts.MaxKeys {
			b = &efgsBatch{tag: s.nextTag(now), created: now}
			s.batches, tags, size = append(s.batches, b), append(tags, b.tag), 0
		}
		b.uploads, u.batch = append(b.uploads, u), b
		size += len(u.keys)
	}
	if s.opts.Call != nil {
		for _, list := range s.calls {
			for _, c := range list {
				targets = append(targets, c.URL)
			}
		}
	}
	return tags, now.Format(time.DateOnly), targets
}

// nextTag returns the tag of the next batch. The lock is held.
func (s *EFGSServer) nextTag(now time.Time) string {
	n := 1
	for _, b := range s.batches {
		if sameDay(b.created, now) {
			n++
		}
	}
	return fmt.Sprintf("%s-%d", now.Format("20060102"), n)
}

func sameDay(a, b time.Time) bool { return a.Format(time.DateOnly) == b.Format(time.DateOnly) }

// Clean removes the keys of the batches that were made before a time, as the real
// one does every night. The batches stay, and are empty.
func (s *EFGSServer) Clean(before time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.batches {
		b.cleaned = b.cleaned || b.created.Before(before)
	}
}

// Forget has the gateway know none of its batches, and no subscription, as after
// its database was lost.
func (s *EFGSServer) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches, s.calls = nil, map[string][]efgsSubscription{}
	for _, u := range s.uploads {
		u.batch = &efgsBatch{} // it is in none that there is
	}
}

// An efgsReply is what a request is answered.
type efgsReply struct {
	status int
	header http.Header
	body   []byte
}

func efgsMessage(status int, message string) *efgsReply {
	return &efgsReply{status: status, header: http.Header{"Content-Type": {"application/json"}}, body: marshal(map[string]string{"message": message})}
}

// ServeHTTP implements [http.Handler].
func (s *EFGSServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in, err := s.read(w, r)
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		s.send(w, efgsMessage(http.StatusRequestEntityTooLarge, "Payload to large"))
		return
	}
	if err != nil {
		return // the caller is gone
	}
	s.mu.Lock()
	in.N = len(s.requests) + 1
	s.requests = append(s.requests, in.Request)
	hook := s.hook
	s.mu.Unlock()
	s.perform(hook.ask(r.Context(), in.Request), w, in)
}

// An efgsIncoming is a request that was read.
type efgsIncoming struct {
	Request
	nation int // whose it is
	denied *efgsReply
	http   *http.Request
	rest   []string // of the path, after the route
	body   []byte
}

// maxEFGSBody is more than any test uploads.
const maxEFGSBody = 64 << 20

func (s *EFGSServer) read(w http.ResponseWriter, r *http.Request) (*efgsIncoming, error) {
	in := &efgsIncoming{http: r, nation: -1}
	in.Request = Request{Route: RouteOther, Method: r.Method, Path: r.URL.Path, Tag: r.Header.Get(headerBatchTag)}
	var err error
	if in.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, s.opts.MaxUpload)); err != nil {
		return nil, err
	}
	in.nation, in.denied = s.caller(r.Header)
	path, ours := strings.CutPrefix(r.URL.Path, "/diagnosiskeys/")
	if !ours {
		return in, nil
	}
	parts := strings.Split(path, "/")
	switch {
	case parts[0] == "upload" && len(parts) == 1:
		in.Route = RouteUpload
	case parts[0] == "download" && len(parts) == 2:
		in.Route, in.Date = RouteDownload, parts[1]
	case parts[0] == "audit" && len(parts) == 4 && parts[1] == "download":
		in.Route, in.Date, in.Tag = RouteAudit, parts[2], parts[3]
	case parts[0] == "callback":
		in.Route, in.rest = RouteCallback, parts[1:]
	}
	return in, nil
}

// caller returns whose certificate a request was sent with.
func (s *EFGSServer) caller(h http.Header) (int, *efgsReply) {
	dn, err := url.QueryUnescape(h.Get(HeaderDN))
	if err != nil {
		return -1, efgsMessage(http.StatusBadRequest, "no distinguished name")
	}
	country := ""
	for part := range strings.SplitSeq(dn, ",") {
		if name, value, _ := strings.Cut(part, "="); strings.EqualFold(strings.TrimSpace(name), "C") {
			country = strings.TrimSpace(value)
		}
	}
	if country == "" {
		return -1, efgsMessage(http.StatusBadRequest, "no C in the distinguished name")
	}
	for i, n := range s.nations {
		if n.Country == country && strings.EqualFold(n.Thumbprint, efgsThumbprint(h.Get(HeaderThumbprint))) {
			return i, nil
		}
	}
	return -1, efgsMessage(http.StatusForbidden, "unknown certificate")
}

// efgsThumbprint returns a thumbprint in hexadecimal, as which or in base64 a load
// balancer may have sent it.
func efgsThumbprint(text string) string {
	if len(text) == 64 {
		return text
	}
	if strings.Contains(text, "%") {
		text, _ = url.QueryUnescape(text)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(raw)
}

// answer does what a request asks for.
func (s *EFGSServer) answer(in *efgsIncoming) *efgsReply {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.rightAnswer(in)
	s.answers[a.status]++
	return a
}

func (s *EFGSServer) rightAnswer(in *efgsIncoming) *efgsReply {
	if in.denied != nil {
		return in.denied
	}
	switch in.Route {
	case RouteUpload:
		return s.upload(in)
	case RouteDownload:
		return s.download(in)
	case RouteAudit:
		return s.audit(in)
	case RouteCallback:
		return s.callback(in)
	}
	return efgsMessage(http.StatusNotFound, "no such path")
}

// efgsFormat reads a media type: which format it is, or the status to refuse it by.
func efgsFormat(header string, none, unknown, version int) (asJSON bool, status int) {
	if header == "" {
		return false, none
	}
	name, params, err := mime.ParseMediaType(header)
	switch {
	case err != nil || name != "application/protobuf" && name != "application/json", params["version"] == "":
		return false, unknown
	case params["version"] != "1.0":
		return false, version
	}
	return name == "application/json", 0
}

// callback answers for subscriptions.
func (s *EFGSServer) callback(in *efgsIncoming) *efgsReply {
	country := s.nations[in.nation].Country
	have := s.calls[country]
	named := func(c efgsSubscription) bool { return len(in.rest) == 1 && c.ID == in.rest[0] }
	switch {
	case in.Method == http.MethodGet && len(in.rest) == 0:
		if have == nil {
			have = []efgsSubscription{}
		}
		body, _ := json.Marshal(have)
		return &efgsReply{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: body}
	case in.Method == http.MethodPut && len(in.rest) == 1:
		target := in.http.URL.Query().Get("url")
		if u, err := url.Parse(target); err != nil || u.Scheme != "https" || u.RawQuery != "" || u.User != nil || !s.mayCall(u.Hostname()) {
			return efgsMessage(http.StatusBadRequest, "URL")
		}
		s.calls[country] = append(slices.DeleteFunc(have, named), efgsSubscription{in.rest[0], target})
		return &efgsReply{status: http.StatusOK}
	case in.Method == http.MethodDelete && slices.ContainsFunc(have, named):
		s.calls[country] = slices.DeleteFunc(have, named)
		return &efgsReply{status: http.StatusOK}
	}
	return efgsMessage(http.StatusNotFound, "no such subscription")
}
