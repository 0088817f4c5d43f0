package service

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// written returns what a reply is over the wire.
func written(t *testing.T, a *Reply) (*http.Response, string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.Write(w) }))
	defer s.Close()
	resp, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestReply(t *testing.T) {
	for _, tt := range []struct {
		name   string
		reply  Reply
		length int64
		header map[string]string // "" is for one that must not be there
		body   string
	}{
		{"nothing", Reply{Status: 204}, 0, map[string]string{"Content-Type": "", "Content-Length": "", "X-Content-Type-Options": ""}, ""},
		{"no body", Reply{Status: 201, Header: map[string]string{"batchTag": "t"}}, 0, map[string]string{"batchTag": "t", "Content-Length": "0"}, ""},
		{"an empty body", Reply{Status: 200, Kind: "a/b"}, 0, map[string]string{"Content-Type": "a/b", "X-Content-Type-Options": "nosniff"}, ""},
		{"parts", Reply{Status: 200, Kind: "a/b", Parts: [][]byte{[]byte("one"), nil, []byte("two")}}, 6,
			map[string]string{"Content-Type": "a/b", "X-Content-Type-Options": "nosniff", "Content-Length": "6"}, "onetwo"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := written(t, &tt.reply)
			if resp.StatusCode != tt.reply.Status || resp.ContentLength != tt.length || body != tt.body {
				t.Errorf("got %d with %d bytes, %q", resp.StatusCode, resp.ContentLength, body)
			}
			for name, want := range tt.header {
				if got := resp.Header.Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestJSON(t *testing.T) {
	a, err := JSON(207, "a/json", map[string]int{"a": 1})
	if err != nil || a.Status != 207 || a.Kind != "a/json" || string(bytes.Join(a.Parts, nil)) != `{"a":1}` || a.refused {
		t.Errorf("got %+v, %v", a, err)
	}
	_, err = JSON(200, "a/json", func() {})
	if e, ok := errors.AsType[*Refusal](err); !ok || e.Status != 503 || e.Cause == nil {
		t.Errorf("what is no JSON: %v", err)
	}
}

func TestRefusal(t *testing.T) {
	secret := errors.New("geheim")
	methods := httptest.NewRequest("POST", "/", nil)
	for _, tt := range []struct {
		name   string
		err    error
		status int
		header map[string]string
	}{
		{"refused", Refuse(403, "no right").Because(secret), 403, map[string]string{"Allow": "", "Retry-After": ""}},
		{"unable", Unable(secret), 503, map[string]string{"Retry-After": "30"}},
		{"another method", OnlyBy(methods, "GET"), 405, map[string]string{"Allow": "GET"}},
		{"other methods", OnlyBy(methods, "PUT", "DELETE"), 405, map[string]string{"Allow": "PUT, DELETE"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, ok := errors.AsType[*Refusal](tt.err)
			if !ok {
				t.Fatal(tt.err)
			}
			resp, body := written(t, e.Reply("a/json", e.Message))
			if resp.StatusCode != tt.status || body != fmt.Sprintf("%q", e.Message) || strings.Contains(body+e.Error(), "geheim") {
				t.Errorf("got %d %s", resp.StatusCode, body)
			}
			for name, want := range tt.header {
				if got := resp.Header.Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
		})
	}
	for _, allowed := range [][]string{{"POST"}, {"GET", "POST"}} {
		if err := OnlyBy(methods, allowed...); err != nil {
			t.Errorf("%v: %v", allowed, err)
		}
	}
	if resp, body := written(t, Refuse(404, "x").Reply("a/json", func() {})); resp.StatusCode != 404 || body != "" {
		t.Errorf("what is no JSON: %d %s", resp.StatusCode, body)
	}
}

// TestRefused: what is ours is an error, what is the caller's a warning.
func TestRefused(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	for _, tt := range []struct {
		name   string
		ctx    context.Context
		err    error
		status int
		want   string
	}{
		{"the caller's", t.Context(), Refuse(400, "bad"), 400, "level=WARN msg=text status=400 reason=bad op=x\n"},
		{"the caller's, with a cause", t.Context(), Refuse(401, "bad").Because(errors.New("why")), 401, "level=WARN msg=text status=401 reason=bad op=x cause=why\n"},
		{"wrapped", t.Context(), fmt.Errorf("x: %w", Refuse(400, "bad")), 400, "level=WARN msg=text status=400 reason=bad op=x\n"},
		{"ours", t.Context(), Unable(errors.New("why")), 503, "level=ERROR msg=text status=503 reason=\"not now\" op=x cause=why\n"},
		{"another", t.Context(), errors.New("why"), 503, "level=ERROR msg=text status=503 reason=\"not now\" op=x cause=why\n"},
		{"ours, but the caller is gone", gone, errors.New("why"), 503, "level=WARN msg=text status=503 reason=\"not now\" op=x cause=why\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log strings.Builder
			logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			}}))
			e := Refused(httptest.NewRequestWithContext(tt.ctx, "GET", "/", nil), tt.err, logger, "text", slog.String("op", "x"))
			if e.Status != tt.status || log.String() != tt.want {
				t.Errorf("got %d, and in the log %q, want %q", e.Status, log.String(), tt.want)
			}
		})
	}
}

func TestBody(t *testing.T) {
	const limit = 100_000
	for _, tt := range []struct {
		name   string
		body   io.Reader
		length int64
		want   int // bytes; of a refusal its status, negative
	}{
		{"nothing", strings.NewReader(""), 0, 0},
		{"a little", strings.NewReader(strings.Repeat("x", 10)), 10, 10},
		{"in small parts, without a length", iotest.OneByteReader(strings.NewReader(strings.Repeat("x", 40_000))), -1, 40_000},
		{"the end with the last part", iotest.DataErrReader(strings.NewReader(strings.Repeat("x", 70_000))), -1, 70_000},
		{"as much as allowed", strings.NewReader(strings.Repeat("x", limit)), limit, limit},
		{"as much as allowed, without a length", strings.NewReader(strings.Repeat("x", limit)), -1, limit},
		{"one more", strings.NewReader(strings.Repeat("x", limit+1)), -1, -413},
		{"one more, and it says so", iotest.ErrReader(errors.New("nothing is to be read")), limit + 1, -413},
		{"one more, and it lies", strings.NewReader(strings.Repeat("x", limit+1)), 10, -413},
		{"cut off", io.MultiReader(strings.NewReader("x"), iotest.ErrReader(io.ErrUnexpectedEOF)), 10, -400},
		{"too slow", io.MultiReader(strings.NewReader("x"), iotest.ErrReader(&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded})), 10, -408},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", io.NopCloser(tt.body))
			r.ContentLength = tt.length
			body, err := Body(httptest.NewRecorder(), r, limit)
			got := len(body)
			if e, ok := errors.AsType[*Refusal](err); ok {
				got = -e.Status
			} else if err != nil {
				t.Fatal(err)
			}
			if got != tt.want || strings.Trim(string(body), "x") != "" || cap(body) > limit+1 {
				t.Errorf("got %d with room for %d, want %d", got, cap(body), tt.want)
			}
		})
	}
	for _, limit := range []int64{0, 1, 10, 32<<10 - 1, 32 << 10, 32<<10 + 1, 64 << 10} { // about the room that is made at first
		for _, n := range []int64{0, limit - 1, limit, limit + 1} {
			if n < 0 {
				continue
			}
			r := httptest.NewRequest("POST", "/", io.NopCloser(bytes.NewReader(make([]byte, n))))
			r.ContentLength = -1
			if body, err := Body(httptest.NewRecorder(), r, limit); (err == nil) != (n <= limit) || err == nil && int64(len(body)) != n {
				t.Errorf("%d bytes of %d: %d, %v", n, limit, len(body), err)
			}
		}
	}
}

// TestTurnstile: so many of a nation and no more, and of another as many.
func TestTurnstile(t *testing.T) {
	turnstile := NewTurnstile(2)
	enter := func(nation ledger.Source) func() {
		t.Helper()
		leave, err := turnstile.Enter(nation)
		if err != nil {
			t.Fatal(err)
		}
		return leave
	}
	first, second := enter("de"), enter("de")
	_, err := turnstile.Enter("de")
	if e, ok := errors.AsType[*Refusal](err); !ok || e.Status != 429 || e.RetryAfter != time.Second || !strings.Contains(e.Message, "at most 2") {
		t.Errorf("the third: %v", err)
	}
	enter("fr")()
	first()
	third := enter("de")
	if _, err := turnstile.Enter("de"); err == nil {
		t.Error("a fourth has entered")
	}
	second()
	third()
	if len(turnstile.busy) != 0 {
		t.Errorf("busy: %v", turnstile.busy)
	}
}

// TestTurnstileAtOnce: never more than so many, whoever comes when.
func TestTurnstileAtOnce(t *testing.T) {
	turnstile := NewTurnstile(3)
	inside := make(chan bool, 3)
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			for range 200 {
				leave, err := turnstile.Enter("de")
				if err != nil {
					continue
				}
				select {
				case inside <- true:
					<-inside
				default:
					t.Error("a fourth has entered")
				}
				leave()
			}
		})
	}
	wait.Wait()
	if len(turnstile.busy) != 0 {
		t.Errorf("busy: %v", turnstile.busy)
	}
}

func TestNewHTTPServer(t *testing.T) {
	h := http.NewServeMux()
	s := NewHTTPServer("127.0.0.1:0", h, 16<<10)
	if s.Addr != "127.0.0.1:0" || s.Handler != http.Handler(h) || s.MaxHeaderBytes != 16<<10 {
		t.Errorf("got %+v", s)
	}
	for name, d := range map[string]time.Duration{
		"ReadHeaderTimeout": s.ReadHeaderTimeout, "ReadTimeout": s.ReadTimeout, "WriteTimeout": s.WriteTimeout, "IdleTimeout": s.IdleTimeout,
	} {
		if d <= 0 || d > 5*time.Minute {
			t.Errorf("%s is %s", name, d)
		}
	}
	if s.WriteTimeout < s.ReadTimeout+time.Minute {
		t.Errorf("a request of %s leaves nothing of %s for its answer", s.ReadTimeout, s.WriteTimeout)
	}
}

// TestRefusedBodies: who is refused has a moment to send the rest, who is granted
// the server's time; a connection whose request has come whole goes on.
func TestRefusedBodies(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewHTTPServer("", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refused" {
			Refuse(403, "no").Reply("a/json", "no").Write(w)
			return
		}
		body, err := Body(w, r, 1000)
		if err != nil {
			t.Error(err)
			return
		}
		(&Reply{Status: 200, Kind: "a/b", Parts: [][]byte{body}}).Write(w)
	}), 16<<10)
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	dial := func(t *testing.T) (net.Conn, *bufio.Reader) {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(s.ReadTimeout / 4))
		return c, bufio.NewReader(c)
	}
	t.Run("silence", func(t *testing.T) {
		t.Parallel()
		c, answer := dial(t)
		io.WriteString(c, "POST /refused HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nx")
		text, err := io.ReadAll(answer) // until it is cut off
		if err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 403") {
			t.Errorf("got %.60q, %v", text, err)
		}
	})
	t.Run("whole", func(t *testing.T) {
		t.Parallel()
		c, answers := dial(t)
		ask := func(path string, pause time.Duration, want int) {
			t.Helper()
			io.WriteString(c, "POST "+path+" HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nx")
			time.Sleep(pause)
			io.WriteString(c, "y")
			resp, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != want || want == 200 && string(body) != "xy" {
				t.Fatalf("%s: got %d %s, %v", path, resp.StatusCode, body, err)
			}
		}
		ask("/refused", 0, 403)
		ask("/granted", refusedBody+200*time.Millisecond, 200)
		ask("/refused", 0, 403)
	})
}
