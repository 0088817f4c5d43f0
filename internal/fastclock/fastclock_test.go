package fastclock

import (
	"strings"
	"testing"
	"time"
)

// TestEnvironment has another process go by the same clock.
func TestEnvironment(t *testing.T) {
	if FromEnvironment() != nil {
		t.Fatal("a clock without the variable")
	}
	c := New(1000)
	name, value, _ := strings.Cut(c.Environ(), "=")
	t.Setenv(name, value)
	other := FromEnvironment()
	if before, now, after := c.Now(), other(), c.Now(); now.Before(before) || now.After(after) {
		t.Errorf("%s, %s, %s", before, now, after)
	}
	if ahead := time.Until(c.Now()); ahead < 900*time.Second {
		t.Errorf("a second makes %s", ahead)
	}
	if d := c.Real(time.Hour); d != 3600*time.Millisecond {
		t.Errorf("an hour takes %s", d)
	}
}

// TestNewAt expects times of the day, whatever time it is.
func TestNewAt(t *testing.T) {
	for hour := range 24 {
		now := NewAt(600, time.Duration(hour)*time.Hour).Now()
		if late := now.Sub(now.Truncate(24*time.Hour)) - time.Duration(hour)*time.Hour; late < 0 || late > 30*time.Minute {
			t.Errorf("at %d it is %s", hour, now)
		}
		if ahead := time.Until(now); ahead < 0 || ahead > 25*time.Hour {
			t.Errorf("%s is not the next time that it is %d", now, hour)
		}
	}
}
