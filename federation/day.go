package federation

import (
	"fmt"
	"time"
)

// A Day is a day in UTC, by the number of days since the Unix epoch.
type Day int32

// DayOf returns the day that t is in.
func DayOf(t time.Time) Day {
	s := t.Unix()
	d := s / 86400
	if s%86400 < 0 {
		d--
	}
	return Day(d)
}

// ParseDay returns the day that is written yyyy-mm-dd.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("federation: %q is no day", s)
	}
	return DayOf(t), nil
}

// Start returns the beginning of the day.
func (d Day) Start() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// String returns the day as yyyy-mm-dd.
func (d Day) String() string { return d.Start().Format(time.DateOnly) }

// MarshalText is [Day.String].
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is [ParseDay].
func (d *Day) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDay(string(text))
	return err
}
