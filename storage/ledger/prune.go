package ledger

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"
)

// pruneBatch is how many units one step of [Ledger.Prune] removes, so that it
// never keeps submissions waiting for long.
const pruneBatch = 5000

// floorPrefix begins the names of the registers that say how far back consumers
// still read.
const floorPrefix = "floor/"

// A Floor says that a consumer still reads what has a number after Number. The
// time is that of the cut that ends with it.
type Floor struct {
	Number int64     `json:"number"`
	Time   time.Time `json:"time"`
}

// FloorRegister returns the name of the register that holds a consumer's floor.
func FloorRegister(consumer string) string { return floorPrefix + consumer }

// Value returns what a floor register holds.
func (f Floor) Value() []byte {
	b, err := json.Marshal(f)
	if err != nil {
		panic("ledger: floor: " + err.Error()) // years beyond 9999
	}
	return b
}

// A PruneReport says what was removed.
type PruneReport struct {
	Removed int
	Orders  int // records of orders older than [OrderAge]

	// Expired are consumers that stood still for longer than the prune age.
	// What they had not read may be gone; nobody waits for them.
	Expired []string
}

// Prune removes the units that nobody needs any longer: those that ended before
// the prune age, and those to be erased, unless a consumer's floor says that it
// still reads them. What had become of them in the given sinks is counted first.
// The records of old orders go, too.
//
// Where the clock is so far after the last cut that [Ledger.Release] makes none
// without [ReleaseOptions.AllowGap], nothing is removed, and the error satisfies
// errors.Is(err, [ErrTime]): a clock that jumped ahead would have all keys be old.
// After an outage, release first.
func (l *Ledger) Prune(ctx context.Context, sinks ...Sink) (*PruneReport, error) {
	log, err := l.store.Log(ctx, 0)
	if err != nil {
		return nil, err
	}
	if t := log.Now.UTC().Truncate(l.policy.Grid); log.Last.beforeGap(t) {
		return nil, fmt.Errorf("%w: %s is %s after the last cut; until there is one, nothing is removed", ErrTime, t.Format(time.RFC3339), t.Sub(log.Last.Time))
	}
	report := &PruneReport{}
	floor, err := l.floor(ctx, log, report)
	if err != nil {
		return nil, err
	}
	count := &pruning{sinks: sinks, keep: l.policy.PruneAge, now: log.Now}
	for {
		count.again()
		n, err := l.store.Remove(ctx, &Removal{
			Now:     log.Now,
			Ended:   log.Now.Add(-l.policy.PruneAge),
			Floor:   floor,
			Limit:   pruneBatch,
			Forget:  log.Tallies.outdated(log.Now.Add(-l.policy.PruneAge)),
			Each:    count.each,
			Tallies: func() Tallies { return count.tallies },
			Again:   count.again,
		})
		report.Removed += n
		if err != nil {
			return report, err
		}
		if n < pruneBatch {
			break
		}
	}
	report.Orders, err = l.pruneOrders(ctx, log.Now)
	return report, err
}

// floor returns the number that all consumers have read up to, as far as they
// are alive.
func (l *Ledger) floor(ctx context.Context, log *Log, report *PruneReport) (int64, error) {
	registers, err := l.store.Registers(ctx, floorPrefix)
	if err != nil {
		return 0, err
	}
	floor := log.Last.Last
	for _, r := range registers {
		var f Floor
		if err := json.Unmarshal(r.Value, &f); err != nil {
			return 0, fmt.Errorf("ledger: register %s: %w", r.Name, err)
		}
		if f.Number < log.Last.Last && f.Time.Before(log.Now.Add(-l.policy.PruneAge)) {
			report.Expired = append(report.Expired, r.Name[len(floorPrefix):])
			continue
		}
		floor = min(floor, f.Number)
	}
	return floor, nil
}

// pruning counts what one step removes.
type pruning struct {
	sinks   []Sink
	keep    time.Duration // how long after its end any process may accept a key: none accepts older ones, see checkAges
	now     time.Time
	tallies Tallies
}

func (p *pruning) again() { p.tallies = Tallies{} }

func (p *pruning) each(u *Unit) (tombstone time.Time) {
	for source := range u.claimants() {
		p.tallies.Add(tallyRemoved+string(source), 1)
		for _, sink := range p.sinks {
			term := termOf(u, sink, Holds{})
			if term == TermWaiting || term == TermHeld || term == TermDue {
				term = TermExpired
			}
			p.tallies.Add(tallyPruned+string(source)+"/"+sink.Name()+"/"+string(term), 1)
		}
	}
	// A key may be accepted up to and including the moment it reaches the age.
	until := u.Key.End().Add(p.keep + time.Microsecond)
	if (u.SourceWithdrew || u.operatorWithdrew()) && until.After(p.now) {
		return until
	}
	return time.Time{}
}

// A Tombstone is what stays of a unit that was withdrawn and removed, so that
// it is not accepted again: a hash, from which the key cannot be had.
type Tombstone [32]byte

// TombstoneOf returns the tombstone of a unit in the ledger with that identity.
func TombstoneOf(id Identity, u UnitID) Tombstone {
	h := hmac.New(sha256.New, id[:])
	h.Write([]byte(u.Origin.String()))
	h.Write([]byte{0})
	h.Write(u.KeyData[:])
	return Tombstone(h.Sum(nil))
}
