package ledger

import (
	"context"
	"iter"
	"time"

	"github.com/gaenkit/gaen/keys"
)

// A Store keeps a ledger. It stores and finds; what the rules are stands in
// this package, in the functions that Accept, Release and Remove are given, so
// that every store goes by the same. A team that writes its own implements
// these eight methods and runs
// [github.com/gaenkit/gaen/storage/ledger/ledgertest.Test] on it, which checks
// every "must" below.
//
// Methods may be called from several goroutines and, unless the store says
// otherwise, from several processes at once. Each is one step: it happens whole
// or not at all, and what a method has answered must survive a crash. Names,
// sizes and times have been checked by the caller. Errors of the functions a
// method is given are returned as they are, and nothing is stored.
type Store interface {
	// Accept must show Decide the present state of what the intake asks for,
	// and store what Decide returns together with the swaps, in one step. If a
	// swap's register has another version it must return a [*ConflictError] and
	// store nothing; of several conflicts, one with a register that carries the
	// intake's own nonce, so that the writer recognises itself even if another
	// has changed some of the registers since. A conflict comes before any error
	// of Decide's, which may be due to the very step that the writer does not know
	// it has taken. Decide may be called again when
	// the step has to be repeated. Accepts may run side by side, as long as each
	// sees the units it asks for as they are when its changes are stored.
	Accept(ctx context.Context, in *Intake) error

	// Release must number the next cut in one step that excludes every other
	// Release, as [Release] describes, and return it.
	Release(ctx context.Context, r *Release) (Cut, error)

	// Read must yield every unit with a number in (from, to], each key data
	// once: the unit released first, its siblings in the order of their first
	// cut, and within a cut own before others, by the sources of their first
	// event, then by acceptance, then by origin. Units come in the order of
	// the first number in the range that they or a sibling have. Claims need
	// not be filled in, so what a unit derives from them, such as
	// [Unit.Own], is for whoever got it from Find; events after to must be
	// left out, and siblings without an event up to to as well. If a cut with
	// a number in the range is marked as pruned, the error must satisfy
	// errors.Is(err, [ErrPruned]) and come before the first unit. A range may
	// reach beyond the log, and is read as far as the log goes. What is yielded
	// must be the state of one moment. A unit may be overwritten when the next
	// is asked for: keep a [Unit.Clone].
	Read(ctx context.Context, from, to int64) iter.Seq2[*Unit, error]

	// Log must return the identity, the clock, and the cuts after the one with
	// this sequence number, ascending.
	Log(ctx context.Context, after int64) (*Log, error)

	// Registers must return the registers whose names begin with prefix, in
	// ascending order of their names.
	Registers(ctx context.Context, prefix string) ([]Register, error)

	// Swap must change all the registers in one step, or none and return a
	// [*ConflictError], as Accept does. Versions must never be used again for
	// the same name, not even after a deletion.
	Swap(ctx context.Context, nonce Nonce, swaps []Swap) error

	// Find must yield the records that a query describes, in no particular
	// order, with everything that is known of them but siblings.
	Find(ctx context.Context, q Query) iter.Seq2[*Record, error]

	// Remove must take up to r.Limit of the units that [Removal] describes,
	// show them to r.Each, remove them as it says, and add its tallies, in one
	// step. It must return how many units it removed. Every cut that gave a
	// number to a unit that goes, or to a sibling of it, is marked as pruned:
	// Read yields siblings together, so it can no longer yield them as before.
	Remove(ctx context.Context, r *Removal) (int, error)
}

// Log is the part of a ledger that consumers follow.
type Log struct {
	Identity Identity
	Replay   bool      // made for replays, and run by an injected clock
	Now      time.Time // by the ledger's clock
	Last     Cut       // zero before the first
	Cuts     []Cut
	Tallies  Tallies
}

// Tallies are the ledger's counters, by name. They only rise, and change in the
// step that they count.
type Tallies map[string]int64

// Add adds n to a counter.
func (t Tallies) Add(name string, n int64) {
	if n != 0 {
		t[name] += n
	}
}

// Intake is what an Accept is about.
type Intake struct {
	Units     []UnitID // whose records Decide needs, each once
	Registers []string // registers that Decide needs
	Swaps     []Swap
	Nonce     Nonce

	// Tallies returns the counters that Decide needs, by the ledger's clock.
	Tallies func(now time.Time) []string

	// Decide is given the records in the order of Units. It may change the
	// units it is given and return them.
	Decide func(s *Standing) (*Changes, error)
}

// Standing is the present state of what an [Intake] asks for.
type Standing struct {
	Now       time.Time // by the ledger's clock, to the microsecond
	Records   []*Record
	Tallies   Tallies
	Registers map[string]Register
}

// A Record is everything a ledger has about a [UnitID].
type Record struct {
	ID        UnitID
	Unit      *Unit            // nil if there is none
	Kept      []KeptWithdrawal // that came before the key, by source
	SetAside  []SetAside       // only from Find, for a query that asks for it
	Tombstone time.Time        // until when the key is refused; zero if it is not
}

// A KeptWithdrawal is one that arrived before its key.
type KeptWithdrawal struct {
	Source Source
	At     time.Time
}

// A SetAside is a key that was not taken, and why.
type SetAside struct {
	Source Source
	Upload string
	At     time.Time
	ID     UnitID // zero where not even that could be read
	Field  keys.Field
	Reason keys.Reason
	Detail string
}

// Changes are what an Accept stores. Units and Kept are of units that the
// [Intake] asked for.
type Changes struct {
	Units    []*Unit      // new, or instead of what was there
	Kept     []KeptChange // withdrawals to keep, or no longer to keep
	SetAside []SetAside
	Tallies  Tallies  // to be added
	Erased   []string // own uploads of which nothing is to stay set aside
}

// A KeptChange adds a kept withdrawal, or takes it away.
type KeptChange struct {
	ID     UnitID
	Kept   KeptWithdrawal
	Lifted bool
}

// Release describes a cut. A store carries it out so:
//
//  1. Read the clock, the last cut and the registers named in Registers, and
//     call Begin for the time T and the holds.
//  2. Group the pending events of all units ([Unit.Pending]): those that wait as
//     [WaitNew] only if the unit is due before T and not held ([Unit.Held],
//     [Holds.Holds]), those that wait as [WaitChange] only if not held by
//     Holds, all that wait as [WaitWithdrawal]. Units are grouped by origin,
//     [Unit.Own] and kind.
//  3. Call Choose with the groups, and then, for every choice that asks for
//     padding, Pad with the units it takes; what Pad returns is stored, and
//     taken as well.
//  4. Number what was chosen, from the last cut's number on, in canonical order
//     ([keys.DiagnosisKey.Compare]; an event's unit as it stands). Where a
//     choice takes fewer than its group has, it takes the first in that order.
//  5. Store the events, the waits (instead of those that were there), the
//     tallies and the cut that Choose and [Cut.Next] describe.
//
// If the step has to be repeated, it begins again with Begin.
type Release struct {
	Registers []string

	Begin  func(s *Start) (t time.Time, holds Holds, err error)
	Choose func(groups []Group) (*Choice, error)
	Pad    func(units []*Unit) []*Unit
}

// Start is what a cut begins from.
type Start struct {
	Identity  Identity
	Now       time.Time
	Last      Cut
	Registers map[string]Register
	Waits     []GroupWait
	Tallies   Tallies
}

// GroupID names a group of pending events.
type GroupID struct {
	Origin keys.Region
	Own    bool
	Wait   Wait
}

// A Group is the pending events that a cut may take together.
type Group struct {
	GroupID
	Keys    int
	Uploads int // distinct [Unit.Upload]
}

// A GroupWait says since which cut's time a group has been passed over.
type GroupWait struct {
	GroupID
	Since time.Time
}

// Choice is what a cut takes.
type Choice struct {
	Take    []Take
	Waits   []GroupWait
	Tallies Tallies // to be added
	Policy  int64   // the version of the policy
}

// Take is how many of a group a cut takes.
type Take struct {
	GroupID
	Keys int
	Pad  bool
}

// A Query describes records. Its fields narrow it down together, Upload and
// Source to units with one claim that has both; the zero Query describes all.
type Query struct {
	Unit     *UnitID // that unit alone, also if only a kept withdrawal or a tombstone is known of it
	Upload   string  // units with a claim of that upload, and keys of it that were set aside
	Source   Source  // units with a claim of that source, and keys from it that were set aside
	Origin   keys.Region
	KeyData  keys.KeyData // units of any origin with this key data, and keys with it that were set aside
	SetAside bool         // keys that were set aside, too; without it only units
}

// Removal describes what may go: of the units with no number after Floor,
// neither of their own nor of a sibling (a unit of another origin with the same
// key data), those whose period ended before Ended, whatever they wait for, and
// those that are to be erased and wait for nothing. Siblings count because Read
// yields them together: who has yet to read one must find the others. Keys set
// aside and kept withdrawals from before Ended go too, and tombstones when their
// time has come.
type Removal struct {
	Now    time.Time
	Ended  time.Time
	Floor  int64
	Limit  int
	Forget []string // counters that nobody needs any longer

	// Each is called once for every unit that goes, and returns until when a
	// tombstone ([TombstoneOf]) is to stay, zero for none.
	Each func(u *Unit) (tombstone time.Time)

	// Tallies returns what is to be added to the counters. It is called once,
	// after Each has seen every unit. If the step has to be repeated, it begins
	// with a call of Again.
	Tallies func() Tallies
	Again   func()
}
