package ledgertest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// modelCut is what the model expects of a cut.
type modelCut struct {
	new, padded, changed, gone int64
	waiting                    []ledger.Waiting
	warnings                   int
	echoes                     []keys.DiagnosisKey // without key data, which only the ledger knows
	taken                      []*modelUnit
	waitedOut, byOrder         ledger.Exposed
}

// last returns the last cut, zero before the first.
func (m *model) last() ledger.Cut {
	if len(m.cuts) == 0 {
		return ledger.Cut{}
	}
	return m.cuts[len(m.cuts)-1]
}

// pending is the event that a unit waits for, and its kind.
func (m *model) pending(u *modelUnit) (ledger.Event, ledger.Wait) {
	e := ledger.Event{Own: ledger.Active, Partners: ledger.Active, ReportType: u.key().ReportType, Sources: ledger.Sources(strings.Join(u.sources(), ","))}
	if u.bySource || u.gone() {
		e.Own = ledger.Withdrawn
	}
	if u.bySource || u.gone() && len(u.claimsOf(ledger.Own)) > 0 {
		e.Partners = ledger.Withdrawn
	}
	if len(u.numbers) == 0 {
		if e.Own == ledger.Withdrawn {
			return ledger.Event{}, ledger.WaitNothing
		}
		return e, ledger.WaitNew
	}
	last := m.log[u.numbers[len(u.numbers)-1]-1].event
	if last.Partners == ledger.Withdrawn {
		e.Partners = ledger.Withdrawn
	}
	if e.Own == ledger.Withdrawn && e.Partners == ledger.Withdrawn {
		e.ReportType, e.Sources = last.ReportType, last.Sources
	}
	withdrawn := e.Own == ledger.Withdrawn && last.Own == ledger.Active || e.Partners != last.Partners
	changed := e.Own != last.Own || e.ReportType != last.ReportType || e.Sources != last.Sources
	switch {
	case withdrawn:
		return e, ledger.WaitWithdrawal
	case changed:
		return e, ledger.WaitChange
	}
	return ledger.Event{}, ledger.WaitNothing
}

// onHold reports whether the operator holds a unit.
func (m *model) onHold(u *modelUnit) bool {
	if slices.Contains(m.holds.Origins, u.id.Origin) {
		return true
	}
	free := slices.ContainsFunc(u.sources(), func(s string) bool { return !slices.Contains(m.holds.Sources, ledger.Source(s)) })
	return !free && len(u.sources()) > 0
}

// beyondQuota reports whether no claim on a unit was within its quota.
func (u *modelUnit) beyondQuota() bool {
	return !slices.ContainsFunc(u.claims, func(c ledger.Claim) bool { return !c.Held && !c.Withdrawn })
}

// groups gathers what a cut at t may take.
func (m *model) groups(t time.Time) map[ledger.GroupID][]*modelUnit {
	groups := map[ledger.GroupID][]*modelUnit{}
	for _, u := range m.units {
		_, wait := m.pending(u)
		may := wait == ledger.WaitWithdrawal ||
			wait == ledger.WaitChange && !m.onHold(u) ||
			wait == ledger.WaitNew && !m.onHold(u) && !u.beyondQuota() && u.due.Before(t)
		if may {
			id := ledger.GroupID{Origin: u.id.Origin, Own: len(u.claimsOf(ledger.Own)) > 0, Wait: wait}
			groups[id] = append(groups[id], u)
		}
	}
	return groups
}

func uploadsOf(units []*modelUnit) int {
	uploads := map[string]bool{}
	for _, u := range units {
		uploads[u.upload] = true
	}
	return len(uploads)
}

// choose says what a cut at t takes, and notes what it passes over.
func (m *model) choose(t time.Time) *modelCut {
	groups := m.groups(t)
	c := &modelCut{}
	passed := m.passed
	m.passed = map[ledger.GroupID]time.Time{}
	inCut := 0
	for _, id := range m.order(groups) {
		units := groups[id]
		n, uploads := len(units), uploadsOf(units)
		minKeys, minUploads, wait := m.policy.MinKeys, m.policy.MinUploads, m.policy.LongestWait
		if id.Wait == ledger.WaitWithdrawal {
			minKeys, minUploads, wait = 0, m.policy.MinWithdrawnUploads, m.policy.WithdrawalWait
		}
		if !id.Own {
			minKeys, minUploads, wait = m.policy.MinForeignKeys, 0, m.policy.ForeignWait
		}
		since, before := passed[id]
		times := 1 // each upload, with its echoes
		if id.Own && id.Wait == ledger.WaitNew {
			times += m.policy.Padding.Echoes
		}
		large := n*times >= minKeys && uploads*times >= minUploads
		waited := before && t.Sub(since) >= wait
		ordered := id.Wait == ledger.WaitWithdrawal && m.urgent[id.Origin]
		goes := !id.Own && id.Wait != ledger.WaitNew || id.Wait == ledger.WaitChange || large || waited || ordered
		room := max(0, min(m.policy.MaxCut-inCut, m.policy.MaxDay-m.days[modelDayOf(t.Add(-1))]-inCut))
		switch {
		case id.Wait != ledger.WaitNew && goes:
			if id.Own && id.Wait == ledger.WaitWithdrawal && !large {
				c.expose(ledger.Exposed{Groups: 1, Keys: n, Uploads: uploads}, waited)
			}
			c.take(units, id.Wait)
			inCut += n
		case goes:
			fits := min(n, room/times)
			slices.SortFunc(units, canonical)
			c.take(units[:fits], id.Wait)
			c.echo(units[:fits], times-1)
			inCut += fits * times
			if fits < n {
				c.warnings++
				m.passed[id] = t.Add(-wait)
				c.waiting = append(c.waiting, ledger.Waiting{Group: ledger.Group{GroupID: id, Keys: n - fits, Uploads: uploads}, Since: t, Until: t.Add(m.policy.Grid)})
			}
		default:
			if !before {
				since = t
			}
			m.passed[id] = since
			c.waiting = append(c.waiting, ledger.Waiting{Group: ledger.Group{GroupID: id, Keys: n, Uploads: uploads}, Since: since, Until: since.Add(wait)})
		}
	}
	m.days[modelDayOf(t.Add(-1))] += inCut
	clear(m.urgent)
	return c
}

// expose counts a group of withdrawals that goes too small.
func (c *modelCut) expose(e ledger.Exposed, waited bool) {
	to := &c.byOrder
	if waited {
		to = &c.waitedOut
	}
	to.Groups += e.Groups
	to.Keys += e.Keys
	to.Uploads += e.Uploads
}

// order says which groups go first: what never waits for room, then the
// smaller.
func (m *model) order(groups map[ledger.GroupID][]*modelUnit) []ledger.GroupID {
	var list []ledger.GroupID
	for id := range groups {
		list = append(list, id)
	}
	place := map[ledger.Wait]int{ledger.WaitWithdrawal: 1, ledger.WaitChange: 2, ledger.WaitNew: 3}
	own := map[bool]int{true: 1, false: 2}
	slices.SortFunc(list, func(a, b ledger.GroupID) int {
		return cmp.Or(cmp.Compare(place[a.Wait], place[b.Wait]), cmp.Compare(len(groups[a]), len(groups[b])),
			strings.Compare(a.Origin.String(), b.Origin.String()), cmp.Compare(own[a.Own], own[b.Own]))
	})
	return list
}

func canonical(a, b *modelUnit) int {
	x, y := a.key(), b.key()
	return x.Compare(&y)
}

func (c *modelCut) take(units []*modelUnit, wait ledger.Wait) {
	c.taken = append(c.taken, units...)
	switch wait {
	case ledger.WaitNew:
		c.new += int64(len(units))
	case ledger.WaitChange:
		c.changed += int64(len(units))
	case ledger.WaitWithdrawal:
		c.gone += int64(len(units))
	}
}

// echo expects every key to come times more, as padding.
func (c *modelCut) echo(units []*modelUnit, times int) {
	for range times {
		for _, u := range units {
			k := u.key()
			k.KeyData = keys.KeyData{}
			k.Provenance, k.ConsentToFederate = keys.Padding, keys.ConsentRefused
			c.echoes = append(c.echoes, k)
		}
	}
	c.padded += int64(times * len(units))
	c.new += int64(times * len(units))
}

// number gives what a cut takes its numbers, padding as the ledger made it
// among them.
func (m *model) number(c *modelCut, cut ledger.Cut, padding []*modelUnit) {
	m.units = append(m.units, padding...)
	m.padded += int64(len(padding))
	all := slices.Concat(c.taken, padding)
	slices.SortFunc(all, canonical)
	for _, u := range all {
		e, _ := m.pending(u)
		e.Number = int64(len(m.log) + 1)
		m.log = append(m.log, modelEntry{u, e})
		u.numbers = append(u.numbers, e.Number)
	}
	cut.Last = int64(len(m.log))
	m.cuts = append(m.cuts, cut)
}

// cutOf is the index of the cut that gave a number.
func (m *model) cutOf(n int64) int {
	return slices.IndexFunc(m.cuts, func(c ledger.Cut) bool { return n <= c.Last })
}

// read is what Read is to yield; ok is false where it is to fail.
func (m *model) read(from, to int64) (units []*ledger.Unit, ok bool) {
	to = min(to, int64(len(m.log)))
	seen := map[keys.KeyData]bool{}
	for n := from + 1; n <= to; n++ {
		if m.cuts[m.cutOf(n)].Pruned {
			return nil, false
		}
		data := m.log[n-1].unit.id.KeyData
		if seen[data] {
			continue
		}
		seen[data] = true
		family := m.family(data, to)
		head := family[0].asUnit(m, to)
		for _, u := range family[1:] {
			head.Siblings = append(head.Siblings, *u.asUnit(m, to))
		}
		units = append(units, head)
	}
	return units, true
}

// family is the units with that key data that had a number up to to: by cut,
// own first, then by acceptance and origin.
func (m *model) family(data keys.KeyData, to int64) []*modelUnit {
	var list []*modelUnit
	for _, u := range m.units {
		if u.id.KeyData == data && len(u.numbers) > 0 && u.numbers[0] <= to {
			list = append(list, u)
		}
	}
	foreign := func(u *modelUnit) int {
		if m.log[u.numbers[0]-1].event.Sources.Has(ledger.Own) {
			return 0
		}
		return 1
	}
	slices.SortFunc(list, func(a, b *modelUnit) int {
		return cmp.Or(cmp.Compare(m.cutOf(a.numbers[0]), m.cutOf(b.numbers[0])), cmp.Compare(foreign(a), foreign(b)),
			a.accepted.Compare(b.accepted), strings.Compare(a.id.Origin.String(), b.id.Origin.String()))
	})
	return list
}
