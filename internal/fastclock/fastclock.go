// Package fastclock is a clock for tests of whole programs: it goes faster than
// the real one, by the same amount in every process of a test.
//
//	clock := fastclock.New(120)
//	cmd.Env = append(os.Environ(), clock.Environ())
//
// The test binary of a program, which is the program where it is called by its
// name, takes [FromEnvironment] as the clock of the ledger. The program itself
// does not know this package.
package fastclock

import (
	"fmt"
	"os"
	"time"
)

// variable has the speed, and the Unix time from which on the clock goes faster:
// "60 1767225600".
const variable = "GAEN_TEST_SPEED"

// A Clock goes faster from a moment on.
type Clock struct {
	speed int
	from  int64 // Unix time
}

// New returns a clock that goes so many times faster from a second ago on.
func New(speed int) *Clock { return &Clock{speed, time.Now().Unix() - 1} }

// NewAt returns a clock that goes so many times faster and shows a time of the day
// now, by UTC, or a little more: what a second makes. Speed is more than 1.
func NewAt(speed int, ofDay time.Duration) *Clock {
	now := time.Now().UTC()
	at := now.Truncate(24 * time.Hour).Add(ofDay)
	if at.Before(now) {
		at = at.Add(24 * time.Hour)
	}
	ahead := time.Duration(speed - 1) // by which a second more makes it go ahead
	return &Clock{speed, now.Add(-(at.Sub(now) + ahead*time.Second - 1) / ahead).Unix()}
}

// FromEnvironment returns the clock that the environment says, nil for the real
// one.
func FromEnvironment() func() time.Time {
	c := &Clock{}
	if n, _ := fmt.Sscan(os.Getenv(variable), &c.speed, &c.from); n < 2 {
		return nil
	}
	return c.Now
}

// Environ returns the variable that hands the clock to another process.
func (c *Clock) Environ() string { return fmt.Sprintf("%s=%d %d", variable, c.speed, c.from) }

// Now returns the time.
func (c *Clock) Now() time.Time {
	start := time.Unix(c.from, 0)
	return start.Add(time.Since(start) * time.Duration(c.speed)).UTC().Truncate(time.Microsecond)
}

// Real returns how long the real clock takes for d.
func (c *Clock) Real(d time.Duration) time.Duration { return d / time.Duration(c.speed) }
