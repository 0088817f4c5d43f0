package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxCutGap is how long after the last cut the next may be. A clock that jumps
// ahead would otherwise release at once what should wait, and no later cut
// could take that back; nor could anybody what is removed by such a clock.
const maxCutGap = 24 * time.Hour

// beforeGap reports whether c, the last cut, is too long before t for the next one
// to be made then, unless that is asked for.
func (c Cut) beforeGap(t time.Time) bool { return c.Seq > 0 && t.Sub(c.Time) > maxCutGap }

// ReleaseOptions ask for a cut out of the ordinary.
type ReleaseOptions struct {
	// At is the time of the cut, a point of the grid not after the ledger's
	// clock. Zero is the last such point.
	At time.Time

	// AllowGap allows a cut more than 24 hours after the last one, as after an
	// outage.
	AllowGap bool
}

// A ReleaseReport says what a cut took and what it left.
type ReleaseReport struct {
	Cut      Cut
	New      int64 // keys released for the first time, padding among them
	Padded   int64
	Changed  int64
	Gone     int64
	Waiting  []Waiting
	Warnings []string

	// Withdrawals of own units that it took although those of their origin are
	// of fewer uploads than the policy asks for: because they had waited for the
	// longest time, and because an operator ordered it.
	WaitedOut Exposed
	ByOrder   Exposed
}

// Exposed are withdrawals that a cut took in too small a group.
type Exposed struct {
	Groups  int
	Keys    int
	Uploads int
}

func (e *Exposed) add(g Group) {
	e.Groups++
	e.Keys += g.Keys
	e.Uploads += g.Uploads
}

// Waiting is a group that a cut passed over.
type Waiting struct {
	Group
	Since time.Time // the first cut that passed it over
	Until time.Time // the time at which a cut takes it whatever its size
}

// Release makes the next cut, and returns what it took. Where the last cut is
// that of the present point of the grid, there is nothing to do: the report is
// nil and the error too. It may be called by a timer, twice if need be.
func (l *Ledger) Release(ctx context.Context, opts *ReleaseOptions) (*ReleaseReport, error) {
	if opts == nil {
		opts = &ReleaseOptions{}
	}
	r := &releasing{ledger: l, opts: *opts}
	cut, err := l.store.Release(ctx, r.step())
	switch {
	case errors.Is(err, errNotYet):
		return nil, nil
	case err != nil:
		return nil, err
	}
	r.report.Cut = cut
	return r.report, nil
}

// step returns what the store is to do.
func (r *releasing) step() *Release {
	return &Release{
		Registers: []string{policyRegister, holdsRegister, adoptionRegister},
		Begin:     r.begin,
		Choose:    r.choose,
		Pad:       r.pad,
	}
}

// releasing is one cut in the making.
type releasing struct {
	ledger *Ledger
	opts   ReleaseOptions

	// Made anew by every begin.
	start   *Start
	time    time.Time
	report  *ReleaseReport
	choice  *Choice
	left    int // what this cut may still take
	leftDay int // and this day
}

// errNotYet ends a release that has nothing to do.
var errNotYet = errors.New("ledger: the cut of this time has been made")

func (r *releasing) begin(s *Start) (time.Time, Holds, error) {
	if err := r.ledger.checkVersion(s.Registers[policyRegister]); err != nil {
		return time.Time{}, Holds{}, err
	}
	if err := checkAdoption(s); err != nil {
		return time.Time{}, Holds{}, err
	}
	holds, err := parseHolds(s.Registers[holdsRegister].Value)
	if err != nil {
		return time.Time{}, Holds{}, err
	}
	r.start = s
	r.report = &ReleaseReport{}
	r.time, err = r.timeOfCut(s.Now, s.Last)
	return r.time, holds, err
}

// timeOfCut returns T: the last point of the grid not after the clock, or the
// one that was asked for.
func (r *releasing) timeOfCut(now time.Time, last Cut) (time.Time, error) {
	grid := r.ledger.policy.Grid
	t := r.opts.At.UTC()
	switch {
	case t.IsZero():
		t = now.UTC().Truncate(grid)
	case !t.Equal(t.Truncate(grid)):
		return t, fmt.Errorf("%w: %s is no point of the grid of %s", ErrTime, t.Format(time.RFC3339), grid)
	case t.After(now):
		return t, fmt.Errorf("%w: %s is after the ledger's clock, %s", ErrTime, t.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	switch {
	case last.Seq == 0:
	case !t.After(last.Time):
		return t, errNotYet
	case last.beforeGap(t) && !r.opts.AllowGap:
		return t, fmt.Errorf("%w: %s is %s after the last cut, at most %s unless AllowGap is set",
			ErrTime, t.Format(time.RFC3339), t.Sub(last.Time), maxCutGap)
	}
	return t, nil
}

// choose decides which groups the cut takes: withdrawals and changes first,
// which never wait for room, then new units, smaller groups before larger ones.
func (r *releasing) choose(groups []Group) (*Choice, error) {
	p := &r.ledger.policy
	r.choice = &Choice{Policy: r.ledger.version, Tallies: Tallies{}}
	r.left, r.leftDay = p.MaxCut, p.MaxDay-int(r.start.Tallies[tallyReleased(r.time)])

	slices.SortFunc(groups, func(a, b Group) int {
		return cmp.Or(-cmp.Compare(a.Wait, b.Wait), cmp.Compare(a.Keys, b.Keys), a.Origin.Compare(b.Origin), ownFirst(a.Own, b.Own))
	})
	for _, g := range groups {
		switch {
		case g.Wait != WaitNew && !r.reaches(g):
			r.pass(g, p.WithdrawalWait)
		case g.Wait != WaitNew:
			r.noteExposed(g)
			r.take(g, g.Keys)
		case !r.reaches(g):
			r.pass(g, r.longestWait(g))
		default:
			r.takeNew(g)
		}
	}
	r.choice.Tallies.Add(tallyReleased(r.time), r.report.New+r.report.Changed+r.report.Gone)
	r.choice.Tallies.Add(tallyPadded, r.report.Padded)
	for name, n := range r.start.Tallies.seeUrgent() {
		r.choice.Tallies.Add(name, n)
	}
	return r.choice, nil
}

// ownFirst compares so that no order depends on that of a map.
func ownFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// longestWait returns how long a group of new units waits for others.
func (r *releasing) longestWait(g Group) time.Duration {
	if g.Own {
		return r.ledger.policy.LongestWait
	}
	return r.ledger.policy.ForeignWait
}

// reaches reports whether a group is large enough to go, or has waited long
// enough. What came by federation was grouped at its origin, unless the policy says
// otherwise; its withdrawals are never kept waiting.
func (r *releasing) reaches(g Group) bool {
	p := &r.ledger.policy
	keys, uploads, wait := p.MinKeys, p.MinUploads, r.longestWait(g)
	switch {
	case g.Wait == WaitChange, !g.Own && g.Wait == WaitWithdrawal:
		return true
	case !g.Own:
		keys, uploads = p.MinForeignKeys, 0
	case g.Wait == WaitWithdrawal:
		keys, uploads, wait = 0, p.MinWithdrawnUploads, p.WithdrawalWait
	}
	if times := r.times(g); g.Keys*times >= keys && g.Uploads*times >= uploads {
		return true
	}
	return r.waitedOut(g.GroupID, wait) || g.Wait == WaitWithdrawal && r.start.Tallies.urgent(g.Origin)
}

// waitedOut reports whether cuts have passed a group over for that long.
func (r *releasing) waitedOut(id GroupID, wait time.Duration) bool {
	since, passed := r.since(id)
	return passed && !r.time.Before(since.Add(wait))
}

// noteExposed notes that a group of withdrawals goes although it is too small.
func (r *releasing) noteExposed(g Group) {
	p := &r.ledger.policy
	switch {
	case !g.Own || g.Wait != WaitWithdrawal || g.Uploads >= p.MinWithdrawnUploads:
	case r.waitedOut(g.GroupID, p.WithdrawalWait):
		r.report.WaitedOut.add(g)
	default:
		r.report.ByOrder.add(g)
	}
}

// since returns the time of the first cut that passed a group over.
func (r *releasing) since(id GroupID) (time.Time, bool) {
	for _, w := range r.start.Waits {
		if w.GroupID == id {
			return w.Since, true
		}
	}
	return time.Time{}, false
}

// pass leaves a group to a later cut.
func (r *releasing) pass(g Group, wait time.Duration) {
	since, passed := r.since(g.GroupID)
	if !passed {
		since = r.time
	}
	r.choice.Waits = append(r.choice.Waits, GroupWait{GroupID: g.GroupID, Since: since})
	r.report.Waiting = append(r.report.Waiting, Waiting{Group: g, Since: since, Until: since.Add(wait)})
}

// take takes n of a group's events.
func (r *releasing) take(g Group, n int) {
	r.choice.Take = append(r.choice.Take, Take{GroupID: g.GroupID, Keys: n, Pad: r.times(g) > 1})
	r.use(n)
	switch g.Wait {
	case WaitChange:
		r.report.Changed += int64(n)
	case WaitWithdrawal:
		r.report.Gone += int64(n)
	}
}

// takeNew takes as much of a group of new units as there is room for, each unit
// with all its echoes. What is left over waits for the next cut, which takes it
// whatever its size.
func (r *releasing) takeNew(g Group) {
	times := r.times(g)
	fits := min(g.Keys, r.room()/times)
	if fits < g.Keys {
		r.report.Warnings = append(r.report.Warnings, fmt.Sprintf(
			"%s: %d keys are due and there is room for %d; the rest waits for a later cut", g.Origin, g.Keys*times, r.room()))
		r.passSurplus(g, fits)
	}
	if fits == 0 {
		return
	}
	r.take(g, fits)
	echoes := fits * (times - 1)
	r.use(echoes)
	r.report.New += int64(fits + echoes)
	r.report.Padded += int64(echoes)
}

// times returns how many keys a cut releases for each key of a group: itself and
// its echoes.
func (r *releasing) times(g Group) int {
	if !g.Own || g.Wait != WaitNew {
		return 1
	}
	return 1 + r.ledger.policy.Padding.Echoes
}

// room returns how many new keys the cut may still take.
func (r *releasing) room() int { return max(0, min(r.left, r.leftDay)) }

// use takes up room. Withdrawals and changes may take up more than there is.
func (r *releasing) use(n int) {
	r.left -= n
	r.leftDay -= n
}

// passSurplus makes what a cut had no room for overdue at the next.
func (r *releasing) passSurplus(g Group, taken int) {
	since := r.time.Add(-r.longestWait(g))
	r.choice.Waits = append(r.choice.Waits, GroupWait{GroupID: g.GroupID, Since: since})
	g.Keys -= taken
	r.report.Waiting = append(r.report.Waiting, Waiting{Group: g, Since: r.time, Until: r.time.Add(r.ledger.policy.Grid)})
}
