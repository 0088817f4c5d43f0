package ledger

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
)

// survey is what an order is about, at the moment it was looked up.
type survey struct {
	ledger *Ledger
	order  *Order
	now    time.Time // by the ledger's clock
	until  time.Time // what was accepted later is for another order; zero for no bound

	units   []surveyed // by hash
	seen    map[UnitID]bool
	unknown int // names that stand for nothing
	nothing int // names that stand for nothing but keys set aside
	arrived int // since the preview
	all     bool
}

// surveyed is a unit of an order, and what the order would mean for it.
type surveyed struct {
	id     UnitID
	hash   string
	upload string // its own, or its partner's
	fate   fate
	claims int  // sources
	gone   bool // withdrawn, once the order is done
}

// survey looks up what an order is about.
func (l *Ledger) survey(ctx context.Context, o *Order, log *Log, until time.Time) (*survey, error) {
	s := &survey{ledger: l, order: o, now: log.Now, until: until, seen: map[UnitID]bool{}}
	for _, q := range o.Select.queries() {
		if err := s.ask(ctx, q); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(s.units, func(a, b surveyed) int { return strings.Compare(a.hash, b.hash) })
	claims := 0
	for i := range s.units {
		claims += s.units[i].claims
	}
	s.all = len(s.units) > 0 && len(o.Select.Units) == 0 && int64(claims) >= log.Tallies.claims()
	return s, nil
}

// claims returns how many claims the ledger has, of those that were counted.
func (t Tallies) claims() (n int64) {
	for name, count := range t {
		switch {
		case strings.HasPrefix(name, tallyAccepted):
			n += count
		case strings.HasPrefix(name, tallyRemoved):
			n -= count
		}
	}
	return n
}

// ask looks up one query of the selection.
func (s *survey) ask(ctx context.Context, q Query) error {
	known, found := false, false
	for rec, err := range s.ledger.store.Find(ctx, q) {
		if err != nil {
			return err
		}
		known = true
		if rec.Unit != nil && s.add(rec.Unit) {
			found = true
		}
	}
	named := q.Unit != nil || q.Upload != ""
	switch {
	case !named || found:
	case known && q.Upload != "":
		s.nothing++
	default:
		s.unknown++
	}
	return nil
}

// add adds a unit if the order is about it.
func (s *survey) add(u *Unit) bool {
	o, id := s.order, u.ID()
	accepted, ok := o.Select.claimOf(u)
	if !ok || !s.until.IsZero() && accepted.After(s.until) {
		return false
	}
	if s.seen[id] {
		return true
	}
	s.seen[id] = true
	if !o.Previewed.IsZero() && !accepted.Before(o.Previewed) {
		s.arrived++
	}
	claims := 0
	for range u.claimants() {
		claims++
	}
	su := surveyed{id: id, hash: hashOf(s.ledger.identity, id), upload: u.Upload, claims: claims}
	su.fate = o.apply(u)
	su.gone = u.Gone()
	s.units = append(s.units, su)
	return true
}

// effects returns what the order would do.
func (s *survey) effects() Effects {
	e := Effects{Unknown: s.unknown}
	for i := range s.units {
		e.count(s.units[i].fate, s.order.Immediately)
	}
	return e
}

// uploads returns how many uploads the units are counted with.
func (s *survey) uploads() int {
	type upload struct {
		own bool
		id  string
	}
	names := map[upload]bool{}
	for i := range s.units {
		names[upload{!s.units[i].fate.foreign, s.units[i].upload}] = true
	}
	return len(names)
}

// refusal returns why the order may not be carried out, nil if it may.
func (s *survey) refusal() *OrderError {
	o, e := s.order, s.effects()
	refuse := func(reason RefusalReason, detail string) *OrderError {
		return &OrderError{Action: o.Action, Reason: reason, Detail: detail, Confirm: o.Confirm, Effects: e}
	}
	switch n := e.Changes(); {
	case o.Action == OrderErase && s.nothing > 0: // keys of it were set aside
	case len(s.units) == 0:
		return refuse(RefusedUnknown, o.Select.field())
	case e.none() && e.Refused > 0 && o.Action == OrderRevise:
		return refuse(RefusedNotOurs, "Order.ReportType: it only rises, and the operator states that of own units alone that stand")
	case e.none() && e.Refused > 0:
		return refuse(RefusedNotOurs, o.Select.field()+": the operator undoes what an operator did, and no erasure")
	case e.none():
		return refuse(RefusedAlready, o.Select.field())
	case o.Confirm > 0 && o.Confirm != n:
		return refuse(RefusedUnconfirmed, "")
	case o.Confirm == 0 && s.all:
		return refuse(RefusedUnconfirmed, " and selects every unit of the ledger")
	case o.Confirm == 0 && n > MaxUnconfirmed:
		return refuse(RefusedUnconfirmed, "")
	}
	return nil
}

// told returns the uploads of the withdrawals that the order leaves for cuts to
// tell, by origin, with how many keys of each.
func (s *survey) told() map[keys.Region]map[string]int {
	groups := map[keys.Region]map[string]int{}
	for i := range s.units {
		u := &s.units[i]
		if !u.fate.tells {
			continue
		}
		origin := u.id.Origin
		if groups[origin] == nil {
			groups[origin] = map[string]int{}
		}
		groups[origin][u.upload]++
	}
	return groups
}
