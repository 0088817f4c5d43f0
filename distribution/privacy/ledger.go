package privacy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// An Output is what is published of a ledger in one layout.
type Output struct {
	Layout   distribution.Layout
	Packages []distribution.Package
}

// OfLedger reports what a ledger has released, and what its outputs tell of it by
// the selectors and maps that they have now. It goes by the ledger's present policy.
// Without outputs there are no cohorts.
func OfLedger(ctx context.Context, l *ledger.Ledger, outputs []Output, opts *Options) (*Report, error) {
	o, err := settle(opts)
	if err != nil {
		return nil, err
	}
	log, err := l.Log(ctx, 0)
	if err != nil {
		return nil, fmt.Errorf("privacy: %w", err)
	}
	r := newReading(l, o)
	for i := range outputs {
		for j := range outputs[i].Packages {
			r.cohorts = append(r.cohorts, newCohorts(outputs[i].Layout, &outputs[i].Packages[j], r))
		}
	}
	if err := r.log(ctx, log.Cuts); err != nil {
		return nil, err
	}
	return r.finish(), nil
}

// reading is one reading of a ledger.
type reading struct {
	ledger  *ledger.Ledger
	policy  ledger.Policy
	version int64 // of the policy
	opts    Options

	report   *Report
	findings findings
	cohorts  []*cohorts
	origins  map[groupID]*Origin
	others   int // cuts of another policy

	now *cutReading
}

func newReading(l *ledger.Ledger, o Options) *reading {
	r := &reading{ledger: l, opts: o, report: &Report{Of: "ledger"}, findings: findings{}, origins: map[groupID]*Origin{}}
	r.policy, r.version = l.Policy()
	return r
}

// cutReading is what is known of the cut at hand.
type cutReading struct {
	window    distribution.Window // since the cut before
	from, to  int64
	groups    map[groupID]*group
	withdrawn map[keys.Region]*group
	shapes    map[keys.Region]*shapes
}

// log reads the cuts one after the other.
func (r *reading) log(ctx context.Context, cuts []ledger.Cut) error {
	var before ledger.Cut
	for _, c := range cuts {
		if r.opts.Since.Before(c.Time) {
			if err := r.cut(ctx, before, c); err != nil {
				return err
			}
		}
		before = c
	}
	return nil
}

func (r *reading) cut(ctx context.Context, before, c ledger.Cut) error {
	start := before.Time
	if before.Seq == 0 {
		start = c.Time.Add(-r.policy.Grid)
	}
	r.now = &cutReading{
		window: distribution.Window{Start: start.UTC(), End: c.Time.UTC()}, from: before.Last, to: c.Last,
		groups: map[groupID]*group{}, withdrawn: map[keys.Region]*group{}, shapes: map[keys.Region]*shapes{},
	}
	for _, cohorts := range r.cohorts {
		cohorts.begin(c.Time)
	}
	for u, err := range r.ledger.Read(ctx, before.Last, c.Last) {
		switch {
		case errors.Is(err, ledger.ErrPruned):
			r.report.Pruned++
			return nil
		case err != nil:
			return fmt.Errorf("privacy: the cut of %s: %w", moment(c.Time), err)
		}
		r.unit(u)
		for i := range u.Siblings {
			r.unit(&u.Siblings[i])
		}
	}
	r.endCut(c)
	return nil
}

// unit takes what the cut says of a unit.
func (r *reading) unit(u *ledger.Unit) {
	var last ledger.Event
	for _, e := range u.Events {
		if e.Number > r.now.from && e.Number <= r.now.to {
			r.event(u, last, e)
		}
		last = e
	}
}

// event takes an event of the cut: a release, or a withdrawal of what was released
// before it.
func (r *reading) event(u *ledger.Unit, last, e ledger.Event) {
	own := u.Events[0].Sources.Has(ledger.Own)
	switch {
	case last.Number == 0:
		r.released(u, e, own)
	case own && last.Own == ledger.Active && e.Own == ledger.Withdrawn:
		groupOf(r.now.withdrawn, u.Key.Origin).add(u)
	}
}

func (r *reading) released(u *ledger.Unit, e ledger.Event, own bool) {
	groupOf(r.now.groups, groupID{u.Key.Origin, own}).add(u)
	if !own {
		return
	}
	s := r.now.shapes[u.Key.Origin]
	if s == nil {
		s = &shapes{counts: map[shape]*shapeCount{}}
		r.now.shapes[u.Key.Origin] = s
	}
	s.add(u, e)
	for _, c := range r.cohorts {
		c.add(u, e)
	}
}

// endCut judges the cut.
func (r *reading) endCut(c ledger.Cut) {
	if r.report.Cuts == 0 {
		r.report.From = r.now.window.Start
	}
	r.report.Cuts++
	r.report.To = r.now.window.End
	if c.Policy != r.version {
		r.others++
	}
	if c.Seq > 1 {
		r.judgeDistance()
	}
	for id, g := range r.now.groups {
		r.judgeGroup(id, g)
	}
	for origin, g := range r.now.withdrawn {
		r.judgeWithdrawn(origin, g)
	}
	for origin, s := range r.now.shapes {
		r.judgePadding(origin, s)
	}
}

// judgeDistance finds cuts that follow each other faster than the grid.
func (r *reading) judgeDistance() {
	w := r.now.window
	if d := w.End.Sub(w.Start); d < r.opts.Finest {
		r.findings.add(Finding{
			Rule: RuleFiner, Severity: Warning, Where: "ledger", Worst: w,
			Measured: d.Minutes(), Limit: r.opts.Finest.Minutes(), Unit: "minutes",
			Detail: fmt.Sprintf("a cut %s after the one before, with less than %s between", d, r.opts.Finest),
			Do:     "have the policy's Grid an hour, or longer: what is cut apart is published apart",
		}, -d.Minutes())
	}
}

// finish returns the report.
func (r *reading) finish() *Report {
	for _, c := range r.cohorts {
		c.flush()
		r.report.Cohorts = append(r.report.Cohorts, c.sum)
	}
	r.finishOrigins()
	r.report.Findings = r.findings.list()
	r.report.Blind = r.blind()
	return r.report
}

func (r *reading) blind() []string {
	blind := []string{
		"how many uploads are in what came by federation: it was grouped where it came from",
		"what the files of several layouts and packages say when they are taken from each other; a report of the tree has it",
	}
	if r.report.Pruned > 0 {
		blind = append(blind, fmt.Sprintf("what %d cuts released, whose keys the ledger has forgotten", r.report.Pruned))
	}
	if r.others > 0 {
		blind = append(blind, fmt.Sprintf("whether %d cuts kept to the policy that they were made by; they are judged by the present one", r.others))
	}
	if len(r.cohorts) == 0 {
		blind = append(blind, "what archives tell of the onset of symptoms, since no output was named")
	}
	return blind
}

// windowAt returns the base window of a layout that what is cut at t is published
// in.
func windowAt(l distribution.Layout, t time.Time) distribution.Window {
	length := l.Spans()[0].Length
	start := t.UTC().Add(-1 - l.Offset()).Truncate(length).Add(l.Offset())
	return distribution.Window{Start: start, End: start.Add(length)}
}
