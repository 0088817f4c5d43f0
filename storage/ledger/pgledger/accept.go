package pgledger

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Accept implements [ledger.Store]. Cancelling ctx has an effect until the step is
// committed.
func (s *Store) Accept(ctx context.Context, in *ledger.Intake) error {
	p := plan{isolation: pgx.ReadCommitted}
	if len(in.Units) > bulk {
		p.lock = followLog
	}
	return s.write(ctx, "accept", p, func(t *tx) error {
		a := &accepting{known: t.known(in.Units), in: in}
		if err := a.look(); err != nil {
			return err
		}
		changes, err := in.Decide(a.standing)
		if err != nil {
			return given(err)
		}
		return a.store(changes)
	})
}

// accepting is one attempt at an Accept.
type accepting struct {
	*known
	in       *ledger.Intake
	swapping *swapping
	standing *ledger.Standing
}

// look reads, and locks, what the intake asks for. The registers come last: until
// then what was read before may have waited for others, and from then on nothing
// of it changes.
func (a *accepting) look() error {
	a.standing = &ledger.Standing{Tallies: ledger.Tallies{}, Registers: map[string]ledger.Register{}}
	b := a.batch()
	a.swapping = b.lookSwaps(a.in.Nonce, a.in.Swaps)
	if len(a.in.Units) > 0 {
		a.known.look(b)
		a.traces = b.lookTraces(a.ids)
		a.number(b, len(a.ids))
	}
	b.lookRegisters(a.standing.Registers, a.in.Registers)
	var now time.Time
	b.each(`SELECT clock_timestamp()`, nil, []any{&now}, func() error { return nil })
	if err := b.send(); err != nil {
		return err
	}
	if err := a.swapping.conflict(); err != nil {
		return err
	}
	a.standing.Now = a.tx.store.now(now)
	for _, id := range a.ids {
		r := a.traces.record(id)
		r.Unit = a.unit(id)
		a.standing.Records = append(a.standing.Records, r)
	}
	return a.lookTallies()
}

// lookTallies reads the counters that the intake asks for by the ledger's clock.
func (a *accepting) lookTallies() error {
	if a.in.Tallies == nil {
		return nil
	}
	names := a.in.Tallies(a.standing.Now)
	if len(names) == 0 {
		return nil
	}
	b := a.batch()
	b.lookTallies(a.standing.Tallies, names)
	return b.send()
}

// store stores what was decided.
func (a *accepting) store(c *ledger.Changes) error {
	missing := a.unclaimed()
	saved, err := a.sort(c.Units)
	if err != nil {
		return err
	}
	reserved := a.reserve(saved)
	b := a.batch()
	b.save(saved)
	if len(reserved) > 0 {
		b.exec(`DELETE FROM gaen.unit WHERE id = ANY ($1)`, reserved)
	}
	if len(missing) > 0 {
		b.lookAgain(a.ids, a.traces)
	}
	b.keep(c.Kept)
	b.setAside(c.SetAside)
	b.eraseSetAside(c.Erased)
	b.swap(a.swapping)
	b.addTallies(c.Tallies)
	return b.send()
}

// reserve has the key data that still have no unit added with those that get one,
// so that no other delivery that asks for them can be between what this one saw
// and what it stores. It returns the ids of what is to be taken out again before
// anybody has seen it.
func (a *accepting) reserve(s *saving) (ids []int64) {
	for _, data := range a.unclaimed() {
		r := &row{id: a.free[0]}
		a.free = a.free[1:]
		r.unit.Key.KeyData = keys.KeyData(data)
		s.added = append(s.added, r)
		ids = append(ids, r.id)
	}
	return ids
}
