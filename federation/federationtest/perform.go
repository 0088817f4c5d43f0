package federationtest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// perform answers a request by a verdict.
func (s *Server) perform(v Verdict, w http.ResponseWriter, r *http.Request, in *incoming) {
	out := &counted{s, w}
	switch {
	case v == Pass:
		s.send(out, s.answer(r, in))
	case v == Fail:
		panic(http.ErrAbortHandler) // net/http resets the connection
	case v == FailAfter:
		s.answer(r, in)
		panic(http.ErrAbortHandler)
	case v == TimeoutAfter:
		s.answer(r, in)
		s.send(out, refuse(http.StatusGatewayTimeout, "upstream request timeout"))
	case v.status():
		s.sendStatus(out, r, int(v))
	case v == Stall:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case v.cuts():
		s.cut(v, out, s.answer(r, in))
	case v.floods():
		s.flood(v, out, r, s.answer(r, in))
	default:
		s.send(out, s.instead(v, r, in))
	}
}

// counted counts what is sent.
type counted struct {
	s *Server
	http.ResponseWriter
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.sent += int64(n)
	return n, err
}

func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *counted) flush() error { return http.NewResponseController(c.ResponseWriter).Flush() }

func (s *Server) send(w http.ResponseWriter, a *reply) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if !s.opts.Faithful {
		w.Header().Set("Cache-Control", "no-store")
	}
	if a.body != nil && w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	if a.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(a.status)
	w.Write(a.body) // if it fails, the caller is gone
}

// sendStatus answers by a status alone. Redirects lead to the server itself by
// another name, so that the host is another one.
func (s *Server) sendStatus(w http.ResponseWriter, r *http.Request, status int) {
	switch {
	case status < 400:
		_, port, _ := strings.Cut(r.Host, ":")
		w.Header().Set("Location", "http://localhost:"+port+r.URL.RequestURI())
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	s.send(w, refuse(status, "on purpose"))
}

func (v Verdict) cuts() bool { return v == Half || v == Partial || v == Trickle }

// cut sends an answer in part or in parts.
func (s *Server) cut(v Verdict, w *counted, a *reply) {
	half := a.body[:len(a.body)/2]
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	switch v {
	case Half:
		if len(a.body) == 0 {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(a.body)+1))
		w.WriteHeader(a.status)
		w.Write(half)
		w.flush()
		panic(http.ErrAbortHandler)
	case Partial:
		s.send(w, &reply{status: a.status, body: half})
	case Trickle:
		w.WriteHeader(a.status)
		for i, rest := 0, a.body; len(rest) > 0; i++ {
			n := 1
			if i >= 25 {
				n = min(len(rest), len(a.body)/25+1)
			}
			w.Write(rest[:n])
			w.flush()
			rest = rest[n:]
			time.Sleep(time.Millisecond)
		}
	}
}

func (v Verdict) floods() bool { return v == Drip || v == Endless || v == Bomb }

const (
	dripPause = 10 * time.Millisecond
	bombSize  = 256 // MiB
)

// flood sends the beginning of an answer and then spaces, which JSON allows without
// end.
func (s *Server) flood(v Verdict, w *counted, r *http.Request, a *reply) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if v == Bomb && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(http.StatusOK)
		for range bombSize {
			if _, err := w.Write(mebibyte()); err != nil {
				return
			}
		}
		return
	}
	w.WriteHeader(http.StatusOK)
	w.Write(a.body[:min(1, len(a.body))])
	spaces := bytes.Repeat([]byte{' '}, 64<<10)
	if v == Drip {
		spaces = spaces[:1]
	}
	for r.Context().Err() == nil {
		if _, err := w.Write(spaces); err != nil || w.flush() != nil {
			return
		}
		if v == Drip {
			time.Sleep(dripPause)
		}
	}
}

// mebibyte returns a MiB of spaces in gzip. Any number of them after one another are
// gzip as well.
var mebibyte = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, strings.Repeat(" ", 1<<20))
	z.Close()
	return b.Bytes()
})

// instead returns what is answered instead of what should be.
func (s *Server) instead(v Verdict, r *http.Request, in *incoming) *reply {
	switch v {
	case Blank:
		return &reply{status: http.StatusOK}
	case NullBody:
		return &reply{status: http.StatusOK, body: []byte("null")}
	case HTML:
		return &reply{status: http.StatusOK, body: []byte("<!DOCTYPE html><html><body>Scheduled maintenance</body></html>")}
	case Nested:
		return &reply{status: http.StatusOK, body: bytes.Repeat([]byte{'['}, 1<<20)}
	case Quote:
		return refuse(500, r.Header.Get("Authorization")+" "+string(in.body)+" "+s.lastKey())
	}
	switch in.Route {
	case RouteUpload:
		return s.insteadOfUpload(v, r, in)
	case RouteDownload:
		return s.insteadOfPage(v, r, in)
	}
	return s.answer(r, in)
}

// lastKey returns the key data that was stored last.
func (s *Server) lastKey() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rows) == 0 {
		return ""
	}
	return s.rows[len(s.rows)-1].KeyData
}

func (s *Server) insteadOfUpload(v Verdict, r *http.Request, in *incoming) *reply {
	switch v {
	case NoKeyFound:
		return refuse(500, "no key found")
	case NotNull:
		return broke("23502", `null value in column "test_type" violates not-null constraint`)
	}
	return s.answer(r, in)
}

func (s *Server) insteadOfPage(v Verdict, r *http.Request, in *incoming) *reply {
	switch v {
	case Silence:
		return &reply{status: http.StatusNoContent}
	case Repeat:
		if a := s.again(in); a != nil {
			return a
		}
	}
	a := s.answer(r, in)
	if a.status != http.StatusOK {
		return a
	}
	return distorted(v, a)
}

// again returns the page whose tag is asked for, nil if there is none.
func (s *Server) again(in *incoming) *reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, b := range s.batches {
		if b.tag == in.Tag && in.nation >= 0 {
			return s.page(i, in.nation)
		}
	}
	return nil
}
