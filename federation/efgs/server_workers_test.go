package efgs

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/signing/cms"
)

// A gate is a verifier that lets nobody through until it is opened.
type gate struct {
	Verifier
	open chan struct{}

	mu           sync.Mutex
	inside, most int
}

func (g *gate) Verify(ctx context.Context, content []byte, signature string, at time.Time) (*cms.Signature, error) {
	g.mu.Lock()
	g.inside++
	g.most = max(g.most, g.inside)
	g.mu.Unlock()
	<-g.open
	g.mu.Lock()
	g.inside--
	g.mu.Unlock()
	return g.Verifier.Verify(ctx, content, signature, at)
}

func (g *gate) await(n int) {
	for {
		g.mu.Lock()
		inside := g.inside
		g.mu.Unlock()
		if inside == n {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// TestServerWorkers: so many uploads are in memory at a time, of all nations together;
// the others wait, and who gives up waiting is let go. What needs no worker is done
// meanwhile.
func TestServerWorkers(t *testing.T) {
	w := newWorld(t, nil)
	w.put("IT", "1", w.newKeys("IT", 2)...)
	w.release()
	g := &gate{Verifier: w.server.opts.Verifier, open: make(chan struct{})}
	o := w.server.opts
	o.Verifier, o.Workers = g, 2
	w.server = must(NewServer(w.hub, w.nations, w.list, &o))
	send := func(ctx context.Context, c call) int {
		r := httptest.NewRequestWithContext(ctx, c.method, "/diagnosiskeys"+c.path, bytes.NewReader(c.body))
		r.Header, r.RemoteAddr = c.header, "127.0.0.1:1"
		a := httptest.NewRecorder()
		w.server.ServeHTTP(a, r)
		return a.Code
	}
	var wait sync.WaitGroup
	for i, country := range []string{"DE", "FR", "IT", "DE", "FR"} {
		c := w.request(an{country: country, tag: fmt.Sprint("x", i), keys: BatchOf(w.newKeys(country, 2)).Keys})
		wait.Go(func() {
			if got := send(t.Context(), c); got != http.StatusCreated {
				t.Errorf("upload %d: %d", i, got)
			}
		})
	}
	g.await(2)
	impatient, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if got := send(impatient, w.request(an{country: "IT", tag: "y", keys: BatchOf(w.newKeys("IT", 1)).Keys})); got != http.StatusServiceUnavailable {
		t.Errorf("one that gave up waiting: %d", got)
	}
	get := func(format Format) int {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		h := w.headers("AT")
		h.Set("Accept", format.MediaType())
		return send(ctx, call{method: http.MethodGet, path: "/download/2021-06-02", header: h})
	}
	if bytes, text := get(Protobuf), get(JSON); bytes != http.StatusOK || text != http.StatusServiceUnavailable {
		t.Errorf("meanwhile a batch is %d in protobuf and %d in JSON", bytes, text)
	}
	close(g.open)
	wait.Wait()
	if g.most != 2 {
		t.Errorf("%d uploads at the same time, want 2", g.most)
	}
	if n := len(w.server.working); n != 0 {
		t.Errorf("%d are at work, when nothing is done", n)
	}
}

// A slowReader is a connection to whoever reads nothing.
type slowReader struct {
	http.ResponseWriter
	begun, end chan struct{}
}

func (s *slowReader) Write(b []byte) (int, error) {
	s.begun <- struct{}{}
	<-s.end
	return s.ResponseWriter.Write(b)
}

// TestServerSlowReaders: an answer that is being read counts as a request of its
// nation, since it is in memory.
func TestServerSlowReaders(t *testing.T) {
	w := newWorld(t, nil)
	w.put("IT", "1", w.newKeys("IT", 2)...)
	w.release()
	get := func(rw http.ResponseWriter) {
		r := httptest.NewRequest(http.MethodGet, "/diagnosiskeys/download/2021-06-02", nil)
		r.Header, r.RemoteAddr = w.headers("DE"), "127.0.0.1:1"
		r.Header.Set("Accept", JSON.MediaType())
		w.server.ServeHTTP(rw, r)
	}
	begun, end := make(chan struct{}), make(chan struct{})
	var wait sync.WaitGroup
	for range DefaultParallel {
		wait.Go(func() { get(&slowReader{httptest.NewRecorder(), begun, end}) })
		<-begun
	}
	if n := len(w.server.working); n > 0 {
		t.Errorf("%d workers wait for readers", n)
	}
	if g := w.get("DE", "2021-06-02", "", Protobuf); g.status != http.StatusTooManyRequests {
		t.Errorf("one request more: %d", g.status)
	}
	if g := w.get("FR", "2021-06-02", "", Protobuf); g.status != http.StatusOK {
		t.Errorf("of another nation: %d", g.status)
	}
	close(end)
	wait.Wait()
	if g := w.get("DE", "2021-06-02", "", Protobuf); g.status != http.StatusOK {
		t.Errorf("when they have been read: %d", g.status)
	}
}
