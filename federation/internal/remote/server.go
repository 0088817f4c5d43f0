// Package remote is a federation server as its clients see it, whatever the protocol:
// where it is, how it is asked, how much is read of what it answers, and what of
// that may be told.
//
// An answer has a limit in size and in time, redirects are not followed, and nothing
// that the server sent stands in an error but its status: servers quote in their
// messages what they were sent, and net/http quotes servers.
package remote

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gaenkit/gaen/federation"
)

// MaxAnswer is the size of the largest answer that is read where a request asks for
// no other, in bytes.
const MaxAnswer = 1 << 20

// Options are options of [New]. Errors name the fields as those of ClientOptions, by
// which names both protocols have them.
type Options struct {
	HTTPClient *http.Client  // nil is http.DefaultClient. Redirects are not followed, whatever it says
	UserAgent  string        // "" is "gaen"
	Timeout    time.Duration // of a request with its answer; required
	PlainHTTP  bool          // allows a base URL without TLS that is not of this machine

	// Credentials puts into a request's header what says who asks. Its time is the
	// request's, and its error may be shown. Nil puts nothing there.
	Credentials func(ctx context.Context, header http.Header) error
}

// A Server is one that is asked. It may be used from several goroutines at once.
type Server struct {
	protocol string
	base     string // without a slash at its end
	client   http.Client
	opts     Options
}

// New returns the server with a base URL. The name of the protocol is for errors.
func New(protocol, base string, opts *Options) (*Server, error) {
	s := &Server{protocol: protocol, opts: *opts}
	s.opts.UserAgent = cmp.Or(s.opts.UserAgent, "gaen")
	switch {
	case strings.ContainsFunc(s.opts.UserAgent, func(c rune) bool { return c < ' ' || c > '~' }):
		return nil, errors.New("ClientOptions.UserAgent: not printable ASCII")
	case s.opts.Timeout <= 0:
		return nil, fmt.Errorf("ClientOptions.Timeout: %s is not positive", s.opts.Timeout)
	}
	var err error
	if s.base, err = parseBase(base, s.opts.PlainHTTP); err != nil {
		return nil, fmt.Errorf("base URL: %w", err)
	}
	if s.opts.HTTPClient != nil {
		s.client = *s.opts.HTTPClient
	}
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return s, nil
}

// parseBase returns a base URL without the slash at its end. Errors do not quote it:
// it may hold a password.
func parseBase(base string, plain bool) (string, error) {
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return "", errors.New("not a URL")
	case u.Host == "" || u.Opaque != "":
		return "", errors.New("no host")
	case u.User != nil:
		return "", errors.New("a user in it, by which no server of the protocol goes")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", errors.New("a query or fragment in it")
	case u.Scheme != "https" && u.Scheme != "http":
		return "", errors.New("neither https nor http")
	case u.Scheme == "http" && !plain && !isLoopback(u.Hostname()):
		return "", errors.New("http shows everybody on the way what is sent; ClientOptions.PlainHTTP if that is meant")
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// String returns the base URL.
func (s *Server) String() string { return s.base }

// A Request is what a server is asked.
type Request struct {
	Op     string // as errors call it
	Method string
	Path   string            // what follows the base URL, with the query
	Header map[string]string // beside credentials and User-Agent
	Body   []byte            // nil for none
	Limit  int64             // of the body of an answer 200, in bytes; 0 is MaxAnswer
}

// Ask sends a request and reads the answer. The error is a [*federation.Error] of the
// class [federation.ErrUnavailable]; what was asked may have happened.
func (s *Server) Ask(ctx context.Context, r *Request) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	a := &Answer{protocol: s.protocol, op: r.Op}
	req, err := s.request(ctx, r)
	if err != nil {
		return nil, a.Failure(federation.ErrUnavailable, err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, a.Failure(federation.ErrUnavailable, Safe(err))
	}
	defer resp.Body.Close()
	a.Status, a.Header = resp.StatusCode, resp.Header
	limit := cmp.Or(r.Limit, MaxAnswer)
	if a.Status != http.StatusOK {
		limit = min(limit, MaxAnswer)
	}
	a.Body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, a.Failure(federation.ErrUnavailable, fmt.Errorf("reading the answer: %w", Safe(err)))
	}
	if int64(len(a.Body)) > limit {
		return nil, a.Failure(federation.ErrUnavailable, fmt.Errorf("an answer of more than %d bytes", limit))
	}
	return a, nil
}

func (s *Server) request(ctx context.Context, r *Request) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, s.base+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return nil, errors.New("no request can be made of it")
	}
	if s.opts.Credentials != nil {
		if err := s.opts.Credentials(ctx, req.Header); err != nil {
			return nil, err
		}
	}
	req.Header.Set("User-Agent", s.opts.UserAgent)
	for name, value := range r.Header {
		req.Header.Set(name, value)
	}
	return req, nil
}
