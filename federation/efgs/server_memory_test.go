package efgs

import (
	"bufio"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/cms"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
)

// childVariable makes the test binary a gateway: what it is to be, as JSON.
const childVariable = "GAEN_EFGS_GATEWAY"

// TestMain makes the test binary a gateway in a process of its own, if it is told to.
func TestMain(m *testing.M) {
	text := os.Getenv(childVariable)
	if text == "" {
		os.Exit(pgtest.Main(m))
	}
	if err := beGateway(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A child is what a gateway in a process of its own is told.
type child struct {
	Database string
	List     string // of certificates
	Anchor   string
	Nations  []federation.Nation
	Now      time.Time
}

// beGateway serves until its standard input ends. What it does beside is done by
// lines there, each of which is answered by one.
func beGateway(text string) error {
	var c child
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	clock := &clock{now: c.Now}
	config, err := pgxpool.ParseConfig(c.Database)
	if err != nil {
		return err
	}
	config.MaxConns = 10
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return err
	}
	defer pool.Close()
	store, err := pgledger.Open(context.Background(), pool, &pgledger.Options{Clock: clock.Now})
	if err != nil {
		return err
	}
	anchor, err := cms.ParseCertificate(c.Anchor)
	if err != nil {
		return err
	}
	hub := must(federation.NewHub(must(openLedger(context.Background(), store)), nil))
	list := must(cms.NewAllowList(must(cms.ParseList([]byte(c.List), nil))...))
	server := must(NewServer(hub, must(NewDirectory(c.Nations...)), list,
		&ServerOptions{Balancers: loopback, Anchor: anchor, Clock: clock.Now, Logger: slog.New(slog.DiscardHandler)}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	web := NewHTTPServer("", server)
	go web.Serve(listener)
	fmt.Println("http://" + listener.Addr().String())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "release":
			clock.add(5 * time.Minute)
			if _, err := hub.Release(context.Background(), nil); err != nil {
				return err
			}
			fmt.Println("released")
		case "begin": // what was used is given back, so that a peak is one of what follows
			debug.FreeOSMemory()
			if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
				return err
			}
			fmt.Println("begun")
		case "peak":
			fmt.Println(must(peak()))
		}
	}
	return web.Close()
}

// peak returns the most memory that this process has had since it began, or since
// begin, in bytes.
func peak() (int64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kib, err := strconv.ParseInt(strings.TrimSpace(strings.SplitN(rest, "kB", 2)[0]), 10, 64)
	return kib << 10, err
}

// A gatewayProcess is a gateway whose memory is nobody else's.
type gatewayProcess struct {
	t   testing.TB
	in  io.Writer
	out *bufio.Scanner
}

// elsewhere has the world's gateway be a process of its own, over PostgreSQL, which
// tries not to use more memory than that.
func (w *world) elsewhere(server *pgtest.Server, nations []federation.Nation, limit string) *gatewayProcess {
	w.t.Helper()
	told := child{
		Database: server.Database(w.t).Config().ConnString(), List: string(must(cms.MarshalList(w.entries))),
		Anchor:  string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.anchor.Certificate().Raw})),
		Nations: nations, Now: noon,
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(must(json.Marshal(told))), "GOMEMLIMIT="+limit)
	cmd.Stderr = os.Stderr
	in, out := must(cmd.StdinPipe()), must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	p := &gatewayProcess{t: w.t, in: in, out: bufio.NewScanner(out)}
	w.http.Close()
	w.http.URL = p.answer()
	return p
}

func (p *gatewayProcess) answer() string {
	p.t.Helper()
	if !p.out.Scan() {
		p.t.Fatal("the gateway's process is gone")
	}
	return p.out.Text()
}

func (p *gatewayProcess) do(what string) string {
	p.t.Helper()
	fmt.Fprintln(p.in, what)
	return p.answer()
}

// during returns the most memory that the process has while f runs, in MiB.
func (p *gatewayProcess) during(f func()) float64 {
	p.t.Helper()
	p.do("begin")
	f()
	return float64(must(strconv.ParseInt(p.do("peak"), 10, 64))) / (1 << 20)
}

// A load is what the memory of a gateway is measured with: uploads of 5,000 keys by
// thirty nations, at most four at a time.
type memoryLoad struct {
	*world
	process   *gatewayProcess
	countries []string
	sent      int
}

func newMemoryLoad(t testing.TB, server *pgtest.Server, limit string) *memoryLoad {
	w := newWorld(t, nil)
	l := &memoryLoad{world: w}
	var nations []federation.Nation
	for i := range benchNations {
		country := string([]byte{'X' + byte(i/26), byte('A' + i%26)})
		a := newAuthority(t, []string{country}, noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))
		w.auth[country], w.signers[country] = a, a
		w.admit(a, cms.UseAuthentication)
		w.admit(a, cms.UseSigning)
		n := theWorld[0]
		n.Name, n.Region = ledger.Source(strings.ToLower(country)), keys.MustRegion(country)
		nations, l.countries = append(nations, n), append(l.countries, country)
	}
	l.process = w.elsewhere(server, nations, limit)
	return l
}

// take has n uploads taken.
func (l *memoryLoad) take(n int) {
	todo := make([]int, n)
	for i := range todo {
		todo[i] = l.sent + i
	}
	l.sent += n
	var making = make(chan struct{}, 1) // the generator of keys is one
	each(4, todo, func(i int) {
		country := l.countries[i%benchNations]
		making <- struct{}{}
		c := l.request(an{country: country, tag: fmt.Sprint(i), keys: BatchOf(l.newKeys(country, MaxBatch)).Keys})
		<-making
		if g := l.do(c); g.status != http.StatusCreated {
			l.t.Errorf("upload %d: %d %s", i, g.status, g.body)
		}
	})
}

// TestGatewayMemory: what a gateway needs in memory does not grow with what it has
// taken: of 24 uploads there are some four at a time.
func TestGatewayMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("exchanges 120,000 keys")
	}
	if _, err := os.Stat("/proc/self/clear_refs"); err != nil {
		t.Skipf("needs Linux: %v", err)
	}
	l := newMemoryLoad(t, pgtest.Shared(t), "64MiB")
	const most = 160 // MiB, of which the process is 17 before anybody calls
	for _, c := range []struct {
		what string
		f    func()
	}{
		{"taking uploads", func() { l.take(24) }},
		{"making batches", func() { l.process.do("release") }},
		{"handing out", func() { l.hand(4, JSON) }},
	} {
		if got := l.process.during(c.f); got > most {
			t.Errorf("%s takes %.0f MiB, want at most %d", c.what, got, most)
		} else {
			t.Logf("%s takes %.0f MiB", c.what, got)
		}
	}
}

// BenchmarkGatewayMemory measures the most memory that a gateway needs, of its own: for
// taking uploads, for making batches of them, for handing those to nations. What is
// handed out is kept in memory up to HubOptions.SealedShelf.
//
//	go test -run '^$' -bench GatewayMemory -benchtime 1x ./federation/efgs -args -efgs.uploads=200
func BenchmarkGatewayMemory(b *testing.B) {
	server, err := pgtest.Start(pgtest.Settings{"fsync": "off", "full_page_writes": "off", "max_wal_size": "8GB"})
	pgtest.Need(b, err)
	b.Cleanup(server.Stop)
	for _, limit := range []string{"off", "64MiB"} {
		b.Run("GOMEMLIMIT="+limit, func(b *testing.B) {
			for b.Loop() {
				l := newMemoryLoad(b, server, limit)
				b.ReportMetric(l.process.during(func() {}), "idle-MiB")
				b.ReportMetric(l.process.during(func() { l.take(*benchUploads) }), "taken-MiB")
				b.ReportMetric(l.process.during(func() { l.process.do("release") }), "released-MiB")
				b.ReportMetric(l.process.during(func() { l.hand(benchNations, Protobuf) }), "handed-MiB")
				b.ReportMetric(l.process.during(func() { l.hand(4, JSON) }), "handed-as-JSON-MiB")
			}
		})
	}
}

// hand has every batch, with its audit, handed to nations, four at a time.
func (l *memoryLoad) hand(nations int, format Format) {
	each(4, l.countries[:nations], func(country string) {
		tag := ""
		for tag != "null" {
			g := l.get(country, "2021-06-02", tag, format)
			if g.status != http.StatusOK {
				l.t.Errorf("download: %d", g.status)
				return
			}
			if a := l.do(call{path: "/audit/download/2021-06-02/" + g.header.Get("batchTag"), header: l.headers(country)}); a.status != http.StatusOK {
				l.t.Errorf("audit: %d", a.status)
			}
			tag = g.header.Get("nextBatchTag")
		}
	})
}
