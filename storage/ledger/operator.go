package ledger

import (
	"context"
	"fmt"
	"slices"
)

// An OperatorReceipt says what became of an operator's order, unit by unit.
type OperatorReceipt struct {
	Done    int // units whose state it changed
	Already int // units that were so before
	Spared  int // units that another good own upload brought too, and which stay
	Unknown int // keys that the ledger does not know, or that are not the operator's to change
}

// Withdraw takes units back by name, whoever brought them. What has not been
// released never is, and so leaves by no way, to own archives or to partners. Of
// what has, own units are withdrawn everywhere, by the next cuts; a foreign one
// only from what this back end publishes: those who have it by its origin's word
// keep it until the origin says otherwise.
func (l *Ledger) Withdraw(ctx context.Context, ids ...UnitID) (*OperatorReceipt, error) {
	return l.operate(ctx, ids, nil, (*Unit).withdraw)
}

// withdraw is an operator's withdrawal by name.
func (u *Unit) withdraw() (verdict, bool) {
	before := u.operatorWithdrew()
	changed := setTrue(&u.OperatorWithdrew)
	return doneUnless(before), changed
}

// Reinstate undoes what an operator withdrew, by name or by upload. What the
// source itself took back stays withdrawn, and partners who were told of the
// withdrawal cannot be told to forget it.
func (l *Ledger) Reinstate(ctx context.Context, ids ...UnitID) (*OperatorReceipt, error) {
	return l.operate(ctx, ids, nil, (*Unit).reinstate)
}

// reinstate undoes what an operator withdrew, also where another upload has
// spared the unit so far.
func (u *Unit) reinstate() (verdict, bool) {
	if u.SourceWithdrew || u.Erase {
		return refused, false
	}
	before := u.operatorWithdrew()
	changed := u.OperatorWithdrew
	u.OperatorWithdrew = false
	for i := range u.Claims {
		changed = changed || u.Claims[i].Withdrawn
		u.Claims[i].Withdrawn = false
	}
	if changed {
		u.recount()
	}
	return doneUnless(!before), changed
}

// RollBack withdraws what one own upload brought, and spares what another own
// upload brought too.
func (l *Ledger) RollBack(ctx context.Context, upload string) (*OperatorReceipt, error) {
	ids, err := l.unitsOf(ctx, upload)
	if err != nil {
		return nil, err
	}
	return l.operate(ctx, ids, nil, func(u *Unit) (verdict, bool) { return u.rollBack(upload) })
}

// rollBack withdraws what one own upload brought.
func (u *Unit) rollBack(upload string) (verdict, bool) {
	c := u.claimOfUpload(upload)
	if c == nil {
		return nothing, false // gone since it was looked up
	}
	before := u.operatorWithdrew()
	changed := setTrue(&c.Withdrawn)
	u.recount()
	if changed && !u.operatorWithdrew() {
		return spared, true
	}
	return doneUnless(u.operatorWithdrew() == before), changed
}

// Admit takes the keys that a source brought of one origin beyond its quota as if
// they had come within it: what was held goes with the next cuts.
func (l *Ledger) Admit(ctx context.Context, p Pair) (*OperatorReceipt, error) {
	total := &OperatorReceipt{}
	for {
		ids, err := l.heldOf(ctx, p)
		if err != nil || len(ids) == 0 {
			return total, err
		}
		r, err := l.operate(ctx, ids, nil, func(u *Unit) (verdict, bool) { return u.admit(p.Source) })
		if err != nil {
			return total, err
		}
		total.Done += r.Done
	}
}

// admit takes a source's claims as if they had come within its quota.
func (u *Unit) admit(source Source) (verdict, bool) {
	changed := false
	for i := range u.Claims {
		if c := &u.Claims[i]; c.Source == source && c.Held {
			c.Held, changed = false, true
		}
	}
	return doneUnless(!changed), changed
}

// admitBatch is how many units one step of [Ledger.Admit] changes.
const admitBatch = 5000

// heldOf returns some of the units on which a source has a claim beyond its
// quota.
func (l *Ledger) heldOf(ctx context.Context, p Pair) ([]UnitID, error) {
	var ids []UnitID
	for rec, err := range l.store.Find(ctx, Query{Source: p.Source, Origin: p.Origin}) {
		if err != nil {
			return nil, err
		}
		if c := rec.Unit.claimOf(p.Source); c != nil && c.Held {
			ids = append(ids, rec.ID)
		}
		if len(ids) == admitBatch {
			break
		}
	}
	return ids, nil
}

// Erase withdraws what one own upload brought and has it removed as soon as no
// window, roll-up or range that holds it is left to be carried out, by
// [Ledger.Prune]. What another own upload brought too stays, without a trace of
// the one erased.
func (l *Ledger) Erase(ctx context.Context, upload string) (*OperatorReceipt, error) {
	ids, err := l.unitsOf(ctx, upload)
	if err != nil {
		return nil, err
	}
	return l.operate(ctx, ids, []string{upload}, func(u *Unit) (verdict, bool) { return u.erase(upload) })
}

// erase withdraws what one own upload brought, to be removed.
func (u *Unit) erase(upload string) (verdict, bool) {
	if u.claimOfUpload(upload) == nil {
		return nothing, false
	}
	if u.dropUpload(upload) {
		return spared, true
	}
	u.OperatorWithdrew = true
	changed := setTrue(&u.Erase)
	return doneUnless(!changed), changed
}

// dropUpload removes an upload's claim if another own claim stands. It reports
// whether it did.
func (u *Unit) dropUpload(upload string) bool {
	var rest []Claim
	stands := false
	for _, c := range u.Claims {
		if c.Source == Own && c.Upload == upload {
			continue
		}
		stands = stands || c.Source == Own && !c.Withdrawn
		rest = append(rest, c)
	}
	if stands {
		u.Claims = rest
		u.recount()
	}
	return stands
}

// unitsOf returns the units that an own upload brought, and those of which it
// brought a claim that was set aside.
func (l *Ledger) unitsOf(ctx context.Context, upload string) (ids []UnitID, err error) {
	if err := checkUploadID(upload); err != nil {
		return nil, err
	}
	known := false
	for rec, err := range l.store.Find(ctx, Query{Source: Own, Upload: upload, SetAside: true}) {
		if err != nil {
			return nil, err
		}
		known = true
		if rec.Unit != nil {
			ids = append(ids, rec.ID)
		}
	}
	if !known {
		return nil, fmt.Errorf("ledger: no key of an own upload with that id is known")
	}
	return ids, nil
}

// verdict is what an order means for one unit.
type verdict uint8

const (
	nothing verdict = iota // it is not about that unit
	done
	already // it was so before
	spared  // another good own upload brought it, too
	refused // it is not the operator's to change
)

func doneUnless(before bool) verdict {
	if before {
		return already
	}
	return done
}

// operate applies an operator's order to units, in one step. change says what it
// means for a unit, and whether that is to be stored.
func (l *Ledger) operate(ctx context.Context, ids []UnitID, erased []string, change func(*Unit) (verdict, bool)) (*OperatorReceipt, error) {
	var receipt *OperatorReceipt
	err := l.store.Accept(ctx, &Intake{
		Units:     once(ids),
		Registers: []string{policyRegister},
		Nonce:     NewNonce(),
		Decide: func(s *Standing) (*Changes, error) {
			receipt = &OperatorReceipt{}
			if err := l.checkVersion(s.Registers[policyRegister]); err != nil {
				return nil, err
			}
			changes := &Changes{Erased: erased}
			for _, rec := range s.Records {
				if rec.Unit == nil {
					receipt.Unknown++
					continue
				}
				v, changed := change(rec.Unit)
				receipt.count(v)
				if changed {
					changes.Units = append(changes.Units, rec.Unit)
				}
			}
			return changes, nil
		},
	})
	return receipt, err
}

// once returns ids without repetitions.
func once(ids []UnitID) []UnitID {
	seen := make(map[UnitID]bool, len(ids))
	return slices.DeleteFunc(slices.Clone(ids), func(id UnitID) bool {
		again := seen[id]
		seen[id] = true
		return again
	})
}

// count counts a unit.
func (r *OperatorReceipt) count(v verdict) {
	switch v {
	case done:
		r.Done++
	case already:
		r.Already++
	case spared:
		r.Spared++
	case refused:
		r.Unknown++
	}
}

func setTrue(b *bool) (changed bool) {
	changed = !*b
	*b = true
	return changed
}
