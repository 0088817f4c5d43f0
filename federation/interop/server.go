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
	"sync"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/signing/jws"
	"github.com/gaenkit/gaen/storage/ledger"
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
	hub     *federation.Hub
	nations Nations
	tokens  Tokens
	opts    ServerOptions

	mu   sync.Mutex
	busy map[ledger.Source]int // requests being worked on
}

var _ http.Handler = (*Server)(nil)

// NewServer returns a server. The error names the argument or the field.
func NewServer(hub *federation.Hub, nations Nations, tokens Tokens, opts *ServerOptions) (*Server, error) {
	s := &Server{hub: hub, nations: nations, tokens: tokens, busy: map[ledger.Source]int{}}
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
	return &http.Server{
		Addr:              addr,
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       2 * time.Minute,
		WriteTimeout:      4 * time.Minute, // counted from the end of the headers
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	name, rest := s.route(r.URL.Path)
	var answer *reply
	var err error
	m := &Member{}
	switch name {
	case opUpload, opDownload:
		if m, err = s.authenticate(r); err != nil {
			break
		}
		if err = s.enter(m); err != nil {
			break
		}
		defer s.leave(m)
		if name == opUpload {
			answer, err = s.upload(w, r, m)
		} else {
			answer, err = s.download(r, m, rest)
		}
	default:
		err = refuse(http.StatusNotFound, "no such resource")
	}
	if err != nil {
		answer = s.refused(r, name, m, err)
		hurry(w)
	}
	answer.write(w)
}

// refusedBody is for how long the rest of a request that was refused may take to
// come. net/http reads some of it before it answers, so that the connection can be
// used again, and would wait as long as for one that is granted: whoever is not
// known could hold connections by saying nothing.
const refusedBody = time.Second

// hurry bounds what is still read of a request.
func hurry(w http.ResponseWriter) {
	http.NewResponseController(w).SetReadDeadline(time.Now().Add(refusedBody)) // if it cannot, the server's own limit holds
}

// route returns which of the two resources a path names, and for a download what
// follows it.
func (s *Server) route(path string) (name, rest string) {
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

// authenticate returns who calls. It comes before everything that looks at the
// request, so that nobody else learns what would be said of it.
func (s *Server) authenticate(r *http.Request) (*Member, error) {
	token, ok := bearer(r.Header.Values("Authorization"))
	if !ok {
		return nil, refuse(http.StatusUnauthorized, "Unauthorized")
	}
	claims, err := s.tokens.Verify(r.Context(), token)
	switch {
	case errors.Is(err, jws.ReasonUnavailable):
		return nil, unable(err)
	case err != nil:
		return nil, refuse(http.StatusUnauthorized, "Unauthorized").because(err)
	}
	m, err := s.nations.Member(r.Context(), claims.Nation)
	switch {
	case errors.Is(err, ErrUnknownNation):
		return nil, refuse(http.StatusUnauthorized, "Unauthorized").because(fmt.Errorf("token of %s: %w", claims.Nation, err))
	case err != nil:
		return nil, unable(err)
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

// enter counts a request of a nation, if it has not too many already: what one
// costs in memory is bounded, and so is what one nation can take from the others.
func (s *Server) enter(m *Member) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[m.Name] >= s.opts.Parallel {
		e := refuse(http.StatusTooManyRequests, fmt.Sprintf("at most %d requests at the same time", s.opts.Parallel))
		e.retryAfter = time.Second
		return e
	}
	s.busy[m.Name]++
	return nil
}

func (s *Server) leave(m *Member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[m.Name]--; s.busy[m.Name] == 0 {
		delete(s.busy, m.Name)
	}
}

// refused logs why a request is not granted, and returns what it is told.
func (s *Server) refused(r *http.Request, name string, m *Member, err error) *reply {
	e, ok := errors.AsType[*refusal](err)
	if !ok {
		e = unable(err)
	}
	level := slog.LevelWarn
	if e.status >= 500 && r.Context().Err() == nil {
		level = slog.LevelError
	}
	attrs := []slog.Attr{slog.Int("status", e.status), slog.String("reason", e.message)}
	if name != "" {
		attrs = append(attrs, slog.String("op", name))
	}
	if m != nil && m.Name != "" {
		attrs = append(attrs, slog.String("nation", string(m.Name)))
	}
	if e.cause != nil {
		attrs = append(attrs, slog.Any("cause", e.cause))
	}
	s.opts.Logger.LogAttrs(r.Context(), level, "interop: not granted", attrs...)
	return e.reply()
}
