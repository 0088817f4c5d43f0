package pgledger_test

import (
	"context"
	"flag"
	"fmt"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
)

// history is how many keys are known in BenchmarkKnown, where 5 million is what
// two weeks of a large country come to:
//
//	go test -run '^$' -bench Known -args -pgledger.history=5000000
var history = flag.Int("pgledger.history", 100_000, "keys in the ledger that BenchmarkKnown begins with")

// delivery and day are numbers of keys.
const (
	delivery = 5000
	day      = 360_000
)

// scene is a ledger with a clock that benchmarks move, on a server that keeps
// what it answers: nothing is turned off.
type scene struct {
	b      *testing.B
	now    time.Time
	store  *pgledger.Store
	ledger *ledger.Ledger
	keys   *keystest.Generator
}

func newScene(b *testing.B, settings ...func(*pgxpool.Config)) *scene {
	b.Helper()
	server, err := pgtest.Start(pgtest.Settings{"shared_buffers": "1GB", "max_wal_size": "8GB"})
	pgtest.Need(b, err)
	b.Cleanup(server.Stop)
	pool := server.Pool(b, "postgres", append(settings, func(c *pgxpool.Config) { c.MaxConns = 70 })...)
	s := &scene{b: b, now: time.Date(2022, 2, 8, 12, 0, 0, 0, time.UTC),
		keys: keystest.New(uint64(time.Now().UnixNano()), &keystest.Options{EndOfPeriod: true})}
	s.store, err = pgledger.Open(b.Context(), pool, &pgledger.Options{Clock: func() time.Time { return s.now }})
	s.must(err)
	s.ledger, err = ledger.Open(b.Context(), s.store, &ledger.Options{Policy: eager()})
	s.must(err)
	b.Cleanup(pool.Close)
	return s
}

func (s *scene) must(err error) {
	s.b.Helper()
	if err != nil {
		s.b.Fatal(err)
	}
}

// make returns a delivery of n keys or a few more, of which a twentieth comes
// twice.
func (s *scene) make(n int) (d *ledger.Delivery, total int) {
	d = &ledger.Delivery{Source: ledger.Own}
	for total < n {
		up := s.keys.Upload(s.now)
		d.Uploads = append(d.Uploads, ledger.Upload{ID: up.ID, Keys: up.Keys})
		if total += len(up.Keys); len(d.Uploads)%20 == 0 {
			d.Uploads = append(d.Uploads, ledger.Upload{ID: up.ID + "-again", Keys: up.Keys})
			total += len(up.Keys)
		}
	}
	return d, total
}

func (s *scene) accept(d *ledger.Delivery) {
	s.b.Helper()
	receipt, err := s.ledger.Accept(s.b.Context(), d)
	s.must(err)
	if receipt.Accepted+receipt.Duplicates == 0 {
		s.b.Fatalf("nothing accepted: %+v", receipt)
	}
}

// fill brings n keys, in deliveries.
func (s *scene) fill(n int) {
	s.b.Helper()
	for n > 0 {
		d, total := s.make(min(n, delivery))
		s.accept(d)
		n -= total
	}
}

func (s *scene) cut() ledger.Cut {
	s.b.Helper()
	s.now = s.now.Add(time.Hour)
	report, err := s.ledger.Release(s.b.Context(), nil)
	s.must(err)
	return report.Cut
}

func (s *scene) last() int64 {
	s.b.Helper()
	log, err := s.store.Log(s.b.Context(), 0)
	s.must(err)
	return log.Last.Last
}

// perKey reports what a key costs.
func perKey(b *testing.B, total int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(total), "ns/key")
}

// BenchmarkAccept brings deliveries of 5,000 keys.
func BenchmarkAccept(b *testing.B) {
	s := newScene(b)
	total := 0
	for b.Loop() {
		b.StopTimer()
		d, n := s.make(delivery)
		total += n
		b.StartTimer()
		s.accept(d)
	}
	perKey(b, total)
}

// distant is a connection to a server that is a millisecond away.
type distant struct{ net.Conn }

func (d distant) Write(p []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return d.Conn.Write(p)
}

func far(c *pgxpool.Config) {
	dial := c.ConnConfig.DialFunc
	c.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return distant{conn}, err
	}
}

// BenchmarkSubmissions has phones submit 12 keys each, through so many clients, to
// a server on the same machine, with which they share its processors, and to one
// that is as far away as another machine is.
func BenchmarkSubmissions(b *testing.B) {
	benchSubmissions(b, "near")
	benchSubmissions(b, "far", far)
}

func benchSubmissions(b *testing.B, where string, settings ...func(*pgxpool.Config)) {
	for _, clients := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(where, "/", clients), func(b *testing.B) {
			s := newScene(b, settings...)
			s.fill(delivery)
			all := make(chan *ledger.Delivery, 20_000)
			for range cap(all) {
				up := s.keys.Upload(s.now)
				for len(up.Keys) < 12 {
					up.Keys = append(up.Keys, s.keys.Upload(s.now).Keys...)
				}
				all <- &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: up.ID, Keys: up.Keys[:12]}}}
			}
			var wg sync.WaitGroup
			work := make(chan struct{})
			for range clients {
				wg.Go(func() {
					for range work {
						s.accept(<-all)
					}
				})
			}
			n := 0
			for b.Loop() {
				n++
				work <- struct{}{}
			}
			close(work)
			wg.Wait()
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "submissions/s")
		})
	}
}

// BenchmarkDay brings a day's keys, releases them in one cut and reads them.
func BenchmarkDay(b *testing.B) {
	for _, step := range []string{"release", "read"} {
		b.Run(step, func(b *testing.B) {
			s := newScene(b)
			for b.Loop() {
				b.StopTimer()
				s.fill(day)
				if step == "release" {
					b.StartTimer()
				}
				before := s.last()
				cut := s.cut()
				b.StartTimer()
				if step == "read" {
					s.read(before, cut.Last)
				}
			}
			perKey(b, int(s.last()))
		})
	}
}

// read reads a range, and reports how much the heap grew meanwhile.
func (s *scene) read(from, to int64) (n int) {
	s.b.Helper()
	var before, most runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for _, err := range s.store.Read(s.b.Context(), from, to) {
		s.must(err)
		if n++; n%100_000 == 0 {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			if now.HeapAlloc > most.HeapAlloc {
				most = now
			}
		}
	}
	s.b.ReportMetric((float64(most.HeapAlloc)-float64(before.HeapAlloc))/(1<<20), "heap-MiB")
	return n
}

// BenchmarkKnown brings 100,000 keys, of which half are known, to a ledger that
// has a history.
func BenchmarkKnown(b *testing.B) {
	s := newScene(b)
	const batch = 100_000
	var known []*ledger.Delivery
	for missing := *history; missing > 0; {
		d, total := s.make(min(missing, delivery))
		s.accept(d)
		missing -= total
		if len(known) < batch/2/delivery {
			known = append(known, d)
		}
	}
	b.Logf("%d keys in the ledger", *history)
	for b.Loop() {
		b.StopTimer()
		d, total := s.make(batch / 2)
		for _, k := range known {
			for _, up := range k.Uploads {
				total += len(up.Keys)
				d.Uploads = append(d.Uploads, up)
			}
		}
		b.StartTimer()
		s.accept(d)
		b.ReportMetric(float64(total), "keys/op")
	}
}

// BenchmarkOrder withdraws 100,000 released keys, and reinstates them.
func BenchmarkOrder(b *testing.B) {
	s := newScene(b)
	s.fill(100_000)
	s.cut()
	ledgertest.BenchmarkOrder(b, s.ledger)
}
