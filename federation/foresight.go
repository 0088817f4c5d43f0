package federation

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/gaenkit/gaen/storage/ledger"
)

// A Foresight says what a partner would be told of units, were they to be withdrawn
// now. Each is in one of its terms: Units = Told + Untold + Unchanged. It may be
// printed and marshalled.
type Foresight struct {
	Partner   ledger.Source  `json:"partner"`
	Units     int            `json:"units"`
	Told      int            `json:"told"`                // the partner is told, with the run after the cut that tells of them
	Untold    map[string]int `json:"untold,omitempty"`    // the partner has them and cannot be told, by why
	Unchanged map[string]int `json:"unchanged,omitempty"` // the partner never had them, or has been told before, by why
}

// Why a partner that has a unit cannot be told of its withdrawal, beside what an
// [Account] says of what is not deliverable.
const (
	UntoldForeign   = operatorWithdrew // only others brought it, and an operator's word is of effect here alone
	UntoldExportOff = "export-off"     // nothing is sent to the partner any more
	UntoldRemoved   = "removed"        // it is no partner any more

	// UntoldUnsealed: perhaps nobody seals the withdrawal, and the nation is told
	// nothing that is not sealed ([Nation.SealedOnly]). Of a key, it is why such a
	// nation never had it.
	UntoldUnsealed = "not-sealed"
)

// refusedByPartner is why a partner never had a unit.
const refusedByPartner = "refused"

// String returns the foresight as a line, for people.
func (f *Foresight) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: of %d units it would be told %d", f.Partner, f.Units, f.Told)
	for _, why := range slices.Sorted(maps.Keys(f.Untold)) {
		fmt.Fprintf(&b, "; it has and cannot be told %d (%s)", f.Untold[why], why)
	}
	for _, why := range slices.Sorted(maps.Keys(f.Unchanged)) {
		fmt.Fprintf(&b, "; nothing changes for %d (%s)", f.Unchanged[why], why)
	}
	return b.String()
}

// A Forecast counts what a partner would be told, unit by unit, by what was recorded
// of it when the forecast began. It changes nothing.
type Forecast struct {
	*Foresight
	identity ledger.Identity
	view     *view
	refused  refusals
	why      string

	// state is what has become of what a span told. The last is yet to be told where
	// it has all numbers to come, that of the withdrawals among them.
	state func(j int) ToldState

	// delivers is what becomes of a telling on its way.
	delivers func(j int, u *ledger.Unit, what telling, e ledger.Event, why string, refused []int) (telling, string)
}

func newForecast(l *ledger.Ledger, name ledger.Source) *Forecast {
	return &Forecast{
		Foresight: &Foresight{Partner: name, Untold: map[string]int{}, Unchanged: map[string]int{}},
		identity:  l.Identity(), why: UntoldForeign,
		state: func(int) ToldState { return ToldSent }, // it is there to be had
	}
}

// Forecast begins a forecast for the partner, by the rules of today.
func (p *Push) Forecast(ctx context.Context) (*Forecast, error) {
	s, err := p.books(ctx)
	if err != nil {
		return nil, err
	}
	log, err := p.ledger.Log(ctx, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	f := newForecast(p.ledger, p.name)
	whole := *s.state
	if ahead := whole.ranges[len(whole.ranges)-1]; ahead.From.Number < log.Last.Last {
		// What has been cut is sent before the cut to come tells of its withdrawal.
		ahead.To = log.Last.Position()
		next := &pushRange{From: ahead.To, Rules: p.rules, Total: 1}
		next.To.Number = math.MaxInt64
		whole.ranges = append(whole.ranges, next)
	}
	whole.withGaps(p.rules)
	f.view, f.refused = whole.view(p.name), whole.refused()
	f.delivers = func(j int, u *ledger.Unit, what telling, e ledger.Event, why string, refused []int) (telling, string) {
		what, why = f.view.delivers(j, u, what, e, why, &whole.ranges[j].Rules, refused)
		if whole.ranges[j].gap && what == withdrawal {
			return untold, rulesOfThen
		}
		return what, why
	}
	f.state = stateOf(whole.ranges)
	return f, nil
}

// stateOf tells what has become of ranges. One that was sent in part is due.
func stateOf(ranges []*pushRange) func(j int) ToldState {
	return func(j int) ToldState {
		switch g := ranges[j]; {
		case !g.Expired.IsZero():
			return ToldExpired
		case !g.done():
			return ToldDue
		}
		return ToldSent
	}
}

// Partners returns the instances of which the ledger keeps that something was, or was
// to be, pushed to them: those that are no longer sent anything among them.
func Partners(ctx context.Context, l *ledger.Ledger) ([]ledger.Source, error) {
	registers, err := l.Registers(ctx, registerPrefix)
	if err != nil {
		return nil, err
	}
	var names []ledger.Source
	for _, r := range registers {
		name, ok := strings.CutSuffix(strings.TrimPrefix(r.Name, registerPrefix), "/push")
		if ok && checkName(ledger.Source(name)) == nil {
			names = append(names, ledger.Source(name))
		}
	}
	return names, nil
}

// Forsaken begins a forecast for a partner that is no longer sent anything, for the
// reason why: of what it has it cannot be told.
func Forsaken(ctx context.Context, l *ledger.Ledger, name ledger.Source, why string) (*Forecast, error) {
	state, err := readPushState(ctx, l, name)
	if err != nil {
		return nil, err
	}
	f := newForecast(l, name)
	f.view, f.refused, f.why = state.view(name), state.refused(), why
	f.state = func(j int) ToldState {
		if stateOf(state.ranges)(j) == ToldSent {
			return ToldSent
		}
		return ToldExpired // what has not been sent will not be
	}
	f.delivers = func(j int, u *ledger.Unit, what telling, e ledger.Event, why string, refused []int) (telling, string) {
		return f.view.delivers(j, u, what, e, why, &state.ranges[j].Rules, refused)
	}
	return f, nil
}

// Forecast begins a forecast for a nation, of what the hub's own operator withdraws:
// no batch carries it any more, and whoever has read one that did is not told. Nations
// that check seals read other batches, in which a sealed upload stays as it is; one that
// is [Nation.SealedOnly] has what is in them alone.
func (h *Hub) Forecast(ctx context.Context, n *Nation) (*Forecast, error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	list, err := h.list(ctx, "")
	if err != nil {
		return nil, err
	}
	f := newForecast(h.ledger, n.Name)
	f.view = list.view(n)
	f.delivers = func(_ int, u *ledger.Unit, what telling, _ ledger.Event, why string, _ []int) (telling, string) {
		if what == withdrawal && !n.given(what, u) {
			return untold, takesNoWithdrawals
		}
		return what, why
	}
	if n.SealedOnly {
		return f, h.onlySealed(ctx, f)
	}
	return f, nil
}

// onlySealed has a forecast go by what is sealed: the keys that a source which seals has
// brought, and withdrawals where all sources seal, since nothing says which of them
// withdrew.
func (h *Hub) onlySealed(ctx context.Context, f *Forecast) error {
	kinds, err := h.readKinds(ctx)
	if err != nil {
		return err
	}
	spares, delivers := f.view.leavesOut, f.delivers
	f.view.leavesOut = func(i int, u *ledger.Unit, e ledger.Event) string {
		why := spares(i, u, e)
		if any, _ := sealedBy(kinds, e.Sources); why == "" && !any {
			return UntoldUnsealed
		}
		return why
	}
	f.delivers = func(j int, u *ledger.Unit, what telling, e ledger.Event, why string, refused []int) (telling, string) {
		what, why = delivers(j, u, what, e, why, refused)
		if _, all := sealedBy(kinds, e.Sources); what == withdrawal && !all {
			return untold, UntoldUnsealed
		}
		return what, why
	}
	return nil
}

// sealedBy reports whether any of some sources seal, and whether all do.
func sealedBy(kinds map[ledger.Source]bool, sources ledger.Sources) (any, all bool) {
	all = true
	for s := range sources.All() {
		any, all = any || kinds[s], all && kinds[s]
	}
	return any, all
}

// Add counts those units of a family ([ledger.Ledger.Families]) that are to be
// withdrawn. None is to be added twice.
func (f *Forecast) Add(family *ledger.Unit, withdrawn map[ledger.UnitID]bool) {
	for _, u := range unitsOf(family) {
		if withdrawn[u.ID()] {
			f.add(u)
		}
	}
}

// add counts a unit.
func (f *Forecast) add(u *ledger.Unit) {
	f.Units++
	if !u.Released() {
		f.Unchanged[AbsentNotReleased]++
		return
	}
	had, has, told := false, false, false
	untoldBy, absence := "", AbsentBefore
	then := u.Withdrawn(math.MaxInt64)
	refused := f.refused.of(f.identity, u)
	f.view.follow(len(f.view.spans)-1, then, func(j int, what telling, e ledger.Event, why string) {
		switch what, why := f.delivers(j, then, what, e, why, refused); what {
		case aKey:
			if slices.Contains(refused, j) {
				absence = refusedByPartner // unless it took it before, or after
				break
			}
			had, has = true, true
		case withdrawal:
			switch f.state(j) {
			case ToldDue:
				told = true
			case ToldExpired:
				untoldBy = string(ToldExpired)
			default:
				has = false
			}
		case untold:
			untoldBy = why
		case leftOut:
			absence = why
		}
	})
	switch {
	case told:
		f.Told++
	case untoldBy != "":
		f.Untold[untoldBy]++
	case has:
		f.Untold[f.why]++
	case had:
		f.Unchanged[AbsentWithdrawn]++
	case u.Events[len(u.Events)-1].Partners == ledger.Withdrawn && absence == AbsentBefore:
		f.Unchanged[AbsentWithdrawn]++
	default:
		f.Unchanged[absence]++
	}
}
