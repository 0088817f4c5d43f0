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

	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
)

// Benchmarks measure at the size of a national back end: hourly windows of
// 15,000 keys, days of 360,000. How much history they begin with is a flag:
//
//	go test -run '^$' -bench History -args -sqliteledger.history=5000000 -sqliteledger.file=/tmp/history.db
var (
	history     = flag.Int("sqliteledger.history", 100_000, "keys in the ledger that BenchmarkHistory and BenchmarkKnown begin with")
	historyFile = flag.String("sqliteledger.file", "", "where they keep that ledger for the next run")
)

// window is a number of keys.
const window = 15_000

// openAt returns what opens the ledger in a file until the benchmark is over.
func openAt(b *testing.B, path string) func(func() time.Time) (ledger.Store, error) {
	return func(clock func() time.Time) (ledger.Store, error) {
		s, err := sqliteledger.Open(b.Context(), path, &sqliteledger.Options{Clock: clock})
		if err == nil {
			b.Cleanup(func() { s.Close() })
		}
		return s, err
	}
}

// newScene opens a ledger that has nothing.
func newScene(b *testing.B) *ledgertest.Scene {
	b.Helper()
	return ledgertest.NewScene(b, openAt(b, filepath.Join(b.TempDir(), "ledger.db")))
}

// BenchmarkAccept brings deliveries of 5,000 keys, and reports what a key takes in
// the file.
func BenchmarkAccept(b *testing.B) {
	path := filepath.Join(b.TempDir(), "ledger.db")
	s := ledgertest.NewScene(b, openAt(b, path))
	total := ledgertest.BenchmarkAccept(b, s)
	if err := s.Store.(*sqliteledger.Store).Close(); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/float64(total), "B/key")
}

// BenchmarkDay brings a day's keys, releases them in one cut and reads them.
func BenchmarkDay(b *testing.B) { ledgertest.BenchmarkDay(b, newScene) }

// BenchmarkKnown brings 100,000 keys, of which half are known, to a ledger that has
// a history. It took 1.07 times as long as to bring the same to an empty ledger with
// 100,000 keys in the history (and 50,000 in the delivery), 1.17 times with a million,
// and 1.84 with 4.8 million: five deliveries each, two with the last, in turns with the
// empty ledger in the same process, on a machine with 2 processors that others used too.
//
//	go test -run '^$' -bench Known -benchtime 5x -args -sqliteledger.history=5000000 -sqliteledger.file=/tmp/history.db
func BenchmarkKnown(b *testing.B) {
	s, _ := newHistory(b)
	ledgertest.BenchmarkKnown(b, s, func() *ledgertest.Scene { return newScene(b) })
}

// BenchmarkOrder withdraws 100,000 released keys, and reinstates them.
func BenchmarkOrder(b *testing.B) { ledgertest.BenchmarkOrder(b, newScene(b)) }

// newHistory opens a ledger that has a history, or makes one.
func newHistory(b *testing.B) (s *ledgertest.Scene, path string) {
	b.Helper()
	path = *historyFile
	if path == "" {
		path = filepath.Join(b.TempDir(), "ledger.db")
	}
	s = ledgertest.NewScene(b, openAt(b, path))
	s.Grow(*history)
	return s, path
}

// BenchmarkHistory does what a back end does every hour, over a ledger that has
// a history. The figures should hardly depend on how long it is.
func BenchmarkHistory(b *testing.B) {
	s, path := newHistory(b)
	b.Run("open", func(b *testing.B) { benchOpen(b, path) })
	b.Run("log", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Store.Log(b.Context(), 0)
			must(b, err)
		}
	})
	b.Run("registers", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Store.Registers(b.Context(), "")
			must(b, err)
		}
	})
	b.Run("accept-12", func(b *testing.B) {
		for b.Loop() {
			d, _ := s.Make(12)
			s.Accept(d)
		}
	})
	b.Run("window", func(b *testing.B) { benchWindow(b, s) })
	b.Run("prune-5000", func(b *testing.B) { benchPrune(b, s) })
	b.Log(memory())
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func benchOpen(b *testing.B, path string) {
	for b.Loop() {
		other, err := sqliteledger.Open(b.Context(), path, &sqliteledger.Options{Clock: time.Now})
		must(b, err)
		_, err = other.Log(b.Context(), 0)
		must(b, err)
		_, err = other.Registers(b.Context(), "")
		must(b, err)
		must(b, other.Close())
	}
}

// benchWindow brings, releases and reads the keys of an hour.
func benchWindow(b *testing.B, s *ledgertest.Scene) {
	var spent [3]time.Duration
	n := 0
	for b.Loop() {
		n++
		s.Now = s.Now.Add(23 * time.Hour) // always at noon, when nothing is under embargo
		before := s.Last()
		t0 := time.Now()
		s.Fill(window)
		t1 := time.Now()
		cut := s.Cut()
		t2 := time.Now()
		if got := s.Read(before, cut.Last); got < window*9/10 {
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
func benchPrune(b *testing.B, s *ledgertest.Scene) {
	done, slowest := make(chan bool), make(chan time.Duration)
	go keepAccepting(s, done, slowest)
	for b.Loop() {
		s.Remove(s.Now.Add(24*time.Hour), 5000)
	}
	steps := b.Elapsed()
	done <- true
	b.ReportMetric(float64((<-slowest).Milliseconds()), "slowest-accept-ms")
	b.ReportMetric(float64(steps.Milliseconds())/float64(b.N), "step-ms")
	start := time.Now()
	s.Remove(time.Time{}, 1)
	b.ReportMetric(float64(time.Since(start).Milliseconds()), "scrub-ms")
}

// keepAccepting brings an upload at a time, and tells how long the slowest took.
func keepAccepting(s *ledgertest.Scene, done <-chan bool, slowest chan<- time.Duration) {
	var most time.Duration
	for {
		select {
		case <-done:
			slowest <- most
			return
		default:
		}
		d, _ := s.Make(1)
		start := time.Now()
		s.Accept(d)
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
