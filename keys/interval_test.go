package keys_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
)

func TestIntervalAt(t *testing.T) {
	berlin := time.FixedZone("CEST", 2*60*60)
	tests := []struct {
		name string
		at   time.Time
		want keys.Interval
	}{
		{"epoch", time.Unix(0, 0), 0},
		{"a nanosecond before the epoch", time.Unix(0, -1), -1},
		{"end of the first interval", time.Unix(600, -1), 0},
		{"second interval", time.Unix(600, 0), 1},
		{"interval before the epoch", time.Unix(-600, 0), -1},
		{"a nanosecond before that", time.Unix(-600, -1), -2},
		{"first of 2021", time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC), 2682432},
		{"zones do not matter", time.Date(2021, 1, 1, 2, 0, 0, 0, berlin), 2682432},
		{"zero time", time.Time{}, -103559328},
		{"last", time.Unix(math.MaxInt32*600+599, 0), math.MaxInt32},
		{"after the last", time.Unix(math.MaxInt32*600+600, 0), math.MaxInt32},
		{"first", time.Unix(math.MinInt32*600, 0), math.MinInt32},
		{"before the first", time.Unix(math.MinInt32*600-1, 0), math.MinInt32},
		{"end of time", time.Unix(math.MaxInt64, 0), math.MaxInt32},
		{"beginning of time", time.Unix(math.MinInt64, 0), math.MinInt32},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := keys.IntervalAt(tt.at); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

// intervals are all that are near a place where arithmetic changes, and others.
func intervals() []keys.Interval {
	var all []keys.Interval
	for _, near := range []int64{math.MinInt32, -144 * 100, 0, 144 * 100, 2682432, math.MaxInt32} {
		for n := near - 300; n <= near+300; n++ {
			if n == int64(int32(n)) {
				all = append(all, keys.Interval(n))
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 10_000 {
		all = append(all, keys.Interval(r.Uint32()))
	}
	return all
}

func TestIntervalTimes(t *testing.T) {
	for _, i := range intervals() {
		start := i.Time()
		if start.Unix() != int64(i)*600 || start.Location() != time.UTC {
			t.Errorf("interval %d begins at %s", i, start)
		}
		if first, last := keys.IntervalAt(start), keys.IntervalAt(start.Add(keys.IntervalLength-1)); first != i || last != i {
			t.Errorf("interval %d begins in interval %d and ends in %d", i, first, last)
		}
	}
}

func TestIntervalDays(t *testing.T) {
	for _, i := range intervals() {
		midnight := time.Date(i.Time().Year(), i.Time().Month(), i.Time().Day(), 0, 0, 0, 0, time.UTC)
		if got, want := int64(i.Day()), midnight.Unix()/86400; got != want {
			t.Errorf("interval %d is of day %d, want %d", i, got, want)
		}
		want := max(midnight.Unix()/600, math.MinInt32)
		if got := keys.StartOfDay(i.Day()); int64(got) != want {
			t.Errorf("day %d starts at interval %d, want %d", i.Day(), got, want)
		}
	}
}

func TestStartOfDayBeyondIntervals(t *testing.T) {
	const lastDay = math.MaxInt32 / 144
	tests := []struct {
		day  int
		want keys.Interval
	}{
		{-1, -144},
		{lastDay, lastDay * 144},
		{lastDay + 1, math.MaxInt32},
		{math.MaxInt, math.MaxInt32},
		{-lastDay, -lastDay * 144},
		{-lastDay - 1, math.MinInt32},
		{math.MinInt, math.MinInt32},
	}
	for _, tt := range tests {
		if got := keys.StartOfDay(tt.day); got != tt.want {
			t.Errorf("StartOfDay(%d) = %d, want %d", tt.day, got, tt.want)
		}
	}
}

func TestParseInterval(t *testing.T) {
	for _, n := range []int64{0, 1, 2682432, math.MaxInt32} {
		if got, err := keys.ParseInterval(n); err != nil || int64(got) != n {
			t.Errorf("ParseInterval(%d) = %d, %v", n, got, err)
		}
	}
	want := &keys.Rejection{Field: keys.FieldRollingStart, Reason: keys.ReasonRange}
	for _, n := range []int64{-1, math.MinInt32, math.MinInt64, math.MaxInt32 + 1, 2959067189, 1<<32 + 5, math.MaxInt64} {
		if got, err := keys.ParseInterval(n); !errors.Is(err, want) || got != 0 {
			t.Errorf("ParseInterval(%d) = %d, %v; want 0 and a rejection", n, got, err)
		}
	}
}

func TestParseRollingPeriod(t *testing.T) {
	for n := int64(1); n <= 144; n++ {
		if got, err := keys.ParseRollingPeriod(n); err != nil || int64(got) != n {
			t.Errorf("ParseRollingPeriod(%d) = %d, %v", n, got, err)
		}
	}
	want := &keys.Rejection{Field: keys.FieldRollingPeriod, Reason: keys.ReasonRange}
	for _, n := range []int64{0, -1, 145, 255, 256, 257, 400, 1440, math.MinInt64, math.MaxInt64, 1<<32 + 5} {
		if got, err := keys.ParseRollingPeriod(n); !errors.Is(err, want) || got != 0 {
			t.Errorf("ParseRollingPeriod(%d) = %d, %v; want 0 and a rejection", n, got, err)
		}
	}
}
