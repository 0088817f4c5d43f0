package distribution_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// A union of 55 countries, each of which has hours and days of two weeks, has
// more than 20,000 objects.
const (
	unionPackages = 55
	unionHours    = 14 * 24
	unionObjects  = 20_000
)

// newUnion publishes two weeks of a union of as many packages.
func newUnion(tb testing.TB, kind placeKind, packages int) *world {
	tb.Helper()
	w := newWorldIn(tb, kind, 1)
	w.clock = w.clock.Truncate(24 * time.Hour)
	w.policy.MinKeys, w.policy.MinUploads = 0, 0
	w.opts.Parallel = 4
	w.packages = nil
	for i := range packages {
		w.packages = append(w.packages, distribution.Package{
			Name: fmt.Sprintf("X%02d", i), Select: distribution.FromEverywhere(), Map: distribution.Identity(), FromBeginning: true,
		})
	}
	for hour := range unionHours {
		w.accept(ledger.Own, w.upload(de))
		w.release()
		if hour%24 == 23 {
			w.run()
		}
	}
	return w
}

// stored returns how many objects the world's bucket has.
func (w *world) stored() int {
	return w.bucket.(remoteBucket).on.s3.Count(w.t, w.bucket.(remoteBucket).name)
}

// counted returns a publisher of the world by which requests to S3 and calls to
// the ledger are counted.
func (w *world) counted() (*distribution.Publisher, *storagetest.FaultyTransport, *ledgertest.FaultyStore) {
	w.t.Helper()
	requests := storagetest.Transport(w.bucket.(remoteBucket).on.transport, nil)
	c := *w
	calls := ledgertest.Faulty(w.store, nil)
	c.store = calls
	return c.publisherVia(requests), requests, calls
}

// TestUnchangedAtSize: over 20,000 objects, a run with nothing new asks S3 for
// nothing but their names, a thousand at a time.
func TestUnchangedAtSize(t *testing.T) {
	packages := unionPackages
	if testing.Short() {
		packages = 4
	}
	w := newUnion(t, onS3, packages)
	objects := w.stored()
	if objects < unionObjects && !testing.Short() {
		t.Fatalf("%d objects, want %d or more", objects, unionObjects)
	}
	p, requests, calls := w.counted()
	opened := len(calls.Calls())
	for range 2 {
		made := len(requests.Calls())
		r, err := p.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Published)+r.Written+len(r.Indexes)+r.Deleted != 0 {
			t.Errorf("a run with nothing new did something:\n%s", r)
		}
		got := map[string]int{}
		for _, c := range requests.Calls()[made:] {
			got[kindOfRequest(c)]++
		}
		if want := map[string]int{"list": (objects + 999) / 1000}; !maps.Equal(got, want) {
			t.Errorf("%d objects: requests %v, want %v", objects, got, want)
		}
		t.Logf("%d objects: requests %v", objects, got)
	}
	for _, c := range calls.Calls()[opened:] {
		if c.Op != ledgertest.OpLog && c.Op != ledgertest.OpRegisters {
			t.Errorf("the ledger was asked to %s", c.Op)
		}
	}
	if n := w.stored(); n != objects {
		t.Errorf("%d objects, %d before", n, objects)
	}
}

// kindOfRequest is the method, or "list" for that.
func kindOfRequest(c storagetest.Call) string {
	if c.Op == http.MethodGet && strings.Contains(c.Name, "list-type=2") {
		return "list"
	}
	return c.Op
}

// BenchmarkUnchanged is a run with nothing new over 20,000 objects in S3. What it
// allocates has the server's part in it, which is in the same process; held-MiB
// is what the run alone has in memory when it has looked at everything.
func BenchmarkUnchanged(b *testing.B) {
	for _, kind := range []placeKind{onS3, onServers} {
		b.Run(strings.ReplaceAll(string(kind), " ", "-"), func(b *testing.B) {
			w := newUnion(b, kind, unionPackages)
			p, requests, _ := w.counted()
			made := len(requests.Calls())
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Run(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(w.stored()), "objects")
			b.ReportMetric(float64(len(requests.Calls())-made)/float64(b.N), "requests/op")
			b.ReportMetric(float64(w.held())/(1<<20), "held-MiB")
		})
	}
}

// held returns how much more is in memory when a run has read bucket and ledger
// than before it.
func (w *world) held() int64 {
	w.t.Helper()
	inUse := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what pools had
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	var looked int64
	p, _ := w.publisher(nil, func(_ context.Context, c ledgertest.Call) ledgertest.Verdict {
		if c.Op == ledgertest.OpLog {
			looked = inUse() // the last of what a run reads before it begins
		}
		return ledgertest.Pass
	})
	before := inUse()
	if _, err := p.Run(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return looked - before
}
