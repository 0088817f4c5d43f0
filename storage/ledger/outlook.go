package ledger

import (
	"context"
	"errors"
	"time"
)

// An outlook is what the next cut would take, had it to be made of what there is
// now, by the functions that decide it when it is made.
type outlook struct {
	*releasing
	groups map[GroupID]Group
	holds  Holds
}

// errOutlook ends a release that is not to be made.
var errOutlook = errors.New("ledger: only looked at what the next cut would take")

// outlook looks at the next cut: the one that is due, or that of the next point of
// the grid. It excludes cuts while it does, and stores nothing.
func (l *Ledger) outlook(ctx context.Context) (*outlook, error) {
	o := &outlook{releasing: &releasing{ledger: l, opts: ReleaseOptions{AllowGap: true}}}
	step := o.step()
	step.Begin, step.Choose = o.begin, o.choose
	_, err := l.store.Release(ctx, step)
	if errors.Is(err, errOutlook) {
		err = nil
	}
	return o, err
}

func (o *outlook) begin(s *Start) (time.Time, Holds, error) {
	t, holds, err := o.releasing.begin(s)
	if errors.Is(err, errNotYet) {
		t, err = s.Last.Time.Add(o.ledger.policy.Grid), nil
		o.time = t
	}
	o.holds = holds
	return t, holds, err
}

func (o *outlook) choose(groups []Group) (*Choice, error) {
	o.groups = make(map[GroupID]Group, len(groups))
	for _, g := range groups {
		o.groups[g.GroupID] = g
	}
	if _, err := o.releasing.choose(groups); err != nil {
		return nil, err
	}
	return nil, errOutlook
}

// taken returns how many of a group the cut would take.
func (o *outlook) taken(id GroupID) int {
	for _, t := range o.choice.Take {
		if t.GroupID == id {
			return t.Keys
		}
	}
	return 0
}

// waiting returns until when a group that is passed over waits at most.
func (o *outlook) waiting(id GroupID) time.Time {
	for _, w := range o.report.Waiting {
		if w.GroupID == id {
			return w.Until
		}
	}
	return time.Time{}
}
