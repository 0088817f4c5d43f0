package distribution_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// requestFaults are what can become of a request to S3, by the verdict on it.
var requestFaults = map[string]storagetest.Verdict{
	"refused":   storagetest.Fail,
	"unheard":   storagetest.FailAfter, // the answer is lost
	"cut":       storagetest.Half,      // the body, and the connection with it
	"truncated": storagetest.Partial,   // the answer's body, as if that were all
	"slow":      storagetest.Trickle,
	"500":       http.StatusInternalServerError,
	"502":       http.StatusBadGateway,
	"503":       http.StatusServiceUnavailable,
	"429":       http.StatusTooManyRequests,
	"403":       http.StatusForbidden,
}

// stride is n where of what could go wrong every n-th is tried. The scenes of other
// layouts are more, and their runs make more requests.
func (w *world) stride(short, normally int) int {
	if *exhaustive {
		return 1
	}
	n := normally
	if testing.Short() {
		n = short
	}
	if w.layout.Name() != "cwa" {
		n = 4*n + 1
	}
	return n
}

// TestFaultyRequests is invariant 2 for what happens between the client of S3 and
// its server.
func TestFaultyRequests(t *testing.T) {
	eachScene(t, []placeKind{onServers}, func(t *testing.T, scene *world, _ placeKind) {
		want := scene.settled()
		requests := scene.requests()
		tried, failed, every := 0, 0, scene.stride(7, 3)
		for i, name := range slices.Sorted(maps.Keys(requestFaults)) {
			for n := 1; n <= requests; n++ {
				if (n+i)%every != 0 {
					continue
				}
				tried++
				w := scene.copy()
				report, err := w.runVia(t.Context(), storagetest.FailAt(n, requestFaults[name]))
				if err != nil {
					failed++
				}
				if v := requestFaults[name]; err == nil && v != storagetest.Trickle && v != storagetest.Partial {
					t.Errorf("%s at request %d: no error\n%s", name, n, report) // nothing is tried twice
				}
				if err == nil && len(report.Failed) > 0 || errors.Is(err, distribution.ErrForeign) {
					t.Errorf("%s at request %d: %v\n%s", name, n, err, report)
				}
				w.readable(fmt.Sprintf("after %s at request %d", name, n))
				w.run()
				w.run()
				if d := difference(objects(t, w.bucket), want); d != "" {
					t.Errorf("%s at request %d: %s", name, n, d)
				}
				w.discard()
			}
		}
		t.Logf("%d requests, %d faults, of which %d were errors of a run", requests, tried, failed)
		if failed == 0 {
			t.Error("no fault had an effect")
		}
	})
}

// requests returns how many requests a run makes.
func (w *world) requests() int {
	w.t.Helper()
	c := w.copy()
	defer c.discard()
	n := 0
	count := func(context.Context, storagetest.Call) storagetest.Verdict { n++; return storagetest.Pass }
	if _, err := c.runVia(c.t.Context(), count); err != nil {
		c.t.Fatal(err)
	}
	return n
}

// runVia runs a publisher once, whose requests to S3 meet what the hook wants.
func (w *world) runVia(ctx context.Context, hook storagetest.Hook) (*distribution.Report, error) {
	w.t.Helper()
	p := w.publisherVia(storagetest.Transport(w.bucket.(remoteBucket).on.transport, hook))
	return p.Run(ctx)
}

// publisherVia returns a publisher with a transport, which is not used before its
// first run.
func (w *world) publisherVia(via http.RoundTripper) *distribution.Publisher {
	w.t.Helper()
	c := *w
	b := w.bucket.(remoteBucket)
	opened := &switched{RoundTripper: b.on.transport}
	c.bucket = b.by(w.t, opened)
	p, _ := c.publisher(nil, nil)
	opened.RoundTripper = via
	return p
}

// switched is a transport that can be exchanged.
type switched struct{ http.RoundTripper }

// TestInterruptedRun: a run is told to stop while one of its requests waits for
// its answer.
func TestInterruptedRun(t *testing.T) {
	eachScene(t, []placeKind{onServers}, func(t *testing.T, scene *world, _ placeKind) {
		want, requests := scene.settled(), scene.requests()
		for n := 1; n <= requests; n += scene.stride(2, 1) {
			w := scene.copy()
			ctx, stop := context.WithCancel(t.Context())
			asked := 0
			report, err := w.runVia(ctx, func(ctx context.Context, _ storagetest.Call) storagetest.Verdict {
				if asked++; asked == n {
					stop()
					<-ctx.Done()
				}
				return storagetest.Pass
			})
			stop()
			if !errors.Is(err, context.Canceled) || asked != n {
				t.Errorf("stopped at request %d: %v after %d\n%s", n, err, asked, report)
			}
			w.run()
			w.run()
			if d := difference(objects(t, w.bucket), want); d != "" {
				t.Errorf("stopped at request %d: %s", n, d)
			}
			w.discard()
		}
	})
}

// belated is a transport on which one request is given up by whoever sent it, and
// arrives all the same, much later.
type belated struct {
	http.RoundTripper
	at   int64
	n    atomic.Int64
	late *http.Request
}

var errGivenUp = errors.New("nobody waits for the answer any longer")

func (b *belated) RoundTrip(req *http.Request) (*http.Response, error) {
	if b.n.Add(1) != b.at || req.Method == http.MethodGet || req.Method == http.MethodHead {
		return b.RoundTripper.RoundTrip(req)
	}
	body, err := io.ReadAll(req.Body)
	req.Body.Close()
	if err != nil {
		return nil, err
	}
	b.late = req.Clone(context.WithoutCancel(req.Context()))
	b.late.Body = io.NopCloser(bytes.NewReader(body))
	return nil, errGivenUp
}

// arrive has the server do what the request wants. It returns the status.
func (b *belated) arrive() (string, error) {
	if b.late == nil {
		return "", nil
	}
	resp, err := b.RoundTripper.RoundTrip(b.late)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return fmt.Sprintf("%s %s", b.late.Method, resp.Status), err
}

// TestBelatedRequest: a request that a run has given up takes effect after the
// next run, at once or an hour later. What is newer must not be undone by it.
func TestBelatedRequest(t *testing.T) {
	eachScene(t, []placeKind{onServers}, func(t *testing.T, scene *world, _ placeKind) {
		arrived := map[string]int{}
		requests := scene.requests()
		for _, hours := range []int{0, 1} {
			reference := scene.copy()
			reference.run()
			reference.hours(hours)
			reference.run()
			reference.run()
			want := objects(t, reference.bucket)
			reference.discard()
			for n := 1; n <= requests; n += scene.stride(2, 1) {
				w := scene.copy()
				via := &belated{RoundTripper: w.bucket.(remoteBucket).on.transport, at: int64(n)}
				w.publisherVia(via).Run(t.Context())
				w.run()
				w.hours(hours)
				w.run()
				before := objects(t, w.bucket)
				status, err := via.arrive()
				if err != nil {
					t.Fatal(err)
				}
				arrived[status]++
				if d := difference(objects(t, w.bucket), before); d != "" {
					t.Errorf("request %d, late by %d hours: %s: %s", n, hours, status, d)
				}
				w.run()
				if d := difference(objects(t, w.bucket), want); d != "" {
					t.Errorf("request %d, late by %d hours: %s: %s", n, hours, status, d)
				}
				w.discard()
			}
		}
		t.Logf("%d requests; late ones were answered %v", requests, arrived)
		if arrived["PUT 412 Precondition Failed"] == 0 {
			t.Error("no write was late")
		}
	})
}

// TestBadDay: a publisher that repeats comes to the same with faults at random in
// every third request.
func TestBadDay(t *testing.T) {
	eachScene(t, []placeKind{onServers}, func(t *testing.T, scene *world, _ placeKind) {
		want := scene.settled()
		for seed := range uint64(max(12/scene.stride(12, 4), 1)) {
			w := scene.copy()
			hook := storagetest.Random(seed, 0.3, slices.Sorted(maps.Values(requestFaults))...)
			w.opts.Tries, w.opts.Pause, w.opts.Parallel = 2, time.Microsecond, 4
			p := w.publisherVia(storagetest.Transport(w.bucket.(remoteBucket).on.transport, hook))
			runs := 1
			for ; ; runs++ {
				_, err := p.Run(t.Context())
				if err == nil {
					break
				}
				if runs == 100 {
					t.Fatalf("seed %d: %d runs were not enough: %v", seed, runs, err)
				}
			}
			w.run()
			if d := difference(objects(t, w.bucket), want); d != "" {
				t.Errorf("seed %d: %s", seed, d)
			}
			t.Logf("seed %d: %d runs", seed, runs)
			w.discard()
		}
	})
}
