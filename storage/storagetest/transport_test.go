package storagetest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// keeperServer keeps what is put whole, and gives it back.
type keeperServer struct {
	mu      sync.Mutex
	content map[string]string
}

func (k *keeperServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // a server stores nothing of what did not come whole
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if r.Method == http.MethodPut {
		k.content[r.URL.Path] = string(body)
	}
	if r.URL.Query().Has("chunked") {
		w.(http.Flusher).Flush()
	}
	io.WriteString(w, k.content[r.URL.Path])
}

func (k *keeperServer) has(path string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.content[path]
}

// exchange sends one request through a faulty transport and reads the answer.
func exchange(t *testing.T, hook Hook, method, body string, query string) (k *keeperServer, status int, got string, err error) {
	t.Helper()
	k = &keeperServer{content: map[string]string{"/a": "0123456789"}}
	s := httptest.NewServer(k)
	defer s.Close()
	client := &http.Client{Transport: Transport(s.Client().Transport, hook)}
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+"/a"+query, r)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return k, 0, "", err
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	return k, resp.StatusCode, string(all), err
}

func TestTransport(t *testing.T) {
	const old, sent = "0123456789", "abcdefghijklmn"
	for _, tt := range []struct {
		name    string
		verdict Verdict
		method  string
		query   string
		kept    string // what the server has then
		got     string
		status  int
		err     error
	}{
		{name: "pass", verdict: Pass, method: "PUT", kept: sent, got: sent, status: 200},
		{name: "refused", verdict: Fail, method: "PUT", kept: old, err: syscall.ECONNREFUSED},
		{name: "lost", verdict: FailAfter, method: "PUT", kept: sent, err: syscall.ECONNRESET},
		{name: "half sent", verdict: Half, method: "PUT", kept: old, err: syscall.ECONNRESET},
		{name: "half come", verdict: Half, method: "GET", kept: old, got: "01234", status: 200, err: syscall.ECONNRESET},
		{name: "half come, length unknown", verdict: Half, method: "GET", query: "?chunked", kept: old, got: "01234", status: 200, err: syscall.ECONNRESET},
		{name: "partial", verdict: Partial, method: "GET", kept: old, got: "01234", status: 200},
		{name: "trickle", verdict: Trickle, method: "GET", kept: old, got: old, status: 200},
		{name: "trickle, length unknown", verdict: Trickle, method: "GET", query: "?chunked", kept: old, got: old, status: 200},
		{name: "stale", verdict: Stale, method: "GET", kept: old, got: old, status: 200},
		{name: "500", verdict: 500, method: "PUT", kept: old, got: "<Code>InternalError</Code>", status: 500},
		{name: "503", verdict: 503, method: "PUT", kept: old, got: "<Code>SlowDown</Code>", status: 503},
		{name: "429", verdict: 429, method: "PUT", kept: old, got: "<Code>TooManyRequests</Code>", status: 429},
		{name: "502", verdict: 502, method: "PUT", kept: old, got: "<Code>BadGateway</Code>", status: 502},
		{name: "503 to HEAD", verdict: 503, method: "HEAD", kept: old, status: 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := ""
			if tt.method == "PUT" {
				body = sent
			}
			k, status, got, err := exchange(t, FailAt(1, tt.verdict), tt.method, body, tt.query)
			if status != tt.status || !strings.Contains(got, tt.got) || tt.got == "" && got != "" || len(tt.got) < 20 && got != tt.got {
				t.Errorf("got %d %q, want %d %q", status, got, tt.status, tt.got)
			}
			if !errors.Is(err, tt.err) || tt.err != nil && !errors.Is(err, ErrFault) {
				t.Errorf("got error %v, want %v", err, tt.err)
			}
			if got := k.has("/a"); got != tt.kept {
				t.Errorf("the server has %q, want %q", got, tt.kept)
			}
		})
	}
}

func TestTransportRetryAfter(t *testing.T) {
	for status, want := range map[int]string{429: "1", 503: "1", 500: "", 403: ""} {
		req := httptest.NewRequest("GET", "http://example.invalid/", nil)
		resp, err := Transport(nil, FailAt(1, Verdict(status))).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := resp.Header.Get("Retry-After"); got != want {
			t.Errorf("%d: Retry-After: got %q, want %q", status, got, want)
		}
	}
}

func TestTransportCalls(t *testing.T) {
	s := httptest.NewServer(&keeperServer{content: map[string]string{}})
	defer s.Close()
	f := Transport(nil, Only(FailAt(2, Fail), "PUT"))
	client := &http.Client{Transport: f}
	var failed []int
	for i, method := range []string{"PUT", "GET", "PUT", "PUT"} {
		req, err := http.NewRequestWithContext(t.Context(), method, fmt.Sprintf("%s/%d?q=1", s.URL, i), strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := client.Do(req); err != nil {
			failed = append(failed, i)
		} else {
			resp.Body.Close()
		}
	}
	want := []Call{{1, "PUT", "/0?q=1"}, {2, "GET", "/1?q=1"}, {3, "PUT", "/2?q=1"}, {4, "PUT", "/3?q=1"}}
	if !slices.Equal(f.Calls(), want) || !slices.Equal(failed, []int{2}) {
		t.Errorf("got %v, of which %v failed; want %v, of which [2]", f.Calls(), failed, want)
	}
}

// closer notes that it was closed.
type closer struct {
	io.Reader
	closed bool
}

func (c *closer) Close() error { c.closed = true; return nil }

// TestTransportClosesBody: a RoundTripper must close the request's body, also
// where it does not send it.
func TestTransportClosesBody(t *testing.T) {
	for _, v := range []Verdict{Fail, 500} {
		body := &closer{Reader: strings.NewReader("x")}
		req := httptest.NewRequest("PUT", "http://example.invalid/", body)
		resp, err := Transport(nil, FailAt(1, v)).RoundTrip(req)
		if err == nil {
			resp.Body.Close()
		}
		if !body.closed {
			t.Errorf("verdict %d: the body was not closed", v)
		}
	}
}
