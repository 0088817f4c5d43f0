package sqliteledger_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
)

// Benchmarks measure at the size of a national back end: hourly windows of
// 15,000 keys, days of 360,000. How much history they begin with is a flag:
//
//	go test -run '^$' -bench History -args -sqliteledger.history=5000000 -sqliteledger.file=/tmp/history.db
var (
	history     = flag.Int("sqliteledger.history", 100_000, "keys in the ledger that BenchmarkHistory begins with")
	historyFile = flag.String("sqliteledger.file", "", "where BenchmarkHistory keeps that ledger for the next run")
)

// delivery and window are numbers of keys.
const (
	delivery = 5000
	window   = 15_000
)

// scene is a ledger with a clock that benchmarks move.
type scene struct {
	b      *testing.B
	now    time.Time
	store  *sqliteledger.Store
	ledger *ledger.Ledger
	keys   *keystest.Generator
	path   string
}

func newScene(b *testing.B, path string) *scene {
	b.Helper()
	s := &scene{b: b, now: time.Date(2022, 2, 8, 12, 0, 0, 0, time.UTC), path: path,
		keys: keystest.New(uint64(time.Now().UnixNano()), &keystest.Options{EndOfPeriod: true})}
	s.open()
	b.Cleanup(func() { s.store.Close() })
	log, err := s.store.Log(b.Context(), 0)
	s.must(err)
	if log.Last.Seq > 0 {
		s.now = log.Last.Time
	}
	return s
}

func (s *scene) open() {
	s.b.Helper()
	var err error
	s.store, err = sqliteledger.Open(s.b.Context(), s.path, &sqliteledger.Options{Clock: func() time.Time { return s.now }})
	s.must(err)
	s.ledger, err = ledger.Open(s.b.Context(), s.store, &ledger.Options{Policy: eager()})
	s.must(err)
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
	if receipt.Accepted == 0 {
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

func (s *scene) read(from, to int64) (n int) {
	s.b.Helper()
	for _, err := range s.store.Read(s.b.Context(), from, to) {
		s.must(err)
		n++
	}
	return n
}

// perKey reports what a key costs.
func perKey(b *testing.B, total int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(total), "ns/key")
}

// BenchmarkAccept brings deliveries of 5,000 keys.
func BenchmarkAccept(b *testing.B) {
	s := newScene(b, filepath.Join(b.TempDir(), "ledger.db"))
	total := 0
	for b.Loop() {
		b.StopTimer()
		d, n := s.make(delivery)
		total += n
		b.StartTimer()
		s.accept(d)
	}
	perKey(b, total)
	s.reportSize(total)
}

// reportSize reports what a key takes in the file.
func (s *scene) reportSize(total int) {
	s.must(s.store.Close())
	info, err := os.Stat(s.path)
	s.must(err)
	s.b.ReportMetric(float64(info.Size())/float64(total), "B/key")
}

// BenchmarkDay brings a day's keys, releases them in one cut and reads them.
func BenchmarkDay(b *testing.B) {
	for _, step := range []string{"release", "read"} {
		b.Run(step, func(b *testing.B) {
			s := newScene(b, filepath.Join(b.TempDir(), "ledger.db"))
			const day = 360_000
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

func (s *scene) last() int64 {
	log, err := s.store.Log(s.b.Context(), 0)
	s.must(err)
	return log.Last.Last
}

// BenchmarkHistory does what a back end does every hour, over a ledger that has
// a history. The figures should hardly depend on how long it is.
func BenchmarkHistory(b *testing.B) {
	path := *historyFile
	if path == "" {
		path = filepath.Join(b.TempDir(), "ledger.db")
	}
	s := newScene(b, path)
	s.makeHistory()
	b.Run("open", s.benchOpen)
	b.Run("log", func(b *testing.B) {
		for b.Loop() {
			_, err := s.store.Log(b.Context(), 0)
			s.must(err)
		}
	})
	b.Run("registers", func(b *testing.B) {
		for b.Loop() {
			_, err := s.store.Registers(b.Context(), "")
			s.must(err)
		}
	})
	b.Run("accept-12", func(b *testing.B) {
		for b.Loop() {
			d, _ := s.make(12)
			s.accept(d)
		}
	})
	b.Run("window", s.benchWindow)
	b.Run("prune-5000", s.benchPrune)
	b.Log(memory())
}

// makeHistory fills the ledger with two weeks of days.
func (s *scene) makeHistory() {
	const days = 14
	for missing := int64(*history) - s.last(); missing > 0; missing = int64(*history) - s.last() {
		s.fill(min(*history/days+1, int(missing)))
		s.now = s.now.Add(23 * time.Hour)
		s.cut()
		s.b.Logf("%d keys in the ledger", s.last())
	}
}

func (s *scene) benchOpen(b *testing.B) {
	for b.Loop() {
		other, err := sqliteledger.Open(b.Context(), s.path, &sqliteledger.Options{Clock: func() time.Time { return s.now }})
		s.must(err)
		_, err = other.Log(b.Context(), 0)
		s.must(err)
		_, err = other.Registers(b.Context(), "")
		s.must(err)
		s.must(other.Close())
	}
}

// benchWindow brings, releases and reads the keys of an hour.
func (s *scene) benchWindow(b *testing.B) {
	var spent [3]time.Duration
	n := 0
	for b.Loop() {
		n++
		s.now = s.now.Add(23 * time.Hour) // always at noon, when nothing is under embargo
		before := s.last()
		t0 := time.Now()
		s.fill(window)
		t1 := time.Now()
		cut := s.cut()
		t2 := time.Now()
		if got := s.read(before, cut.Last); got < window*9/10 {
			b.Fatalf("read %d keys of %d", got, window)
		}
		for i, d := range []time.Duration{t1.Sub(t0), t2.Sub(t1), time.Since(t2)} {
			spent[i] += d
		}
	}
	for i, step := range []string{"accept", "release", "read"} {
		b.ReportMetric(float64(spent[i].Milliseconds())/float64(n), step+"-ms")
	}
}

// benchPrune removes the oldest units in steps, while somebody goes on accepting,
// and then scrubs pages.
func (s *scene) benchPrune(b *testing.B) {
	done, slowest := make(chan bool), make(chan time.Duration)
	go s.keepAccepting(done, slowest)
	for b.Loop() {
		s.remove(s.now.Add(24*time.Hour), 5000)
	}
	steps := b.Elapsed()
	done <- true
	b.ReportMetric(float64((<-slowest).Milliseconds()), "slowest-accept-ms")
	b.ReportMetric(float64(steps.Milliseconds())/float64(b.N), "step-ms")
	start := time.Now()
	s.remove(time.Time{}, 1)
	b.ReportMetric(float64(time.Since(start).Milliseconds()), "scrub-ms")
}

// remove removes up to limit units that ended before a time.
func (s *scene) remove(ended time.Time, limit int) {
	s.b.Helper()
	_, err := s.store.Remove(s.b.Context(), &ledger.Removal{
		Now: s.now, Ended: ended, Floor: 1 << 40, Limit: limit,
		Each:    func(*ledger.Unit) time.Time { return time.Time{} },
		Tallies: func() ledger.Tallies { return nil },
		Again:   func() {},
	})
	s.must(err)
}

// keepAccepting brings an upload at a time, and tells how long the slowest took.
func (s *scene) keepAccepting(done <-chan bool, slowest chan<- time.Duration) {
	var most time.Duration
	for {
		select {
		case <-done:
			slowest <- most
			return
		default:
		}
		d, _ := s.make(1)
		start := time.Now()
		if _, err := s.ledger.Accept(s.b.Context(), d); err != nil {
			s.b.Error(err)
		}
		most = max(most, time.Since(start))
		time.Sleep(5 * time.Millisecond)
	}
}

// memory says what the process takes, as far as the system tells.
func memory() string {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	said := fmt.Sprintf("heap %d MiB", m.HeapAlloc>>20)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return said
	}
	for line := range strings.Lines(string(status)) {
		var kb int
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kb); n == 1 {
			said += fmt.Sprintf(", resident set at most %d MiB", kb>>10)
		}
	}
	return said
}

// BenchmarkOrder withdraws 100,000 released keys, and reinstates them.
func BenchmarkOrder(b *testing.B) {
	s := newScene(b, filepath.Join(b.TempDir(), "ledger.db"))
	s.fill(100_000)
	s.cut()
	ledgertest.BenchmarkOrder(b, s.ledger)
}
