package keys

import "fmt"

// Optional is a value that may be absent. The zero value is absent, and an
// absent value is not the zero of its type: no onset is not an onset today.
// Optionals are comparable.
type Optional[T comparable] struct {
	value   T
	present bool
}

// Some returns v, present.
func Some[T comparable](v T) Optional[T] { return Optional[T]{value: v, present: true} }

// Get returns the value and whether there is one.
func (o Optional[T]) Get() (T, bool) { return o.value, o.present }

// Present reports whether there is a value.
func (o Optional[T]) Present() bool { return o.present }

// Or returns the value, or def if there is none.
func (o Optional[T]) Or(def T) T {
	if o.present {
		return o.value
	}
	return def
}

// String returns the value as fmt prints it, or "absent".
func (o Optional[T]) String() string {
	if o.present {
		return fmt.Sprint(o.value)
	}
	return "absent"
}
