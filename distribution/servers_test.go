package distribution_test

import (
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/internal/s3test"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
	"github.com/gaenkit/gaen/storage/s3store"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// servers are one of S3 and a database of one of PostgreSQL. Every world on them
// has a bucket and a schema of its own.
type servers struct {
	s3        *s3test.Server
	transport *http.Transport
	pool      *pgxpool.Pool

	mu    sync.Mutex
	named int
	free  map[string][]string // buckets and schemas that nobody uses any longer
}

// newServers skips the test where there is no PostgreSQL.
func newServers(t testing.TB) *servers {
	t.Helper()
	pool := pgtest.Database(t)
	s := newS3(t)
	s.pool = pool
	return s
}

// newS3 returns a server of S3 alone.
func newS3(t testing.TB) *servers {
	t.Helper()
	s := &servers{
		s3:        s3test.Start(t),
		transport: &http.Transport{MaxIdleConnsPerHost: 16},
		free:      map[string][]string{},
	}
	t.Cleanup(s.transport.CloseIdleConnections)
	return s
}

// name returns the name of a bucket or schema that nobody uses, and whether there
// is one already.
func (s *servers) name(kind string) (name string, used bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free[kind]); n > 0 {
		name, s.free[kind] = s.free[kind][n-1], s.free[kind][:n-1]
		return name, true
	}
	s.named++
	return fmt.Sprintf("%s%d", kind, s.named), false
}

func (s *servers) giveBack(kind, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free[kind] = append(s.free[kind], name)
}

// openLedger returns an empty ledger.
func (s *servers) openLedger(t testing.TB, clock func() time.Time) remoteLedger {
	t.Helper()
	schema, _ := s.name("ledger")
	return s.ledger(t, s.pool, schema, clock)
}

// openBucket returns an empty bucket.
func (s *servers) openBucket(t testing.TB) remoteBucket {
	t.Helper()
	name, _ := s.name("tree")
	s.s3.Make(t, name)
	return s.bucket(t, name, s.transport)
}

// remoteLedger is a ledger that knows where it is.
type remoteLedger struct {
	*pgledger.Store
	on     *servers
	schema string
	clock  func() time.Time
}

func (s *servers) ledger(t testing.TB, pool *pgxpool.Pool, schema string, clock func() time.Time) remoteLedger {
	t.Helper()
	store, err := pgledger.Open(t.Context(), pool, &pgledger.Options{Schema: schema, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	return remoteLedger{store, s, schema, clock}
}

func (l remoteLedger) copy(t testing.TB, clock func() time.Time) remoteLedger {
	t.Helper()
	schema, used := l.on.name("ledger")
	if !used {
		l.on.ledger(t, l.on.pool, schema, clock) // makes the tables
	}
	pgtest.CopySchema(t, l.on.pool, l.schema, schema)
	return l.on.ledger(t, l.on.pool, schema, clock)
}

// another returns the same ledger by connections of its own, as another process
// has it.
func (l remoteLedger) another(t testing.TB) remoteLedger {
	t.Helper()
	pool := pgtest.Shared(t).Pool(t, l.on.pool.Config().ConnConfig.Database)
	return l.on.ledger(t, pool, l.schema, l.clock)
}

// remoteBucket is a bucket that knows where it is.
type remoteBucket struct {
	*s3store.Bucket
	on   *servers
	name string
}

func (s *servers) bucket(t testing.TB, name string, via http.RoundTripper) remoteBucket {
	t.Helper()
	b, err := s3store.New(t.Context(), s3test.ClientVia(s.s3.URL, via), name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return remoteBucket{b, s, name}
}

func (b remoteBucket) copy(t testing.TB) remoteBucket {
	t.Helper()
	to, _ := b.on.name("tree")
	b.on.s3.Copy(t, b.name, to)
	return b.on.bucket(t, to, b.on.transport)
}

// by returns the same bucket by another transport.
func (b remoteBucket) by(t testing.TB, via http.RoundTripper) remoteBucket {
	t.Helper()
	return b.on.bucket(t, b.name, via)
}

// discard gives back what a copy of a world is on, so that the next can have it.
func (w *world) discard() {
	if l, ok := w.store.(remoteLedger); ok {
		l.on.giveBack("ledger", l.schema)
	}
	if b, ok := w.bucket.(remoteBucket); ok {
		b.on.giveBack("tree", b.name)
	}
}
