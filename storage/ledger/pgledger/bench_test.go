package pgledger_test

import (
	"context"
	"flag"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
)

// history is how many keys there are in BenchmarkKnown, where 5 million is what two
// weeks of a large country come to:
//
//	go test -run '^$' -bench Known -args -pgledger.history=5000000
var history = flag.Int("pgledger.history", 100_000, "keys in the ledger that BenchmarkKnown begins with")

// newServer starts a server that keeps what it answers: nothing is turned off.
func newServer(b *testing.B) *pgtest.Server {
	b.Helper()
	server, err := pgtest.Start(pgtest.Settings{"shared_buffers": "1GB", "max_wal_size": "8GB"})
	pgtest.Need(b, err)
	b.Cleanup(server.Stop)
	return server
}

// openIn returns what opens the ledger in a database.
func openIn(b *testing.B, pool *pgxpool.Pool) func(func() time.Time) (ledger.Store, error) {
	return func(clock func() time.Time) (ledger.Store, error) {
		return pgledger.Open(b.Context(), pool, &pgledger.Options{Clock: clock})
	}
}

// newScene opens a ledger that has nothing, on a server of its own.
func newScene(b *testing.B) *ledgertest.Scene {
	b.Helper()
	return ledgertest.NewScene(b, openIn(b, newServer(b).Pool(b, "postgres")))
}

// BenchmarkAccept brings deliveries of 5,000 keys.
func BenchmarkAccept(b *testing.B) { ledgertest.BenchmarkAccept(b, newScene(b)) }

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
			settings := append(settings, func(c *pgxpool.Config) { c.MaxConns = 70 })
			s := ledgertest.NewScene(b, openIn(b, newServer(b).Pool(b, "postgres", settings...)))
			s.Fill(ledgertest.DeliveryKeys)
			all := make(chan *ledger.Delivery, 20_000)
			for range cap(all) {
				d, _ := s.Make(12)
				up := d.Uploads[0]
				for _, more := range d.Uploads[1:] {
					up.Keys = append(up.Keys, more.Keys...)
				}
				up.Keys = up.Keys[:12]
				d.Uploads = []ledger.Upload{up}
				all <- d
			}
			var wg sync.WaitGroup
			work := make(chan struct{})
			for range clients {
				wg.Go(func() {
					for range work {
						s.Accept(<-all)
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
func BenchmarkDay(b *testing.B) { ledgertest.BenchmarkDay(b, newScene) }

// BenchmarkKnown brings 100,000 keys, of which half are known, to a ledger that
// has a history.
func BenchmarkKnown(b *testing.B) {
	server := newServer(b)
	s := ledgertest.NewScene(b, openIn(b, server.Pool(b, "postgres")))
	s.Grow(*history)
	ledgertest.BenchmarkKnown(b, s, func() *ledgertest.Scene { return ledgertest.NewScene(b, openIn(b, server.Database(b))) })
}

// BenchmarkOrder withdraws 100,000 released keys, and reinstates them.
func BenchmarkOrder(b *testing.B) { ledgertest.BenchmarkOrder(b, newScene(b)) }
