package ledgertest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// checkLikeMemory gives a store in memory and the one under test the same random
// steps, at the level of [ledger.Store]: units that no rule would ever make, choices
// of any part of any group.
func checkLikeMemory(tr *trial) {
	for _, seed := range tr.seeds(1 + tr.opts.histories()/8) {
		tr.newTwins(seed).run(60)
	}
}

// twins are a store in memory and the one under test, which are to behave alike.
type twins struct {
	*trial
	seed   uint64
	rand   *rand.Rand
	memory ledger.Store
	steps  []string // so far, for messages
}

func (tr *trial) newTwins(seed uint64) *twins {
	own := *tr // a trial of its own, with another clock
	w := &twins{trial: &own, seed: seed, rand: rand.New(rand.NewPCG(seed, 7))}
	w.clock = &clock{now: time.Date(2021, 3, 1, 9, 30, 0, 1000, time.UTC)}
	w.story = func() string { return fmt.Sprintf("seed %d, after %v: ", w.seed, w.steps) }
	w.memory = memledger.New(&memledger.Options{Clock: w.clock.Now})
	w.openStore()
	return w
}

func (w *twins) run(steps int) {
	for range steps {
		w.pass(time.Duration(w.rand.IntN(7200)) * time.Second)
		switch n := w.rand.IntN(10); {
		case n < 5:
			w.both("accept", w.accept)
		case n < 8:
			w.both("release", w.release)
		case n < 9:
			w.both("remove", w.remove)
		default:
			w.both("swap", w.swap)
		}
		w.compare()
	}
}

// both lets both stores take a step by the same random choices.
func (w *twins) both(name string, step func(ledger.Store, *rand.Rand) string) {
	seed := w.rand.Uint64()
	w.steps = append(w.steps, name)
	want := step(w.memory, rand.New(rand.NewPCG(seed, 1)))
	if got := step(w.store, rand.New(rand.NewPCG(seed, 1))); got != want {
		w.fail("the last step gives\n%s\nin memory:\n%s", got, want)
	}
}

// compare fails if the stores do not look alike.
func (w *twins) compare() {
	seed := w.rand.Uint64()
	want := w.observe(w.memory, rand.New(rand.NewPCG(seed, 2)))
	got := w.observe(w.store, rand.New(rand.NewPCG(seed, 2)))
	if a, b := strings.Join(want, "\n"), strings.Join(got, "\n"); a != b {
		w.fail("what can be observed has changed: what is in memory\n%s\nis\n%s", without(a, b), without(b, a))
	}
}

var (
	twinOrigins = regions("DE", "DE-BY", "AT")
	twinSources = []ledger.Source{ledger.Own, "p", "q"}
	twinUploads = []string{"", "a", "b", "c", "d e"}
	twinNames   = []string{"a", "a/1", "b", "floor/x"}
)

func regions(codes ...string) (all []keys.Region) {
	for _, code := range codes {
		all = append(all, keys.MustRegion(code))
	}
	return all
}

// someID returns one of 60 units: 20 keys of three origins.
func someID(r *rand.Rand) ledger.UnitID {
	id := ledger.UnitID{Origin: pick(r, twinOrigins...)}
	id.KeyData[0], id.KeyData[15] = 1, byte(r.IntN(20))
	return id
}

func maybe[T comparable](r *rand.Rand, from ...T) keys.Optional[T] {
	if r.IntN(3) == 0 {
		return keys.Optional[T]{}
	}
	return keys.Some(pick(r, from...))
}

// someKey returns a key that ended two to five days ago, or is about to.
func (w *twins) someKey(r *rand.Rand, id ledger.UnitID) keys.DiagnosisKey {
	visited, err := keys.RegionsOf(regions("FR", "BE", "NL")[:r.IntN(4)]...)
	if err != nil {
		w.fail("%v", err)
	}
	return keys.DiagnosisKey{
		TemporaryExposureKey: keys.TemporaryExposureKey{
			KeyData:                    id.KeyData,
			RollingStartIntervalNumber: keys.IntervalAt(w.clock.Now()) - keys.Interval(pick(r, 144, 288, 720)),
			RollingPeriod:              pick[uint8](r, 1, 127, 128, 144),
			TransmissionRiskLevel:      maybe[keys.TransmissionRiskLevel](r, 0, 1, 8),
			ReportType:                 maybe(r, keys.ReportUnknown, keys.ReportConfirmedTest, keys.ReportSelfReport),
			VariantOfConcern:           maybe[keys.VariantOfConcern](r, 0, 4),
			DaysSinceOnsetOfSymptoms:   maybe[keys.DaysSinceOnset](r, -14, 0, 14, 4014),
		},
		Origin:            id.Origin,
		VisitedCountries:  visited,
		TestType:          keys.TestType(r.IntN(4)),
		ConsentToFederate: keys.Consent(r.IntN(3)),
		Provenance:        keys.Provenance(r.IntN(2)),
	}
}

// someUnit returns a unit in any state, with the events that it has.
func (w *twins) someUnit(r *rand.Rand, id ledger.UnitID, before *ledger.Unit) *ledger.Unit {
	u := &ledger.Unit{
		Key:              w.someKey(r, id),
		Accepted:         w.clock.Now().Add(-time.Duration(r.IntN(3)) * time.Hour),
		Due:              w.clock.Now().Add(time.Duration(r.IntN(3)-1) * time.Hour),
		Upload:           pick(r, twinUploads...),
		SourceWithdrew:   r.IntN(6) == 0,
		OperatorWithdrew: r.IntN(6) == 0,
		Erase:            r.IntN(8) == 0,
	}
	if before != nil {
		u.Events = before.Events
	}
	if before != nil && before.Released() {
		report := u.Key.ReportType
		u.Key = before.Key // nothing but the report type changes from then on
		u.Key.ReportType = report
	}
	for range r.IntN(4) {
		u.Claims = append(u.Claims, w.someClaim(r, u))
	}
	return u
}

// someClaim returns a claim on u that says what u says, or anything.
func (w *twins) someClaim(r *rand.Rand, u *ledger.Unit) ledger.Claim {
	c := ledger.Claim{
		Source:    pick(r, twinSources...),
		Upload:    u.Upload,
		Accepted:  u.Accepted,
		Key:       u.Key,
		Held:      r.IntN(4) == 0,
		Withdrawn: r.IntN(4) == 0,
	}
	if r.IntN(2) == 0 {
		c.Upload, c.Accepted = pick(r, twinUploads...), w.clock.Now()
	}
	switch r.IntN(4) {
	case 0:
		c.Key = w.someKey(r, u.ID())
	case 1:
		c.Key = w.someKey(r, someID(r))
	case 2:
		c.Key = keys.DiagnosisKey{}
	}
	return c
}

func someTallies(r *rand.Rand) ledger.Tallies {
	t := ledger.Tallies{}
	for range r.IntN(3) {
		t.Add(pick(r, twinNames...), int64(r.IntN(3)))
	}
	return t
}

func (w *twins) accept(s ledger.Store, r *rand.Rand) string {
	seen := map[ledger.UnitID]bool{}
	in := &ledger.Intake{Registers: twinNames, Swaps: w.someSwaps(s, r), Nonce: ledger.Nonce{byte(r.IntN(256))}}
	for range r.IntN(12) {
		if id := someID(r); !seen[id] {
			seen[id], in.Units = true, append(in.Units, id)
		}
	}
	in.Tallies = func(time.Time) []string { return twinNames }
	shown := ""
	in.Decide = func(st *ledger.Standing) (*ledger.Changes, error) {
		shown = fmt.Sprint(st.Now, st.Tallies, len(st.Registers))
		for _, rec := range st.Records {
			shown += "\n" + showRecord(rec)
		}
		return w.decide(r, st), nil
	}
	err := s.Accept(w.ctx, in)
	return shown + showError(err)
}

// decide changes any of the records, and units that were not asked for.
func (w *twins) decide(r *rand.Rand, st *ledger.Standing) *ledger.Changes {
	c := &ledger.Changes{Tallies: someTallies(r)}
	for _, rec := range st.Records {
		switch r.IntN(4) {
		case 0, 1:
			c.Units = append(c.Units, w.someUnit(r, rec.ID, rec.Unit))
		case 2:
			if rec.Unit != nil {
				rec.Unit.Claims = rec.Unit.Claims[:len(rec.Unit.Claims)/2]
				c.Units = append(c.Units, rec.Unit)
			}
		}
		change := ledger.KeptChange{ID: rec.ID, Kept: ledger.KeptWithdrawal{Source: pick(r, twinSources...), At: w.clock.Now()}, Lifted: r.IntN(2) == 0}
		if r.IntN(4) == 0 {
			c.Kept = append(c.Kept, change)
		}
		if r.IntN(4) == 0 {
			id := pick(r, rec.ID, ledger.UnitID{}, ledger.UnitID{Origin: rec.ID.Origin})
			c.SetAside = append(c.SetAside, ledger.SetAside{
				Source: pick(r, twinSources...), Upload: pick(r, twinUploads...), At: w.clock.Now(), ID: id, Field: keys.FieldKeyData, Reason: keys.ReasonZero, Detail: "x",
			})
		}
	}
	if r.IntN(5) == 0 {
		c.Erased = []string{pick(r, twinUploads...)}
	}
	return c
}

func (w *twins) release(s ledger.Store, r *rand.Rand) string {
	shown := ""
	refuse := r.IntN(10) == 0
	cut, err := s.Release(w.ctx, &ledger.Release{
		Registers: twinNames,
		Begin: func(st *ledger.Start) (time.Time, ledger.Holds, error) {
			shown = fmt.Sprint(st.Now, showCut(st.Last), st.Tallies, len(st.Registers), showWaits(st.Waits))
			var holds ledger.Holds
			if r.IntN(2) == 0 {
				holds = ledger.Holds{Origins: twinOrigins[:r.IntN(2)], Sources: twinSources[:r.IntN(3)]}
			}
			return w.clock.Now().Truncate(time.Hour), holds, nil
		},
		Choose: func(groups []ledger.Group) (*ledger.Choice, error) {
			slices.SortFunc(groups, func(a, b ledger.Group) int { return compareGroups(a.GroupID, b.GroupID) })
			shown += fmt.Sprint(groups)
			if refuse {
				return nil, errRefused
			}
			return someChoice(r, groups, w.clock.Now()), nil
		},
		Pad: func(units []*ledger.Unit) (echoes []*ledger.Unit) {
			for _, u := range units {
				shown += "\npads " + showUnit(u, true)
				id := ledger.UnitID{Origin: u.Key.Origin}
				for i := range id.KeyData {
					id.KeyData[i] = byte(r.Uint32())
				}
				echoes = append(echoes, w.someStanding(r, id))
			}
			return echoes
		},
	})
	return fmt.Sprint(shown, showCut(cut), err)
}

var errRefused = errors.New("refused")

// someStanding returns a unit that waits to be released.
func (w *twins) someStanding(r *rand.Rand, id ledger.UnitID) *ledger.Unit {
	u := w.someUnit(r, id, nil)
	u.SourceWithdrew, u.OperatorWithdrew = false, false
	u.Claims = []ledger.Claim{{Source: ledger.Own, Upload: "echo", Accepted: u.Accepted, Key: u.Key}}
	return u
}

func someChoice(r *rand.Rand, groups []ledger.Group, now time.Time) *ledger.Choice {
	c := &ledger.Choice{Policy: int64(r.IntN(5)), Tallies: someTallies(r)}
	for _, g := range groups {
		switch r.IntN(4) {
		case 0:
			c.Waits = append(c.Waits, ledger.GroupWait{GroupID: g.GroupID, Since: now})
		case 1:
			c.Take = append(c.Take, ledger.Take{GroupID: g.GroupID, Keys: r.IntN(g.Keys + 1)})
		default:
			c.Take = append(c.Take, ledger.Take{GroupID: g.GroupID, Keys: g.Keys, Pad: g.Wait == ledger.WaitNew && r.IntN(3) == 0})
		}
	}
	return c
}

func (w *twins) remove(s ledger.Store, r *rand.Rand) string {
	log, err := s.Log(w.ctx, 0)
	if err != nil {
		w.fail("%v", err)
	}
	var seen []string
	n, err := s.Remove(w.ctx, &ledger.Removal{
		Now:    w.clock.Now(),
		Ended:  w.clock.Now().Add(-time.Duration(r.IntN(120)) * time.Hour),
		Floor:  r.Int64N(log.Last.Last + 1),
		Limit:  10_000,
		Forget: twinNames[:r.IntN(2)],
		Each: func(u *ledger.Unit) time.Time {
			seen = append(seen, showUnit(u, true))
			return map[bool]time.Time{true: w.clock.Now().Add(time.Hour)}[u.Key.KeyData[15]%2 == 0]
		},
		Tallies: func() ledger.Tallies { return ledger.Tallies{"removed": int64(len(seen))} },
		Again:   func() { seen = nil },
	})
	slices.Sort(seen)
	return fmt.Sprint(n, err, seen)
}

func (w *twins) swap(s ledger.Store, r *rand.Rand) string {
	nonce := ledger.Nonce{byte(r.IntN(4))}
	return showError(s.Swap(w.ctx, nonce, w.someSwaps(s, r)))
}

// someSwaps are mostly of the version that a register has.
func (w *twins) someSwaps(s ledger.Store, r *rand.Rand) (swaps []ledger.Swap) {
	have, err := s.Registers(w.ctx, "")
	if err != nil {
		w.fail("%v", err)
	}
	for _, name := range twinNames {
		if r.IntN(4) > 0 {
			continue
		}
		swap := ledger.Swap{Name: name, Value: make([]byte, r.IntN(3)), Delete: r.IntN(5) == 0}
		if i := slices.IndexFunc(have, func(h ledger.Register) bool { return h.Name == name }); i >= 0 && r.IntN(8) > 0 {
			swap.Version = have[i].Version
		}
		swaps = append(swaps, swap)
	}
	return swaps
}
