package interop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/service"
	"github.com/gaenkit/gaen/signing/jws"
)

const (
	// DefaultMaxUpload is the size of the largest request body that a [Server]
	// reads, where its options do not say otherwise: some 130,000 keys, and what a
	// [jws.Verifier] reads. The interoperability service reads 100 MiB; no client is
	// known that sends more than 2.
	DefaultMaxUpload = jws.DefaultMaxText

	// DefaultParallel is how many requests of one nation a [Server] works on at the
	// same time. Clients of the field make one.
	DefaultParallel = 4
)

// Tokens verify bearer tokens. [*jws.Tokens] are some; a server whose tokens are
// rotated while it runs gives its own, which pass calls on to the present ones.
type Tokens interface {
	// Verify must return what a token says that is good now. Errors are taken as
	// those of [*jws.Tokens].
	Verify(ctx context.Context, token string) (jws.Claims, error)
}

// ServerOptions are options of [NewServer]. The zero value serves every client
// there is.
type ServerOptions struct {
	// Prefixes are what stands before "/upload" and "/download" in the paths; "" is
	// nothing. None means both that are in use: "" and "/diagnosiskeys".
	Prefixes []string

	MaxUpload int64 // bytes of a request's body; 0 is [DefaultMaxUpload]
	MaxKeys   int   // of an upload, good or bad; 0 is [DefaultMaxKeys]
	Parallel  int   // requests of one nation at the same time; 0 is [DefaultParallel]

	// Logger is told of every upload, and of every request that was not granted,
	// with the nation if it is known. Nil discards.
	Logger *slog.Logger

	// Granted is called for every request that was granted, before it is answered;
	// the answer waits for it. Nil is nobody.
	Granted func(*Exchange)
}

// A Server speaks the protocol for a hub. It is an [http.Handler]; see
// [NewHTTPServer] for the limits that must be around it.
type Server struct {
	hub       *federation.Hub
	nations   Nations
	tokens    Tokens
	opts      ServerOptions
	turnstile *service.Turnstile
}

var _ http.Handler = (*Server)(nil)

// NewServer returns a server. The error names the argument or the field.
func NewServer(hub *federation.Hub, nations Nations, tokens Tokens, opts *ServerOptions) (*Server, error) {
	s := &Server{hub: hub, nations: nations, tokens: tokens}
	if opts != nil {
		s.opts = *opts
	}
	switch {
	case hub == nil:
		return nil, errors.New("interop: hub is nil")
	case nations == nil:
		return nil, errors.New("interop: nations is nil")
	case tokens == nil:
		return nil, errors.New("interop: tokens is nil")
	}
	if err := s.opts.complete(); err != nil {
		return nil, fmt.Errorf("interop: %w", err)
	}
	s.turnstile = service.NewTurnstile(s.opts.Parallel)
	return s, nil
}

func (o *ServerOptions) complete() error {
	o.Prefixes = slices.Clone(o.Prefixes)
	if len(o.Prefixes) == 0 {
		o.Prefixes = []string{"", "/diagnosiskeys"}
	}
	o.MaxUpload = cmp.Or(o.MaxUpload, DefaultMaxUpload)
	o.MaxKeys = cmp.Or(o.MaxKeys, DefaultMaxKeys)
	o.Parallel = cmp.Or(o.Parallel, DefaultParallel)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	for _, p := range o.Prefixes {
		if p != "" && (!strings.HasPrefix(p, "/") || strings.HasSuffix(p, "/")) {
			return fmt.Errorf("ServerOptions.Prefixes: %q does not begin with a slash, or ends with one", p)
		}
	}
	switch {
	case o.MaxUpload < 0:
		return fmt.Errorf("ServerOptions.MaxUpload: %d is negative", o.MaxUpload)
	case o.MaxKeys < 0:
		return fmt.Errorf("ServerOptions.MaxKeys: %d is negative", o.MaxKeys)
	case o.Parallel < 0:
		return fmt.Errorf("ServerOptions.Parallel: %d is negative", o.Parallel)
	}
	return nil
}

// NewHTTPServer returns a server with limits for clients that are slow or send too
// much: 10 s for headers of 16 KiB, 2 min for a request, 2 min for its answer. The
// caller adds TLS, and ends it with Shutdown.
func NewHTTPServer(addr string, h http.Handler) *http.Server {
	return service.NewHTTPServer(addr, h, 16<<10)
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	op, day := s.route(r.URL.Path)
	m, answer, err := s.serve(w, r, op, day)
	if err != nil {
		answer = told(s.refused(r, op, m, err))
	}
	answer.Write(w)
}

// serve does what a request asks for. Who it is comes before everything that looks
// at the request, so that nobody else learns what would be said of it.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, op, day string) (*Member, *service.Reply, error) {
	if op == "" {
		return nil, nil, service.Refuse(http.StatusNotFound, "no such resource")
	}
	m, err := s.authenticate(r)
	if err != nil {
		return nil, nil, err
	}
	leave, err := s.turnstile.Enter(m.Name)
	if err != nil {
		return m, nil, err
	}
	defer leave()
	var answer *service.Reply
	switch op {
	case opUpload:
		answer, err = s.upload(w, r, m)
	case opDownload:
		answer, err = s.download(r, m, day)
	}
	return m, answer, err
}

// route returns which of the two resources a path names, and for a download what
// follows it.
func (s *Server) route(path string) (op, day string) {
	for _, p := range s.opts.Prefixes {
		after, ok := strings.CutPrefix(path, p)
		if !ok {
			continue
		}
		if after == "/upload" {
			return opUpload, ""
		}
		if day, ok := strings.CutPrefix(after, "/download/"); ok && !strings.Contains(day, "/") {
			return opDownload, day
		}
	}
	return "", ""
}

// authenticate returns who calls.
func (s *Server) authenticate(r *http.Request) (*Member, error) {
	token, ok := bearer(r.Header.Values("Authorization"))
	if !ok {
		return nil, service.Refuse(http.StatusUnauthorized, "Unauthorized")
	}
	claims, err := s.tokens.Verify(r.Context(), token)
	switch {
	case errors.Is(err, jws.ReasonUnavailable):
		return nil, service.Unable(err)
	case err != nil:
		return nil, service.Refuse(http.StatusUnauthorized, "Unauthorized").Because(err)
	}
	m, err := s.nations.Member(r.Context(), claims.Nation)
	switch {
	case errors.Is(err, ErrUnknownNation):
		return nil, service.Refuse(http.StatusUnauthorized, "Unauthorized").Because(fmt.Errorf("token of %s: %w", claims.Nation, err))
	case err != nil:
		return nil, service.Unable(err)
	}
	return m, nil
}

// bearer returns the token in a request. Clients leave the scheme out or write it
// small, which RFC 9110, 11.1, allows.
func bearer(headers []string) (token string, ok bool) {
	if len(headers) != 1 {
		return "", false
	}
	header := strings.TrimSpace(headers[0])
	if scheme, rest, found := strings.Cut(header, " "); found {
		if !strings.EqualFold(scheme, "Bearer") {
			return "", false
		}
		header = strings.TrimSpace(rest)
	}
	return header, header != ""
}

// refused logs why a request is not granted.
func (s *Server) refused(r *http.Request, op string, m *Member, err error) *service.Refusal {
	var known []slog.Attr
	if op != "" {
		known = append(known, slog.String("op", op))
	}
	if m != nil {
		known = append(known, slog.String("nation", string(m.Name)))
	}
	return service.Refused(r, err, s.opts.Logger, "interop: not granted", known...)
}
