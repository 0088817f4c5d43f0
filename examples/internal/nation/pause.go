package nation

import (
	"fmt"
	"sync"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// pauses are until when servers want to be left alone. They are this process's: one
// that is started for every look asks, and is told again.
type pauses struct {
	mu    sync.Mutex
	until map[ledger.Source]time.Time
}

// note notes that a server asked at a time to be left alone for a while.
func (p *pauses) note(name ledger.Source, now time.Time, d time.Duration) {
	if d <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until == nil {
		p.until = map[ledger.Source]time.Time{}
	}
	if until := now.Add(d); until.After(p.until[name]) {
		p.until[name] = until
	}
}

// check returns an error if a server is to be left alone.
func (p *pauses) check(name ledger.Source, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := p.until[name]; now.Before(until) {
		return fmt.Errorf("%s asked to be left alone until %s", name, until.UTC().Format(time.RFC3339))
	}
	return nil
}
