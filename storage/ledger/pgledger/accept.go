package pgledger

import (
	"context"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Accept implements [ledger.Store]. Cancelling ctx has an effect until the step is
// committed.
func (s *Store) Accept(ctx context.Context, in *ledger.Intake) error {
	p := plan{isolation: eachQuery}
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
	}
	guess := a.tallies(a.tx.store.now(time.Now()))
	b.lookTallies(a.standing.Tallies, guess)
	b.lookRegisters(a.standing.Registers, a.in.Registers)
	now := a.number(b, len(a.ids))
	if err := b.send(); err != nil {
		return err
	}
	if err := a.swapping.conflict(); err != nil {
		return err
	}
	a.standing.Now = a.tx.store.now(*now)
	for _, id := range a.ids {
		r := a.traces.record(id)
		r.Unit = a.unit(id)
		a.standing.Records = append(a.standing.Records, r)
	}
	if names := a.tallies(a.standing.Now); !slices.Equal(names, guess) { // around midnight
		return a.lookTallies(names)
	}
	return nil
}

// tallies returns the counters that the intake asks for at a time.
func (a *accepting) tallies(now time.Time) []string {
	if a.in.Tallies == nil {
		return nil
	}
	return a.in.Tallies(now)
}

// lookTallies reads counters instead of those that were taken for the right ones.
func (a *accepting) lookTallies(names []string) error {
	clear(a.standing.Tallies)
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
