package keystest

import (
	"slices"
	"time"
)

// byHour is how many of a day's uploads arrive in each hour, UTC, in parts of
// about a hundred: people act on a test result when they are awake.
var byHour = [24]int{1, 1, 1, 1, 1, 2, 3, 5, 6, 7, 7, 7, 7, 6, 6, 6, 6, 6, 6, 5, 4, 3, 2, 1}

// arrivals draws n times from [from, to), ascending.
func (g *Generator) arrivals(from, to time.Time, n int) []time.Time {
	span := to.Sub(from)
	if span <= 0 {
		return nil
	}
	times := make([]time.Time, 0, n)
	for len(times) < n {
		at := from.Add(time.Duration(g.rand.Int64N(int64(span))))
		if g.rand.IntN(7) < byHour[at.UTC().Hour()] {
			times = append(times, at)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}
