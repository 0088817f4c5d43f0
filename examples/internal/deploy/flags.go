package deploy

import (
	"errors"
	"strings"
	"time"
)

// List is a flag that may be repeated.
type List []string

// String returns the values so far.
func (l *List) String() string { return strings.Join(*l, " ") }

// Set adds a value.
func (l *List) Set(s string) error {
	*l = append(*l, s)
	return nil
}

// Moment is a flag that is a time.
type Moment struct{ time.Time }

// String returns the time, or nothing if it is not set.
func (m *Moment) String() string {
	if m.IsZero() {
		return ""
	}
	return Shown(m.Time)
}

// Set parses a time.
func (m *Moment) Set(s string) error {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return errors.New("want a time such as 2020-07-01T20:00:00Z")
	}
	m.Time = t.UTC()
	return nil
}

// Shown is a time as the programs print it.
func Shown(t time.Time) string { return t.UTC().Format(time.RFC3339) }
