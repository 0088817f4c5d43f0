package distribution

import (
	"encoding/json"
	"errors"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A Selector says which units a package holds. It is data and not a function,
// because plans remember the selector that showed a key. A unit is selected if
// one of its sources is in Sources, and its origin in Origins or one of the
// regions its owner visited in Visited.
type Selector struct {
	Origins keys.Set[keys.Region]   `json:"origins"`
	Visited keys.Set[keys.Region]   `json:"visited"`
	Sources keys.Set[ledger.Source] `json:"sources"`
}

// FromOrigin selects the keys of the given origins, whoever brought them.
func FromOrigin(origins ...keys.Region) Selector {
	return Selector{Origins: keys.Only(origins...), Sources: keys.All[ledger.Source]()}
}

// FromEverywhere selects every key: the package of a union of countries.
func FromEverywhere() Selector {
	return Selector{Origins: keys.All[keys.Region](), Sources: keys.All[ledger.Source]()}
}

// OfInterestTo selects the keys of a region and those of people who visited it.
func OfInterestTo(region keys.Region) Selector {
	return Selector{Origins: keys.Only(region), Visited: keys.Only(region), Sources: keys.All[ledger.Source]()}
}

// leavesOut returns why a unit is not in the package by the state that event gave
// it, empty if it is.
func (s *Selector) leavesOut(k *keys.DiagnosisKey, event ledger.Event) Absence {
	switch {
	case !s.selectsSource(event.Sources):
		return AbsentSource
	case !s.selectsRegion(k):
		return AbsentRegion
	}
	return ""
}

func (s *Selector) selectsSource(sources ledger.Sources) bool {
	for source := range sources.All() {
		if s.Sources.Has(source) {
			return true
		}
	}
	return false
}

func (s *Selector) selectsRegion(k *keys.DiagnosisKey) bool {
	if s.Origins.Has(k.Origin) {
		return true
	}
	for r := range k.VisitedCountries.All() {
		if s.Visited.Has(r) {
			return true
		}
	}
	return false
}

func (s *Selector) check() error {
	if s.Origins.IsEmpty() && s.Visited.IsEmpty() {
		return errors.New("selects no region: name origins, visited regions, or all")
	}
	if s.Sources.IsEmpty() {
		return errors.New("selects no source: name sources, or all")
	}
	return nil
}

// equal reports whether two selectors select alike by what they say.
func (s *Selector) equal(t *Selector) bool {
	a, errA := json.Marshal(s)
	b, errB := json.Marshal(t)
	return errA == nil && errB == nil && string(a) == string(b)
}
