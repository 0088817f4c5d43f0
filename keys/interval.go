package keys

import (
	"math"
	"time"
)

const (
	// IntervalLength is the length of one interval.
	IntervalLength = 10 * time.Minute

	// IntervalsPerDay is the number of intervals in a day. It is also the
	// longest rolling period, and the default where an archive leaves the
	// period out.
	IntervalsPerDay = 144
)

// Interval is the number of a 10-minute interval since the Unix epoch, the
// field's ENIntervalNumber. Interval n covers [n·600 s, (n+1)·600 s).
type Interval int32

// IntervalAt returns the interval that t lies in. A time that no interval
// number can express gives the nearest one there is.
func IntervalAt(t time.Time) Interval {
	return nearestInterval(floorDiv(t.Unix(), int64(IntervalLength/time.Second)))
}

// ParseInterval returns the interval with this number on the wire. The error is
// a [*Rejection] for the field "rolling_start_interval_number".
func ParseInterval(n int64) (Interval, error) {
	if n < 0 || n > math.MaxInt32 {
		return 0, reject(FieldRollingStart, ReasonRange, "%d, want 0 .. %d", n, math.MaxInt32)
	}
	return Interval(n), nil
}

// ParseRollingPeriod returns the period with this number on the wire. The error
// is a [*Rejection] for the field "rolling_period".
func ParseRollingPeriod(n int64) (uint8, error) {
	if n < 1 || n > IntervalsPerDay {
		return 0, reject(FieldRollingPeriod, ReasonRange, "%d, want 1 .. %d", n, IntervalsPerDay)
	}
	return uint8(n), nil
}

// Time returns the beginning of the interval, in UTC.
func (i Interval) Time() time.Time {
	return time.Unix(int64(i)*int64(IntervalLength/time.Second), 0).UTC()
}

// Day returns the number of the UTC day since the Unix epoch that the interval
// lies in.
func (i Interval) Day() int { return int(floorDiv(int64(i), IntervalsPerDay)) }

// StartOfDay returns the first interval of the UTC day with this number. A day
// whose start no interval number can express gives the nearest one there is.
func StartOfDay(day int) Interval {
	d := min(max(int64(day), math.MinInt32), math.MaxInt32)
	return nearestInterval(d * IntervalsPerDay)
}

func nearestInterval(n int64) Interval {
	return Interval(min(max(n, math.MinInt32), math.MaxInt32))
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
