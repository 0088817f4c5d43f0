package ledgertest

import (
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// modelOrder is what the model expects of an order.
type modelOrder struct {
	effects ledger.Effects
	units   int
	refused ledger.RefusalReason
	groups  []ledger.WithdrawnGroup
}

// selects reports whether a selection describes a unit.
func (m *model) selects(s *ledger.Selection, u *modelUnit) bool {
	k := u.key()
	if len(s.Units) > 0 && !slices.Contains(s.Units, u.id) || !s.Origin.IsZero() && s.Origin != k.Origin {
		return false
	}
	if test, ok := s.TestType.Get(); ok && test != k.TestType {
		return false
	}
	if _, ok := s.ReportType.Get(); ok && s.ReportType != k.ReportType {
		return false
	}
	source := s.Source
	if len(s.Uploads) > 0 && source == "" {
		source = ledger.Own
	}
	for _, c := range u.claims {
		if (source == "" || c.Source == source) && (len(s.Uploads) == 0 || slices.Contains(s.Uploads, c.Upload)) &&
			(s.From.IsZero() || !c.Accepted.Before(s.From)) && (s.To.IsZero() || c.Accepted.Before(s.To)) {
			return true
		}
	}
	return false
}

// unknown counts what a selection names in vain.
func (m *model) unknown(s *ledger.Selection, chosen []*modelUnit) (n int, aside bool) {
	for i, id := range s.Units {
		if !slices.Contains(s.Units[:i], id) && !slices.ContainsFunc(chosen, func(u *modelUnit) bool { return u.id == id }) {
			n++
		}
	}
	if len(s.Units) > 0 {
		return n, false
	}
	for i, upload := range s.Uploads {
		units, known := m.brought(upload)
		found := slices.ContainsFunc(units, func(u *modelUnit) bool { return slices.Contains(chosen, u) })
		switch {
		case slices.Contains(s.Uploads[:i], upload) || found:
		case known:
			aside = true
		default:
			n++
		}
	}
	return n, aside
}

// give says what an order does, and does it unless it is refused.
func (m *model) give(o *ledger.Order, now time.Time) modelOrder {
	var chosen []*modelUnit
	all := len(o.Select.Units) == 0
	for _, u := range m.units {
		switch {
		case m.selects(&o.Select, u):
			chosen = append(chosen, u)
		case u.says.Provenance != keys.Padding:
			all = false
		}
	}
	result := modelOrder{units: len(chosen)}
	unknown, aside := m.unknown(&o.Select, chosen)
	result.effects.Unknown = unknown
	m.passOver(o, chosen, &result)
	e := &result.effects
	changes := e.Waiting + e.Released + e.Cancelled + e.Spared
	erases := o.Action == ledger.OrderErase && aside
	switch {
	case erases:
	case len(chosen) == 0:
		result.refused = ledger.RefusedUnknown
	case changes+e.Urgent == 0 && e.Refused > 0:
		result.refused = ledger.RefusedNotOurs
	case changes+e.Urgent == 0:
		result.refused = ledger.RefusedAlready
	case o.Confirm > 0 && o.Confirm != changes, o.Confirm == 0 && all:
		result.refused = ledger.RefusedUnconfirmed
	}
	if result.refused != "" {
		return result
	}
	var told []*modelUnit
	for _, u := range chosen {
		if m.deed(o, u) == "spared" {
			continue
		}
		told = append(told, u)
		if _, wait := m.pending(u); o.Immediately && wait == ledger.WaitWithdrawal && len(u.claimsOf(ledger.Own)) > 0 {
			m.urgent[u.id.Origin] = true
		}
	}
	if o.Action == ledger.OrderErase {
		m.eraseUpload(o.Select.Uploads[0])
	}
	if o.Action != ledger.OrderReinstate && o.Action != ledger.OrderRevise && o.Action != ledger.OrderAdmit {
		result.groups = m.forecast(told, now)
	}
	return result
}

// passOver counts what an order would do, and leaves everything as it is.
func (m *model) passOver(o *ledger.Order, chosen []*modelUnit, result *modelOrder) {
	e := &result.effects
	for _, u := range chosen {
		trial := *u
		trial.claims = slices.Clone(u.claims)
		was, waited := m.pending(&trial)
		word := m.deed(o, &trial)
		is, waits := m.pending(&trial)
		own := len(trial.claimsOf(ledger.Own)) > 0
		changed := false
		switch {
		case word == "spared":
			e.Spared++
		case word == "refused":
			e.Refused++
		case word == "already", was == is && waited == waits && o.Action != ledger.OrderErase:
			e.Already++
		case len(u.numbers) == 0:
			e.Waiting++
			changed = true
		case waits == ledger.WaitNothing && waited != ledger.WaitNothing:
			e.Cancelled++
			changed = true
		default:
			e.Released++
			changed = true
		}
		if changed && !own {
			e.Foreign++
		}
		if changed && o.Action == ledger.OrderReinstate && len(u.numbers) > 0 && m.log[u.numbers[len(u.numbers)-1]-1].event.Partners == ledger.Withdrawn {
			e.Untold++
		}
		if o.Immediately && own && word != "spared" && waits == ledger.WaitWithdrawal {
			e.Urgent++
		}
	}
}

// deed does what an order does to one unit, and says in a word what that is.
func (m *model) deed(o *ledger.Order, u *modelUnit) string {
	word := func(done bool) string {
		if done {
			return "done"
		}
		return "already"
	}
	switch o.Action {
	case ledger.OrderWithdraw:
		before := u.gone()
		u.byOperator = true
		return word(!before)
	case ledger.OrderReinstate:
		if u.bySource || u.erase {
			return "refused"
		}
		before := u.gone()
		u.byOperator = false
		for i := range u.claims {
			u.claims[i].Withdrawn = false
		}
		u.countAnew()
		return word(before)
	case ledger.OrderRollBack:
		before, again := u.gone(), true
		for i := range u.claims {
			if c := &u.claims[i]; c.Source == ledger.Own && c.Upload == o.Select.Uploads[0] {
				again, c.Withdrawn = c.Withdrawn, true
			}
		}
		u.countAnew()
		if !again && !u.gone() {
			return "spared"
		}
		return word(u.gone() != before)
	case ledger.OrderErase:
		if u.standsWithout(o.Select.Uploads[0]) {
			u.claims = slices.DeleteFunc(u.claims, func(c ledger.Claim) bool { return c.Source == ledger.Own && c.Upload == o.Select.Uploads[0] })
			u.countAnew()
			return "spared"
		}
		before := u.erase
		u.byOperator, u.erase = true, true
		return word(!before)
	case ledger.OrderAdmit:
		return word(u.admit(o.Select.Source))
	case ledger.OrderRevise:
		return u.revise(o.ReportType)
	}
	panic("ledgertest: no order to " + string(o.Action))
}

func (u *modelUnit) admit(s ledger.Source) (done bool) {
	for _, c := range u.claimsOf(s) {
		done = done || c.Held
		c.Held = false
	}
	return done
}

// revise states a report type of a unit's own claims.
func (u *modelUnit) revise(t keys.Optional[keys.ReportType]) string {
	own := u.claimsOf(ledger.Own)
	if len(own) == 0 || u.bySource || u.gone() || u.erase {
		return "refused"
	}
	said, stated := rank(u.key().ReportType), rank(own[0].Key.ReportType)
	switch {
	case u.key().ReportType == t:
		return "already"
	case said == 0 || stated == 0 || rank(t) <= said || rank(t) <= stated:
		return "refused"
	}
	for _, c := range own {
		c.Key.ReportType = t
	}
	return "done"
}

// forecast says with whom, and when, the withdrawals of an order will be told.
func (m *model) forecast(chosen []*modelUnit, now time.Time) (list []ledger.WithdrawnGroup) {
	for _, origin := range []string{"AT", "DE", "FR"} {
		g := ledger.WithdrawnGroup{Origin: keys.MustRegion(origin)}
		mine, all := map[string]bool{}, map[string]bool{}
		for _, u := range m.units {
			_, wait := m.pending(u)
			if u.id.Origin != g.Origin || wait != ledger.WaitWithdrawal || len(u.claimsOf(ledger.Own)) == 0 {
				continue
			}
			all[u.upload] = true
			if slices.Contains(chosen, u) {
				mine[u.upload] = true
				g.Keys++
			}
		}
		if g.Keys == 0 {
			continue
		}
		g.Uploads, g.Together = len(mine), len(all)
		g.Small = g.Together < m.policy.MinWithdrawnUploads
		grid := m.policy.Grid
		g.Cut = now.Truncate(grid)
		if last := m.last(); last.Seq > 0 && !g.Cut.After(last.Time) {
			g.Cut = last.Time.Add(grid)
		}
		if g.Small && !m.urgent[g.Origin] {
			since, passed := m.passed[ledger.GroupID{Origin: g.Origin, Own: true, Wait: ledger.WaitWithdrawal}]
			if !passed {
				since = g.Cut
			}
			for g.Cut.Before(since.Add(m.policy.WithdrawalWait)) {
				g.Cut = g.Cut.Add(grid)
			}
		}
		list = append(list, g)
	}
	return list
}
