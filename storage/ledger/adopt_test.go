package ledger_test

import (
	"errors"
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
