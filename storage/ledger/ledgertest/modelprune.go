package ledgertest

import (
	"maps"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// The operator's orders.

func (m *model) withdraw(ids []ledger.UnitID) (r ledger.OperatorReceipt) {
	for _, u := range m.named(ids, &r) {
		count(&r, !u.gone())
		u.byOperator = true
	}
	return r
}

func (m *model) reinstate(ids []ledger.UnitID) (r ledger.OperatorReceipt) {
	for _, u := range m.named(ids, &r) {
		switch {
		case u.bySource || u.erase:
			r.Unknown++
		default:
			count(&r, u.gone())
			u.byOperator = false
			for i := range u.claims {
				u.claims[i].Withdrawn = false
			}
			u.countAnew()
		}
	}
	return r
}

// named returns the units with these identities, each once.
func (m *model) named(ids []ledger.UnitID, r *ledger.OperatorReceipt) (units []*modelUnit) {
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			continue
		}
		if u := m.find(id); u != nil {
			units = append(units, u)
		} else {
			r.Unknown++
		}
	}
	return units
}

func count(r *ledger.OperatorReceipt, changed bool) {
	if changed {
		r.Done++
	} else {
		r.Already++
	}
}

// brought returns the units that an own upload brought, and whether anything of
// it is known.
func (m *model) brought(upload string) (units []*modelUnit, known bool) {
	for _, u := range m.units {
		if slices.ContainsFunc(u.claimsOf(ledger.Own), func(c *ledger.Claim) bool { return c.Upload == upload }) {
			units = append(units, u)
		}
	}
	aside := slices.ContainsFunc(m.aside, func(a ledger.SetAside) bool { return a.Source == ledger.Own && a.Upload == upload })
	return units, aside || len(units) > 0
}

// standsWithout reports whether another own upload that stands brought a unit.
func (u *modelUnit) standsWithout(upload string) bool {
	return slices.ContainsFunc(u.claimsOf(ledger.Own), func(c *ledger.Claim) bool { return c.Upload != upload && !c.Withdrawn })
}

// countAnew has a unit be counted with the first own upload that stands, if one does.
func (u *modelUnit) countAnew() {
	for _, c := range slices.Backward(u.claimsOf(ledger.Own)) {
		if !c.Withdrawn {
			u.upload = c.Upload
		}
	}
}

func (m *model) rollBack(upload string) (r ledger.OperatorReceipt, known bool) {
	units, known := m.brought(upload)
	for _, u := range units {
		before, again := u.gone(), true
		for i := range u.claims {
			if c := &u.claims[i]; c.Source == ledger.Own && c.Upload == upload {
				again = c.Withdrawn
				c.Withdrawn = true
			}
		}
		u.countAnew()
		if !again && !u.gone() {
			r.Spared++
			continue
		}
		count(&r, u.gone() != before)
	}
	return r, known
}

func (m *model) eraseUpload(upload string) (r ledger.OperatorReceipt, known bool) {
	units, known := m.brought(upload)
	for _, u := range units {
		if u.standsWithout(upload) {
			u.claims = slices.DeleteFunc(u.claims, func(c ledger.Claim) bool { return c.Source == ledger.Own && c.Upload == upload })
			u.countAnew()
			r.Spared++
			continue
		}
		count(&r, !u.erase)
		u.byOperator, u.erase = true, true
	}
	m.aside = slices.DeleteFunc(m.aside, func(a ledger.SetAside) bool { return a.Source == ledger.Own && a.Upload == upload })
	return r, known
}

// term says what has become of a unit in a sink.
func (m *model) term(u *modelUnit, s sink) ledger.Term {
	_, wait := m.pending(u)
	switch {
	case len(u.numbers) > 0:
		return s.Term(u.asUnit(m, int64(len(m.log))))
	case wait == ledger.WaitNothing:
		return ledger.TermWithdrawn
	case u.beyondQuota() || m.onHold(u):
		return ledger.TermHeld
	}
	return ledger.TermWaiting
}

// enter counts a unit's claims in the books.
func (m *model) enter(books map[ledger.Source]*ledger.SourceStats, u *modelUnit, s sink, t ledger.Term) {
	if u.says.Provenance == keys.Padding {
		return
	}
	seen := map[ledger.Source]bool{}
	for _, c := range u.claims {
		if !seen[c.Source] {
			seen[c.Source] = true
			if books[c.Source].Sinks[s.Name()] == nil {
				books[c.Source].Sinks[s.Name()] = map[ledger.Term]int64{}
			}
			books[c.Source].Sinks[s.Name()][t]++
		}
	}
}

// stats returns the books as they are now.
func (m *model) stats(sinks []sink) *ledger.Stats {
	books := map[ledger.Source]*ledger.SourceStats{}
	for name, b := range m.books {
		c := *b
		c.Sinks = map[string]map[ledger.Term]int64{}
		for sink, terms := range b.Sinks {
			c.Sinks[sink] = maps.Clone(terms)
		}
		books[name] = &c
	}
	for _, u := range m.units {
		for _, s := range sinks {
			m.enter(books, u, s, m.term(u, s))
		}
	}
	return &ledger.Stats{Sources: books, Padded: m.padded}
}

// prune removes what may go, and says how many units and which consumers have
// expired.
func (m *model) prune(now time.Time, sinks []sink) (removed int, expired []string) {
	ended := now.Add(-m.policy.PruneAge)
	floor := int64(len(m.log))
	for _, name := range slices.Sorted(maps.Keys(m.floors)) {
		switch f := m.floors[name]; {
		case f.Number < int64(len(m.log)) && f.Time.Before(ended):
			expired = append(expired, name)
		default:
			floor = min(floor, f.Number)
		}
	}
	goes := func(u *modelUnit) bool {
		for _, e := range m.log {
			if e.unit.id.KeyData == u.id.KeyData && m.find(e.unit.id) == e.unit && e.event.Number > floor {
				return false
			}
		}
		_, wait := m.pending(u)
		return u.says.End().Before(ended) || u.erase && wait == ledger.WaitNothing
	}
	var going, staying []*modelUnit
	for _, u := range m.units {
		if goes(u) {
			going = append(going, u)
		} else {
			staying = append(staying, u)
		}
	}
	for _, u := range going {
		m.bury(u, now, sinks)
	}
	m.units = staying
	m.forget(now, ended)
	return len(going), expired
}

// bury counts a unit for the last time, marks the cuts that can no longer be
// read as they were, and leaves a tombstone if it was withdrawn.
func (m *model) bury(u *modelUnit, now time.Time, sinks []sink) {
	for _, s := range sinks {
		t := m.term(u, s)
		if t == ledger.TermWaiting || t == ledger.TermHeld || t == ledger.TermDue {
			t = ledger.TermExpired
		}
		m.enter(m.books, u, s, t)
	}
	for _, e := range m.log {
		if len(u.numbers) > 0 && e.unit.id.KeyData == u.id.KeyData {
			m.cuts[m.cutOf(e.event.Number)].Pruned = true
		}
	}
	refused := u.says.End().Add(m.policy.PruneAge)
	if (u.bySource || u.gone()) && !refused.Before(now) {
		m.tombs[u.id] = refused
	}
}

// forget removes what is no unit and has had its time.
func (m *model) forget(now, ended time.Time) {
	m.aside = slices.DeleteFunc(m.aside, func(a ledger.SetAside) bool { return a.At.Before(ended) })
	m.kept = slices.DeleteFunc(m.kept, func(k modelKept) bool { return k.At.Before(ended) })
	maps.DeleteFunc(m.tombs, func(_ ledger.UnitID, last time.Time) bool { return last.Before(now) })
	maps.DeleteFunc(m.quota, func(d modelDay, _ int) bool { return d.day < modelDayOf(ended) })
	maps.DeleteFunc(m.days, func(day string, _ int) bool { return day < modelDayOf(ended) })
}
