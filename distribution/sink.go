package distribution

import (
	"context"
	"slices"
	"sort"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// Sinks returns the packages as the ledger's books know them, as of now.
func (p *Publisher) Sinks(ctx context.Context) ([]ledger.Sink, error) {
	r := newRun(p)
	if err := r.readBooks(ctx); err != nil {
		return nil, err
	}
	var sinks []ledger.Sink
	for _, s := range r.sinks() {
		sinks = append(sinks, s)
	}
	return sinks, nil
}

// readBooks reads the registers and the whole log, and nothing of the bucket.
func (r *run) readBooks(ctx context.Context) (err error) {
	if r.state, err = r.readState(ctx); err != nil {
		return err
	}
	r.log, err = r.ledger.Log(ctx, 0)
	return err
}

// sinks returns the packages as the books know them.
func (r *run) sinks() (sinks []*packageSink) {
	p := r.Publisher
	for i := range p.packages {
		pkg := &p.packages[i]
		e := r.state.packages[pkg.Name]
		if e == nil {
			e = &packageEntry{packageState: r.begin(pkg)}
			e.goBy(pkg)
		}
		s := &packageSink{
			pkg:    pkg,
			span:   base(p.layout),
			name:   p.opts.Output + "." + pkg.Name,
			viewer: viewer{state: &e.packageState, maps: p.maps},
			ends:   r.windowEnds(),
		}
		for _, c := range r.state.plans {
			if c.pkg == pkg.Name && c.Span == base(p.layout).Name {
				s.plans = append(s.plans, c)
			}
		}
		sinks = append(sinks, s)
	}
	return sinks
}

// packageSink says what became of a unit in a package.
type packageSink struct {
	pkg    *Package
	span   Span // the base
	name   string
	viewer viewer
	ends   []windowEnd
	plans  []*committed // of base windows, in order
}

// windowEnd is the end of a base window: the last number in it.
type windowEnd struct {
	time time.Time
	last int64
}

// windowEnds returns the ends of all base windows in which a cut was made.
func (r *run) windowEnds() []windowEnd {
	var ends []windowEnd
	for _, c := range r.log.Cuts {
		end := windowAt(r.layout, base(r.layout), c.Time.Add(-1)).End
		if n := len(ends); n > 0 && ends[n-1].time.Equal(end) {
			ends[n-1].last = c.Last
			continue
		}
		ends = append(ends, windowEnd{end, c.Last})
	}
	return ends
}

// Name returns output and package.
func (s *packageSink) Name() string { return s.name }

// Term says what became of a unit that has been released. A unit that was
// active at the end of no base window was withdrawn before a file was made; one
// that no selector took, or every map left out, is not for the package.
func (s *packageSink) Term(u *ledger.Unit) ledger.Term {
	taken := false
	for _, e := range u.Events {
		if s.viewer.unitAt(u, e.Number, farFuture).ok {
			taken = true
		}
		end := s.endOf(e.Number)
		if end == nil {
			continue
		}
		if s.viewer.unitAt(u, end.last, farFuture).ok {
			return s.sent(end)
		}
	}
	if taken {
		return ledger.TermWithdrawn
	}
	return ledger.TermNotForSink
}

// farFuture is a time at which no key is under embargo.
var farFuture = time.Unix(1<<40, 0)

// endOf returns the end of the base window that a number lies in.
func (s *packageSink) endOf(n int64) *windowEnd {
	i := s.placeOf(n)
	if i == len(s.ends) {
		return nil
	}
	return &s.ends[i]
}

// placeOf returns the place of that end, the number of ends if there is none.
func (s *packageSink) placeOf(n int64) int {
	return sort.Search(len(s.ends), func(i int) bool { return s.ends[i].last >= n })
}

// planOf returns the plan of the base window that ends at a time, nil if there is
// none.
func (s *packageSink) planOf(end time.Time) *committed {
	i, found := slices.BinarySearchFunc(s.plans, end, func(c *committed, t time.Time) int { return c.End.Compare(t) })
	if !found {
		return nil
	}
	return s.plans[i]
}

// sent says what became of the window that ends there.
func (s *packageSink) sent(end *windowEnd) ledger.Term {
	if s.viewer.state.Next.Before(end.time) {
		return ledger.TermDue
	}
	switch plan := s.planOf(end.time); {
	case plan == nil: // carried out, kept for its time, and forgotten
		return ledger.TermSent
	case !plan.Expired.IsZero():
		return ledger.TermExpired
	case plan.Completed.IsZero():
		return ledger.TermDue
	}
	return ledger.TermSent
}
