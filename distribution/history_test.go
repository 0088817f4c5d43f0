package distribution_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/storagetest"
)

var (
	histories = flag.Int("histories", 40, "how many random histories to publish")
	firstSeed = flag.Uint64("seed", 1, "seed of the first random history")
)

// TestHistories publishes random histories with random faults, while what
// packages select, how they publish it and what the ledger releases change, and
// compares the tree with a model of it (invariants 1 to 5).
func TestHistories(t *testing.T) {
	n := *histories
	if testing.Short() {
		n = min(n, 10)
	}
	for i := range n {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			h := &history{world: newWorldIn(t, historyKind(seed), seed), seen: map[string][]byte{}}
			for range 30 + h.rand.IntN(30) {
				h.hour()
				if t.Failed() {
					return
				}
			}
			h.end()
		})
	}
}

// historyKind returns where a history happens: one in ten on servers, which are
// slow.
func historyKind(seed uint64) placeKind {
	if seed%10 == 0 {
		return onServers
	}
	return []placeKind{inMemory, inFiles}[seed%2]
}

// history is a world in which things happen at random.
type history struct {
	*world
	model   model
	own     []ledger.Upload
	foreign []ledger.Upload
	seen    map[string][]byte // every archive that was ever in the bucket
	pruned  int
	fixed   bool // packages and policy stay as they are
}

func (h *history) chance(percent int) bool { return h.rand.IntN(100) < percent }

// hour lets an hour pass: things arrive and are taken back, a cut is made, and
// the tree is published, or not quite.
func (h *history) hour() {
	for range h.rand.IntN(4) {
		h.happen()
	}
	if h.chance(10) {
		h.clock = h.clock.Add(time.Duration(h.rand.IntN(3)) * time.Hour) // no cut for a while
	}
	if h.chance(4) {
		h.clock = h.clock.Add(time.Duration(h.rand.IntN(50)) * time.Hour) // an outage
	}
	h.release()
	h.model.look(h.t, h.open(nil), h.clock.Truncate(time.Hour), h.packages)
	for range h.rand.IntN(3) {
		h.faultyRun()
	}
	if h.chance(20) {
		h.cleanRun()
		if !h.fixed {
			h.change()
		}
	}
	if h.chance(20) {
		h.prune()
	}
}

// prune removes what is past its age and no longer needed.
func (h *history) prune() {
	p, _ := h.publisher(nil, nil)
	sinks, err := p.Sinks(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	r, err := h.open(nil).Prune(h.t.Context(), sinks...)
	if err != nil {
		h.t.Fatal(err)
	}
	h.pruned += r.Removed
}

// balance checks that no key is lost from the books (invariant 12).
func (h *history) balance() {
	p, _ := h.publisher(nil, nil)
	sinks, err := p.Sinks(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	stats, err := h.open(nil).Stats(h.t.Context(), sinks...)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := stats.Check(); err != nil {
		h.t.Error(err)
	}
	for source, s := range stats.Sources {
		for sink, terms := range s.Sinks {
			if terms[ledger.TermDue] != 0 {
				h.t.Errorf("%s: %d keys of %s are still to be sent", sink, terms[ledger.TermDue], source)
			}
		}
	}
}

// happen lets one thing happen to the ledger.
func (h *history) happen() {
	switch h.rand.IntN(10) {
	case 0, 1, 2:
		up := h.upload(de)
		if h.chance(50) {
			setReport(&up, keys.ReportSelfReport)
		}
		h.own = append(h.own, up)
		h.accept(ledger.Own, up)
	case 3, 4:
		up := h.upload([]keys.Region{fr, it, de}[h.rand.IntN(3)])
		h.foreign = append(h.foreign, up)
		h.accept(h.hub(), up)
	case 5: // another source brings the same, or claims it for another origin
		if up, ok := h.pick(h.foreign); ok {
			if h.chance(50) {
				up = claimedBy(up, it)
			}
			h.accept(h.hub(), up)
		}
	case 6: // what a person reported is confirmed
		if up, ok := h.pick(h.own); ok {
			setReport(&up, keys.ReportConfirmedTest)
			h.accept(ledger.Own, up)
		}
	case 7:
		if up, ok := h.pick(h.own); ok {
			h.withdraw(ids(up)[:1+h.rand.IntN(len(up.Keys))]...)
		}
	case 8:
		if up, ok := h.pick(h.foreign); ok {
			if h.chance(50) {
				h.withdraw(ids(up)...)
			} else {
				h.withdrawFrom(h.hub(), ids(up)...)
			}
		}
	case 9:
		if up, ok := h.pick(append(h.own, h.foreign...)); ok {
			if _, err := h.open(nil).Reinstate(h.t.Context(), ids(up)...); err != nil {
				h.t.Fatal(err)
			}
		}
	}
}

func (h *history) hub() ledger.Source { return []ledger.Source{"hub-a", "hub-b"}[h.rand.IntN(2)] }

// pick returns a copy of one of the uploads.
func (h *history) pick(from []ledger.Upload) (ledger.Upload, bool) {
	if len(from) == 0 {
		return ledger.Upload{}, false
	}
	return claimedBy(from[h.rand.IntN(len(from))], keys.Region{}), true
}

// claimedBy returns a copy of an upload, with another origin if one is given.
func claimedBy(up ledger.Upload, origin keys.Region) ledger.Upload {
	up.Keys = append([]keys.DiagnosisKey(nil), up.Keys...)
	for i := range up.Keys {
		if !origin.IsZero() {
			up.Keys[i].Origin = origin
		}
	}
	return up
}

func setReport(up *ledger.Upload, r keys.ReportType) {
	for i := range up.Keys {
		up.Keys[i].ReportType = keys.Some(r)
	}
}

func ids(up ledger.Upload) []ledger.UnitID {
	var ids []ledger.UnitID
	for i := range up.Keys {
		ids = append(ids, ledger.IDOf(&up.Keys[i]))
	}
	return ids
}

// faultyRun publishes with a fault at one call in thirty, in one of several
// runs that get in each other's way.
func (h *history) faultyRun() {
	depth := 0
	var run func()
	run = func() {
		depth++
		defer func() { depth-- }()
		fate := func() (fail, after bool) {
			if depth < 3 && h.rand.IntN(100) == 0 {
				run() // this run is paused while another goes on
			}
			return h.rand.IntN(30) == 0, h.chance(50)
		}
		p, _ := h.publisher(
			func(context.Context, storagetest.Call) storagetest.Verdict {
				switch fail, after := fate(); {
				case fail && after:
					return storagetest.FailAfter
				case fail:
					return storagetest.Fail
				}
				return storagetest.Pass
			},
			func(context.Context, ledgertest.Call) ledgertest.Verdict {
				switch fail, after := fate(); {
				case fail && after:
					return ledgertest.FailAfter
				case fail:
					return ledgertest.Fail
				}
				return ledgertest.Pass
			})
		if _, err := p.Run(h.t.Context()); errors.Is(err, distribution.ErrForeign) {
			h.t.Errorf("faulty run: %v", err)
		}
	}
	serial := h.opts.Parallel
	h.opts.Parallel = 1 // so that a seed repeats its run
	run()
	h.opts.Parallel = serial
	h.unchanged()
}

func (h *history) cleanRun() {
	h.run()
	h.unchanged()
}

// unchanged checks that no archive that was ever there is there with another
// content (invariant 1).
func (h *history) unchanged() {
	for name, content := range objects(h.t, h.bucket) {
		if _, ok := h.layout.Parse(name); !ok {
			continue
		}
		if was, ok := h.seen[name]; ok && !bytes.Equal(was, content) && !h.grown(name, was, content) {
			h.t.Errorf("%s has changed", name)
		}
		h.seen[name] = content
	}
}

// grown reports whether a file was open and goes further now.
func (h *history) grown(name string, was, now []byte) bool {
	f, _ := h.layout.Parse(name)
	before, after := headerOf(h.t, was).End, headerOf(h.t, now).End
	return before.Before(after) && before.Before(f.Window.End) && !after.After(f.Window.End)
}

func headerOf(t testing.TB, archive []byte) export.Header {
	t.Helper()
	a, err := export.Open(bytes.NewReader(archive), int64(len(archive)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return a.Header()
}

// change gives packages and ledger other rules, which hold from the next window
// on.
func (h *history) change() {
	h.packages = twoPackages()
	if h.chance(50) {
		h.packages[1].Map = distribution.CWA(keys.TransmissionRiskLevel(1 + h.rand.IntN(5)))
	}
	if h.chance(30) {
		h.packages[0].Select = distribution.OfInterestTo(de)
	}
	if h.chance(30) {
		h.packages[1].Select.Sources = keys.Only[ledger.Source](ledger.Own, "hub-a")
	}
	if h.chance(30) {
		_, version := h.open(nil).Policy()
		h.policy.MinKeys = 1 + h.rand.IntN(60)
		h.policy.MinUploads = 1 + h.rand.IntN(4)
		h.policy.LongestWait = time.Duration(h.rand.IntN(6)) * time.Hour
		if err := ledger.ChangePolicy(h.t.Context(), h.store, h.policy, version); err != nil {
			h.t.Fatal(err)
		}
	}
}

// end lets everything that waits go, and compares the tree with the model.
func (h *history) end() {
	h.clock = h.clock.Add(7 * time.Hour)
	h.release()
	h.model.look(h.t, h.open(nil), h.clock.Truncate(time.Hour), h.packages)
	h.cleanRun()
	h.cleanRun()
	h.verify()
	for _, pkg := range []string{"DE", "EUR"} {
		h.compareHours(&h.model, pkg)
	}
	h.embargoed()
	h.balance()
	h.t.Logf("%d hours, %d archives, %d units pruned", len(h.model.hours), len(h.seen), h.pruned)
}

// embargoed checks invariant 4: no key is in the archive of an hour that ended
// before its period did, plus two hours.
func (h *history) embargoed() {
	for _, pkg := range []string{"DE", "EUR"} {
		for end, f := range h.have(pkg, "hour") {
			for _, k := range f.keys {
				if k.End().Add(2 * time.Hour).After(end) {
					h.t.Errorf("%s: a key that ended at %s is in the hour that ended at %s", pkg, k.End(), end)
				}
			}
		}
	}
}
