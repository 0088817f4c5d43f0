package ledger

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
)

// UnitID identifies a unit: a key of an origin, whoever brought it. The same
// key data claimed by two origins is two units, which do not touch each other.
type UnitID struct {
	Origin  keys.Region
	KeyData keys.KeyData
}

// IDOf returns the unit that k belongs to.
func IDOf(k *keys.DiagnosisKey) UnitID { return UnitID{k.Origin, k.KeyData} }

// valid reports whether id can be that of a unit.
func (id UnitID) valid() bool { return !id.Origin.IsZero() && !id.KeyData.IsZero() }

// A Claim is a key as one source brought it. A source other than [Own] has at
// most one claim on a unit; own submissions have one for each upload that
// brought the key, so that rolling one upload back can spare another's.
type Claim struct {
	Source    Source
	Upload    string // the submission, batch or file it came in
	Accepted  time.Time
	Key       keys.DiagnosisKey // as this source brought it, and last revised it
	Held      bool              // arrived beyond its source's quota
	Withdrawn bool              // by rolling back its upload
}

// State is what a sink that follows the log knows of a unit.
type State uint8

const (
	Unknown   State = iota // nothing: never numbered
	Active                 // to be shown, sent, matched
	Withdrawn              // no longer
)

// String returns "unknown", "active" or "withdrawn".
func (s State) String() string {
	return [...]string{"unknown", "active", "withdrawn"}[min(s, Withdrawn)]
}

// An Event is the state of a unit from one number of the log on. It keeps two
// states: Own for the archives of this back end, and Partners for everything
// sent to others, which only rises, so that every ring of back ends that relay
// each other's keys comes to rest.
type Event struct {
	Number     int64
	Own        State
	Partners   State
	ReportType keys.Optional[keys.ReportType]
	Sources    Sources // of the claims that stood when the number was given
}

// same reports whether e and other differ in their number at most.
func (e Event) same(other Event) bool {
	e.Number = other.Number
	return e == other
}

// A Unit is everything a ledger knows of a key of an origin. Its due time, hold,
// group, numbers and states are its own: no claim of another origin touches
// them.
type Unit struct {
	// Key is what the unit says of itself: the key as its own submission
	// brought it, else as its first source did, with the report type that any
	// claim took furthest. Nothing but the report type changes once the unit
	// has a number.
	Key keys.DiagnosisKey

	// Accepted is when the first claim came, by the ledger's clock, to the
	// microsecond. It never leaves the ledger.
	Accepted time.Time

	// Due is the earliest moment at which the key may leave.
	Due time.Time

	// Upload is what the unit is counted with for the threshold: its first own
	// upload that stands, the last that stood if none does, else the upload of its
	// first claim.
	Upload string

	Claims []Claim // in the order of their acceptance
	Events []Event // ascending

	SourceWithdrew   bool // a source that brought the key took it back, for good
	OperatorWithdrew bool // the operator did by naming the key, and can reinstate it
	Erase            bool // to be removed as soon as nobody needs it

	// Siblings are the units of other origins with the same key data, in the
	// order in which they were released. Only [Store.Read] fills them in.
	Siblings []Unit
}

// Clone returns a copy that shares nothing with u.
func (u *Unit) Clone() *Unit {
	c := *u
	c.Claims = slices.Clone(u.Claims)
	c.Events = slices.Clone(u.Events)
	c.Siblings = slices.Clone(u.Siblings)
	for i := range c.Siblings {
		c.Siblings[i] = *u.Siblings[i].Clone()
	}
	return &c
}

// CompareSiblings compares two units with the same key data, which these cuts
// released, by the order that [Store.Read] promises: the one released first comes
// first, of one cut an own one, then what was accepted first. Own is what was so when
// it was released: what it has become since changes nothing of a window that has
// been read.
func CompareSiblings(a *Unit, cutOfA int64, b *Unit, cutOfB int64) int {
	return cmp.Or(
		cmp.Compare(cutOfA, cutOfB),
		cmp.Compare(foreignAtFirst(a), foreignAtFirst(b)),
		a.Accepted.Compare(b.Accepted),
		a.Key.Origin.Compare(b.Key.Origin))
}

// foreignAtFirst returns 0 for a unit that was own when it was released, else 1.
func foreignAtFirst(u *Unit) int {
	if u.Released() && u.Events[0].Sources.Has(Own) {
		return 0
	}
	return 1
}

// ID returns the unit's identity.
func (u *Unit) ID() UnitID { return IDOf(&u.Key) }

// Own reports whether the unit is this back end's own: one of its submissions
// brought the key.
func (u *Unit) Own() bool { return u.claimOf(Own) != nil }

// claimOf returns the first claim of a source, nil if it has none.
func (u *Unit) claimOf(s Source) *Claim {
	for i := range u.Claims {
		if u.Claims[i].Source == s {
			return &u.Claims[i]
		}
	}
	return nil
}

// recount has the unit be counted with its first own upload that stands. One that was
// rolled back, or what a partner brought, is no company for it: the group would seem
// to be of more uploads than it is.
func (u *Unit) recount() {
	for i := range u.Claims {
		if c := &u.Claims[i]; c.Source == Own && !c.Withdrawn {
			u.Upload = c.Upload
			return
		}
	}
}

// Held reports whether every claim on the unit arrived beyond its source's
// quota. One that did not is enough to release it: no source can delay what
// another brought.
func (u *Unit) Held() bool {
	for _, c := range u.Claims {
		if !c.Held && !c.Withdrawn {
			return false
		}
	}
	return true
}

// operatorWithdrew reports whether the operator withdrew the unit: by itself, or
// by rolling back every own upload that brought it.
func (u *Unit) operatorWithdrew() bool {
	if u.OperatorWithdrew {
		return true
	}
	for _, c := range u.Claims {
		if c.Source == Own && !c.Withdrawn {
			return false
		}
	}
	return u.Own()
}

// Gone reports whether the unit is withdrawn, by its source or the operator, whatever
// cuts have told of it so far.
func (u *Unit) Gone() bool { return u.SourceWithdrew || u.operatorWithdrew() }

// Sources returns the sources whose claims stand and are not held.
func (u *Unit) Sources() Sources {
	var names []string
	for _, c := range u.Claims {
		if !c.Withdrawn && !c.Held {
			names = append(names, string(c.Source))
		}
	}
	slices.Sort(names)
	return Sources(strings.Join(slices.Compact(names), ","))
}

// At returns the unit's state after number n: the last event not after it, or
// the zero Event if there is none.
func (u *Unit) At(n int64) Event {
	var at Event
	for _, e := range u.Events {
		if e.Number > n {
			break
		}
		at = e
	}
	return at
}

// Released reports whether the unit has a number.
func (u *Unit) Released() bool { return len(u.Events) > 0 }

// Wait is what a unit waits for the next cut to number.
type Wait uint8

const (
	WaitNothing    Wait = iota
	WaitNew             // its first release
	WaitChange          // a revision, a reinstatement, another source
	WaitWithdrawal      // its withdrawal after it was released
)

// Pending returns the event that the next cut is to number, without its number,
// and what kind of event that is.
func (u *Unit) Pending() (Event, Wait) {
	next := Event{
		Own:        Active,
		Partners:   Active,
		ReportType: u.Key.ReportType,
		Sources:    u.Sources(),
	}
	if u.SourceWithdrew || u.operatorWithdrew() {
		next.Own = Withdrawn
	}
	if u.SourceWithdrew || u.operatorWithdrew() && u.Own() {
		next.Partners = Withdrawn // of a foreign key, the operator's word stays local
	}
	if !u.Released() {
		if next.Own == Withdrawn {
			return Event{}, WaitNothing // withdrawn before anybody had it
		}
		return next, WaitNew
	}
	last := u.Events[len(u.Events)-1]
	next.Partners = max(next.Partners, last.Partners)
	if next.Own == Withdrawn && next.Partners == Withdrawn { // nobody is told more of it
		next.ReportType, next.Sources = last.ReportType, last.Sources
	}
	switch {
	case next.same(last):
		return Event{}, WaitNothing
	case next.Own != last.Own && next.Own == Withdrawn, next.Partners != last.Partners:
		return next, WaitWithdrawal
	default:
		return next, WaitChange
	}
}

// Withdrawn returns the unit as the operator's withdrawal by name would leave it, if
// the cut that tells of it gave it that number: for what is said before it is done. A
// unit that is not released is never numbered then.
func (u *Unit) Withdrawn(number int64) *Unit {
	then := u.Clone()
	then.OperatorWithdrew = true
	if e, wait := then.Pending(); wait != WaitNothing {
		e.Number = number
		then.Events = append(then.Events, e)
	}
	return then
}
