package federation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// An Account says what a partner has been told of a key of one origin, without the
// key. It may be printed and marshalled.
type Account struct {
	Partner ledger.Source `json:"partner"`
	Origin  keys.Region   `json:"origin"`

	// Has is set if the partner has been sent the key, and not its withdrawal: if it
	// matches it, as far as that is up to us.
	Has bool `json:"has"`

	// Absence is why the partner was told nothing of the key, empty if it was: one of
	// those below, or a reason of [PushReport.LeftOut].
	Absence string `json:"absence,omitempty"`

	// Owed is set if the partner has the key, and its withdrawal is on its way: in a
	// range, or in the ledger until a cut takes it.
	Owed bool `json:"owed,omitempty"`

	Told []Told `json:"told,omitempty"` // in the order of time
}

// Absences that are no matter of rules.
const (
	AbsentNotReleased = "not-released"       // see the ledger's account
	AbsentWithdrawn   = "withdrawn"          // before anything was sent
	AbsentBefore      = "before-the-partner" // released before the instance began, or by rules of which nothing is kept
)

// A Told is what was told of a key at one time: in a range of cuts that was pushed,
// or in a batch that is downloaded.
type Told struct {
	Cuts  [2]int64  `json:"cuts"` // the first and the last
	Batch string    `json:"batch,omitempty"`
	Time  time.Time `json:"time,omitzero"` // of the last cut
	As    Telling   `json:"as"`
	State ToldState `json:"state"`
	Why   string    `json:"why,omitempty"` // of what is not told
}

// A Telling is what is told of a key.
type Telling string

const (
	TellingKey           Telling = "key" // it is new, or its report type rose
	TellingWithdrawal    Telling = "withdrawal"
	TellingLeftOut       Telling = "left-out"      // it is not for the partner
	TellingReinstatement Telling = "reinstatement" // which no partner can be told
)

// ToldState is what has become of a telling.
type ToldState string

const (
	ToldSent           ToldState = "sent"            // or, by a hub, to be had
	ToldDue            ToldState = "due"             // recorded, or to be with the next run
	ToldRefused        ToldState = "refused"         // the partner will never take it
	ToldExpired        ToldState = "expired"         // given up: the ledger no longer has all of the range
	ToldNot            ToldState = "not-told"        // it is left out
	ToldNotDeliverable ToldState = "not-deliverable" // it cannot be told
)

// Account says what the partner has been told of a key, one account for each unit of
// a family ([ledger.Ledger.Families]), by what is recorded of the instance. A range
// that was sent in part is read to find the place of the key in it.
func (p *Push) Account(ctx context.Context, family *ledger.Unit) ([]*Account, error) {
	s, err := p.books(ctx)
	if err != nil {
		return nil, err
	}
	whole := *s.state
	whole.withGaps(p.rules)
	b := &accountBooks{Push: p, sink: s, state: &whole, view: whole.view(p.name), refused: whole.refused()}
	var all []*Account
	for _, u := range unitsOf(family) {
		a, err := b.account(ctx, u)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// unitsOf returns a unit and its siblings.
func unitsOf(family *ledger.Unit) []*ledger.Unit {
	units := []*ledger.Unit{family}
	for i := range family.Siblings {
		units = append(units, &family.Siblings[i])
	}
	return units
}

// accountBooks is what is recorded of an instance, with gaps where nothing is.
type accountBooks struct {
	*Push
	sink    *pushSink
	state   *pushState
	view    *view
	refused refusals
}

func (b *accountBooks) account(ctx context.Context, u *ledger.Unit) (a *Account, err error) {
	a = &Account{Partner: b.name, Origin: u.Key.Origin}
	refused := b.refused.of(b.ledger.Identity(), u)
	b.view.follow(len(b.state.ranges)-1, u, func(j int, what telling, e ledger.Event, why string) {
		g := b.state.ranges[j]
		what, why = b.view.delivers(j, u, what, e, why, &g.Rules, refused)
		if what == nothing || err != nil {
			return
		}
		t := Told{Cuts: [2]int64{g.From.Cut + 1, g.To.Cut}, Time: g.Time}
		if g.gap && what == withdrawal {
			what, why = untold, rulesOfThen
		}
		if t.say(what, why); t.State == "" {
			t.State, err = b.stateIn(ctx, j, u, refused)
		}
		a.add(t)
		if what == withdrawal && e.Own == ledger.Active {
			t.say(reinstatement, "")
			a.add(t)
		}
	})
	a.settle(u, b.sink.Term(u) == ledger.TermWithdrawn)
	return a, err
}

// say notes what is told.
func (t *Told) say(what telling, why string) {
	t.Why = why
	switch what {
	case aKey:
		t.As = TellingKey
	case withdrawal:
		t.As = TellingWithdrawal
	case leftOut:
		t.As, t.State = TellingLeftOut, ToldNot
	case untold:
		t.As, t.State = TellingWithdrawal, ToldNotDeliverable
	case reinstatement:
		t.As, t.State = TellingReinstatement, ToldNotDeliverable
	}
}

// add adds a telling, which is later than those before. That a key is left out for
// the same reason again is said once.
func (a *Account) add(t Told) {
	if last := len(a.Told) - 1; last >= 0 && t.As == TellingLeftOut && a.Told[last].As == t.As && a.Told[last].Why == t.Why {
		return
	}
	a.Told = append(a.Told, t)
	switch {
	case t.As == TellingKey && t.State == ToldSent:
		a.Has = true
	case t.As == TellingWithdrawal && t.State == ToldSent:
		a.Has = false
	}
	a.Owed = t.As == TellingWithdrawal && t.State == ToldDue
}

// settle says why nothing was told, and what is on its way in the ledger.
func (a *Account) settle(u *ledger.Unit, withdrawn bool) {
	told := func(t Told) bool { return t.As == TellingKey || t.As == TellingWithdrawal }
	if e, wait := u.Pending(); wait == ledger.WaitWithdrawal && e.Partners == ledger.Withdrawn && slices.ContainsFunc(a.Told, told) {
		a.Owed = a.Owed || a.Has || !withdrawn
	}
	switch {
	case slices.ContainsFunc(a.Told, told):
	case !u.Released():
		a.Absence = AbsentNotReleased
	case withdrawn:
		a.Absence = AbsentWithdrawn
	case len(a.Told) > 0 && a.Told[len(a.Told)-1].Why != "":
		a.Absence = a.Told[len(a.Told)-1].Why
	default:
		a.Absence = AbsentBefore
	}
}

// stateIn returns what has become of what a range says of a unit.
func (b *accountBooks) stateIn(ctx context.Context, j int, u *ledger.Unit, refused []int) (ToldState, error) {
	g := b.state.ranges[j]
	switch {
	case slices.Contains(refused, j):
		return ToldRefused, nil
	case !g.Expired.IsZero():
		return ToldExpired, nil
	case g.Sent == 0:
		return ToldDue, nil
	case g.done():
		return ToldSent, nil
	}
	r := &pushing{Push: b.Push, state: b.state}
	c, err := r.contentOf(ctx, g)
	if errors.Is(err, ledger.ErrPruned) {
		return ToldExpired, nil // as the next run will find
	}
	if err != nil {
		return "", err
	}
	at := slices.IndexFunc(c.keys, func(k keys.DiagnosisKey) bool { return ledger.IDOf(&k) == u.ID() })
	if at >= 0 && at < g.Sent {
		return ToldSent, nil
	}
	return ToldDue, nil
}

// Account says what a nation is given of a key by [Hub.Download], one account for each
// unit of a family ([ledger.Ledger.Families]). What it has asked for so far the hub
// does not know. Nations that check seals read other batches.
func (h *Hub) Account(ctx context.Context, n *Nation, family *ledger.Unit) ([]*Account, error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	list, err := h.list(ctx, "")
	if err != nil {
		return nil, err
	}
	var all []*Account
	for _, u := range unitsOf(family) {
		a := &Account{Partner: n.Name, Origin: u.Key.Origin}
		list.tellings(n, u, func(t Told) { a.add(t) })
		a.settle(u, len(a.Told) == 0 && u.Released() && u.Events[len(u.Events)-1].Partners == ledger.Withdrawn)
		all = append(all, a)
	}
	return all, nil
}

// rulesOfThen is why a partner was not told of a withdrawal in a range that is not
// kept.
const rulesOfThen = "rules-of-then"

// Reasons for which a hub does not tell a nation of something.
const (
	operatorWithdrew = "operator-withdrew" // here alone, for as long as it stands
	batchPassed      = "batch-passed"      // whoever is past its batch is not told
)

// tellings yields what batches tell a nation of a unit.
func (l *listing) tellings(n *Nation, u *ledger.Unit, f func(Told)) {
	v := l.view(n)
	v.follow(len(l.spans)-1, u, func(j int, what telling, e ledger.Event, why string) {
		back := e.Own == ledger.Active && u.At(v.spans[j].from).Own == ledger.Withdrawn && v.leavesOut(j, u, e) == ""
		b := &l.batches[j]
		t := Told{Cuts: [2]int64{b.cut, b.cut}, Batch: b.tag, Time: b.time}
		switch {
		case (what == aKey || what == withdrawal) && n.given(what, u):
			t.State = ToldSent
			t.say(what, "")
		case what == aKey:
			t.say(what, operatorWithdrew)
			t.State = ToldNot
		case what == withdrawal:
			t.say(untold, takesNoWithdrawals)
		case what == nothing && back:
			t.say(reinstatement, batchPassed)
		default:
			t.say(what, why)
		}
		if what != nothing || back {
			f(t)
		}
	})
}

// An Arrears is what a nation cannot be told.
type Arrears struct {
	Untold     int `json:"untold"`     // withdrawals that it does not take
	Reinstated int `json:"reinstated"` // reinstatements of what its batches had, or did not have for a while
	Gone       int `json:"gone"`       // batches that were pruned: whoever has not read them is told none of it
}

// Arrears counts what nations cannot be told of what is in the batches that are kept,
// one count for each. It reads all of them once.
func (h *Hub) Arrears(ctx context.Context, nations ...*Nation) ([]*Arrears, error) {
	all := make([]*Arrears, len(nations))
	for i, n := range nations {
		if err := n.check(); err != nil {
			return nil, err
		}
		all[i] = &Arrears{}
	}
	list, err := h.list(ctx, "")
	if err != nil {
		return nil, err
	}
	for i := range list.batches {
		units, err := h.readUnits(ctx, list.batches[i].span)
		if err != nil {
			return nil, err
		}
		for j, a := range all {
			if units == nil {
				a.Gone++
			}
			a.countBatch(list, nations[j], units, list.batches[i].tag)
		}
	}
	return all, nil
}

func (a *Arrears) countBatch(list *listing, n *Nation, units []*ledger.Unit, tag string) {
	for _, family := range units {
		for _, u := range unitsOf(family) {
			list.tellings(n, u, func(t Told) { a.count(t, tag) })
		}
	}
}

// count counts what one batch cannot tell.
func (a *Arrears) count(t Told, tag string) {
	switch {
	case t.Batch != tag || t.State != ToldNotDeliverable:
	case t.As == TellingWithdrawal:
		a.Untold++
	case t.As == TellingReinstatement:
		a.Reinstated++
	}
}
