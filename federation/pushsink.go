package federation

import (
	"context"
	"math"
	"slices"

	"github.com/gaenkit/gaen/storage/ledger"
)

// Sink returns the partner as the ledger's books know it, as of now.
func (p *Push) Sink(ctx context.Context) (ledger.Sink, error) {
	s, err := p.books(ctx)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// books returns what is recorded of the partner, and the range that is to come.
func (p *Push) books(ctx context.Context) (*pushSink, error) {
	state, err := readPushState(ctx, p.ledger, p.name)
	if err != nil {
		return nil, err
	}
	if state.version == 0 && !p.opts.FromBeginning {
		log, err := p.ledger.Log(ctx, math.MaxInt64)
		if err != nil {
			return nil, err
		}
		state.Position = log.Last.Position()
	}
	// What is not in a range yet will be in one that goes by the present rules.
	ahead := &pushRange{From: state.Position, Rules: p.rules, Total: 1}
	ahead.To.Number = math.MaxInt64
	state.ranges = append(state.ranges, ahead)
	return &pushSink{name: string(p.name), identity: p.ledger.Identity(), state: state, ranges: state.ranges, view: state.view(p.name), refused: state.refused()}, nil
}

// pushSink says what became of a unit on its way to a partner.
type pushSink struct {
	name     string
	identity ledger.Identity
	state    *pushState
	ranges   []*pushRange
	view     *view
	refused  refusals
}

// Name returns the instance's.
func (s *pushSink) Name() string { return s.name }

// Term says what became of a unit that has been released. A key that the partner
// will never take is not for it; one that was withdrawn before any range told of
// it was withdrawn before it was sent.
func (s *pushSink) Term(u *ledger.Unit) ledger.Term {
	term := ledger.TermNotForSink
	refused := s.refused.of(s.identity, u)
	told, taken := false, false
	s.view.follow(len(s.ranges)-1, u, func(j int, what telling, _ ledger.Event, _ string) {
		if what != aKey {
			return
		}
		told = true
		if !taken && !slices.Contains(refused, j) {
			taken, term = true, s.sent(s.ranges[j])
		}
	})
	if !told && s.wouldBeTold(u) {
		return ledger.TermWithdrawn
	}
	return term
}

// sent says what became of what a range says.
func (s *pushSink) sent(g *pushRange) ledger.Term {
	switch {
	case !g.Expired.IsZero():
		return ledger.TermExpired
	case g.done():
		return ledger.TermSent
	}
	return ledger.TermDue
}

// wouldBeTold reports whether a unit would have been told of, had it stayed active.
func (s *pushSink) wouldBeTold(u *ledger.Unit) bool {
	for _, e := range u.Events {
		if e.Partners == ledger.Active && s.view.leavesOut(len(s.ranges)-1, u, e) == "" {
			return u.Events[len(u.Events)-1].Partners == ledger.Withdrawn
		}
	}
	return false
}
