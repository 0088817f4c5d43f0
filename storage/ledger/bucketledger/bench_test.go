package bucketledger_test

import (
	"flag"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/filestore"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/bucketledger"
	"github.com/gaenkit/gaen/storage/memstore"
)

// live is how many keys there are in the ledger that benchmarks begin with:
//
//	go test -run '^$' -bench Live -args -bucketledger.live=500000
var live = flag.Int("bucketledger.live", 100_000, "keys in the ledger that BenchmarkLive begins with")

// scene is a ledger in a folder, with a clock that benchmarks move.
type scene struct {
	b      *testing.B
	now    time.Time
	bucket storage.Bucket
	store  *bucketledger.Store
	ledger *ledger.Ledger
	keys   *keystest.Generator
}

func newScene(b *testing.B) *scene {
	b.Helper()
	bucket, err := filestore.New(b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { bucket.Close() })
	s := &scene{b: b, now: time.Date(2022, 2, 8, 12, 0, 0, 0, time.UTC), bucket: bucket, keys: keystest.New(1, &keystest.Options{EndOfPeriod: true})}
	s.open()
	return s
}

func (s *scene) must(err error) {
	s.b.Helper()
	if err != nil {
		s.b.Fatal(err)
	}
}

func (s *scene) open() {
	s.b.Helper()
	var err error
	s.store, err = bucketledger.Open(s.b.Context(), s.bucket, &bucketledger.Options{Clock: func() time.Time { return s.now }})
	s.must(err)
	s.ledger, err = ledger.Open(s.b.Context(), s.store, &ledger.Options{Policy: eager()})
	s.must(err)
}

// make returns a delivery of n keys or a few more.
func (s *scene) make(n int) (d *ledger.Delivery, total int) {
	d = &ledger.Delivery{Source: ledger.Own}
	for total < n {
		up := s.keys.Upload(s.now)
		d.Uploads = append(d.Uploads, ledger.Upload{ID: up.ID, Keys: up.Keys})
		total += len(up.Keys)
	}
	return d, total
}

// fill brings n keys, in deliveries of 5,000.
func (s *scene) fill(n int) {
	s.b.Helper()
	for n > 0 {
		d, total := s.make(min(n, 5000))
		_, err := s.ledger.Accept(s.b.Context(), d)
		s.must(err)
		n -= total
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
	s := newScene(b)
	s.fill(*live)
	s.now = s.now.Add(time.Hour)
	start := time.Now()
	report, err := s.ledger.Release(b.Context(), nil)
	s.must(err)
	b.Logf("%d keys released in one cut in %s", report.New, time.Since(start).Round(time.Millisecond))
	start = time.Now()
	s.must(s.store.Checkpoint(b.Context()))
	b.Logf("a snapshot made in %s", time.Since(start).Round(time.Millisecond))
	for a, err := range storage.List(b.Context(), s.bucket, "") {
		s.must(err)
		b.Logf("%s: %d bytes, %d a key", a.Name, a.Size, a.Size/report.New)
	}
	s.store, s.ledger = nil, nil
	s.open()
	b.Logf("restored it takes %d MiB, %d bytes a key", (heap()-before)>>20, int64(heap()-before)/report.New)

	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			s.open()
		}
	})
	b.Run("log", func(b *testing.B) {
		for b.Loop() {
			_, err := s.store.Log(b.Context(), 0)
			s.must(err)
		}
	})
	b.Run("window", s.benchWindow)
	b.Run("prune", s.benchPrune)
	for _, n := range []int{12, 5000} {
		b.Run(fmt.Sprintf("accept-%d", n), func(b *testing.B) {
			total := 0
			for b.Loop() {
				b.StopTimer()
				d, size := s.make(n)
				total += size
				b.StartTimer()
				_, err := s.ledger.Accept(b.Context(), d)
				s.must(err)
			}
			b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "keys/s")
		})
	}
}

// benchWindow releases and reads the 15,000 keys of an hour.
func (s *scene) benchWindow(b *testing.B) {
	var releasing, reading time.Duration
	s.release()
	for b.Loop() {
		b.StopTimer()
		s.now = s.now.Add(22 * time.Hour) // always at noon, when nothing is under embargo
		s.fill(15_000)
		from := s.last()
		b.StartTimer()
		start := time.Now()
		s.release()
		releasing += time.Since(start)
		start = time.Now()
		n := 0
		for _, err := range s.store.Read(b.Context(), from, 1<<62) {
			s.must(err)
			n++
		}
		reading += time.Since(start)
		if n < 14_000 {
			b.Fatalf("read %d keys", n)
		}
	}
	b.ReportMetric(float64(releasing.Milliseconds())/float64(b.N), "release-ms")
	b.ReportMetric(float64(reading.Milliseconds())/float64(b.N), "read-ms")
}

func (s *scene) release() {
	s.b.Helper()
	s.now = s.now.Add(time.Hour)
	_, err := s.ledger.Release(s.b.Context(), &ledger.ReleaseOptions{AllowGap: true})
	s.must(err)
}

func (s *scene) last() int64 {
	log, err := s.store.Log(s.b.Context(), 0)
	s.must(err)
	return log.Last.Last
}

// benchPrune removes 5,000 units, and what is left of them in the bucket.
func (s *scene) benchPrune(b *testing.B) {
	for b.Loop() {
		for _, limit := range []int{5000, 1} {
			ended := s.now.Add(24 * time.Hour)
			if limit == 1 {
				ended = time.Time{}
			}
			_, err := s.store.Remove(b.Context(), &ledger.Removal{
				Now: s.now, Ended: ended, Floor: 1 << 40, Limit: limit,
				Each:    func(*ledger.Unit) time.Time { return time.Time{} },
				Tallies: func() ledger.Tallies { return nil },
				Again:   func() {},
			})
			s.must(err)
		}
	}
}

// BenchmarkTakeIn runs over an inbox of 100,000 objects of which all but a
// hundred are known.
func BenchmarkTakeIn(b *testing.B) {
	s := newScene(b)
	inbox := &many{Bucket: memstore.New(nil)}
	in, err := bucketledger.NewInbox(inbox, england, nil)
	s.must(err)
	inbox.n = 100_000
	_, err = in.TakeIn(b.Context(), s.ledger)
	s.must(err)
	for b.Loop() {
		inbox.n += 100
		r, err := in.TakeIn(b.Context(), s.ledger)
		s.must(err)
		if r.Taken != 100 {
			b.Fatalf("%+v", r)
		}
	}
}
