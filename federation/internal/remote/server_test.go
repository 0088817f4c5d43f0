package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
)

func TestNew(t *testing.T) {
	const minute = time.Minute
	for _, tt := range []struct {
		name, base string
		opts       Options
		want       string // in the error; "" for none
	}{
		{"a host", "https://h", Options{Timeout: minute}, ""},
		{"a path", "https://h/a/b/", Options{Timeout: minute}, ""},
		{"this machine", "http://127.0.0.1:1/", Options{Timeout: minute}, ""},
		{"this machine by IPv6", "http://[::1]", Options{Timeout: minute}, ""},
		{"this machine by name", "http://localhost/x/", Options{Timeout: minute}, ""},
		{"in the clear, and meant", "http://h", Options{Timeout: minute, PlainHTTP: true}, ""},

		{"in the clear", "http://h", Options{Timeout: minute}, "ClientOptions.PlainHTTP"},
		{"in the clear, like this machine", "http://localhost.h", Options{Timeout: minute}, "ClientOptions.PlainHTTP"},
		{"no URL", "://", Options{Timeout: minute}, "base URL: not a URL"},
		{"nothing", "", Options{Timeout: minute}, "base URL: no host"},
		{"no scheme", "h/x", Options{Timeout: minute}, "base URL: no host"},
		{"no host", "https:///x", Options{Timeout: minute}, "base URL: no host"},
		{"opaque", "https:h", Options{Timeout: minute}, "base URL: no host"},
		{"a user", "https://u:geheim@h", Options{Timeout: minute}, "base URL: a user"},
		{"a query", "https://h?a=geheim", Options{Timeout: minute}, "base URL: a query"},
		{"an empty query", "https://h?", Options{Timeout: minute}, "base URL: a query"},
		{"a fragment", "https://h#geheim", Options{Timeout: minute}, "base URL: a query or fragment"},
		{"another scheme", "ftp://h", Options{Timeout: minute}, "base URL: neither"},
		{"a header as user agent", "https://h", Options{Timeout: minute, UserAgent: "a\r\nb"}, "ClientOptions.UserAgent"},
		{"a user agent that is not ASCII", "https://h", Options{Timeout: minute, UserAgent: "ä"}, "ClientOptions.UserAgent"},
		{"a negative timeout", "https://h", Options{Timeout: -1}, "ClientOptions.Timeout"},
		{"no timeout", "https://h", Options{}, "ClientOptions.Timeout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := New("p", tt.base, &tt.opts)
			if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "geheim")) {
				t.Errorf("got %v, want it to say %q", err, tt.want)
			}
			if err == nil && s.String() != strings.TrimSuffix(tt.base, "/") {
				t.Errorf("got %s", s)
			}
		})
	}
}

// start returns a handler as a server that is asked.
func start(t *testing.T, h http.HandlerFunc, opts Options) *Server {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	if opts.Timeout == 0 {
		opts.Timeout = 20 * time.Second
	}
	s, err := New("p", server.URL+"/base/", &opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// checkFailure checks that an error is ours, and returns it.
func checkFailure(t *testing.T, err error, status int) *federation.Error {
	t.Helper()
	e, ok := errors.AsType[*federation.Error](err)
	if !ok || e.Class != federation.ErrUnavailable || e.Protocol != "p" || e.Op != "ask" || e.Status != status {
		t.Fatalf("got %#v", err)
	}
	return e
}

// TestAsSent: what is asked is what the server reads.
func TestAsSent(t *testing.T) {
	var got *http.Request
	var body string
	h := func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		got, body = r, string(b)
		w.Header().Set("X-Says", "this")
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, "short")
	}
	s := start(t, h, Options{Credentials: func(ctx context.Context, header http.Header) error {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("credentials have all the time there is")
		}
		header.Set("Authorization", "me")
		header.Set("X-Own", "credentials")
		header.Set("User-Agent", "credentials")
		return nil
	}})
	a, err := s.Ask(t.Context(), &Request{
		Op: "ask", Method: "PUT", Path: "/x?a=b", Body: []byte("content"), Header: map[string]string{"X-Own": "request", "Accept": "text/plain"},
	})
	if err != nil || a.Status != http.StatusTeapot || a.Header.Get("X-Says") != "this" || string(a.Body) != "short" {
		t.Fatalf("got %+v, %v", a, err)
	}
	if got.Method != "PUT" || got.RequestURI != "/base/x?a=b" || body != "content" || got.ContentLength != 7 {
		t.Errorf("%s %s with %q", got.Method, got.RequestURI, body)
	}
	for name, want := range map[string]string{"Authorization": "me", "X-Own": "request", "Accept": "text/plain", "User-Agent": "gaen"} {
		if v := got.Header.Values(name); len(v) != 1 || v[0] != want {
			t.Errorf("%s: got %q, want %q", name, v, want)
		}
	}
	s = start(t, h, Options{UserAgent: "team/1"})
	if _, err := s.Ask(t.Context(), &Request{Op: "ask", Method: "GET", Path: "/"}); err != nil {
		t.Fatal(err)
	}
	if body != "" || got.ContentLength != 0 || len(got.TransferEncoding) != 0 || got.UserAgent() != "team/1" {
		t.Errorf("without a body: %d bytes of %q, %v, by %s", got.ContentLength, body, got.TransferEncoding, got.UserAgent())
	}
}

// TestLimits: how much is read is not the server's to choose, and of an error it is
// never more than MaxAnswer.
func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		name          string
		status, bytes int
		limit         int64
		ok            bool
	}{
		{"as much as asked for", 200, 1000, 1000, true},
		{"one more", 200, 1001, 1000, false},
		{"more than usual, and asked for", 200, 2 * MaxAnswer, 2 * MaxAnswer, true},
		{"as much as usual", 200, MaxAnswer, 0, true},
		{"more than usual", 200, MaxAnswer + 1, 0, false},
		{"of an error, as much as usual", 500, MaxAnswer, 2 * MaxAnswer, true},
		{"of an error, more than usual", 500, MaxAnswer + 1, 2 * MaxAnswer, false},
		{"of an error, more than asked for", 500, 1001, 1000, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(tt.status)
				w.Write(make([]byte, tt.bytes))
			}, Options{})
			a, err := s.Ask(t.Context(), &Request{Op: "ask", Method: "GET", Path: "/", Limit: tt.limit})
			if !tt.ok {
				checkFailure(t, err, tt.status)
				return
			}
			if err != nil || a.Status != tt.status || len(a.Body) != tt.bytes {
				t.Errorf("got %d bytes, %v", len(a.Body), err)
			}
		})
	}
}

// TestRedirects are answers like any others: credentials are for one server.
func TestRedirects(t *testing.T) {
	theirs := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
	asked := 0
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}, Options{HTTPClient: theirs})
	a, err := s.Ask(t.Context(), &Request{Op: "ask", Method: "GET", Path: "/"})
	if err != nil || a.Status != http.StatusTemporaryRedirect || asked != 1 {
		t.Errorf("got %+v, %v after %d requests", a, err, asked)
	}
	if err := theirs.CheckRedirect(nil, nil); err != nil {
		t.Error("the caller's client was changed")
	}
}

// transport answers as a function says.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestDeadline: a request, with its answer, has no more time than the options give it,
// whatever its caller would wait for.
func TestDeadline(t *testing.T) {
	var left time.Duration
	ask := transport(func(r *http.Request) (*http.Response, error) {
		until, ok := r.Context().Deadline()
		if !ok {
			t.Error("no deadline")
		}
		left = time.Until(until)
		return nil, errors.New("no answer")
	})
	s, err := New("p", "https://h", &Options{Timeout: time.Minute, HTTPClient: &http.Client{Transport: ask}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Ask(t.Context(), &Request{Op: "ask", Method: "GET", Path: "/"})
	if checkFailure(t, err, 0); left > time.Minute {
		t.Errorf("%s left of a minute", left)
	}
}

// TestNoAnswer has what can come in the place of one. Nothing of it is told.
func TestNoAnswer(t *testing.T) {
	sends := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			io.WriteString(c, text)
			c.Close()
		}
	}
	refused := errors.New("vault is sealed")
	stall := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for _, tt := range []struct {
		name   string
		h      http.HandlerFunc
		opts   Options
		ask    Request
		status int
		want   error // in the chain; nil for any
	}{
		{"nothing", sends(""), Options{}, Request{}, 0, io.EOF},
		{"no HTTP", sends("geheim\r\n\r\n"), Options{}, Request{}, 0, nil},
		{"half a body", sends("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ngeheim"), Options{}, Request{}, 200, io.ErrUnexpectedEOF},
		{"a bad chunk", sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ngeheim\r\n"), Options{}, Request{}, 200, nil},
		{"a bad trailer", sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n0\r\ngeheim\r\n\r\n"), Options{}, Request{}, 200, nil},
		{"no gzip", sends("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 6\r\n\r\ngeheim"), Options{}, Request{}, 200, nil},
		{"not in time", stall, Options{Timeout: 20 * time.Millisecond}, Request{}, 0, context.DeadlineExceeded},
		{"no credentials", stall, Options{Credentials: func(context.Context, http.Header) error { return refused }}, Request{}, 0, refused},
		{"no method", stall, Options{}, Request{Method: "a b"}, 0, nil},
		{"no path", stall, Options{}, Request{Path: "\x00"}, 0, nil},
		{"no header", stall, Options{}, Request{Header: map[string]string{"X": "geheim\n"}}, 0, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.ask.Op = "ask"
			_, err := start(t, tt.h, tt.opts).Ask(t.Context(), &tt.ask)
			e := checkFailure(t, err, tt.status)
			if tt.want != nil && !errors.Is(err, tt.want) || strings.Contains(e.Error(), "geheim") {
				t.Errorf("got %v", err)
			}
		})
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	s, err := New("p", "http://"+l.Addr().String(), &Options{Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Ask(t.Context(), &Request{Op: "ask"})
	if checkFailure(t, err, 0); !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Ask(ctx, &Request{Op: "ask"})
	if checkFailure(t, err, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestTrust: that nobody knows a certificate may be told.
func TestTrust(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	s, err := New("p", server.URL, &Options{Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Ask(t.Context(), &Request{Op: "ask"})
	if checkFailure(t, err, 0); !strings.Contains(err.Error(), "certificate signed by unknown authority") {
		t.Errorf("got %v", err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2021, 6, 2, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, "-7": 0, "7.5": 0, "x": 0,
		"999999999999":                  0, // no number of seconds
		"4294967295":                    maxRetryAfter,
		"Wed, 02 Jun 2021 12:01:00 GMT": time.Minute,
		"Wed, 02 Jun 2021 11:00:00 GMT": 0,
		"Wed, 02 Jun 2100 12:00:00 GMT": maxRetryAfter,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: got %s, want %s", header, got, want)
		}
	}
}

// TestFailure: an error has the answer's status and how long the server wants to be
// left alone, and is of its class.
func TestFailure(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "90")
		w.WriteHeader(429)
	}, Options{})
	a, err := s.Ask(t.Context(), &Request{Op: "ask"})
	if err != nil {
		t.Fatal(err)
	}
	why := errors.New("too many")
	err = fmt.Errorf("run: %w", a.Failure(federation.ErrThrottled, why))
	if !errors.Is(err, federation.ErrThrottled) || !errors.Is(err, why) || errors.Is(err, federation.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if d, ok := federation.RetryAfter(err); !ok || d != 90*time.Second {
		t.Errorf("told %s, %t", d, ok)
	}
	if err.Error() != "run: p: ask: status 429: too many; to be asked again in 1m30s" {
		t.Errorf("got %v", err)
	}
}
