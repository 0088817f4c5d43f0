package distribution

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A Set is a set of values, or all there are. The zero Set is empty and holds
// nothing: one key server took an empty filter for "everything".
type Set[T comparable] struct {
	all     bool
	members []T
}

// All returns the set that holds every value.
func All[T comparable]() Set[T] { return Set[T]{all: true} }

// Only returns the set of the given values.
func Only[T comparable](members ...T) Set[T] { return Set[T]{members: slices.Clone(members)} }

// Has reports whether the set holds v.
func (s Set[T]) Has(v T) bool { return s.all || slices.Contains(s.members, v) }

// IsEmpty reports whether the set holds nothing.
func (s Set[T]) IsEmpty() bool { return !s.all && len(s.members) == 0 }

// MarshalJSON writes "*" for all, and a list otherwise.
func (s Set[T]) MarshalJSON() ([]byte, error) {
	if s.all {
		return []byte(`"*"`), nil
	}
	if s.members == nil {
		return []byte("[]"), nil
	}
	return json.Marshal(s.members)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Set[T]) UnmarshalJSON(b []byte) error {
	if string(b) == `"*"` {
		*s = All[T]()
		return nil
	}
	s.all, s.members = false, nil
	return json.Unmarshal(b, &s.members)
}

// A Selector says which units a package holds. It is data and not a function,
// because plans remember the selector that showed a key. A unit is selected if
// one of its sources is in Sources, and its origin in Origins or one of the
// regions its owner visited in Visited.
type Selector struct {
	Origins Set[keys.Region]   `json:"origins"`
	Visited Set[keys.Region]   `json:"visited"`
	Sources Set[ledger.Source] `json:"sources"`
}

// FromOrigin selects the keys of the given origins, whoever brought them.
func FromOrigin(origins ...keys.Region) Selector {
	return Selector{Origins: Only(origins...), Sources: All[ledger.Source]()}
}

// FromEverywhere selects every key: the package of a union of countries.
func FromEverywhere() Selector {
	return Selector{Origins: All[keys.Region](), Sources: All[ledger.Source]()}
}

// OfInterestTo selects the keys of a region and those of people who visited it.
func OfInterestTo(region keys.Region) Selector {
	return Selector{Origins: Only(region), Visited: Only(region), Sources: All[ledger.Source]()}
}

// selects reports whether the unit is in the package by the state that event
// gave it.
func (s *Selector) selects(k *keys.DiagnosisKey, event ledger.Event) bool {
	return s.selectsSource(event.Sources) && s.selectsRegion(k)
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
