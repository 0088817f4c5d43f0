package federation_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
)

// amount is how many keys are pulled and pushed; a large country's peak is a
// million:
//
//	go test -run '^$' -bench PostgreSQL -benchtime 1x ./federation -args -federation.keys=1000000
var amount = flag.Int("federation.keys", 50_000, "keys that benchmarks pull and push")

// supply is a server with as many keys as are asked for, in pages of 1,000.
type supply struct {
	gen *keystest.Generator
	now time.Time
	n   int
}

func (s *supply) Download(_ context.Context, at federation.Place) (*federation.Page, error) {
	if s.n <= 0 {
		return nil, nil
	}
	all := s.gen.Keys(s.now.Add(-3*time.Hour), 1000)
	if len(all) > s.n {
		all = all[:s.n]
	}
	s.n -= len(all)
	tag := fmt.Sprint("page-", s.n)
	return &federation.Page{Tag: tag, Keys: all, Next: federation.Place{Day: at.Day, Tag: tag}}, nil
}

// newDatabase returns a ledger on a server that keeps what it answers.
func newDatabase(b *testing.B, clock func() time.Time) *ledger.Ledger {
	b.Helper()
	server, err := pgtest.Start(pgtest.Settings{"shared_buffers": "1GB", "max_wal_size": "8GB"})
	pgtest.Need(b, err)
	b.Cleanup(server.Stop)
	pool := server.Pool(b, "postgres", func(c *pgxpool.Config) { c.MaxConns = 20 })
	b.Cleanup(pool.Close)
	policy := eager(time.Hour)
	policy.Quota = 1 << 30
	store := must(pgledger.Open(b.Context(), pool, &pgledger.Options{Clock: clock}))
	return must(ledger.Open(b.Context(), store, &ledger.Options{Policy: &policy}))
}

// BenchmarkPostgreSQL pulls keys into a database, and pushes them from it.
func BenchmarkPostgreSQL(b *testing.B) {
	for _, what := range []string{"pull", "push"} {
		b.Run(what, func(b *testing.B) {
			now := epoch
			l := newDatabase(b, func() time.Time { return now })
			from := &supply{gen: keystest.New(1, &keystest.Options{Origins: []keys.Region{fr}, EndOfPeriod: true}), now: now}
			pull := must(federation.NewPull(l, "hub-a", from, &federation.PullOptions{Budget: time.Hour}))
			to := &server{origins: keys.All[keys.Region]()}
			push := must(federation.NewPush(l, "hub-b", to, federation.Relay(), &federation.PushOptions{FromBeginning: true, Budget: time.Hour}))
			total := 0
			for b.Loop() {
				if what == "push" {
					b.StopTimer()
				}
				from.n = *amount
				total += must(pull.Run(b.Context())).Accepted
				if what == "pull" {
					continue
				}
				now = now.Add(time.Hour)
				must(l.Release(b.Context(), nil))
				to.batches, to.tried = slices.Delete(to.batches, 0, len(to.batches)), nil
				b.StartTimer()
				if r := must(push.Run(b.Context())); r.Keys == 0 {
					b.Fatalf("pushed nothing: %+v", r)
				}
			}
			b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "keys/s")
		})
	}
}
