//go:build cloud

package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
)

// The benchmarks run the program as a process of its own, with its ledger in
// PostgreSQL, and nations on the same machine that speak to it by HTTP:
//
//	go test -tags cloud -run '^$' -bench . -benchtime 1x -hub.seconds 20 ./examples/federationserver
//
// With GAEN_TEST_CPUPROFILE=/tmp/profile the program, each time that it is run,
// writes its CPU profile there; the last that ends is the server.
var (
	benchNations = flag.Int("hub.nations", 8, "nations that exchange keys")
	benchPollers = flag.Int("hub.pollers", 300, "nations that poll")
	benchUpload  = flag.Int("hub.upload", 1000, "keys of an upload")
	benchSeconds = flag.Int("hub.seconds", 10, "seconds of each part")
)

// newBenchSite is a site with PostgreSQL.
func newBenchSite(b *testing.B) *site {
	s := newSite(b)
	server, err := pgtest.Start(pgtest.Settings{}) // which waits for its disk
	pgtest.Need(b, err)
	b.Cleanup(server.Stop)
	s.ledger = server.Database(b).Config().ConnString()
	return s
}

// consumption is what a process has used.
type consumption struct {
	cpu time.Duration
	rss int64 // bytes
}

// used returns what a process has used so far, by /proc.
func used(b *testing.B, pid int) (u consumption) {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		b.Skip("needs /proc:", err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	ticks := 0
	for _, f := range fields[11:13] { // utime, stime
		n, _ := strconv.Atoi(f)
		ticks += n
	}
	u.cpu = time.Duration(ticks) * 10 * time.Millisecond
	pages, _ := strconv.ParseInt(fields[21], 10, 64)
	u.rss = pages * int64(syscall.Getpagesize())
	return u
}

func regionOf(i int) string { return fmt.Sprintf("%c%c", 'A'+i/26, 'A'+i%26) }

// BenchmarkExchange has nations upload for a while, all at once, and then download
// what the others have brought.
func BenchmarkExchange(b *testing.B) {
	s := newBenchSite(b)
	var clients []*interop.Client
	var signers []func(base string) *interop.Client
	for i := range *benchNations {
		region := regionOf(i)
		id := strings.ToLower(region)
		key := s.onboard(id, region)
		signers = append(signers, func(base string) *interop.Client { return s.client(id, region, key, base, nil) })
	}
	p := s.start()
	for _, c := range signers {
		clients = append(clients, c(p.base))
	}
	for b.Loop() {
		before, start := used(b, p.cmd.Process.Pid), time.Now()
		up := s.uploadFor(b, clients, time.Duration(*benchSeconds)*time.Second)
		took, after := time.Since(start), used(b, p.cmd.Process.Pid)
		b.ReportMetric(float64(up)/took.Seconds(), "up-keys/s")
		b.ReportMetric(float64(after.cpu-before.cpu)/float64(took), "up-cpus")
		b.ReportMetric(float64(after.rss)/(1<<20), "up-MiB")

		time.Sleep(3 * time.Second) // cuts of what came last
		before, start = after, time.Now()
		down := download(b, clients)
		took, after = time.Since(start), used(b, p.cmd.Process.Pid)
		b.ReportMetric(float64(down)/took.Seconds(), "down-keys/s")
		b.ReportMetric(float64(after.cpu-before.cpu)/float64(took), "down-cpus")
		b.ReportMetric(float64(after.rss)/(1<<20), "down-MiB")
		if want := up * int64(len(clients)-1); down != want {
			b.Errorf("%d keys were downloaded, want %d\n%s", down, want, p.log)
		}
		b.Logf("%d keys up, %d down in %s", up, down, took)
	}
	p.terminate()
}

// uploadFor has every nation upload for a while, and returns how many keys.
func (s *site) uploadFor(b *testing.B, clients []*interop.Client, d time.Duration) int64 {
	var total atomic.Int64
	var group sync.WaitGroup
	start := time.Now()
	for i, c := range clients {
		region := keys.MustRegion(regionOf(i))
		group.Go(func() {
			for n := 0; time.Since(start) < d; n++ {
				ks := randomKeys(uint64(i)<<32|uint64(n), region, s.time.Now().Add(-3*time.Hour), *benchUpload)
				answer, err := c.Upload(b.Context(), batchOf(fmt.Sprint(n), ks))
				if err != nil {
					b.Error(err)
					return
				}
				total.Add(int64(answer.Inserted))
			}
		})
	}
	group.Wait()
	return total.Load()
}

// randomKeys returns keys that differ in their key data alone, which is quick to
// make.
func randomKeys(seed uint64, region keys.Region, at time.Time, n int) []keys.DiagnosisKey {
	g := keystest.New(seed, &keystest.Options{Origins: []keys.Region{region}, EndOfPeriod: true})
	some := g.Keys(at, 1)
	ks := make([]keys.DiagnosisKey, n)
	for i := range ks {
		ks[i] = some[i%len(some)]
		ks[i].KeyData = g.KeyData()
		ks[i].ReportType = keys.Some(keys.ReportConfirmedTest)
	}
	return ks
}

// download has every nation download all there is, and returns how many keys.
func download(b *testing.B, clients []*interop.Client) int64 {
	var total atomic.Int64
	var group sync.WaitGroup
	for _, c := range clients {
		group.Go(func() {
			at := federation.Place{Day: federation.DayOf(time.Now()) - 1}
			for {
				page, err := c.Download(b.Context(), at)
				if err != nil {
					b.Error(err)
					return
				}
				if page == nil {
					return
				}
				total.Add(int64(len(page.Keys)))
				at = page.Next
			}
		})
	}
	group.Wait()
	return total.Load()
}

// BenchmarkPoll has many nations poll, most of which are told that there is nothing
// new; one uploads now and then.
func BenchmarkPoll(b *testing.B) {
	s := newBenchSite(b)
	key := s.onboard("aa", "AA")
	var pollers []string
	ledgerClock = s.time.Now
	defer func() { ledgerClock = nil }()
	err := withRegistry(context.Background(), s.ledger, func(g *registry) error {
		for i := 1; i <= *benchPollers; i++ {
			id := strings.ToLower(regionOf(i))
			pollers = append(pollers, id)
			err := g.change(context.Background(), sourceOf(id), func(n *nation) error {
				n.Region, n.Downloads = keys.MustRegion(regionOf(i)), true
				return nil
			})
			if err != nil {
				return err
			}
			token, err := issue(context.Background(), g, id, s.path("token-secrets"), 0)
			if err != nil {
				return err
			}
			if err := os.WriteFile(s.path(id+".token"), []byte(token), 0o600); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	p := s.start()
	uploader := s.client("aa", "AA", key, p.base, nil)
	own := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: len(pollers), MaxConnsPerHost: 64}}
	for b.Loop() {
		before, start := used(b, p.cmd.Process.Pid), time.Now()
		ctx, cancel := context.WithTimeout(b.Context(), time.Duration(*benchSeconds)*time.Second)
		var requests, pages atomic.Int64
		var group sync.WaitGroup
		for _, id := range pollers {
			c, err := interop.NewClient(p.base, interop.TokenFile(s.path(id+".token")), &interop.ClientOptions{HTTPClient: own})
			if err != nil {
				b.Fatal(err)
			}
			group.Go(func() {
				for at := (federation.Place{Day: federation.DayOf(time.Now())}); ctx.Err() == nil; {
					page, err := c.Download(ctx, at)
					if ctx.Err() != nil {
						return
					}
					if err != nil {
						b.Error(err)
						return
					}
					if requests.Add(1); page != nil {
						pages.Add(1)
						at = page.Next
					}
				}
			})
		}
		group.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				ks := randomKeys(uint64(i), keys.MustRegion("AA"), s.time.Now().Add(-3*time.Hour), 100)
				if _, err := uploader.Upload(ctx, batchOf(fmt.Sprint(i), ks)); err != nil && ctx.Err() == nil {
					b.Error(err)
				}
				select {
				case <-ctx.Done():
				case <-time.After(3 * time.Second):
				}
			}
		})
		group.Wait()
		cancel()
		took, after := time.Since(start), used(b, p.cmd.Process.Pid)
		b.ReportMetric(float64(requests.Load())/took.Seconds(), "requests/s")
		b.ReportMetric(float64(pages.Load())/took.Seconds(), "pages/s")
		b.ReportMetric(float64(after.cpu-before.cpu)/float64(took), "cpus")
		b.ReportMetric(float64(after.rss)/(1<<20), "MiB")
	}
	p.terminate()
}
