package bucketledger_test

import (
	"flag"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/filestore"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/bucketledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/memstore"
)

// live is how many keys there are in the ledger that benchmarks begin with:
//
//	go test -run '^$' -bench Live -args -bucketledger.live=500000
var live = flag.Int("bucketledger.live", 100_000, "keys in the ledger that BenchmarkLive begins with")

// newScene opens a ledger in a folder.
func newScene(b *testing.B) (s *ledgertest.Scene, bucket storage.Bucket) {
	b.Helper()
	folder, err := filestore.New(b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { folder.Close() })
	return ledgertest.NewScene(b, openIn(b, folder)), folder
}

// openIn returns what opens the ledger in a bucket.
func openIn(b *testing.B, bucket storage.Bucket) func(func() time.Time) (ledger.Store, error) {
	return func(clock func() time.Time) (ledger.Store, error) {
		return bucketledger.Open(b.Context(), bucket, &bucketledger.Options{Clock: clock})
	}
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// heap returns how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkLive does what a back end does, over a ledger that has so many keys.
func BenchmarkLive(b *testing.B) {
	before := heap()
	s, bucket := newScene(b)
	s.Fill(*live)
	start := time.Now()
	released := s.Cut().Last
	b.Logf("%d keys released in one cut in %s", released, time.Since(start).Round(time.Millisecond))
	start = time.Now()
	must(b, s.Store.(*bucketledger.Store).Checkpoint(b.Context()))
	b.Logf("a snapshot made in %s", time.Since(start).Round(time.Millisecond))
	for a, err := range storage.List(b.Context(), bucket, "") {
		must(b, err)
		b.Logf("%s: %d bytes, %d a key", a.Name, a.Size, a.Size/released)
	}
	s.Store, s.Ledger = nil, nil
	s.Open(openIn(b, bucket))
	b.Logf("restored it takes %d MiB, %d bytes a key", (heap()-before)>>20, int64(heap()-before)/released)

	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			s.Open(openIn(b, bucket))
		}
	})
	b.Run("log", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Store.Log(b.Context(), 0)
			must(b, err)
		}
	})
	b.Run("window", func(b *testing.B) { benchWindow(b, s) })
	b.Run("prune", func(b *testing.B) { // and removes what is left in the bucket of what was pruned
		for b.Loop() {
			s.Remove(s.Now.Add(24*time.Hour), 5000)
			s.Remove(time.Time{}, 1)
		}
	})
	for _, n := range []int{12, 5000} {
		b.Run(fmt.Sprintf("accept-%d", n), func(b *testing.B) {
			total := 0
			for b.Loop() {
				b.StopTimer()
				d, size := s.Make(n)
				total += size
				b.StartTimer()
				s.Accept(d)
			}
			b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "keys/s")
		})
	}
}

// benchWindow releases and reads the 15,000 keys of an hour.
func benchWindow(b *testing.B, s *ledgertest.Scene) {
	var releasing, reading time.Duration
	s.Cut()
	for b.Loop() {
		b.StopTimer()
		s.Now = s.Now.Add(22 * time.Hour) // so that nothing is under embargo
		s.Fill(15_000)
		from := s.Last()
		b.StartTimer()
		start := time.Now()
		cut := s.Cut()
		releasing += time.Since(start)
		start = time.Now()
		if n := s.Read(from, cut.Last); n < 14_000 {
			b.Fatalf("read %d keys", n)
		}
		reading += time.Since(start)
	}
	b.ReportMetric(float64(releasing.Milliseconds())/float64(b.N), "release-ms")
	b.ReportMetric(float64(reading.Milliseconds())/float64(b.N), "read-ms")
}

// BenchmarkTakeIn runs over an inbox of 100,000 objects of which all but a
// hundred are known.
func BenchmarkTakeIn(b *testing.B) {
	s, _ := newScene(b)
	inbox := &many{Bucket: memstore.New(nil)}
	in, err := bucketledger.NewInbox(inbox, england, nil)
	must(b, err)
	inbox.n = 100_000
	_, err = in.TakeIn(b.Context(), s.Ledger)
	must(b, err)
	for b.Loop() {
		inbox.n += 100
		r, err := in.TakeIn(b.Context(), s.Ledger)
		must(b, err)
		if r.Taken != 100 {
			b.Fatalf("%+v", r)
		}
	}
}
