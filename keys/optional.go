package keys

import (
	"encoding/json"
	"fmt"
	"io"
)

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

const absent = "absent"

// Format prints the value as the value prints with this verb, or "absent". fmt
// by itself would look into the fields, past a value that redacts itself.
func (o Optional[T]) Format(f fmt.State, verb rune) {
	if o.present {
		fmt.Fprintf(f, fmt.FormatString(f, verb), o.value)
		return
	}
	io.WriteString(f, absent)
}

// String returns the value as fmt prints it, or "absent".
func (o Optional[T]) String() string {
	if o.present {
		return fmt.Sprint(o.value)
	}
	return absent
}

// MarshalJSON returns the value's JSON, or null. A field with the option
// omitzero is left out if it is absent, and present if it holds a zero.
func (o Optional[T]) MarshalJSON() ([]byte, error) {
	if o.present {
		return json.Marshal(o.value)
	}
	return []byte("null"), nil
}

// UnmarshalJSON is the inverse of [Optional.MarshalJSON].
func (o *Optional[T]) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*o = Optional[T]{}
		return nil
	}
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	*o = Some(v)
	return nil
}
