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
	if ahead := c.Now().Sub(time.Now()); ahead < 900*time.Second {
		t.Errorf("a second makes %s", ahead)
	}
	if d := c.Real(time.Hour); d != 3600*time.Millisecond {
		t.Errorf("an hour takes %s", d)
	}
}
