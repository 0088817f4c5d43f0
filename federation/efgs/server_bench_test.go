package efgs

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/cms"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
)

// benchUploads is how many uploads of 5,000 keys the gateway is given. A million keys
// are
//
//	go test -run '^$' -bench Gateway -benchtime 1x ./federation/efgs -args -efgs.uploads=200
var benchUploads = flag.Int("efgs.uploads", 20, "uploads of 5,000 keys in the benchmark of the gateway")

const benchNations = 30

// BenchmarkGateway has thirty nations upload, makes the batches, and hands all of
// them to each.
func BenchmarkGateway(b *testing.B) {
	b.Run("memory", func(b *testing.B) {
		benchGateway(b, func(clock func() time.Time) ledger.Store { return memledger.New(&memledger.Options{Clock: clock}) })
	})
	b.Run("PostgreSQL", func(b *testing.B) {
		server, err := pgtest.Start(pgtest.Settings{"shared_buffers": "512MB", "max_wal_size": "8GB"})
		pgtest.Need(b, err)
		b.Cleanup(server.Stop)
		benchGateway(b, func(clock func() time.Time) ledger.Store {
			pool := server.Pool(b, "postgres", func(c *pgxpool.Config) { c.MaxConns = 10 })
			return must(pgledger.Open(b.Context(), pool, &pgledger.Options{Clock: clock}))
		})
	})
}

func benchGateway(b *testing.B, open func(clock func() time.Time) ledger.Store) {
	w := &world{t: b, clock: &clock{now: noon}, auth: map[string]*authority{}, signers: map[string]*authority{}, list: must(cms.NewAllowList()), log: &lockedBuffer{}}
	w.anchor = newAuthority(b, nil, noon, noon.AddDate(1, 0, 0))
	w.keys = newWorld(b, nil).keys
	w.ledger = newLedger(b, open(w.clock.Now))
	w.hub = must(federation.NewHub(w.ledger, nil))
	var nations []federation.Nation
	var countries []string
	for i := range benchNations {
		country := string([]byte{'X', byte('A' + i%26)})
		if i >= 26 {
			country = string([]byte{'Y', byte('A' + i%26)})
		}
		a := newAuthority(b, []string{country}, noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))
		w.auth[country], w.signers[country], countries = a, a, append(countries, country)
		w.admit(a, cms.UseAuthentication)
		w.admit(a, cms.UseSigning)
		nations = append(nations, federation.Nation{Name: ledger.Source(strings.ToLower(country)), Region: keys.MustRegion(country), Withdrawals: true})
	}
	w.nations = must(NewDirectory(nations...))
	w.server = must(NewServer(w.hub, w.nations, w.list, &ServerOptions{Balancers: loopback, Anchor: w.anchor.Certificate(), Clock: w.clock.Now, Logger: slog.New(slog.DiscardHandler)}))
	w.http = httptest.NewServer(w.server)
	b.Cleanup(w.http.Close)

	var took [3]time.Duration
	var cpu time.Duration
	round := 0
	for b.Loop() {
		b.StopTimer()
		uploads := make([]call, *benchUploads)
		for i := range uploads {
			country := countries[i%benchNations]
			uploads[i] = w.request(an{country: country, tag: fmt.Sprintf("%d-%d", round, i), keys: BatchOf(w.newKeys(country, MaxBatch)).Keys})
		}
		round++
		before := cpuTime()
		b.StartTimer()
		begin := time.Now()
		each(4, uploads, func(c call) {
			if g := w.do(c); g.status != 201 {
				b.Errorf("upload: %d %s", g.status, g.body)
			}
		})
		took[0] += time.Since(begin)
		begin = time.Now()
		w.release()
		took[1] += time.Since(begin)
		begin = time.Now()
		each(4, countries, func(country string) { w.fetch(b, country) })
		took[2] += time.Since(begin)
		cpu += cpuTime() - before
	}
	total := float64(*benchUploads * MaxBatch * b.N)
	for i, unit := range []string{"taken/s", "released/s", "handed/s"} {
		b.ReportMetric(total*[]float64{1, 1, benchNations}[i]/took[i].Seconds(), unit)
	}
	b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s/op")
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapSys)/(1<<20), "heap-MiB")
}

// fetch has a nation download everything, and look at none of it.
func (w *world) fetch(b *testing.B, country string) {
	tag, size := "", int64(0)
	for tag != "null" {
		h := w.headers(country)
		h.Set("Accept", Protobuf.MediaType())
		if tag != "" {
			h.Set("batchTag", tag)
		}
		r := must(http.NewRequestWithContext(b.Context(), "GET", w.http.URL+"/diagnosiskeys/download/2021-06-02", nil))
		r.Header = h
		resp := must(http.DefaultClient.Do(r))
		size += must(io.Copy(io.Discard, resp.Body))
		resp.Body.Close()
		if resp.StatusCode != 200 {
			b.Errorf("download: %d", resp.StatusCode)
			return
		}
		tag = resp.Header.Get("nextBatchTag")
	}
	own := (*benchUploads + benchNations - 1) / benchNations
	if least := int64(*benchUploads-own) * MaxBatch * 30; size < least {
		b.Errorf("%s was given %d bytes, want at least %d", country, size, least)
	}
}

// each calls f for all, n at the same time.
func each[T any](n int, all []T, f func(T)) {
	next := make(chan T)
	var wait sync.WaitGroup
	for range n {
		wait.Go(func() {
			for v := range next {
				f(v)
			}
		})
	}
	for _, v := range all {
		next <- v
	}
	close(next)
	wait.Wait()
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
