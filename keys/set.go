package keys

import (
	"encoding/json"
	"slices"
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
