package ledger

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
)

// A WithdrawnGroup is the own withdrawals of one origin that a cut will tell
// together, those of an [Order] among them.
type WithdrawnGroup struct {
	Origin  keys.Region
	Keys    int // of the order
	Uploads int // of the order

	// Together is how many uploads the group has as things stand, with those of
	// other withdrawals that wait. Fewer than the policy asks for say much of
	// each. Of an order of more than 1,000 uploads it is at least so many.
	Together int

	// Cut is the time of the cut that tells them at the latest, and Small is
	// set if the group is too small and goes nevertheless, unless others join it.
	Cut   time.Time
	Small bool
}

// maxCompared is for how many uploads of an order it is looked up whether
// others of their withdrawals wait.
const maxCompared = 1000

// errLooked ends a release that only looks.
var errLooked = errors.New("ledger: nothing is to be released")

// forecast says which groups the withdrawals of an order will be told with, and
// when. It begins a cut and leaves it: so the groups are those of the store.
func (s *survey) forecast(ctx context.Context) ([]WithdrawnGroup, error) {
	told := s.told()
	if !s.order.Action.Withdraws() || len(told) == 0 {
		return nil, nil
	}
	r := &releasing{ledger: s.ledger}
	var waiting []Group
	_, err := s.ledger.store.Release(ctx, &Release{
		Registers: []string{policyRegister, holdsRegister},
		Begin: func(st *Start) (time.Time, Holds, error) {
			r.start = st
			return st.Now, Holds{}, s.ledger.checkVersion(st.Registers[policyRegister])
		},
		Choose: func(groups []Group) (*Choice, error) { waiting = groups; return nil, errLooked },
		Pad:    r.pad,
	})
	if !errors.Is(err, errLooked) {
		return nil, err
	}
	var groups []WithdrawnGroup
	for origin, uploads := range told {
		g := WithdrawnGroup{Origin: origin, Uploads: len(uploads)}
		for _, n := range uploads {
			g.Keys += n
		}
		if g.Together, err = s.together(ctx, origin, uploads, waiting); err != nil {
			return nil, err
		}
		s.schedule(&g, r)
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b WithdrawnGroup) int { return a.Origin.Compare(b.Origin) })
	return groups, nil
}

// together counts the uploads of an order with those that wait.
func (s *survey) together(ctx context.Context, origin keys.Region, uploads map[string]int, waiting []Group) (int, error) {
	others := 0
	for _, g := range waiting {
		if g.GroupID == (GroupID{Origin: origin, Own: true, Wait: WaitWithdrawal}) {
			others = g.Uploads
		}
	}
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
func (s *survey) schedule(g *WithdrawnGroup, r *releasing) {
	p := &s.ledger.policy
	g.Small = g.Together < p.MinWithdrawnUploads
	next := r.start.Now.UTC().Truncate(p.Grid)
	if last := r.start.Last; last.Seq > 0 && !next.After(last.Time) {
		next = last.Time.Add(p.Grid)
	}
	g.Cut = next
	if !g.Small || s.order.Immediately || r.start.Tallies.urgent(g.Origin) {
		return
	}
	since, passed := r.since(GroupID{Origin: g.Origin, Own: true, Wait: WaitWithdrawal})
	if !passed {
		since = next
	}
	due := since.Add(p.WithdrawalWait)
	if t := due.Truncate(p.Grid); t.Before(due) {
		due = t.Add(p.Grid)
	}
	if due.After(next) {
		g.Cut = due
	}
}
