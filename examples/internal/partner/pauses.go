package partner

import (
	"fmt"
	"sync"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// Pauses are until when servers want to be left alone. They are this process's: one
// that is started for every look asks, and is told again.
type Pauses struct {
	now func() time.Time

	mu    sync.Mutex
	until map[ledger.Source]time.Time
}

// NewPauses returns pauses by a clock.
func NewPauses(now func() time.Time) *Pauses {
	return &Pauses{now: now, until: map[ledger.Source]time.Time{}}
}

// note notes that a server asked just now to be left alone for a while.
func (p *Pauses) note(name ledger.Source, d time.Duration) {
	if d <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := p.now().Add(d); until.After(p.until[name]) {
		p.until[name] = until
	}
}

// check returns an error if a server is to be left alone.
func (p *Pauses) check(name ledger.Source) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := p.until[name]; p.now().Before(until) {
		return fmt.Errorf("%s asked to be left alone until %s", name, until.UTC().Format(time.RFC3339))
	}
	return nil
}
