package pgledger_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
)

// TestErrorsHaveNoKeyData has the server refuse rows, of which it says in detail
// what is in them, and expects none of that in errors.
func TestErrorsHaveNoKeyData(t *testing.T) {
	o := newOffice(t)
	for _, table := range []string{"unit", "waiting"} {
		if _, err := o.pool.Exec(t.Context(), `ALTER TABLE gaen.`+table+` ADD CONSTRAINT none CHECK (rolling_period < 0) NOT VALID`); err != nil {
			t.Fatal(err)
		}
		d := o.delivery(table)
		_, err := o.ledger.Accept(t.Context(), d)
		var e *pgledger.Error
		if !errors.As(err, &e) || e.Op != "accept" {
			t.Fatalf("got %v", err)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			for _, text := range []string{fmt.Sprintf("%v", e), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e)} {
				for _, k := range d.Uploads[0].Keys {
					if strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", k.KeyData[:8])) {
						t.Fatalf("key data in %T", e)
					}
				}
			}
		}
		if _, err := o.pool.Exec(t.Context(), `ALTER TABLE gaen.`+table+` DROP CONSTRAINT none`); err != nil {
			t.Fatal(err)
		}
	}
	o.want("2 tokens, 0 uploads")
}

// TestDamaged expects that numbers without units are an error, and never fewer
// keys.
func TestDamaged(t *testing.T) {
	o := newOffice(t)
	if _, err := o.ledger.Accept(t.Context(), o.delivery("u")); err != nil {
		t.Fatal(err)
	}
	o.now = o.now.Add(time.Hour)
	if _, err := o.ledger.Release(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for _, damage := range []string{`DELETE FROM gaen.unit WHERE id = (SELECT min(id) FROM gaen.unit)`, `UPDATE gaen.unit SET origin = '?'`} {
		if _, err := o.pool.Exec(t.Context(), damage); err != nil {
			t.Fatal(err)
		}
		var last error
		for _, err := range o.ledger.Read(t.Context(), 0, 1<<40) {
			last = err
		}
		if !errors.Is(last, pgledger.ErrCorrupt) {
			t.Errorf("%s: got %v, want %v", damage, last, pgledger.ErrCorrupt)
		}
	}
}

// TestCancelledWhileItWaits cancels a step that waits for another, and expects it
// to end at once, to have no effect, and to leave the pool as it was.
func TestCancelledWhileItWaits(t *testing.T) {
	o := newOffice(t)
	d := o.delivery("u")
	if _, err := o.ledger.Accept(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	id := ledger.IDOf(&d.Uploads[0].Keys[0])
	_, err := slowDecide(t.Context(), o.store, id, func() {
		for range 20 { // more than the pool has
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			_, err := o.ledger.Accept(ctx, &ledger.Delivery{Source: "p", Uploads: d.Uploads})
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
			}
		}
	}, func(*ledger.Standing) (*ledger.Changes, error) { return &ledger.Changes{}, nil })
	if err != nil {
		t.Fatal(err)
	}
	for rec, err := range o.ledger.Find(t.Context(), ledger.Query{Unit: &id}) {
		if err != nil || len(rec.Unit.Claims) != 1 {
			t.Errorf("there are %d claims, %v", len(rec.Unit.Claims), err)
		}
	}
}

// TestPanic expects a Decide that panics to leave nothing locked.
func TestPanic(t *testing.T) {
	o := newOffice(t)
	d := o.delivery("u")
	if _, err := o.ledger.Accept(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	for range 15 {
		func() {
			defer func() { recover() }()
			o.store.Accept(t.Context(), &ledger.Intake{Units: []ledger.UnitID{ledger.IDOf(&d.Uploads[0].Keys[0])},
				Decide: func(*ledger.Standing) (*ledger.Changes, error) { panic("oops") }})
		}()
	}
	if _, err := o.ledger.Accept(t.Context(), &ledger.Delivery{Source: "p", Uploads: d.Uploads}); err != nil {
		t.Error(err)
	}
}

// TestTextThatCannotBeKept stores what PostgreSQL has no text for.
func TestTextThatCannotBeKept(t *testing.T) {
	o := newOffice(t)
	d := &ledger.Delivery{Source: "p", Unreadable: []ledger.SetAside{{Upload: "a\x00\xff", Field: keys.FieldKeyData, Reason: keys.ReasonLength, Detail: "\x00\xfe"}}}
	if _, err := o.ledger.Accept(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	n := 0
	for rec, err := range o.ledger.Find(t.Context(), ledger.Query{Upload: "a\x00\xff", SetAside: true}) {
		if n++; err != nil || rec.SetAside[0].Upload != "a\uFFFD\uFFFD" || rec.SetAside[0].Detail != "\uFFFD\uFFFD" {
			t.Errorf("got %+v, %v", rec, err)
		}
	}
	if n != 1 {
		t.Errorf("found %d records", n)
	}
}

// TestManySetAside finds more of what was set aside than is read at a time, of
// one key and of many, each in one record.
func TestManySetAside(t *testing.T) {
	o := newOffice(t)
	g := keystest.New(8, nil)
	var all []ledger.SetAside
	ids := map[ledger.UnitID]int{}
	for i := range 1100 {
		id := ledger.UnitID{Origin: keys.MustRegion("DE"), KeyData: g.KeyData()}
		for range 1 + i%3 {
			all = append(all, ledger.SetAside{Source: "p", Upload: "u", At: o.now, ID: id})
			ids[id]++
		}
	}
	one := ledger.UnitID{Origin: keys.MustRegion("AT"), KeyData: g.KeyData()}
	for range 2500 {
		all = append(all, ledger.SetAside{Source: "p", Upload: "u", At: o.now, ID: one})
		ids[one]++
	}
	err := o.store.Accept(t.Context(), &ledger.Intake{Decide: func(*ledger.Standing) (*ledger.Changes, error) { return &ledger.Changes{SetAside: all}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	for rec, err := range o.store.Find(t.Context(), ledger.Query{SetAside: true}) {
		if err != nil || ids[rec.ID] != len(rec.SetAside) {
			t.Fatalf("a record has %d, want %d; %v", len(rec.SetAside), ids[rec.ID], err)
		}
		delete(ids, rec.ID)
	}
	if len(ids) > 0 {
		t.Errorf("%d keys were not found", len(ids))
	}
	n, err := o.store.Remove(t.Context(), &ledger.Removal{Now: o.now, Ended: o.now.Add(time.Second), Again: func() {}, Tallies: func() ledger.Tallies { return nil }})
	if left := queryAll(t, o.pool, `SELECT id FROM gaen.set_aside`); err != nil || n != 0 || len(left) > 0 {
		t.Errorf("%d units removed, %d rows left, %v", n, len(left), err)
	}
}

// TestReadChunks reads ranges that begin and end around the borders of chunks,
// with units that have further events in other chunks.
func TestReadChunks(t *testing.T) {
	o := newOffice(t)
	var ids []ledger.UnitID
	for len(ids) < 20_000 {
		d := &ledger.Delivery{Source: ledger.Own}
		for range 300 {
			up := o.keys.Upload(o.now)
			d.Uploads = append(d.Uploads, ledger.Upload{ID: up.ID, Keys: up.Keys})
			for i := range up.Keys {
				ids = append(ids, ledger.IDOf(&up.Keys[i]))
			}
		}
		if _, err := o.ledger.Accept(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	cut := func() int64 {
		o.now = o.now.Add(time.Hour)
		r, err := o.ledger.Release(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return r.Cut.Last
	}
	first := cut()
	if _, err := o.ledger.Withdraw(t.Context(), ids[:5000]...); err != nil {
		t.Fatal(err)
	}
	last := cut()
	for _, x := range [][2]int64{{0, last}, {0, first}, {first, last}, {8191, 8193}, {8192, 16384}, {1, 8193}} {
		seen := map[int64]bool{}
		for u, err := range o.store.Read(t.Context(), x[0], x[1]) {
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range u.Events {
				if e.Number > x[1] || seen[e.Number] {
					t.Fatalf("%v yields number %d", x, e.Number)
				}
				seen[e.Number] = true
			}
		}
		for n := x[0] + 1; n <= x[1]; n++ {
			if !seen[n] {
				t.Fatalf("%v does not yield number %d", x, n)
			}
		}
	}
}

// TestErrorKeepsConnections sees that a step that comes to nothing gives its
// connection back as it was.
func TestErrorKeepsConnections(t *testing.T) {
	o := newOffice(t)
	before := o.pool.Stat().NewConnsCount()
	oops := errors.New("oops")
	for range 10 {
		err := o.store.Accept(t.Context(), &ledger.Intake{Decide: func(*ledger.Standing) (*ledger.Changes, error) { return nil, oops }})
		if err != oops {
			t.Fatalf("got %v, want %v itself", err, oops)
		}
	}
	if n := o.pool.Stat().NewConnsCount() - before; n > 0 {
		t.Errorf("%d connections were thrown away", n)
	}
}
