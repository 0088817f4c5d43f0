package pgledger_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
)

// office is a team's back end: a ledger, and a table of tokens of which each is
// good for one submission.
type office struct {
	t      *testing.T
	pool   *pgxpool.Pool
	store  *pgledger.Store
	ledger *ledger.Ledger
	keys   *keystest.Generator
	now    time.Time
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, pool: fresh(t), now: anyClock(), keys: keystest.New(1, &keystest.Options{EndOfPeriod: true})}
	o.store = open(t, o.pool, &pgledger.Options{Clock: func() time.Time { return o.now }})
	var err error
	if o.ledger, err = ledger.Open(t.Context(), o.store, &ledger.Options{Policy: eager()}); err != nil {
		t.Fatal(err)
	}
	if _, err := o.pool.Exec(t.Context(), `CREATE TABLE token (id text PRIMARY KEY); INSERT INTO token VALUES ('a'), ('b')`); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *office) delivery(name string) *ledger.Delivery {
	return &ledger.Delivery{Source: ledger.Own, Uploads: []ledger.Upload{{ID: name, Keys: o.keys.Upload(o.now).Keys}}}
}

func (o *office) begin(opts pgx.TxOptions) pgx.Tx {
	o.t.Helper()
	tx, err := o.pool.BeginTx(o.t.Context(), opts)
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { tx.Rollback(context.WithoutCancel(o.t.Context())) })
	return tx
}

// there returns how many tokens and units there are.
func (o *office) there() string {
	o.t.Helper()
	return strings.Join(queryAll(o.t, o.pool, `SELECT (SELECT count(*) FROM token) || ' tokens, ' || (SELECT count(DISTINCT upload) FROM gaen.unit) || ' uploads'`), "")
}

func (o *office) want(what string) {
	o.t.Helper()
	if got := o.there(); got != what {
		o.t.Errorf("there are %s, want %s", got, what)
	}
}

// TestWithTx spends a token and accepts keys together: both happen or neither.
func TestWithTx(t *testing.T) {
	o := newOffice(t)
	spend := func(token string, d *ledger.Delivery) pgx.Tx {
		t.Helper()
		tx := o.begin(pgx.TxOptions{})
		if _, err := tx.Exec(t.Context(), `DELETE FROM token WHERE id = $1`, token); err != nil {
			t.Fatal(err)
		}
		if r, err := o.ledger.With(o.store.WithTx(tx)).Accept(t.Context(), d); err != nil || r.Accepted == 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		return tx
	}
	first := o.delivery("first")
	tx := spend("a", first)
	o.want("2 tokens, 0 uploads")
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.want("2 tokens, 0 uploads")
	if err := spend("a", first).Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.want("1 tokens, 1 uploads")

	again := o.delivery("again")
	again.Uploads[0].Keys = append(again.Uploads[0].Keys, first.Uploads[0].Keys...) // of which some are known
	if err := spend("b", again).Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.want("0 tokens, 2 uploads")
	checkIntegrity(t, o.pool)
}

// TestWithTxGoesOn has a step fail in a transaction that goes on.
func TestWithTxGoesOn(t *testing.T) {
	o := newOffice(t)
	tx := o.begin(pgx.TxOptions{})
	bound := o.store.WithTx(tx)
	oops := errors.New("oops")
	decide := func(*ledger.Standing) (*ledger.Changes, error) { return nil, oops }
	if err := bound.Accept(t.Context(), &ledger.Intake{Decide: decide}); err != oops {
		t.Errorf("got %v, want %v itself", err, oops)
	}
	if err := bound.Swap(t.Context(), ledger.NewNonce(), []ledger.Swap{{Name: "r", Value: []byte("1")}}); err != nil {
		t.Fatal(err)
	}
	if found, err := bound.Registers(t.Context(), "r"); err != nil || len(found) != 1 {
		t.Errorf("found %d registers, %v", len(found), err)
	}
	if found, err := o.store.Registers(t.Context(), "r"); err != nil || len(found) != 0 {
		t.Errorf("others found %d registers before the commit, %v", len(found), err)
	}
	l := o.ledger.With(bound)
	if _, err := l.Accept(t.Context(), o.delivery("u")); err != nil {
		t.Fatal(err)
	}
	if r, err := l.RollBack(t.Context(), "u"); err != nil || r.Done == 0 {
		t.Errorf("rolling back gives %+v, %v", r, err)
	}
	if _, err := l.Log(t.Context(), 0); err != nil {
		t.Error(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.want("2 tokens, 1 uploads")
}

// TestWithTxRefuses expects an error for what makes no sense in a transaction of
// the caller's.
func TestWithTxRefuses(t *testing.T) {
	o := newOffice(t)
	for _, level := range []pgx.TxIsoLevel{pgx.RepeatableRead, pgx.Serializable} {
		tx := o.begin(pgx.TxOptions{IsoLevel: level})
		if _, err := o.ledger.With(o.store.WithTx(tx)).Accept(t.Context(), o.delivery("u")); !errors.Is(err, pgledger.ErrInTx) {
			t.Errorf("%s: got %v, want %v", level, err, pgledger.ErrInTx)
		}
		tx.Rollback(t.Context())
	}
	tx := o.begin(pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if _, err := o.ledger.With(o.store.WithTx(tx)).Accept(t.Context(), o.delivery("u")); !errors.Is(err, pgledger.ErrReadOnly) {
		t.Errorf("read-only: got %v, want %v", err, pgledger.ErrReadOnly)
	}
	tx.Rollback(t.Context())
	l := o.ledger.With(o.store.WithTx(o.begin(pgx.TxOptions{})))
	o.now = o.now.Add(time.Hour)
	if _, err := l.Release(t.Context(), nil); !errors.Is(err, pgledger.ErrInTx) {
		t.Errorf("Release: got %v, want %v", err, pgledger.ErrInTx)
	}
	if _, err := l.Prune(t.Context()); !errors.Is(err, pgledger.ErrInTx) {
		t.Errorf("Remove: got %v, want %v", err, pgledger.ErrInTx)
	}
	for _, err := range l.Read(t.Context(), 0, 1) {
		if !errors.Is(err, pgledger.ErrInTx) {
			t.Errorf("Read: got %v, want %v", err, pgledger.ErrInTx)
		}
	}
}
