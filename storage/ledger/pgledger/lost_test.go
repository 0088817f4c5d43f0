package pgledger_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
)

// A fate is what becomes of one message to the server.
type fate int

const (
	arrives   fate = iota
	cutOff         // the connection is lost before it
	unheard        // it has its effect, and the answer is lost
	dismissed      // the server ends the connection (pg_terminate_backend)
)

// A weather decides what becomes of the messages that all connections of a pool
// send, counted from when it is armed.
type weather struct {
	mu    sync.Mutex
	armed bool
	count int
	at    int // the number of the message that meets its fate
	fate  fate
	met   bool
	admin *pgxpool.Pool
}

func (w *weather) next() fate {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.armed {
		return arrives
	}
	if w.count++; w.count != w.at {
		return arrives
	}
	w.met = true
	return w.fate
}

// TraceQueryStart implements [pgx.QueryTracer].
func (w *weather) TraceQueryStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	w.dismiss(ctx, conn)
	return ctx
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (w *weather) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart implements [pgx.BatchTracer].
func (w *weather) TraceBatchStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	w.dismiss(ctx, conn)
	return ctx
}

// TraceBatchQuery implements [pgx.BatchTracer].
func (w *weather) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd implements [pgx.BatchTracer].
func (w *weather) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

func (w *weather) dismiss(ctx context.Context, conn *pgx.Conn) {
	if w.fate == dismissed && w.next() == dismissed {
		if _, err := w.admin.Exec(context.WithoutCancel(ctx), "SELECT pg_terminate_backend($1, 5000)", int(conn.PgConn().PID())); err != nil {
			panic(err)
		}
	}
}

// A line is a connection that the weather can break.
type line struct {
	net.Conn
	weather *weather
	deaf    bool
}

var errBroken = errors.New("the line is broken")

func (l *line) Write(p []byte) (int, error) {
	if l.weather.fate == dismissed {
		return l.Conn.Write(p)
	}
	switch l.weather.next() {
	case cutOff:
		l.Conn.Close()
		return 0, errBroken
	case unheard:
		l.deaf = true
	}
	return l.Conn.Write(p)
}

func (l *line) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if l.deaf { // the server has carried out what it answers to
		l.Conn.Close()
		return 0, errBroken
	}
	return n, err
}

// TestLostConnections loses the connection at every message of a ledger's day,
// before its effect or after it, from our end or from the server's. Whoever calls
// again after an error must come to what comes of a day without any.
func TestLostConnections(t *testing.T) {
	server := pgtest.Shared(t)
	want, messages := dayIn(t, server, &weather{})
	if messages < 20 {
		t.Fatalf("a day has %d messages", messages)
	}
	for _, fate := range []fate{cutOff, unheard, dismissed} {
		for at := 1; ; at += volume(1, 7) {
			w := &weather{at: at, fate: fate}
			got, _ := dayIn(t, server, w)
			if !w.met {
				break
			}
			if got != want {
				t.Errorf("fate %d at message %d: got\n%s\nwant\n%s", fate, at, got, want)
			}
		}
	}
}

// dayIn has a ledger live through a day in that weather, and returns what came of
// it and how many messages it took.
func dayIn(t *testing.T, server *pgtest.Server, w *weather) (outcome string, messages int) {
	t.Helper()
	w.admin = server.Pool(t, "postgres")
	defer w.admin.Close()
	if dayDatabase == nil {
		dayDatabase = fresh(t)
	}
	schema := fmt.Sprintf("day%d", days)
	days++
	database := dayDatabase.Config().ConnConfig.Database
	pool := server.Pool(t, database, func(c *pgxpool.Config) {
		c.MaxConns = 3
		c.ConnConfig.Tracer = w
		dial := c.ConnConfig.DialFunc
		c.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			return &line{Conn: conn, weather: w}, err
		}
	})
	defer pool.Close()
	d := &dayOf{t: t, now: time.Date(2022, 3, 1, 9, 30, 0, 0, time.UTC)}
	store := open(t, pool, &pgledger.Options{Schema: schema, Clock: func() time.Time { return d.now }})
	l, err := ledger.Open(t.Context(), store, &ledger.Options{Policy: eager()})
	if err != nil {
		t.Fatal(err)
	}
	d.ledger = l
	w.mu.Lock()
	w.armed = true
	w.mu.Unlock()
	d.live()
	w.mu.Lock()
	w.armed = false
	w.mu.Unlock()
	return d.outcome(), w.count
}

var (
	dayDatabase *pgxpool.Pool
	days        int
)

// dayOf is a ledger's day.
type dayOf struct {
	t      *testing.T
	now    time.Time
	ledger *ledger.Ledger
}

// try calls f until there is no error.
func (d *dayOf) try(what string, f func() error) {
	d.t.Helper()
	var err error
	for range 4 {
		if err = f(); err == nil {
			return
		}
	}
	d.t.Fatalf("%s: %v", what, err)
}

func (d *dayOf) live() {
	ctx := d.t.Context()
	g := keystest.New(5, &keystest.Options{EndOfPeriod: true})
	a, b, c := g.Upload(d.now), g.Upload(d.now), g.Upload(d.now)
	deliver := func(s ledger.Source, cursor string, version int64, ups ...keystest.Upload) {
		del := &ledger.Delivery{Source: s, Nonce: ledger.NewNonce()}
		for _, up := range ups {
			del.Uploads = append(del.Uploads, ledger.Upload{ID: up.ID, Keys: up.Keys})
		}
		del.Withdrawals = []ledger.UnitID{ledger.IDOf(&c.Keys[0])}
		del.Swaps = []ledger.Swap{{Name: "cursor/" + string(s), Version: version, Value: []byte(cursor)}}
		d.try("accept", func() error { _, err := d.ledger.Accept(ctx, del); return err })
	}
	cut := func() {
		d.now = d.now.Add(time.Hour)
		d.try("release", func() error { _, err := d.ledger.Release(ctx, nil); return err })
	}
	deliver(ledger.Own, "1", 0, a, b)
	deliver("p", "1", 0, b)
	cut()
	d.try("withdraw", func() error { _, err := d.ledger.Withdraw(ctx, ledger.IDOf(&a.Keys[0])); return err })
	nonce := ledger.NewNonce()
	d.try("swap", func() error { return d.ledger.Swap(ctx, nonce, ledger.Swap{Name: "plan", Value: []byte("x")}) })
	deliver(ledger.Own, "2", d.version("cursor/own"), c)
	cut()
	d.now = d.now.Add(10 * 24 * time.Hour)
	d.try("release", func() error {
		_, err := d.ledger.Release(ctx, &ledger.ReleaseOptions{AllowGap: true})
		return err
	})
	d.try("prune", func() error { _, err := d.ledger.Prune(ctx); return err })
}

func (d *dayOf) version(name string) (version int64) {
	d.try("registers", func() error {
		registers, err := d.ledger.Registers(d.t.Context(), name)
		if err == nil {
			version = registers[0].Version
		}
		return err
	})
	return version
}

// outcome prints what there is, but for what is random.
func (d *dayOf) outcome() string {
	ctx := d.t.Context()
	log, err := d.ledger.Log(ctx, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	lines := []string{fmt.Sprint(log.Tallies)}
	for _, c := range log.Cuts {
		lines = append(lines, fmt.Sprint("cut ", c.Seq, c.Time, c.Last, c.Pruned))
	}
	registers, err := d.ledger.Registers(ctx, "")
	if err != nil {
		d.t.Fatal(err)
	}
	for _, r := range registers {
		if r.Name != "policy" {
			lines = append(lines, fmt.Sprintf("register %s %q", r.Name, r.Value))
		}
	}
	var found []string
	for rec, err := range d.ledger.Find(ctx, ledger.Query{SetAside: true}) {
		if err != nil {
			d.t.Fatal(err)
		}
		line := fmt.Sprint(len(rec.Kept), len(rec.SetAside), rec.Tombstone)
		if rec.Unit != nil {
			line += fmt.Sprint(rec.Unit.Upload, len(rec.Unit.Claims), rec.Unit.Events, rec.Unit.Key.RollingStartIntervalNumber)
		}
		found = append(found, line)
	}
	slices.Sort(found)
	return fmt.Sprint(append(lines, found...))
}
