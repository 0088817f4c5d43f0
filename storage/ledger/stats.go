package ledger

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/gaenkit/gaen/keys"
)

// A Sink is a consumer of the ledger that can say what became of a unit: a
// package of archives, or a partner.
type Sink interface {
	Name() string // unique among sinks; no slash

	// Term says which of [TermSent], [TermDue], [TermNotForSink] and
	// [TermWithdrawn] describes a unit that has been released.
	Term(u *Unit) Term
}

// A Term is what has become of a claim in one sink. Every claim that was
// accepted is in exactly one.
type Term string

const (
	TermWaiting    Term = "waiting"   // for its due time, or for others to go with
	TermHeld       Term = "held"      // by quota, or by the operator
	TermWithdrawn  Term = "withdrawn" // before it was sent
	TermSent       Term = "sent"
	TermDue        Term = "due" // released, and to be sent
	TermNotForSink Term = "not-for-sink"
	TermExpired    Term = "expired" // removed before it was sent
)

// Stats are the books of a ledger. If they do not balance, something was lost:
// a bug. They are taken while nothing changes the ledger; otherwise they may be
// out by what came in between.
type Stats struct {
	Sources map[Source]*SourceStats
	Padded  int64 // keys made up at cuts, in none of the sources
}

// SourceStats are the books of one source.
type SourceStats struct {
	Offered    int64
	Accepted   int64
	Revised    int64
	Duplicates int64
	Rejected   map[string]int64 // by field and reason, "rolling_period/range"

	WithdrawalsOffered int64
	WithdrawalsTaken   int64
	WithdrawalsKept    int64
	WithdrawalsRefused int64

	Sinks map[string]map[Term]int64

	removed int64            // claims
	counted map[string]int64 // of those, in each sink
}

// Stats reads the whole ledger and says what became of every key in every one
// of the given sinks.
func (l *Ledger) Stats(ctx context.Context, sinks ...Sink) (*Stats, error) {
	log, err := l.store.Log(ctx, 0)
	if err != nil {
		return nil, err
	}
	holds, err := l.Holds(ctx)
	if err != nil {
		return nil, err
	}
	stats := &Stats{Sources: map[Source]*SourceStats{}}
	for name, n := range log.Tallies {
		stats.tally(name, n)
	}
	for rec, err := range l.store.Find(ctx, Query{}) {
		if err != nil {
			return nil, err
		}
		for source := range rec.Unit.claimants() {
			for _, sink := range sinks {
				stats.source(source).sink(sink.Name())[termOf(rec.Unit, sink, holds)]++
			}
		}
	}
	for _, source := range stats.Sources {
		for _, sink := range sinks {
			// What was removed before there was such a sink was not for it.
			terms := source.sink(sink.Name())
			terms[TermNotForSink] += source.removed - source.counted[sink.Name()]
		}
	}
	return stats, nil
}

// claimants yields the sources whose claims on a unit were accepted. Padding
// has none.
func (u *Unit) claimants() iter.Seq[Source] {
	if u.Key.Provenance == keys.Padding {
		return func(func(Source) bool) {}
	}
	sources := map[Source]bool{}
	for _, c := range u.Claims {
		sources[c.Source] = true
	}
	return maps.Keys(sources)
}

// termOf says what has become of a unit in a sink.
func termOf(u *Unit, sink Sink, holds Holds) Term {
	if u.Released() {
		return sink.Term(u)
	}
	_, wait := u.Pending()
	switch {
	case wait == WaitNothing:
		return TermWithdrawn
	case u.Held() || holds.Holds(u.Key.Origin, u.Sources()):
		return TermHeld
	default:
		return TermWaiting
	}
}

func (s *Stats) source(name Source) *SourceStats {
	if s.Sources[name] == nil {
		s.Sources[name] = &SourceStats{Rejected: map[string]int64{}, Sinks: map[string]map[Term]int64{}, counted: map[string]int64{}}
	}
	return s.Sources[name]
}

func (s *SourceStats) sink(name string) map[Term]int64 {
	if s.Sinks[name] == nil {
		s.Sinks[name] = map[Term]int64{}
	}
	return s.Sinks[name]
}

// tally enters one counter of the ledger.
func (s *Stats) tally(name string, n int64) {
	kind, rest, _ := strings.Cut(name, "/")
	source, detail, _ := strings.Cut(rest, "/")
	switch kind + "/" {
	case tallyOffered:
		s.source(Source(source)).Offered = n
	case tallyAccepted:
		s.source(Source(source)).Accepted = n
	case tallyRevised:
		s.source(Source(source)).Revised = n
	case tallyDuplicate:
		s.source(Source(source)).Duplicates = n
	case tallyRejections:
		s.source(Source(source)).Rejected[detail] = n
	case tallyWithdrawn:
		s.source(Source(source)).withdrawals(detail, n)
	case tallyPruned:
		sink, term, _ := strings.Cut(detail, "/")
		s.source(Source(source)).sink(sink)[Term(term)] += n
		s.source(Source(source)).counted[sink] += n
	case tallyRemoved:
		s.source(Source(source)).removed = n
	case tallyPadded + "/":
		s.Padded = n
	}
}

func (s *SourceStats) withdrawals(detail string, n int64) {
	switch detail {
	case "offered":
		s.WithdrawalsOffered = n
	case "taken":
		s.WithdrawalsTaken = n
	case "kept":
		s.WithdrawalsKept = n
	case "refused":
		s.WithdrawalsRefused = n
	}
}

// Check returns an error that names every equation that does not hold:
//
//	offered = accepted + revised + duplicate + rejected
//	accepted = the sum of the terms, for every sink
//	withdrawals offered = taken + kept + refused
func (s *Stats) Check() error {
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(s.Sources)) {
		wrong = append(wrong, s.Sources[name].check(name)...)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("ledger: the books do not balance:\n\t%s", strings.Join(wrong, "\n\t"))
	}
	return nil
}

func (s *SourceStats) check(name Source) (wrong []string) {
	if sum := s.Accepted + s.Revised + s.Duplicates + total(s.Rejected); s.Offered != sum {
		wrong = append(wrong, fmt.Sprintf("%s: %d keys offered, %d accounted for", name, s.Offered, sum))
	}
	if sum := s.WithdrawalsTaken + s.WithdrawalsKept + s.WithdrawalsRefused; s.WithdrawalsOffered != sum {
		wrong = append(wrong, fmt.Sprintf("%s: %d withdrawals offered, %d accounted for", name, s.WithdrawalsOffered, sum))
	}
	for _, sink := range slices.Sorted(maps.Keys(s.Sinks)) {
		if sum := total(s.Sinks[sink]); s.Accepted != sum {
			wrong = append(wrong, fmt.Sprintf("%s: %d keys accepted, %d accounted for in %s", name, s.Accepted, sum, sink))
		}
	}
	return wrong
}

func total[K comparable](m map[K]int64) (sum int64) {
	for _, n := range m {
		sum += n
	}
	return sum
}
