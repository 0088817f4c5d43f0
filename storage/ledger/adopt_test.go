package ledger_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// published returns a key as one that another system published at an hour of the
// morning.
func published(k keys.DiagnosisKey, hour int) ledger.Published {
	return ledger.Published{
		At:    noon.Add(time.Duration(hour-12) * time.Hour),
		Units: []ledger.UnitID{ledger.IDOf(&k)},
		Claim: ledger.Claim{Source: "hub", Upload: "adopted", Key: k},
	}
}

func morning(hour int) time.Time { return noon.Add(time.Duration(hour-12) * time.Hour) }

// TestAdoptAgain: an adoption that is repeated changes nothing, and one that comes too
// late stores nothing.
func TestAdoptAgain(t *testing.T) {
	s := open(t, nil)
	s.now = noon.Add(time.Minute)
	k, late := s.key(), s.key()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []int{1, 1, 0, 0} {
		check(s.BeginAdoption(t.Context(), morning(11)))
		if taken, err := s.Adopt(t.Context(), published(k, 9)); err != nil || taken != want {
			t.Fatalf("attempt %d takes %d, %v; want %d", i, taken, err, want)
		}
		if i > 0 {
			check(s.CutAdopted(t.Context(), morning(10)))
		}
	}
	check(s.CutAdopted(t.Context(), morning(11)))
	log, err := s.Log(t.Context(), 0)
	check(err)
	if len(log.Cuts) != 2 || log.Last.Last != 1 || log.Tallies["accepted/hub"] != 1 || log.Tallies["offered/hub"] != 1 {
		t.Errorf("got %+v, %v", log.Cuts, log.Tallies)
	}
	if _, err := s.Adopt(t.Context(), published(late, 9)); !errors.Is(err, ledger.ErrTime) {
		t.Errorf("a time that was cut gives %v", err)
	}
	for rec := range s.Find(t.Context(), ledger.Query{}) {
		if rec.ID == ledger.IDOf(&late) {
			t.Error("what came too late was stored")
		}
	}
	// Whoever brings it again brings a duplicate.
	if r := s.accept("hub", "again", k); r.Duplicates != 1 {
		t.Errorf("brought again: %+v", r)
	}
	s.now = noon.Add(time.Hour)
	if r, err := s.Release(t.Context(), nil); err != nil || r.New+r.Changed+r.Gone != 0 {
		t.Errorf("the next cut takes %+v, %v", r, err)
	}
	if _, err := s.Withdraw(t.Context(), ledger.IDOf(&k)); err != nil {
		t.Fatal(err)
	}
	s.now = noon.Add(2 * time.Hour)
	if r, err := s.Release(t.Context(), nil); err != nil || r.Gone != 1 {
		t.Errorf("withdrawn, it gives %+v, %v", r, err)
	}
}

// TestAdoptLeavesWaiting: what waited here before, and was published by nobody, gets no
// number of an adoption and is released after it, also if adoption was begun for an
// earlier time; and what was adopted for that keeps its own.
func TestAdoptLeavesWaiting(t *testing.T) {
	s := open(t, nil)
	s.now = morning(9).Add(5 * time.Minute)
	waiting, out := s.key(), s.key()
	s.accept(ledger.Own, "waiting", waiting)
	s.accept(ledger.Own, "out", out)
	s.now = noon.Add(time.Minute)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(s.BeginAdoption(t.Context(), morning(11)))
	if taken, err := s.Adopt(t.Context(), published(out, 9)); err != nil || taken != 1 {
		t.Fatalf("it takes %d, %v", taken, err)
	}
	check(s.BeginAdoption(t.Context(), noon))
	for hour := 10; hour <= 12; hour++ {
		check(s.CutAdopted(t.Context(), morning(hour)))
	}
	released := func() (all []keys.KeyData) {
		for rec, err := range s.Find(t.Context(), ledger.Query{}) {
			check(err)
			if rec.Unit.Released() {
				all = append(all, rec.ID.KeyData)
			}
		}
		return all
	}
	if got := released(); !slices.Equal(got, []keys.KeyData{out.KeyData}) {
		t.Errorf("adoption gave numbers to %d keys, of which %v was not published", len(got), slices.Contains(got, waiting.KeyData))
	}
	s.now = noon.Add(time.Hour)
	if r := s.release(); r.New != 1 || len(released()) != 2 {
		t.Errorf("the cut after adoption takes %+v", r)
	}
}

// TestAdoptWithdrawn: what was withdrawn here before it was known to be published is
// adopted nevertheless, and the cut after that tells of the withdrawal, whoever withdrew
// it, and whether it came before the key.
func TestAdoptWithdrawn(t *testing.T) {
	s := open(t, nil)
	s.now = noon.Add(time.Minute)
	bySource, kept, byName, rolledBack, erased, good, others := s.key(), s.key(), s.key(), s.key(), s.key(), s.key(), s.key()
	check := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s.accept("hub", "a", bySource)
	s.accept("hub", "b", byName)
	s.accept(ledger.Own, "c", rolledBack)
	s.accept(ledger.Own, "d", erased)
	s.accept("hub", "e", good)
	s.withdraw("hub", bySource, kept)
	s.withdraw("another", others, good)
	check(s.Withdraw(t.Context(), ledger.IDOf(&byName)))
	check(s.RollBack(t.Context(), "c"))
	check(s.Erase(t.Context(), "d"))
	all := []ledger.Published{}
	for _, k := range []keys.DiagnosisKey{bySource, kept, byName, rolledBack, erased, good, others} {
		all = append(all, published(k, 9))
	}
	check(nil, s.BeginAdoption(t.Context(), morning(11)))
	check(s.Adopt(t.Context(), all...))
	check(nil, s.CutAdopted(t.Context(), morning(10)))
	check(s.Adopt(t.Context(), all...))
	for range 2 {
		check(nil, s.CutAdopted(t.Context(), morning(11)))
	}
	for _, p := range all {
		u := s.unit(p.Claim.Key)
		if want := []ledger.Event{{Number: u.At(9).Number, Own: ledger.Active, Partners: ledger.Active, ReportType: u.Key.ReportType, Sources: u.Sources()}}; !slices.Equal(u.Events, want) || want[0].Number == 0 {
			t.Errorf("what was published has the events %+v", u.Events)
		}
	}
	s.now = noon.Add(time.Hour)
	r, err := s.Release(t.Context(), nil)
	if err != nil || r.Gone != 5 || r.New+r.Changed != 0 {
		t.Errorf("the cut after it takes %+v, %v; want 5 withdrawals", r, err)
	}
	for i, k := range []keys.DiagnosisKey{bySource, kept, byName, rolledBack, erased, good, others} {
		if u := s.unit(k); u.Gone() != (i < 5) || u.SourceWithdrew != (i < 2) || u.Erase != (i == 4) {
			t.Errorf("key %d stands as %+v", i, *u)
		}
	}
	if r, err := s.Reinstate(t.Context(), ledger.IDOf(&byName), ledger.IDOf(&bySource)); err != nil || r.Done != 1 {
		t.Errorf("reinstated are %+v, %v; want what the operator withdrew", r, err)
	}
}

// TestAdoptAlone: until what was adopted has been cut, no other cut is made.
func TestAdoptAlone(t *testing.T) {
	s := open(t, nil)
	s.now = noon.Add(time.Minute)
	s.accept(ledger.Own, "waiting", s.key())
	refused := func(when string) {
		t.Helper()
		if r, err := s.Release(t.Context(), nil); !errors.Is(err, ledger.ErrAdopting) || r != nil {
			t.Errorf("%s, a cut gives %+v, %v", when, r, err)
		}
	}
	fails := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, ledger.ErrTime) {
			t.Errorf("%s gives %v", what, err)
		}
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	fails("an adoption up to the future", s.BeginAdoption(t.Context(), morning(13)))
	fails("an adoption up to no point of the grid", s.BeginAdoption(t.Context(), morning(11).Add(time.Minute)))
	_, err := s.Adopt(t.Context(), published(s.key(), 9))
	fails("adopting before it has begun", err)
	fails("a cut before it has begun", s.CutAdopted(t.Context(), morning(10)))
	check(s.BeginAdoption(t.Context(), morning(11)))
	refused("begun")
	_, err = s.Adopt(t.Context(), published(s.key(), 11))
	fails("adopting what was published afterwards", err)
	check(s.CutAdopted(t.Context(), morning(10)))
	refused("half way")
	fails("a cut after its end", s.CutAdopted(t.Context(), noon))
	fails("an end before the last cut", s.BeginAdoption(t.Context(), morning(9)))
	fails("an earlier end", s.BeginAdoption(t.Context(), morning(10)))
	check(s.BeginAdoption(t.Context(), noon))
	check(s.CutAdopted(t.Context(), morning(11)))
	refused("before the later end")
	check(s.CutAdopted(t.Context(), noon))
	if log, err := s.Log(t.Context(), 0); err != nil || log.Last.Last != 0 || len(log.Cuts) != 3 {
		t.Errorf("got %+v, %v", log, err)
	}
	s.now = noon.Add(time.Hour)
	if r, err := s.Release(t.Context(), nil); err != nil || r.New != 1 {
		t.Errorf("afterwards, a cut gives %+v, %v", r, err)
	}
}

// TestAdoptRefuses what is no key of a source.
func TestAdoptRefuses(t *testing.T) {
	s := open(t, nil)
	if err := s.BeginAdoption(t.Context(), morning(11)); err != nil {
		t.Fatal(err)
	}
	k := s.key()
	other := s.key()
	for want, change := range map[string]func(p *ledger.Published){
		"source name":          func(p *ledger.Published) { p.Claim.Source = "A" },
		"upload id":            func(p *ledger.Published) { p.Claim.Upload = "" },
		"is none":              func(p *ledger.Published) { p.Claim.Key.Origin = keys.Region{} },
		"published as another": func(p *ledger.Published) { p.As = &other.TemporaryExposureKey },
	} {
		p := published(k, 9)
		change(&p)
		if _, err := s.Adopt(t.Context(), p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
