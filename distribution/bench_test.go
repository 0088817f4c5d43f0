package distribution_test

import (
	"context"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/cwa"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/filestore"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// Benchmarks publish from a ledger in SQLite to a folder, hour by hour, after
// two weeks of such hours. How many keys they begin with is a flag; with a
// folder to keep them in, a second call begins at once, and its memory is that
// of the publication alone:
//
//	go test -run '^$' -bench Service ./distribution -args -history=5000000 -history.dir=/tmp/history
var (
	historyKeys = flag.Int("history", 50_000, "keys published before BenchmarkService begins")
	historyDir  = flag.String("history.dir", "", "where BenchmarkService keeps ledger and folder")
)

// service is a distribution service at the size of a country.
type service struct {
	b         *testing.B
	clock     time.Time
	ledger    *ledger.Ledger
	publisher *distribution.Publisher
	gen       *keystest.Generator
	calls     map[string]int // to the bucket, by kind
}

func newService(b *testing.B, dir string) *service {
	b.Helper()
	s := &service{
		b:     b,
		clock: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		gen:   keystest.New(uint64(time.Now().UnixNano()), &keystest.Options{Origins: []keys.Region{de}, EndOfPeriod: true}),
		calls: map[string]int{},
	}
	store, err := sqliteledger.Open(b.Context(), filepath.Join(dir, "ledger.db"), &sqliteledger.Options{Clock: func() time.Time { return s.clock }})
	s.must(err)
	b.Cleanup(func() { store.Close() })
	policy := ledger.DefaultPolicy()
	policy.MinKeys, policy.MinUploads = 0, 0
	policy.Quota = 1e9
	s.ledger, err = ledger.Open(b.Context(), store, &ledger.Options{Policy: &policy})
	s.must(err)
	s.publisher = s.newPublisher(filepath.Join(dir, "www"))
	log, err := s.ledger.Log(b.Context(), 0)
	s.must(err)
	if log.Last.Seq > 0 {
		s.clock = log.Last.Time
	} else {
		s.publish()
	}
	return s
}

func (s *service) newPublisher(dir string) *distribution.Publisher {
	s.b.Helper()
	s.must(os.MkdirAll(dir, 0o755))
	files, err := filestore.New(dir, nil)
	s.must(err)
	counted := storagetest.Faulty(files, func(_ context.Context, c storagetest.Call) storagetest.Verdict {
		s.calls[c.Op]++
		return storagetest.Pass
	})
	packages := []distribution.Package{{Name: "DE", Select: distribution.FromOrigin(de), Map: distribution.Identity(), FromBeginning: true}}
	layout, err := cwa.New(&cwa.Options{Index: "index"})
	s.must(err)
	// One at a time, so that calls are counted without a lock.
	p, err := distribution.New(s.ledger, counted, layout, packages, newRing(s.b, "262-v1"), &distribution.Options{Parallel: 1, PublicRead: true})
	s.must(err)
	return p
}

func (s *service) must(err error) {
	s.b.Helper()
	if err != nil {
		s.b.Fatal(err)
	}
}

// arrive brings n keys, or a few more.
func (s *service) arrive(n int) {
	s.b.Helper()
	for n > 0 {
		d := &ledger.Delivery{Source: ledger.Own}
		for size := 0; size < min(n, 5000); {
			up := s.gen.Upload(s.clock)
			d.Uploads = append(d.Uploads, ledger.Upload{ID: up.ID, Keys: up.Keys})
			size += len(up.Keys)
		}
		receipt, err := s.ledger.Accept(s.b.Context(), d)
		s.must(err)
		if receipt.Accepted == 0 {
			s.b.Fatalf("nothing accepted: %+v", receipt)
		}
		n -= receipt.Accepted
	}
}

// release makes the next hour's cut.
func (s *service) release() {
	s.b.Helper()
	s.clock = s.clock.Add(time.Hour)
	_, err := s.ledger.Release(s.b.Context(), nil)
	s.must(err)
}

func (s *service) publish() *distribution.Report {
	s.b.Helper()
	clear(s.calls)
	report, err := s.publisher.Run(s.b.Context())
	s.must(err)
	return report
}

// untilHour lets hours pass until it is that hour of the day.
func (s *service) untilHour(h int) {
	s.b.Helper()
	for s.clock.Hour() != h {
		s.release()
		s.publish()
	}
}

// live publishes two weeks of hours, unless that was done before.
func (s *service) live(total int) {
	s.b.Helper()
	const hours = 14 * 24
	for s.count() < int64(total)*9/10 {
		s.arrive(total/hours + 1)
		s.release()
		s.publish()
		if s.clock.Hour() == 0 {
			s.b.Logf("%s: %d keys", s.clock.Format(time.DateOnly), s.count())
		}
	}
}

// count returns how many events have a number.
func (s *service) count() int64 {
	s.b.Helper()
	log, err := s.ledger.Log(s.b.Context(), 0)
	s.must(err)
	return log.Last.Last
}

// reportCosts reports what a run asked of the bucket, and the most memory that the
// process has had so far.
func (s *service) reportCosts(b *testing.B) {
	for _, op := range slices.Sorted(maps.Keys(s.calls)) {
		b.ReportMetric(float64(s.calls[op]), op+"-calls")
	}
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		if m := peak.FindSubmatch(status); m != nil {
			kb, err := strconv.Atoi(string(m[1]))
			s.must(err)
			b.ReportMetric(float64(kb)/1024, "peak-MiB")
		}
	}
}

// peak finds the largest resident set in what Linux says of a process.
var peak = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// BenchmarkService is what a distribution service does every hour.
func BenchmarkService(b *testing.B) {
	dir := *historyDir
	if dir == "" {
		dir = b.TempDir()
	}
	s := newService(b, dir)
	s.live(*historyKeys)
	perHour, perDay := *historyKeys/(14*24), *historyKeys/14
	b.Run("nothing-new", func(b *testing.B) {
		for b.Loop() {
			s.publish()
		}
		s.reportCosts(b)
	})
	b.Run("hour", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			s.untilHour(12)
			s.arrive(perHour)
			b.StartTimer()
			s.release()
			s.publish()
		}
		s.reportCosts(b)
	})
	b.Run("midnight", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			s.untilHour(22)
			s.arrive(perDay)
			s.release()
			s.publish()
			b.StartTimer()
			s.release() // of midnight: the archive of the day
			s.publish()
		}
		s.reportCosts(b)
	})
}
