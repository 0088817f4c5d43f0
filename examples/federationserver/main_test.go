package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gaenkit/gaen/examples/internal/scripttest"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/internal/fastclock"
	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/signing/jws"
)

// TestMain makes the test binary the program, where it is called by its name.
func TestMain(m *testing.M) {
	testscript.Main(withPostgres{m}, map[string]func(){"federationserver": func() {
		ledgerClock = fastclock.FromEnvironment()
		code := 0
		profiled(func() { code = run(os.Args[1:], os.Stdout, os.Stderr) })
		os.Exit(code)
	}})
}

// profileVariable names the file that a program writes its CPU profile to.
const profileVariable = "GAEN_TEST_CPUPROFILE"

func profiled(f func()) {
	path := os.Getenv(profileVariable)
	if path == "" {
		f()
		return
	}
	file, err := os.Create(path)
	if err == nil {
		err = pprof.StartCPUProfile(file)
	}
	if err != nil {
		panic(err)
	}
	defer file.Close()
	defer pprof.StopCPUProfile()
	f()
}

// withPostgres stops the server of PostgreSQL that the tests start.
type withPostgres struct{ m *testing.M }

func (w withPostgres) Run() int { return pgtest.Main(w.m) }

func TestScripts(t *testing.T) {
	scripttest.Run(t, func(dir string) error {
		for _, name := range []string{"a", "b"} {
			if err := os.WriteFile(filepath.Join(dir, name+".pem"), publicPEM(t, newKey(t)), 0o644); err != nil {
				return err
			}
		}
		return nil
	}, nil)
}

// A site is a ledger with programs, and nations that have been onboarded.
type site struct {
	t      testing.TB
	dir    string
	ledger string
	time   *fastclock.Clock
	phones map[string]*keystest.Generator
	mu     sync.Mutex
}

// speed is how much faster the clock goes in tests: a cut each half second.
const speed = 120

func newSite(t testing.TB) *site {
	t.Helper()
	dir := t.TempDir()
	return &site{
		t: t, dir: dir, ledger: filepath.Join(dir, "ledger.db"), phones: map[string]*keystest.Generator{},
		time: fastclock.New(speed),
	}
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

// command returns the program, to be run.
func (s *site) command(args ...string) *exec.Cmd {
	s.t.Helper()
	c := exec.Command("federationserver", args...)
	c.Dir = s.dir
	c.Env = append(os.Environ(), s.time.Environ())
	return c
}

// run runs the program and expects it to do what it is told.
func (s *site) run(args ...string) string {
	s.t.Helper()
	out, err := s.try(args...)
	if err != nil {
		s.t.Fatalf("federationserver %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (s *site) try(args ...string) (string, error) {
	args = append(args, "-ledger", s.ledger)
	out, err := s.command(args...).CombinedOutput()
	return string(out), err
}

func newKey(t testing.TB) *signing.Signer {
	t.Helper()
	key, err := signing.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := signing.NewSigner(signing.Identity{KeyID: "nation", KeyVersion: "v1"}, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func publicPEM(t testing.TB, signer *signing.Signer) []byte {
	t.Helper()
	n := &nation{}
	if err := n.addKey(signer.PublicKey().Key, "", time.Now()); err != nil {
		t.Fatal(err)
	}
	return []byte(n.Keys[0].PEM)
}

// onboard adds a nation, as its operator does, and returns its key.
func (s *site) onboard(id, region string, flags ...string) *signing.Signer {
	s.t.Helper()
	signer := newKey(s.t)
	if err := os.WriteFile(s.path(id+".pem"), publicPEM(s.t, signer), 0o644); err != nil {
		s.t.Fatal(err)
	}
	s.run(append([]string{"nation", "add", "-region", region, "-key", s.path(id + ".pem"), "-withdrawals", id}, flags...)...)
	s.newToken(id)
	return signer
}

// newToken has a token issued into the file that the nation's client reads.
func (s *site) newToken(id string) {
	s.t.Helper()
	os.Remove(s.path(id + ".token"))
	s.run("nation", "token", "-out", s.path(id+".token"), id)
}

// client returns the client of a nation at a server.
func (s *site) client(id, region string, signer *signing.Signer, base string, own *http.Client) *interop.Client {
	s.t.Helper()
	signs, err := jws.NewSigner(signer, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := interop.NewClient(base, interop.TokenFile(s.path(id+".token")), &interop.ClientOptions{Signer: signs, Region: keys.MustRegion(region), HTTPClient: own})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// keysOf returns new keys of a region that are due.
func (s *site) keysOf(region string, n int) []keys.DiagnosisKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.phones[region]
	if g == nil {
		g = keystest.New(uint64(len(s.phones)+1), &keystest.Options{Origins: []keys.Region{keys.MustRegion(region)}, EndOfPeriod: true})
		s.phones[region] = g
	}
	ks := g.Keys(s.time.Now().Add(-3*time.Hour), n)[:n]
	for i := range ks {
		ks[i].ReportType = keys.Some(keys.ReportConfirmedTest)
	}
	return ks
}

// A process is the program as it serves.
type process struct {
	site     *site
	cmd      *exec.Cmd
	base     string // of the protocol
	european string // of the European one, if it is served
	monitor  string
	desk     string // of orders, if they are taken
	ended    chan error
	log      *record
}

// A record is what a process logs.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) add(line []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text.Write(append(line, '\n'))
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// start starts a server and waits until it serves.
func (s *site) start(flags ...string) *process {
	s.t.Helper()
	p, err := s.begin(flags...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.ended
	})
	return p
}

// begin starts a server. Whoever does must see to it that it ends.
func (s *site) begin(flags ...string) (*process, error) {
	s.t.Helper()
	p := &process{site: s, ended: make(chan error, 1), log: &record{}}
	args := append([]string{"serve", "-ledger", s.ledger, "-listen", "127.0.0.1:0", "-monitor", "127.0.0.1:0", "-every", "50ms", "-grid", "1m", "-change-policy"}, flags...)
	p.cmd = s.command(args...)
	pipe, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	addresses := make(chan [2]string, 4)
	go func() {
		lines := bufio.NewScanner(pipe)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			p.log.add(lines.Bytes())
			var entry struct {
				Msg, Address string
				TLS          bool
			}
			if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Address != "" {
				scheme := "http://"
				if entry.TLS {
					scheme = "https://"
				}
				addresses <- [2]string{entry.Msg, scheme + entry.Address}
			}
		}
		p.ended <- p.cmd.Wait()
		close(p.ended)
	}()
	for p.base == "" || p.monitor == "" || p.european == "" && slices.Contains(flags, "-efgs") || p.desk == "" && slices.Contains(flags, "-orders") {
		select {
		case a := <-addresses:
			switch a[0] {
			case "serving":
				p.base = a[1]
			case "monitoring":
				p.monitor = a[1]
			case "taking orders":
				p.desk = a[1]
			case "serving efgs":
				p.european = a[1]
			}
		case err := <-p.ended:
			return nil, fmt.Errorf("the server ended: %w\n%s", err, p.log)
		case <-time.After(time.Minute):
			p.cmd.Process.Kill()
			return nil, errors.New("the server does not begin to serve")
		}
	}
	return p, nil
}

// terminate ends a server as an operator does, and expects it to end well.
func (p *process) terminate() {
	p.site.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.site.t.Fatal(err)
	}
	if err := <-p.ended; err != nil {
		p.site.t.Fatalf("the server did not end well: %v\n%s", err, p.log)
	}
}

// get returns what the monitor says.
func (p *process) get(path string) (int, string) {
	p.site.t.Helper()
	resp, err := http.Get(p.monitor + path)
	if err != nil {
		p.site.t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	b.ReadFrom(resp.Body)
	return resp.StatusCode, b.String()
}

// metric returns a value of the metrics, and whether it is there.
func (p *process) metric(name string) (float64, bool) {
	p.site.t.Helper()
	status, text := p.get("/metrics")
	if status != http.StatusOK {
		p.site.t.Fatalf("metrics: status %d: %s", status, text)
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				p.site.t.Fatalf("metrics: %q", line)
			}
			return v, true
		}
	}
	return 0, false
}

// await waits until something holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for start := time.Now(); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Since(start) > 2*time.Minute {
			t.Fatalf("it does not come to pass that %s", what)
		}
	}
}

// A reader reads all there is, and forgets nothing.
type reader struct {
	from federation.Downloader
	at   federation.Place
	has  map[keys.KeyData]int
}

func newReader(d federation.Downloader) *reader {
	return &reader{from: d, at: federation.Place{Day: federation.DayOf(time.Now()) - 1}, has: map[keys.KeyData]int{}}
}

func (r *reader) read(ctx context.Context) error {
	for {
		page, err := r.from.Download(ctx, r.at)
		if err != nil || page == nil {
			return err
		}
		for _, k := range page.Keys {
			r.has[k.KeyData]++
		}
		r.at = page.Next
	}
}

// lacks counts keys that were not read.
func (r *reader) lacks(ks []keys.DiagnosisKey) (n int) {
	for _, k := range ks {
		if r.has[k.KeyData] == 0 {
			n++
		}
	}
	return n
}

func batchOf(tag string, ks []keys.DiagnosisKey) *federation.Batch {
	return &federation.Batch{Tag: tag, Keys: ks}
}
