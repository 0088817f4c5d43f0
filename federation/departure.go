package federation

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/gaenkit/gaen/storage/ledger"
)

// A departure is the pieces that leave with one cut.
type departure struct {
	leave    []leaving // handed out, in the order of their hashes
	withheld []leaving // not handed out, but there may be something to tell of them
	open     []string  // units that were withdrawn before they had a number, and may come back
	said     []int64   // numbers of the cut of which the pieces, or what follows them, tell
	gone     []ledger.Swap
}

// leaving is a piece that leaves, as a register remembers it.
type leaving struct {
	piece

	// Tell are the indices of keys of which the state at the cut is told after the
	// piece, because the piece does not say it: the key has been withdrawn
	// meanwhile, or its report type has risen, or the piece is withheld.
	Tell []int `json:"tell,omitempty"`
}

// maxLeaving is how many pieces leave with one cut at most; the others, those that
// have been due for a shorter time, leave with the next.
const maxLeaving = 500

// depart finds the pieces that leave with a cut: all of whose keys may leave, and
// have left or never will. Only those that may leave are looked at. The numbers of the
// cut are those after from.
func (h *Hub) depart(ctx context.Context, from int64, c ledger.Cut) (*departure, error) {
	registers, err := h.ledger.Registers(ctx, waitingPrefix)
	if err != nil {
		return nil, err
	}
	all := map[ledger.Source][]*waiting{}
	var due []*waiting
	for _, r := range registers {
		w := &waiting{version: r.Version}
		if err := json.Unmarshal(r.Value, &w.piece); err != nil {
			return nil, fmt.Errorf("register %s: %w", r.Name, err)
		}
		all[w.Source] = append(all[w.Source], w)
		if w.latest().Before(c.Time) {
			due = append(due, w)
		}
	}
	slices.SortFunc(due, func(a, b *waiting) int { return cmp.Or(cmp.Compare(a.Latest, b.Latest), a.compare(&b.piece)) })
	d := &departure{}
	for _, w := range due {
		if len(d.gone) == maxLeaving {
			break
		}
		in := &inspection{hub: h, waiting: w, from: from, cut: c, others: all[w.Source]}
		if err := in.run(ctx); err != nil {
			return nil, fmt.Errorf("register %s: %w", w.name(waitingPrefix), err)
		}
		d.add(in)
	}
	for _, all := range [][]leaving{d.leave, d.withheld} {
		slices.SortFunc(all, func(a, b leaving) int { return a.compare(&b.piece) })
	}
	slices.Sort(d.said)
	return d, nil
}

// add adds what an inspection found.
func (d *departure) add(in *inspection) {
	if in.stays {
		return
	}
	d.gone = append(d.gone, ledger.Swap{Name: in.name(waitingPrefix), Version: in.version, Delete: true})
	d.open = append(d.open, in.open...)
	switch {
	case in.foreign:
		d.withheld = append(d.withheld, leaving{in.piece, in.active})
	case !in.told:
		d.withheld = append(d.withheld, leaving{in.piece, nil})
	default:
		d.leave = append(d.leave, leaving{in.piece, in.tell})
		d.said = append(d.said, in.said...)
	}
}

// waiting is a piece that has not left.
type waiting struct {
	piece
	version int64 // of its register
}

// An inspection looks at a waiting piece as a cut finds it.
type inspection struct {
	*waiting
	hub    *Hub
	from   int64 // the last number before the cut
	cut    ledger.Cut
	others []*waiting // of the nation, this one among them

	units    map[ledger.UnitID]*ledger.Unit // that it was the first of its nation to bring
	restated map[ledger.UnitID]bool         // those it only says something new of

	stays   bool     // it waits for a later cut
	foreign bool     // it would withdraw what its nation never brought
	told    bool     // a key of it has been released
	tell    []int    // keys of which it does not say the state
	active  []int    // keys that are active
	open    []string // units that may come back
	said    []int64  // numbers of the cut of which it, or what is told after it, tells
}

func (in *inspection) run(ctx context.Context) error {
	if err := in.find(ctx); err != nil || in.stays {
		return err
	}
	said, err := in.hub.readStatements(ctx, &in.piece)
	if err != nil {
		return err
	}
	in.restated = map[ledger.UnitID]bool{}
	for i := 0; i < len(said) && !in.stays; i++ {
		u, err := in.unit(ctx, said[i].id)
		if err != nil {
			return err
		}
		switch {
		case u == nil: // pruned, or withdrawn before anybody brought it
		case said[i].revokes():
			in.stays = in.revoked(u)
		default:
			in.stays = in.key(i, &said[i], u)
		}
	}
	if in.stays || len(in.restated) == 0 {
		return nil
	}
	in.stays, err = in.overtakes(ctx)
	return err
}

// find finds the units that the piece was the first of its nation to bring: as a
// rule, all.
func (in *inspection) find(ctx context.Context) error {
	in.units = make(map[ledger.UnitID]*ledger.Unit, in.Keys)
	for rec, err := range in.hub.ledger.Find(ctx, ledger.Query{Source: in.Source, Upload: in.upload()}) {
		if err != nil {
			return err
		}
		in.units[rec.ID] = rec.Unit
		if _, wait := rec.Unit.Pending(); wait == ledger.WaitNew {
			in.stays = true
			return nil
		}
	}
	return nil
}

// unit returns a unit, nil if there is none.
func (in *inspection) unit(ctx context.Context, id ledger.UnitID) (*ledger.Unit, error) {
	if u, ok := in.units[id]; ok {
		return u, nil
	}
	in.restated[id] = true
	return in.hub.unit(ctx, id)
}

func (h *Hub) unit(ctx context.Context, id ledger.UnitID) (*ledger.Unit, error) {
	for rec, err := range h.ledger.Find(ctx, ledger.Query{Unit: &id}) {
		if err != nil {
			return nil, err
		}
		return rec.Unit, nil
	}
	return nil, nil
}

// overtakes reports whether an earlier piece of the nation waits that has a key of
// which this one says something new. What withdraws or revises a key must not leave
// before it, nor beside it: those who read nothing but pieces would take it for what
// it was. By a piece nobody has that key yet, so nothing is told late.
func (in *inspection) overtakes(ctx context.Context) (bool, error) {
	for _, p := range in.others {
		if p.Seq >= in.Seq {
			continue
		}
		said, err := in.hub.readStatements(ctx, &p.piece)
		if err != nil {
			return false, err
		}
		for i := range said {
			if in.restated[said[i].id] {
				return true, nil
			}
		}
	}
	return false, nil
}

// key looks at a key of the piece, and reports whether the piece must wait for it.
func (in *inspection) key(i int, said *statement, u *ledger.Unit) bool {
	e := u.At(in.cut.Last)
	_, wait := u.Pending()
	switch {
	case wait == ledger.WaitNew, u.Released() && e.Number == 0: // numbered by a later cut
		return true
	case !u.Released():
		in.tell = append(in.tell, i)
		if !u.SourceWithdrew {
			in.open = append(in.open, hashOf(in.hub.ledger.Identity(), u.ID()))
		}
		return false
	case e.Partners == ledger.Withdrawn || e.ReportType != said.report:
		in.tell = append(in.tell, i)
	}
	in.says(u, e)
	if e.Partners == ledger.Active {
		in.active = append(in.active, i)
	}
	return false
}

// revoked looks at a withdrawal in the piece, and reports whether the piece must
// wait for it.
func (in *inspection) revoked(u *ledger.Unit) bool {
	switch {
	case !u.SourceWithdrew: // another source has brought it since
		in.foreign = true
	case u.Released() && u.At(in.cut.Last).Partners != ledger.Withdrawn:
		return true
	case u.Released():
		in.says(u, u.At(in.cut.Last))
	}
	return false
}

// says notes that the state of a unit after the cut is told with the piece. Where the
// cut itself changed it, nobody need be told once more: whoever is given the piece is
// told, and its nation, which is not, brought the key before it was released, so that
// the log tells it nothing of it.
func (in *inspection) says(u *ledger.Unit, e ledger.Event) {
	in.told = true
	first := u.Events[0].Number
	if e.Number > in.from && e.Number != first && broughtBy(in.Source, u, first) {
		in.said = append(in.said, e.Number)
	}
}
