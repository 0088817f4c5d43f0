package efgs

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/service"
	"github.com/gaenkit/gaen/signing/cms"
)

const (
	// DefaultMaxUpload is the size of the largest request body that a [Server] reads,
	// where its options do not say otherwise: 5,000 keys are some 300 kB of protobuf,
	// and 1 MB of JSON.
	DefaultMaxUpload = 4 << 20

	// DefaultMaxAge is how many days before today a [Server] hands batches out of, as
	// the gateway did.
	DefaultMaxAge = 2

	// DefaultParallel is how many requests of one nation a [Server] works on at the
	// same time. Clients of the field make one.
	DefaultParallel = 4
)

// ServerOptions are options of [NewServer]. The zero value is a gateway whose
// clients reach it by TLS, with nothing in between, and that calls nobody back.
type ServerOptions struct {
	// Balancers are the addresses of load balancers that end TLS and tell by two
	// headers whose certificate they have seen. From anywhere else these headers
	// count for nothing. A balancer must set them itself, whatever a client sent.
	Balancers []netip.Prefix

	// Headers of balancers: SHA-256 of the client's certificate, in hexadecimal or
	// base64, and its subject as RFC 2253 writes it. "" is X-SSL-Client-SHA256 and
	// X-SSL-Client-DN.
	ThumbprintHeader, DNHeader string

	// Anchor is the certificate of the gateway's operator, who has to have signed
	// every certificate that is used, in the list's entry of it. Nil leaves that to
	// the list.
	Anchor *x509.Certificate

	// Verifier checks the signatures of uploads. Nil is a [cms.Verifier] of the list.
	Verifier Verifier

	// Callbacks keeps the subscriptions of nations. Nil answers 404 to them.
	Callbacks *Callbacks

	// Granted, if set, is told of every upload and download that was answered, and
	// has to be quick.
	Granted func(*Exchange)

	MaxUpload int64            // bytes of a request's body; 0 is [DefaultMaxUpload]
	MaxAge    int              // days; 0 is [DefaultMaxAge]
	Parallel  int              // requests of one nation at the same time; 0 is [DefaultParallel]
	Clock     func() time.Time // by which certificates, keys and days are judged: that of the ledger; nil is time.Now

	// Logger is told of every upload, and of every request that was not granted,
	// with the country if it is known. Nil discards.
	Logger *slog.Logger
}

// A Server is the gateway: it speaks the protocol for a hub. It is an
// [http.Handler], for the paths that begin with "/diagnosiskeys/". What makes
// batches of the uploads is [federation.Hub.Release], every five minutes.
type Server struct {
	hub       *federation.Hub
	nations   Nations
	list      cms.Certificates
	opts      ServerOptions
	turnstile *service.Turnstile
}

var _ http.Handler = (*Server)(nil)

// NewServer returns the gateway over a hub, for nations that are known by the
// certificates in a list: for authentication, and to sign their uploads. The error
// names the argument or the field.
func NewServer(hub *federation.Hub, nations Nations, list cms.Certificates, opts *ServerOptions) (*Server, error) {
	s := &Server{hub: hub, nations: nations, list: list}
	if opts != nil {
		s.opts = *opts
	}
	switch {
	case hub == nil:
		return nil, errors.New("efgs: hub is nil")
	case nations == nil:
		return nil, errors.New("efgs: nations is nil")
	case list == nil:
		return nil, errors.New("efgs: list is nil")
	}
	if s.opts.Verifier == nil {
		v, err := cms.NewVerifier(list, nil)
		if err != nil {
			return nil, fmt.Errorf("efgs: list: %w", err)
		}
		s.opts.Verifier = v
	}
	if err := s.opts.complete(); err != nil {
		return nil, fmt.Errorf("efgs: %w", err)
	}
	s.turnstile = service.NewTurnstile(s.opts.Parallel)
	return s, nil
}

func (o *ServerOptions) complete() error {
	o.Balancers = slices.Clone(o.Balancers)
	o.ThumbprintHeader = cmp.Or(o.ThumbprintHeader, "X-SSL-Client-SHA256")
	o.DNHeader = cmp.Or(o.DNHeader, "X-SSL-Client-DN")
	o.MaxUpload = cmp.Or(o.MaxUpload, DefaultMaxUpload)
	o.MaxAge = cmp.Or(o.MaxAge, DefaultMaxAge)
	o.Parallel = cmp.Or(o.Parallel, DefaultParallel)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	for i, p := range o.Balancers {
		if !p.IsValid() || p.Bits() == 0 {
			return fmt.Errorf("ServerOptions.Balancers[%d]: not a network, or the whole of the internet", i)
		}
	}
	switch {
	case o.MaxUpload < 0:
		return fmt.Errorf("ServerOptions.MaxUpload: %d is negative", o.MaxUpload)
	case o.MaxAge < 0:
		return fmt.Errorf("ServerOptions.MaxAge: %d is negative", o.MaxAge)
	case o.Parallel < 0:
		return fmt.Errorf("ServerOptions.Parallel: %d is negative", o.Parallel)
	case strings.EqualFold(o.ThumbprintHeader, o.DNHeader):
		return errors.New("ServerOptions.DNHeader: the same as ThumbprintHeader")
	}
	return nil
}

// NewHTTPServer returns a server with limits for clients that are slow or send too
// much: 10 s for headers of 64 KiB, of which a signature can be half, 2 min for a
// request, 2 min for its answer. The caller adds TLS ([Certificate.ServerTLS]), and
// ends it with Shutdown.
func NewHTTPServer(addr string, h http.Handler) *http.Server {
	return service.NewHTTPServer(addr, h, 64<<10)
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	op, rest := route(r.URL.Path)
	c, answer, err := s.serve(w, r, op, rest)
	if err != nil {
		answer = told(s.refused(r, op, c, err))
	}
	answer.Write(w)
}

// serve does what a request asks for. Who it is comes before everything that looks
// at the request, so that nobody else learns what would be said of it.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, op string, rest []string) (*caller, *service.Reply, error) {
	if op == "" || op == opCallback && s.opts.Callbacks == nil {
		return nil, nil, service.Refuse(http.StatusNotFound, "no such resource")
	}
	c, err := s.authenticate(r)
	if err != nil {
		return nil, nil, err
	}
	leave, err := s.turnstile.Enter(c.nation.Name)
	if err != nil {
		return c, nil, err
	}
	defer leave()
	var answer *service.Reply
	switch op {
	case opUpload:
		answer, err = s.upload(w, r, c)
	case opDownload:
		answer, err = s.download(r, c, rest[0])
	case opAudit:
		answer, err = s.audit(r, c, rest[0], rest[1])
	case opCallback:
		answer, err = s.callback(r, c, rest)
	}
	return c, answer, err
}

// route returns which resource a path names, and its parts after that.
func route(path string) (op string, rest []string) {
	path, ok := strings.CutPrefix(path, "/diagnosiskeys/")
	parts := strings.Split(path, "/")
	switch n := len(parts); {
	case !ok:
	case parts[0] == "upload" && n == 1:
		return opUpload, nil
	case parts[0] == "download" && n == 2:
		return opDownload, parts[1:]
	case parts[0] == "audit" && n == 4 && parts[1] == "download":
		return opAudit, parts[2:]
	case parts[0] == "callback" && n <= 2:
		return opCallback, parts[1:]
	}
	return "", nil
}

// today returns the day it is.
func (s *Server) today() federation.Day { return federation.DayOf(s.opts.Clock()) }

// refused logs why a request is not granted.
func (s *Server) refused(r *http.Request, op string, c *caller, err error) *service.Refusal {
	var known []slog.Attr
	if op != "" {
		known = append(known, slog.String("op", op))
	}
	if c != nil {
		known = append(known, slog.String("country", c.country))
	}
	return service.Refused(r, err, s.opts.Logger, "efgs: not granted", known...)
}
