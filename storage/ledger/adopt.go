package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
)

// ErrAdopting: the ledger is being filled with what another system has published.
// Until that is done, nothing else may be given a number, which would then say that
// it was published later than it was.
var ErrAdopting = errors.New("ledger: it is being filled with what another system has published")

// A Published is a key that another system has published before this ledger was
// there to release it.
//
// Adoption is three steps, each of which may be taken again after whatever happened
// to it: [Ledger.BeginAdoption] names the time up to which the other system has
// published; [Ledger.Adopt] takes in what it has; and [Ledger.CutAdopted] gives it
// numbers, in cuts of times that are long past, in ascending order. A cut takes
// exactly the keys with a time before its own that no cut before it took. With the
// cut of the time that was begun with, adoption is over and the ledger one like any
// other: what was adopted has been released, so that whoever brings it again brings
// a duplicate, it can be withdrawn, and nothing of it is waiting. What had been
// withdrawn here before it was adopted is out nevertheless: it gets its number like the
// rest, and the next cut after adoption tells of the withdrawal.
//
// What is withdrawn after it was adopted and before the cut of its time gets no number,
// in that cut or by adopting it again: have nothing withdrawn, by operators or sources,
// until adoption is over. Nor may two adopt at once, unless they adopt the same.
type Published struct {
	// At is when the key became public: any time in the window that it was
	// published in, but not its end.
	At time.Time

	// Units are those of the ledger that are the key: what the other system has
	// taken in and this ledger has accepted since, of whatever origins. Those of
	// them that are not there are passed over.
	Units []UnitID

	// As is what was published of the key, if that is not what the units say: from
	// then on they say it, whatever was claimed of the key. Nil leaves them as they
	// are.
	As *keys.TemporaryExposureKey

	// Claim is whose the key is taken to be where Units has none: source, upload
	// and key. It is not judged by a policy, since it is out already.
	Claim Claim
}

// adoption is what the register of that name holds.
type adoption struct {
	Until time.Time `json:"until"`
}

// adoptionRegister says up to when the ledger is filled with what was published
// before.
const adoptionRegister = "adoption"

// over reports whether nothing is left to be adopted before a cut after last.
func (a adoption) over(last Cut) bool { return !last.Time.Before(a.Until) }

func parseAdoption(r Register) (a adoption, err error) {
	if len(r.Value) == 0 {
		return a, nil
	}
	if err := json.Unmarshal(r.Value, &a); err != nil {
		return a, fmt.Errorf("ledger: register %s: %w", adoptionRegister, err)
	}
	return a, nil
}

// BeginAdoption has the ledger be filled with what another system has published up
// to a time, which must be a point of the grid, not after the ledger's clock, and
// not before its last cut. From then on [Ledger.Release] fails with [ErrAdopting],
// until [Ledger.CutAdopted] has made the cut of that time. What waits in the ledger and
// is not adopted goes on waiting at least as long, since nobody has published it. Begun
// again with the same time it does nothing; a later one takes the place of the earlier.
func (l *Ledger) BeginAdoption(ctx context.Context, until time.Time) error {
	log, err := l.store.Log(ctx, 0)
	if err != nil {
		return err
	}
	have, err := readRegister(ctx, l.store, adoptionRegister)
	if err != nil {
		return err
	}
	begun, err := parseAdoption(have)
	until = until.UTC()
	switch {
	case err != nil:
		return err
	case until.Equal(begun.Until):
		return nil
	case !until.Equal(until.Truncate(l.policy.Grid)), until.After(log.Now):
		return fmt.Errorf("%w: nothing can be adopted up to %s, which is no point of the grid of %s or after the ledger's clock", ErrTime, until.Format(time.RFC3339), l.policy.Grid)
	case until.Before(log.Last.Time), until.Before(begun.Until):
		return fmt.Errorf("%w: nothing can be adopted up to %s any more; the last cut is that of %s", ErrTime, until.Format(time.RFC3339), log.Last.Time.Format(time.RFC3339))
	}
	value, err := json.Marshal(adoption{until})
	if err != nil {
		return err
	}
	if err := l.leaveWaiting(ctx, until, !begun.Until.IsZero()); err != nil {
		return err
	}
	return l.Swap(ctx, NewNonce(), Swap{Name: adoptionRegister, Version: have.Version, Value: value})
}

// leaveWaiting has all that waits go on waiting until adoption is over: the cuts of an
// adoption take what is due before their times, and what nobody has published must not
// get a number of theirs. What was adopted up to an earlier time stays due when it was.
func (l *Ledger) leaveWaiting(ctx context.Context, until time.Time, again bool) error {
	early := func(u *Unit) bool {
		adopted := again && u.Due.Equal(u.Accepted)
		return !u.Released() && u.Due.Before(until) && !adopted
	}
	var ids []UnitID
	for rec, err := range l.store.Find(ctx, Query{}) {
		if err != nil {
			return err
		}
		if rec.Unit != nil && early(rec.Unit) {
			ids = append(ids, rec.ID)
		}
	}
	return l.change(ctx, ids, func(rec *Record, changes *Changes) {
		if rec.Unit != nil && early(rec.Unit) {
			rec.Unit.Due = until
			changes.Units = append(changes.Units, rec.Unit)
		}
	})
}

// change decides anew about units, a step at a time.
func (l *Ledger) change(ctx context.Context, ids []UnitID, decide func(*Record, *Changes)) error {
	for some := range slices.Chunk(ids, orderStep) {
		err := l.store.Accept(ctx, &Intake{
			Units:     some,
			Registers: []string{policyRegister},
			Nonce:     NewNonce(),
			Decide: func(s *Standing) (*Changes, error) {
				changes := &Changes{}
				for _, rec := range s.Records {
					decide(rec, changes)
				}
				return changes, l.checkVersion(s.Registers[policyRegister])
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Adopt takes in keys that another system has published, as one step. A unit that
// has a number stays as it is; one that is known and waits is one that was published
// at the given time, whatever held it; one that is not known is made of its claim.
// It returns how many were taken. A time that a cut has been made for already is an
// error that satisfies errors.Is(err, [ErrTime]), and nothing is taken.
func (l *Ledger) Adopt(ctx context.Context, published ...Published) (taken int, err error) {
	log, err := l.store.Log(ctx, 0)
	if err != nil {
		return 0, err
	}
	a := &adopting{ledger: l, last: log.Last, index: map[UnitID]int{}}
	for i := range published {
		if err := a.add(&published[i]); err != nil {
			return 0, err
		}
	}
	err = l.store.Accept(ctx, &Intake{
		Units:     a.units,
		Registers: []string{policyRegister, adoptionRegister},
		Nonce:     NewNonce(),
		Decide:    a.decide,
	})
	return a.taken, err
}

// adopting is one step of an adoption.
type adopting struct {
	ledger    *Ledger
	last      Cut
	published []*Published
	units     []UnitID
	index     map[UnitID]int

	taken int // made anew by every decide
}

func (a *adopting) add(p *Published) error {
	if err := p.Claim.Source.Check(); err != nil {
		return err
	}
	if err := checkUploadID(p.Claim.Upload); err != nil {
		return err
	}
	if p.As != nil && p.As.KeyData != p.Claim.Key.KeyData {
		return errors.New("ledger: a key was published as another")
	}
	for _, id := range append(slices.Clone(p.Units), IDOf(&p.Claim.Key)) {
		if !id.valid() {
			return errors.New("ledger: a key that was published is none")
		}
		if _, ok := a.index[id]; !ok {
			a.index[id] = len(a.units)
			a.units = append(a.units, id)
		}
	}
	a.published = append(a.published, p)
	return nil
}

func (a *adopting) decide(s *Standing) (*Changes, error) {
	if err := a.ledger.checkVersion(s.Registers[policyRegister]); err != nil {
		return nil, err
	}
	begun, err := parseAdoption(s.Registers[adoptionRegister])
	if err != nil {
		return nil, err
	}
	a.taken = 0
	changes := &Changes{Tallies: Tallies{}}
	changed := map[UnitID]bool{}
	for _, p := range a.published {
		for _, rec := range a.records(s, p) {
			if rec.Unit != nil && rec.Unit.Released() {
				continue
			}
			if p.At.Before(a.last.Time) || !p.At.Before(begun.Until) {
				return nil, fmt.Errorf("%w: a key that was published at %s cannot be adopted between the last cut, %s, and %s",
					ErrTime, p.At.UTC().Format(time.RFC3339), a.last.Time.UTC().Format(time.RFC3339), begun.Until.Format(time.RFC3339))
			}
			a.mark(rec, p, s.Now, changes)
			if !changed[rec.ID] {
				changed[rec.ID] = true
				changes.Units = append(changes.Units, rec.Unit)
			}
		}
	}
	return changes, nil
}

// records returns the records of the units that are the key: those that there are,
// else that of its claim.
func (a *adopting) records(s *Standing, p *Published) []*Record {
	var known []*Record
	for _, id := range p.Units {
		if rec := s.Records[a.index[id]]; rec.Unit != nil {
			known = append(known, rec)
		}
	}
	if claimed := s.Records[a.index[IDOf(&p.Claim.Key)]]; len(known) == 0 {
		return []*Record{claimed}
	}
	return known
}

// mark has a unit be one that was published.
func (a *adopting) mark(rec *Record, p *Published, now time.Time, changes *Changes) {
	a.taken++
	at := p.At.UTC()
	if rec.Unit == nil {
		c := p.Claim
		c.Accepted = at
		rec.Unit = a.ledger.policy.newUnit(c)
		receipt := Receipt{Offered: 1, Accepted: 1}
		receipt.count(c.Source, changes.Tallies)
	}
	rec.Unit.Accepted, rec.Unit.Due = at, at
	if p.As != nil {
		rec.Unit.Key.TemporaryExposureKey = *p.As
	}
	for i := range rec.Unit.Claims {
		rec.Unit.Claims[i].Held = false // it is out, whoever brought too much of it
	}
	rec.putOff(now, changes)
}

// putOff keeps the withdrawal of a unit, as one that came before its key: what stands
// withdrawn gets no number.
func (rec *Record) putOff(now time.Time, changes *Changes) {
	u := rec.Unit
	keep := func(source Source) {
		changes.Kept = append(changes.Kept, KeptChange{ID: rec.ID, Kept: KeptWithdrawal{Source: source, At: now}})
	}
	if u.SourceWithdrew {
		keep(u.Claims[0].Source)
	}
	if u.operatorWithdrew() {
		keep(Operator)
	}
	u.SourceWithdrew, u.OperatorWithdrew = false, false
	for i := range u.Claims {
		u.Claims[i].Withdrawn = false
	}
	u.recount()
}

// withdrawAdopted withdraws what was withdrawn before it was adopted, now that it has
// its number.
func (l *Ledger) withdrawAdopted(ctx context.Context) error {
	var ids []UnitID
	for rec, err := range l.store.Find(ctx, Query{}) {
		if err != nil {
			return err
		}
		if rec.Unit != nil && len(rec.Kept) > 0 {
			ids = append(ids, rec.ID)
		}
	}
	return l.change(ctx, ids, (*Record).withdrawKept)
}

// withdrawKept applies to a unit the withdrawals that are kept for it, by those who may
// withdraw it.
func (rec *Record) withdrawKept(changes *Changes) {
	u := rec.Unit
	if u == nil || !u.Released() {
		return
	}
	changed := false
	for _, k := range rec.Kept {
		switch {
		case k.Source == Operator:
			u.OperatorWithdrew = true
		case u.claimOf(k.Source) != nil:
			u.SourceWithdrew = true
		default:
			continue // it is not for them to say
		}
		changed = true
		changes.Kept = append(changes.Kept, KeptChange{ID: rec.ID, Kept: k, Lifted: true})
	}
	if changed {
		changes.Units = append(changes.Units, u)
	}
}

// CutAdopted makes a cut of a time that is past, a point of the grid, of what was
// adopted with a time before it: all of it, whatever the policy has groups wait for.
// For a time that is not after the last cut's no other cut is made. With that of the
// time that was begun with, what had been withdrawn before it was adopted is withdrawn.
func (l *Ledger) CutAdopted(ctx context.Context, at time.Time) error {
	c := &adoptedCut{releasing: releasing{ledger: l, opts: ReleaseOptions{At: at, AllowGap: true}}}
	_, err := l.store.Release(ctx, &Release{
		Registers: []string{policyRegister, adoptionRegister},
		Begin:     c.begin,
		Choose:    c.choose,
		Pad:       c.pad,
	})
	if err != nil && !errors.Is(err, errNotYet) {
		return err
	}
	if c.time.Equal(c.until) {
		return l.withdrawAdopted(ctx)
	}
	return nil
}

// adoptedCut is one cut of what was adopted.
type adoptedCut struct {
	releasing
	until time.Time // the last of them
}

func (c *adoptedCut) begin(s *Start) (time.Time, Holds, error) {
	if err := c.ledger.checkVersion(s.Registers[policyRegister]); err != nil {
		return time.Time{}, Holds{}, err
	}
	begun, err := parseAdoption(s.Registers[adoptionRegister])
	if err != nil {
		return time.Time{}, Holds{}, err
	}
	c.start, c.report, c.until = s, &ReleaseReport{}, begun.Until
	c.time, err = c.timeOfCut(s.Now, s.Last)
	if err == nil && c.time.After(begun.Until) {
		err = fmt.Errorf("%w: %s is after %s, up to when was to be adopted", ErrTime, c.time.Format(time.RFC3339), begun.Until.Format(time.RFC3339))
	}
	return c.time, Holds{}, err
}

// choose takes every group.
func (c *adoptedCut) choose(groups []Group) (*Choice, error) {
	choice := &Choice{Policy: c.ledger.version, Tallies: Tallies{}, Waits: slices.Clone(c.start.Waits)}
	for _, g := range groups {
		choice.Take = append(choice.Take, Take{GroupID: g.GroupID, Keys: g.Keys})
		choice.Tallies.Add(tallyReleased(c.time), int64(g.Keys))
	}
	return choice, nil
}

// checkAdoption returns [ErrAdopting] as long as cuts are to be made of what was
// adopted alone.
func checkAdoption(s *Start) error {
	begun, err := parseAdoption(s.Registers[adoptionRegister])
	if err == nil && !begun.over(s.Last) {
		err = fmt.Errorf("%w: up to %s", ErrAdopting, begun.Until.Format(time.RFC3339))
	}
	return err
}
