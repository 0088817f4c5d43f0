package distribution

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// commitTries is how often a run plans again because another was quicker.
const commitTries = 10

// commit stores the plans of all windows that are due, for all packages, in one
// step. If another run does so at the same time, its plans are carried out
// instead.
func (r *run) commit(ctx context.Context) error {
	nonce := ledger.NewNonce()
	for range commitTries {
		r.report.LeftOut, r.report.Shared = nil, nil // of windows planned in vain
		r.kept = keeping{}                           // likewise
		fresh, err := r.due(ctx)
		if err != nil {
			return err
		}
		swaps, err := r.swapsOf(fresh)
		if err != nil || len(swaps) == 0 {
			return err
		}
		err = r.ledger.Swap(ctx, nonce, swaps...)
		if _, ok := errors.AsType[*ledger.ConflictError](err); !ok && err != nil {
			return fmt.Errorf("distribution: committing plans: %w", err)
		}
		// What was committed, by this run or another, is read back with its versions.
		committed := err == nil
		if r.state, err = r.readState(ctx); err != nil {
			return err
		}
		if committed {
			return nil
		}
		if err := r.checkHistory(ctx); err != nil {
			return err
		}
	}
	return errors.New("distribution: other runs keep committing plans")
}

// due returns the plans of all windows that are closed and not planned yet, and
// moves the packages' states on.
func (r *run) due(ctx context.Context) ([]*committed, error) {
	var fresh []*committed
	for i := range r.packages {
		fresh = append(fresh, r.duePackage(&r.packages[i])...)
	}
	return fresh, r.fill(ctx, fresh)
}

func (r *run) duePackage(pkg *Package) (fresh []*committed) {
	e := r.state.packages[pkg.Name]
	if e == nil {
		e = &packageEntry{packageState: r.begin(pkg)}
		r.state.packages[pkg.Name] = e
	}
	e.goBy(pkg)
	for {
		c := r.nextWindow(pkg, &e.packageState)
		if c == nil {
			return fresh
		}
		fresh = append(fresh, c)
		fresh = append(fresh, r.rollUps(pkg, c, fresh)...)
	}
}

// begin returns the state of a package that was never planned.
func (r *run) begin(pkg *Package) packageState {
	if pkg.FromBeginning || r.log.Last.Seq == 0 {
		return packageState{}
	}
	return packageState{
		Position: r.log.Last.Position(),
		Next:     windowAt(r.layout, base(r.layout), r.log.Last.Time).Start,
	}
}

// nextWindow plans the next base window of a package, if it is closed: if a cut
// at or after its end has been made.
func (r *run) nextWindow(pkg *Package, s *packageState) *committed {
	span := base(r.layout)
	if s.Next.IsZero() {
		if len(r.log.Cuts) == 0 {
			return nil
		}
		s.Next = windowAt(r.layout, span, r.log.Cuts[0].Time.Add(-1)).Start
	}
	w := Window{s.Next, s.Next.Add(span.Length)}
	if r.log.Last.Time.Before(w.End) {
		return nil
	}
	to := s.Position
	for _, c := range r.log.Cuts {
		if c.Time.After(w.End) {
			break
		}
		if c.Seq > to.Cut {
			to = c.Position()
		}
	}
	c := r.newPlan(pkg, span, w)
	c.From, c.To = s.Position, to
	s.Position, s.Next = to, w.End
	return c
}

// rollUps plans the longer files that the base window last completes, which are
// made of plans that exist and of those made just now.
func (r *run) rollUps(pkg *Package, last *committed, fresh []*committed) []*committed {
	var plans []*committed
	for _, span := range r.layout.Spans()[1:] {
		w := windowAt(r.layout, span, last.Start)
		if !w.End.Equal(last.End) {
			continue
		}
		c := r.newPlan(pkg, span, w)
		if span.State {
			c.From, c.To = last.To, last.To
		} else {
			c.rollUp(r.basesIn(pkg, w, fresh))
		}
		plans = append(plans, c)
	}
	return plans
}

// rollUp has the plan hold what the given base plans hold together.
func (p *plan) rollUp(bases []*committed) {
	p.From, p.To = bases[0].From, bases[len(bases)-1].To
	p.Bounds = []int64{p.From.Number}
	for _, b := range bases {
		p.Bounds = append(p.Bounds, b.To.Number)
	}
}

// basesIn returns a package's base plans in a window, in order.
func (r *run) basesIn(pkg *Package, w Window, fresh []*committed) []*committed {
	var bases []*committed
	for _, c := range slices.Concat(r.state.plans, fresh) {
		if c.pkg == pkg.Name && c.Span == base(r.layout).Name && !c.Start.Before(w.Start) && !c.End.After(w.End) {
			bases = append(bases, c)
		}
	}
	return bases
}

func (r *run) newPlan(pkg *Package, span Span, w Window) *committed {
	return &committed{
		plan: plan{Span: span.Name, Start: w.Start, End: w.End, Region: pkg.region()},
		pkg:  pkg.Name,
		name: r.planRegister(pkg.Name, span.Name, w.Start),
	}
}

// fill decides of new plans how each window is cut into files and who signs them.
// One that is already past its retention gets no file.
func (r *run) fill(ctx context.Context, fresh []*committed) error {
	var unread []*committed
	for _, c := range fresh {
		span := r.span(c.Span)
		if r.tooOld(span, c) {
			c.Completed = r.now
			continue
		}
		signers, err := r.signersAt(c.End)
		if err != nil {
			return err
		}
		c.Signers = identities(signers)
		if span.State {
			c.Parts = []part{{}} // what it holds is counted when it is written
			continue
		}
		c.Expire = span.Expire && r.remembers(span.firstDay(c.Start), r.now)
		unread = append(unread, c)
	}
	for _, s := range r.sweepsToCount(unread) {
		if err := r.count(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// sweepsToCount puts new plans together. Those that are only counted take no memory;
// an encoder is shown the content of each.
func (r *run) sweepsToCount(fresh []*committed) []sweep {
	most := math.MaxInt
	if _, ok := r.layout.(Encoder); ok {
		most = r.held()
	}
	return sweeps(fresh, (*plan).numbers, most)
}

// count reads what a sweep holds and cuts it into files. What there is room for is
// kept until it is written, so that a run that is not behind reads once.
func (r *run) count(ctx context.Context, s sweep) error {
	_, collect := r.layout.(Encoder)
	collect = collect || r.kept.keys+s.weight <= r.held()
	var drafts []*draft
	for _, c := range s.plans {
		drafts = append(drafts, r.newDraft(c, collect))
	}
	r.read(ctx, drafts...)
	for _, d := range drafts {
		if err := r.cut(ctx, d); err != nil {
			return err
		}
		r.keep(d)
	}
	return nil
}

// cut cuts what was read for a plan into files.
func (r *run) cut(ctx context.Context, d *draft) error {
	span := r.span(d.Span)
	if errors.Is(d.err, ledger.ErrPruned) {
		d.Expired = r.now
		d.Parts = []part{}
		r.report.expired(r.planned(d.committed))
		return nil
	}
	if d.err != nil {
		return d.err
	}
	if span == base(r.layout) {
		r.report.viewed(d.pkg, d.viewer)
	}
	if e, ok := r.layout.(Encoder); ok {
		d.Parts = kinds(e, span, d.content)
		return nil
	}
	signers, err := r.signersOf(d.committed)
	if err != nil {
		return err
	}
	d.Parts, err = r.divide(ctx, d, span, signers)
	return err
}

// keeping is what was read for plans that a run has made itself.
type keeping struct {
	drafts map[string]*draft // by register
	keys   int               // in all that was ever kept
}

// keep holds what was read for a plan until it is written, if there is room for it.
func (r *run) keep(d *draft) {
	if d.content == nil || d.err != nil || r.kept.keys+d.total() > r.held() {
		return
	}
	if r.kept.drafts == nil {
		r.kept.drafts = map[string]*draft{}
	}
	r.kept.drafts[d.name] = d
	r.kept.keys += d.total()
}

// tooOld reports whether a window that is planned now is past its retention.
func (r *run) tooOld(span Span, c *committed) bool {
	if span.State {
		newest := windowAt(r.layout, span, r.log.Last.Time).Start // where the last closed window ends
		return !c.End.Add(time.Duration(span.Keep) * span.Length).After(newest)
	}
	return !r.now.Before(retiredAt(r.layout, span, c.window()))
}

// span returns the layout's span of that name.
func (r *run) span(name string) Span { return spanOf(r.layout, name) }

func spanOf(l Layout, name string) Span {
	for _, s := range l.Spans() {
		if s.Name == name {
			return s
		}
	}
	return Span{}
}

// swapsOf returns the swaps that commit plans, with the states of their
// packages. Without plans it returns those of packages that are new.
func (r *run) swapsOf(fresh []*committed) ([]ledger.Swap, error) {
	planned := map[string]bool{}
	var swaps []ledger.Swap
	for _, c := range fresh {
		planned[c.pkg] = true
		swap, err := c.swap()
		if err != nil {
			return nil, err
		}
		swaps = append(swaps, swap)
	}
	for i := range r.packages {
		name := r.packages[i].Name
		e := r.state.packages[name]
		if !planned[name] && e.version != 0 {
			continue
		}
		swap, err := swapTo(r.packageRegister(name), e.version, &e.packageState)
		if err != nil {
			return nil, err
		}
		swaps = append(swaps, swap)
		if e.version != 0 {
			continue
		}
		// From the first plan on the ledger must know what the package needs.
		floor := r.floorOf(name, &e.packageState, slices.Concat(r.state.plans, fresh))
		register := r.floorRegister(name)
		swaps = append(swaps, ledger.Swap{Name: register, Version: r.state.floors[register].Version, Value: floor.Value()})
	}
	return swaps, nil
}

// floorOf returns from where on a package still reads: its first plan that is
// not carried out, or the first base window of a roll-up that is not planned.
func (r *run) floorOf(name string, s *packageState, plans []*committed) ledger.Floor {
	floor := ledger.Floor{Number: s.Position.Number, Time: s.Next}
	lower := func(n int64, t time.Time) {
		if n < floor.Number {
			floor = ledger.Floor{Number: n, Time: t}
		}
	}
	for _, c := range plans {
		if c.pkg != name {
			continue
		}
		if !c.done() {
			lower(c.From.Number, c.Start)
		}
		for _, span := range r.layout.Spans()[1:] {
			if !span.State && c.Span == base(r.layout).Name && !c.Start.Before(windowAt(r.layout, span, s.Next).Start) {
				lower(c.From.Number, c.Start)
			}
		}
	}
	return floor
}
