package distribution_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/cwa"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/filestore"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
)

// BENCHMARKS.md says what these are for, and what they gave.
var (
	assemblyKeys    = flag.Int("assembly.keys", 50_000, "keys that BenchmarkAssembly publishes")
	assemblyDays    = flag.Int("assembly.days", 14, "days in which they come")
	assemblyDir     = flag.String("assembly.dir", "", "where BenchmarkAssembly keeps the ledger for the next call")
	assemblyProfile = flag.String("assembly.profile", "", "a folder for profiles of its steps")
	assemblyStep    = flag.String("assembly.step", "", "the step that this process is; BenchmarkAssembly sets it")
	assemblyOutput  = flag.String("assembly.output", "", "the output that it works on; likewise")
)

// assemblyResult is what a step's process says of it.
type assemblyResult struct {
	Keys    int64   // with a number
	Seconds float64 // of the step alone
	PeakMiB float64 // of the process
	Mallocs uint64
	Bytes   int64
	Reads   int
	Read    int    // units that they gave
	Tree    string // a digest of all that is published
}

// BenchmarkAssembly publishes days of hours, of which nothing is published yet, from
// a ledger in SQLite to a folder, in one run: three packages, archives of hours and
// days. Each step is a process of its own, so that its memory and its CPU time are.
func BenchmarkAssembly(b *testing.B) {
	dir := *assemblyDir
	if dir == "" {
		dir = b.TempDir()
	}
	file := filepath.Join(dir, fmt.Sprintf("assembly-%d-%d.db", *assemblyKeys, *assemblyDays))
	if _, err := os.Stat(file); err != nil {
		b.Run("ingest", func(b *testing.B) {
			for b.Loop() {
				os.Remove(file)
				benchStep(b, "ingest", file, "none")
			}
		})
	}
	var output string
	for _, step := range []string{"assemble", "unchanged"} {
		b.Run(step, func(sub *testing.B) {
			for sub.Loop() {
				if step == "assemble" {
					output = strconv.FormatInt(time.Now().UnixNano(), 36)
					www := filepath.Join(dir, output)
					b.Cleanup(func() { os.RemoveAll(www) })
				}
				benchStep(sub, step, file, output)
			}
		})
	}
}

// benchStep runs a step in another process and reports what it cost.
func benchStep(b *testing.B, step, file, output string) {
	b.Helper()
	c := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestAssemblyStep$", "-test.timeout=0",
		"-assembly.keys="+strconv.Itoa(*assemblyKeys), "-assembly.days="+strconv.Itoa(*assemblyDays),
		"-assembly.step="+step, "-assembly.dir="+file, "-assembly.output="+output, "-assembly.profile="+*assemblyProfile)
	out, err := c.Output()
	var r assemblyResult
	if err == nil {
		err = json.Unmarshal(out[:max(0, lastBrace(out))], &r)
	}
	if err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	keys := float64(r.Keys)
	b.ReportMetric(keys, "keys")
	b.ReportMetric(keys/r.Seconds, "keys/s")
	b.ReportMetric(c.ProcessState.UserTime().Seconds()+c.ProcessState.SystemTime().Seconds(), "cpu-s")
	b.ReportMetric(r.PeakMiB, "peak-MiB")
	b.ReportMetric(float64(r.Mallocs)/keys, "mallocs/key")
	if step == "ingest" {
		return
	}
	b.ReportMetric(r.Seconds*1e3, "ms")
	b.ReportMetric(float64(r.Reads), "reads")
	b.ReportMetric(float64(r.Read)/keys, "units-read/key")
	b.Logf("%d keys, %d bytes in a tree of digest %s", r.Keys, r.Bytes, r.Tree)
}

// lastBrace returns where the JSON at the beginning of a test's output ends.
func lastBrace(out []byte) int {
	for i := range out {
		if out[i] == '}' {
			return i + 1
		}
	}
	return 0
}

// TestAssemblyStep is a step of BenchmarkAssembly, in a process of its own.
func TestAssemblyStep(t *testing.T) {
	if *assemblyStep == "" {
		t.Skip("a part of BenchmarkAssembly")
	}
	a := newAssembly(t, *assemblyDir)
	work := map[string]func(){"ingest": a.ingest, "assemble": a.assemble, "unchanged": a.unchanged}[*assemblyStep]
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	stop := a.profile()
	start := time.Now()
	work()
	if a.result.Seconds == 0 {
		a.result.Seconds = time.Since(start).Seconds()
	}
	stop()
	runtime.ReadMemStats(&after)
	a.result.Mallocs = after.Mallocs - before.Mallocs
	a.result.PeakMiB = peakMiB(t)
	log, err := a.ledger.Log(t.Context(), 0)
	a.must(err)
	a.result.Keys = log.Last.Last
	if *assemblyStep != "ingest" {
		a.digest()
	}
	a.must(json.NewEncoder(os.Stdout).Encode(a.result))
}

// assembly is one step at work.
type assembly struct {
	t      *testing.T
	clock  time.Time
	dir    string
	store  *countedStore
	ledger *ledger.Ledger
	result assemblyResult
}

func newAssembly(t *testing.T, file string) *assembly {
	a := &assembly{t: t, dir: filepath.Dir(file), clock: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)}
	store, err := sqliteledger.Open(t.Context(), file, &sqliteledger.Options{Clock: func() time.Time { return a.clock }})
	a.must(err)
	t.Cleanup(func() { store.Close() })
	a.store = &countedStore{Store: store}
	policy := ledger.DefaultPolicy()
	policy.MinKeys, policy.MinUploads, policy.MinWithdrawnUploads = 0, 0, 0
	policy.Quota = 1e9
	a.ledger, err = ledger.Open(t.Context(), a.store, &ledger.Options{Policy: &policy})
	a.must(err)
	log, err := a.ledger.Log(t.Context(), 0)
	a.must(err)
	if log.Last.Seq > 0 {
		a.clock = log.Last.Time
	}
	return a
}

func (a *assembly) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

// ingest has as many keys of two countries come as there are to be, an hour at a
// time. In each hour an upload is taken back, and a few keys are claimed by the other
// country too.
func (a *assembly) ingest() {
	gen := keystest.New(1, &keystest.Options{Origins: []keys.Region{de, fr}, EndOfPeriod: true})
	hours := *assemblyDays * 24
	missing := *assemblyKeys
	for i := range hours {
		var some []keys.DiagnosisKey
		for n := missing / (hours - i); n > 0; {
			d := &ledger.Delivery{Source: ledger.Own}
			for size := 0; size < min(n, 5000); {
				up := gen.Upload(a.clock)
				d.Uploads = append(d.Uploads, ledger.Upload{ID: up.ID, Keys: up.Keys})
				size += len(up.Keys)
				some = up.Keys
			}
			receipt, err := a.ledger.Accept(a.t.Context(), d)
			a.must(err)
			n -= receipt.Accepted
			missing -= receipt.Accepted
		}
		if len(some) > 0 {
			a.claimAgain(some)
		}
		a.clock = a.clock.Add(time.Hour)
		_, err := a.ledger.Release(a.t.Context(), nil)
		a.must(err)
		if len(some) > 1 {
			_, err = a.ledger.Withdraw(a.t.Context(), ledger.IDOf(&some[0]), ledger.IDOf(&some[1]))
			a.must(err)
		}
	}
}

// claimAgain brings keys as those of the other country.
func (a *assembly) claimAgain(own []keys.DiagnosisKey) {
	d := &ledger.Delivery{Source: "partner", Uploads: []ledger.Upload{{ID: fmt.Sprint("batch-", a.clock.Unix())}}}
	for _, k := range own {
		k.Origin = map[keys.Region]keys.Region{de: fr, fr: de}[k.Origin]
		d.Uploads[0].Keys = append(d.Uploads[0].Keys, k)
	}
	_, err := a.ledger.Accept(a.t.Context(), d)
	a.must(err)
}

// publisher publishes everything, and each country's keys.
func (a *assembly) publisher() *distribution.Publisher {
	a.t.Helper()
	www := filepath.Join(a.dir, *assemblyOutput)
	a.must(os.MkdirAll(www, 0o755))
	files, err := filestore.New(www, nil)
	a.must(err)
	layout, err := cwa.New(&cwa.Options{Index: "index", Days: *assemblyDays, HourDays: *assemblyDays})
	a.must(err)
	packages := []distribution.Package{
		{Name: "EUR", Select: distribution.FromEverywhere(), Map: distribution.Identity(), FromBeginning: true},
		{Name: "DE", Select: distribution.FromOrigin(de), Map: distribution.Identity(), FromBeginning: true},
		{Name: "FR", Select: distribution.FromOrigin(fr), Map: distribution.Identity(), FromBeginning: true},
	}
	p, err := distribution.New(a.ledger, files, layout, packages, newRing(a.t, "262-v1"),
		&distribution.Options{Output: *assemblyOutput, PublicRead: true, Deadline: 10 * time.Hour})
	a.must(err)
	return p
}

func (a *assembly) run(p *distribution.Publisher) *distribution.Report {
	a.t.Helper()
	report, err := p.Run(a.t.Context())
	a.must(err)
	return report
}

func (a *assembly) assemble() {
	report := a.run(a.publisher())
	if report.Written == 0 {
		a.t.Fatalf("nothing was written:\n%s", report)
	}
	a.result.Reads, a.result.Read = a.store.reads, a.store.units
}

// unchanged is the fastest of a few runs with nothing new.
func (a *assembly) unchanged() {
	p := a.publisher()
	for range 10 {
		start := time.Now()
		if report := a.run(p); report.Written+len(report.Indexes)+report.Deleted > 0 {
			a.t.Fatalf("a run with nothing new did something:\n%s", report)
		}
		if s := time.Since(start).Seconds(); a.result.Seconds == 0 || s < a.result.Seconds {
			a.result.Seconds = s
		}
	}
}

// digest sums up the names and the content of all that is published.
func (a *assembly) digest() {
	sum := sha256.New()
	root := filepath.Join(a.dir, *assemblyOutput)
	a.must(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".gaen": // the store's own
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path)
		fmt.Fprintf(sum, "%s %d %x\n", name, len(content), sha256.Sum256(content))
		a.result.Bytes += int64(len(content))
		return err
	}))
	a.result.Tree = fmt.Sprintf("%x", sum.Sum(nil)[:8])
}

// profile begins profiles of CPU time and of memory at its end, if they are wanted.
func (a *assembly) profile() (stop func()) {
	a.t.Helper()
	if *assemblyProfile == "" {
		return func() {}
	}
	cpu, err := os.Create(filepath.Join(*assemblyProfile, *assemblyStep+".cpu"))
	a.must(err)
	a.must(pprof.StartCPUProfile(cpu))
	return func() {
		pprof.StopCPUProfile()
		a.must(cpu.Close())
		allocs, err := os.Create(filepath.Join(*assemblyProfile, *assemblyStep+".allocs"))
		a.must(err)
		a.must(pprof.Lookup("allocs").WriteTo(allocs, 0))
		a.must(allocs.Close())
	}
}

// peakMiB returns the most memory that the process has had, 0 where the system does
// not tell.
func peakMiB(tb testing.TB) float64 {
	tb.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	m := peak.FindSubmatch(status)
	if m == nil {
		return 0
	}
	kb, err := strconv.Atoi(string(m[1]))
	if err != nil {
		tb.Fatal(err)
	}
	return float64(kb) / 1024
}

// countedStore counts what is read of the log.
type countedStore struct {
	ledger.Store
	mu           sync.Mutex
	reads, units int
}

// Read implements [ledger.Store].
func (s *countedStore) Read(ctx context.Context, from, to int64) iter.Seq2[*ledger.Unit, error] {
	return func(yield func(*ledger.Unit, error) bool) {
		units := 0
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.reads++
			s.units += units
		}()
		for u, err := range s.Store.Read(ctx, from, to) {
			if units++; !yield(u, err) {
				return
			}
		}
	}
}
