package ledger

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gaenkit/gaen/keys"
)

// Effects are what an [Order] does to the units that it selects, each of which
// is in exactly one of the first six.
type Effects struct {
	Waiting   int `json:"waiting,omitzero"`   // not released: nobody has it; what is withdrawn never leaves
	Released  int `json:"released,omitzero"`  // released: coming cuts tell what has changed
	Cancelled int `json:"cancelled,omitzero"` // released: undoes what no cut has told yet, so that none will
	Already   int `json:"already,omitzero"`   // was so before
	Spared    int `json:"spared,omitzero"`    // another good own upload brought it, and it stays
	Refused   int `json:"refused,omitzero"`   // not the operator's to change

	// Unknown are units and uploads that are named and that the ledger does not
	// have; to hold, origins and sources of which it has nothing.
	Unknown int `json:"unknown,omitzero"`

	// Of those that are changed: units that only partners brought, of which an
	// operator's word stays local; and units that are reinstated here, though
	// partners have been told of their withdrawal and cannot be told otherwise.
	Foreign int `json:"foreign,omitzero"`
	Untold  int `json:"untold,omitzero"`

	// Urgent are units whose withdrawal the next cut takes because the order
	// says immediately, also of those that were withdrawn before.
	Urgent int `json:"urgent,omitzero"`
}

// Units returns how many units the order is about.
func (e *Effects) Units() int {
	return e.Waiting + e.Released + e.Cancelled + e.Already + e.Spared + e.Refused
}

// Changes returns how many of them it changes.
func (e *Effects) Changes() int { return e.Waiting + e.Released + e.Cancelled + e.Spared }

// confirms returns the number to confirm.
func (e *Effects) confirms(a Action) int {
	if a.holds() {
		return e.Unknown
	}
	return e.Changes()
}

// notes says in sentences what the operator must not miss.
func (e *Effects) notes(a Action) (all []string) {
	if e.Foreign > 0 && a.Withdraws() {
		all = append(all, fmt.Sprintf("%d units only others brought: they are withdrawn here alone, and nobody who has them is told, as the origin's word is not the operator's", e.Foreign))
	}
	if e.Untold > 0 {
		all = append(all, fmt.Sprintf("%d units are reinstated here alone: partners have been told of their withdrawal and cannot be told otherwise", e.Untold))
	}
	return all
}

// none reports whether nothing is changed.
func (e *Effects) none() bool { return e.Changes()+e.Urgent == 0 }

// A fate is what an order means for one unit.
type fate struct {
	in      fateKind
	changes bool // it is to be stored
	foreign bool
	untold  bool
	tells   bool // an own withdrawal waits for a cut after it
}

type fateKind uint8

const (
	fateNothing fateKind = iota // not known, or no longer
	fateWaiting
	fateReleased
	fateCancelled
	fateAlready
	fateSpared
	fateRefused
)

// apply applies the order to a unit.
func (o *Order) apply(u *Unit) fate {
	before, waited := u.Pending()
	v, changes := o.change(u)
	after, waits := u.Pending()
	f := fate{changes: changes, tells: u.Own() && waits == WaitWithdrawal}
	switch {
	case v == nothing:
		return fate{}
	case v == spared:
		f.in, f.tells = fateSpared, false // if it waits to be told, it is by another order
	case v == refused:
		f.in = fateRefused
	case v == already, before == after && waited == waits && o.Action != OrderErase:
		f.in = fateAlready // such as what its source has taken back
	case !u.Released():
		f.in = fateWaiting
	case waits == WaitNothing && waited != WaitNothing:
		f.in = fateCancelled
	default:
		f.in = fateReleased
	}
	if f.in == fateWaiting || f.in == fateReleased || f.in == fateCancelled {
		f.foreign = !u.Own()
		f.untold = o.Action == OrderReinstate && u.toldPartners()
	}
	return f
}

// toldPartners reports whether partners have been told of the unit's
// withdrawal.
func (u *Unit) toldPartners() bool {
	return u.Released() && u.Events[len(u.Events)-1].Partners == Withdrawn
}

// count counts a unit.
func (e *Effects) count(f fate, immediately bool) {
	switch f.in {
	case fateNothing:
		e.Unknown++
	case fateWaiting:
		e.Waiting++
	case fateReleased:
		e.Released++
	case fateCancelled:
		e.Cancelled++
	case fateAlready:
		e.Already++
	case fateSpared:
		e.Spared++
	case fateRefused:
		e.Refused++
	}
	if f.foreign {
		e.Foreign++
	}
	if f.untold {
		e.Untold++
	}
	if f.tells && immediately {
		e.Urgent++
	}
}

// Counters of withdrawals that the next cut is to take without grouping, by
// origin: how many were ordered so, and of those, how many cuts have seen. What
// is ordered and not seen has the cut take the group.
const tallyUrgent = "immediately/" // + origin/ordered, seen

func tallyUrgentOrdered(origin string) string { return tallyUrgent + origin + "/ordered" }
func tallyUrgentSeen(origin string) string    { return tallyUrgent + origin + "/seen" }

// urgent reports whether a withdrawal of own units of an origin was ordered
// immediately since the last cut.
func (t Tallies) urgent(origin keys.Region) bool {
	name := origin.String()
	return t[tallyUrgentOrdered(name)] > t[tallyUrgentSeen(name)]
}

// seeUrgent returns what a cut adds to the counters, so that what was ordered
// before it is no concern of the next.
func (t Tallies) seeUrgent() Tallies {
	seen := Tallies{}
	for _, name := range slices.Sorted(maps.Keys(t)) {
		if origin, ok := cutBoth(name, tallyUrgent, "/ordered"); ok {
			seen.Add(tallyUrgentSeen(origin), t[name]-t[tallyUrgentSeen(origin)])
		}
	}
	return seen
}
