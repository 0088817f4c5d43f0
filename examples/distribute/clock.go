package main

import (
	"sync"
	"time"
)

// clock is the clock of a replay: it stands until it is set.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

// function returns the clock as stores take it: nil, which is the machine's, if
// there is none.
func (c *clock) function() func() time.Time {
	if c == nil {
		return nil
	}
	return c.now
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}
