package ledger

import (
	"context"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
)

// A WithdrawnGroup is the own withdrawals of one origin that a cut will tell
// together, those of an [Order] among them.
type WithdrawnGroup struct {
	Origin  keys.Region `json:"origin"`
	Keys    int         `json:"keys"`    // of the order
	Uploads int         `json:"uploads"` // of the order

	// Together is how many uploads the group has as things stand, with those of
	// other withdrawals that wait. Fewer than the policy asks for say much of
	// each. Of an order of more than 1,000 uploads it is at least so many.
	Together int `json:"together"`

	// Cut is the time of the cut that tells them at the latest, and Small is
	// set if the group is too small and goes nevertheless, unless others join it.
	Cut   time.Time `json:"cut"`
	Small bool      `json:"small,omitzero"`
}

// maxCompared is for how many uploads of an order it is looked up whether
// others of their withdrawals wait.
const maxCompared = 1000

// forecast says which groups the withdrawals of an order will be told with, and
// when: the last of them by the cut of that time.
func (s *survey) forecast(ctx context.Context) (groups []WithdrawnGroup, last time.Time, err error) {
	told := s.told()
	if !s.order.Action.Withdraws() || len(told) == 0 && !s.tellsForeign() {
		return nil, last, nil
	}
	o, err := s.ledger.outlook(ctx)
	if err != nil {
		return nil, last, err
	}
	last = o.time
	for origin, uploads := range told {
		g := WithdrawnGroup{Origin: origin, Uploads: len(uploads)}
		for _, n := range uploads {
			g.Keys += n
		}
		if g.Together, err = s.together(ctx, origin, uploads, o.groups[g.id()].Uploads); err != nil {
			return nil, last, err
		}
		s.schedule(&g, o)
		if g.Cut.After(last) {
			last = g.Cut
		}
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b WithdrawnGroup) int { return a.Origin.Compare(b.Origin) })
	return groups, last, nil
}

// tellsForeign reports whether the order withdraws released units that only partners
// brought, of which the next cut tells our own packages.
func (s *survey) tellsForeign() bool {
	return slices.ContainsFunc(s.units, func(u surveyed) bool { return u.fate.foreign && u.fate.in == fateReleased })
}

// id names the group as the ledger does.
func (g *WithdrawnGroup) id() GroupID {
	return GroupID{Origin: g.Origin, Own: true, Wait: WaitWithdrawal}
}

// together counts the uploads of an order with the others of their group that wait.
func (s *survey) together(ctx context.Context, origin keys.Region, uploads map[string]int, others int) (int, error) {
	if others == 0 || len(uploads) > maxCompared {
		return max(len(uploads), others), nil
	}
	both := 0
	for upload := range uploads {
		waits, err := s.waits(ctx, origin, upload)
		if err != nil {
			return 0, err
		}
		if waits {
			both++
		}
	}
	return len(uploads) + others - both, nil
}

// waits reports whether a withdrawal of a unit that counts with that upload
// waits already.
func (s *survey) waits(ctx context.Context, origin keys.Region, upload string) (bool, error) {
	for rec, err := range s.ledger.store.Find(ctx, Query{Upload: upload, Origin: origin}) {
		if err != nil {
			return false, err
		}
		_, wait := rec.Unit.Pending()
		if wait == WaitWithdrawal && rec.Unit.Own() && rec.Unit.Upload == upload {
			return true, nil
		}
	}
	return false, nil
}

// schedule says when a group goes.
func (s *survey) schedule(g *WithdrawnGroup, o *outlook) {
	p := &s.ledger.policy
	g.Small = g.Together < p.MinWithdrawnUploads
	g.Cut = o.time
	if !g.Small || s.order.Immediately || o.start.Tallies.urgent(g.Origin) {
		return
	}
	since, passed := o.since(g.id())
	if !passed {
		since = o.time
	}
	due := since.Add(p.WithdrawalWait)
	if t := due.Truncate(p.Grid); t.Before(due) {
		due = t.Add(p.Grid)
	}
	if due.After(o.time) {
		g.Cut = due
	}
}
