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

// Withdraw takes units back by name, whoever brought them. Own units are
// withdrawn everywhere, by the next cuts; a foreign one only from what this back
// end publishes.
func (l *Ledger) Withdraw(ctx context.Context, ids ...UnitID) (*OperatorReceipt, error) {
	return l.operate(ctx, ids, nil, func(u *Unit, r *OperatorReceipt) bool {
		before := u.operatorWithdrew()
		changed := setTrue(&u.OperatorWithdrew)
		r.note(!before)
		return changed
	})
}

// Reinstate undoes what an operator withdrew, by name or by upload. What the
// source itself took back stays withdrawn, and partners who were told of the
// withdrawal cannot be told to forget it.
func (l *Ledger) Reinstate(ctx context.Context, ids ...UnitID) (*OperatorReceipt, error) {
	return l.operate(ctx, ids, nil, func(u *Unit, r *OperatorReceipt) bool {
		if u.SourceWithdrew || u.Erase {
			r.Unknown++
			return false
		}
		r.note(u.operatorWithdrew())
		changed := u.OperatorWithdrew
		u.OperatorWithdrew = false
		for i := range u.Claims { // also where another upload has spared the unit so far
			changed = changed || u.Claims[i].Withdrawn
			u.Claims[i].Withdrawn = false
		}
		return changed
	})
}

// RollBack withdraws what one own upload brought, and spares what another own
// upload brought too.
func (l *Ledger) RollBack(ctx context.Context, upload string) (*OperatorReceipt, error) {
	ids, err := l.unitsOf(ctx, upload)
	if err != nil {
		return nil, err
	}
	return l.operate(ctx, ids, nil, func(u *Unit, r *OperatorReceipt) bool {
		c := u.claimOfUpload(upload)
		if c == nil {
			return false // gone since it was looked up
		}
		before := u.operatorWithdrew()
		changed := setTrue(&c.Withdrawn)
		if changed && !u.operatorWithdrew() {
			r.Spared++
			return true
		}
		r.note(u.operatorWithdrew() != before)
		return changed
	})
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
		r, err := l.operate(ctx, ids, nil, func(u *Unit, r *OperatorReceipt) bool {
			changed := false
			for i := range u.Claims {
				if c := &u.Claims[i]; c.Source == p.Source && c.Held {
					c.Held, changed = false, true
				}
			}
			return r.note(changed)
		})
		if err != nil {
			return total, err
		}
		total.Done += r.Done
	}
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
	return l.operate(ctx, ids, []string{upload}, func(u *Unit, r *OperatorReceipt) bool {
		if u.claimOfUpload(upload) == nil {
			return false
		}
		if u.dropUpload(upload) {
			r.Spared++
			return true
		}
		u.OperatorWithdrew = true
		return r.note(setTrue(&u.Erase))
	})
}

// dropUpload removes an upload's claim if another own claim stands. It reports
// whether it did.
func (u *Unit) dropUpload(upload string) bool {
	var rest []Claim
	stands := ""
	for _, c := range u.Claims {
		if c.Source == Own && c.Upload == upload {
			continue
		}
		if c.Source == Own && !c.Withdrawn && stands == "" {
			stands = c.Upload
		}
		rest = append(rest, c)
	}
	if stands == "" {
		return false
	}
	u.Claims = rest
	if u.Upload == upload {
		u.Upload = stands
	}
	return true
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

// operate applies an operator's order to units, in one step. change reports
// whether the unit is to be stored.
func (l *Ledger) operate(ctx context.Context, ids []UnitID, erased []string, change func(*Unit, *OperatorReceipt) bool) (*OperatorReceipt, error) {
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
				} else if change(rec.Unit, receipt) {
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

// note counts a unit as done or as so before.
func (r *OperatorReceipt) note(changed bool) bool {
	if changed {
		r.Done++
	} else {
		r.Already++
	}
	return changed
}

func setTrue(b *bool) (changed bool) {
	changed = !*b
	*b = true
	return changed
}
