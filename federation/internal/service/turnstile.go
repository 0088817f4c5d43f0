package service

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// A Turnstile lets so many requests of one nation in at the same time: what one
// costs in memory is bounded, and so is what one nation can take from the others. It
// may be used from several goroutines at once.
type Turnstile struct {
	most int

	mu   sync.Mutex
	busy map[ledger.Source]int // requests being worked on
}

// NewTurnstile returns one that lets in so many.
func NewTurnstile(most int) *Turnstile {
	return &Turnstile{most: most, busy: map[ledger.Source]int{}}
}

// Enter lets a request of a nation in, until leave is called, once. The error is a
// [*Refusal].
func (t *Turnstile) Enter(nation ledger.Source) (leave func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy[nation] >= t.most {
		e := Refuse(http.StatusTooManyRequests, fmt.Sprintf("at most %d requests at the same time", t.most))
		e.RetryAfter = time.Second
		return nil, e
	}
	t.busy[nation]++
	return func() { t.leave(nation) }, nil
}

func (t *Turnstile) leave(nation ledger.Source) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy[nation]--; t.busy[nation] == 0 {
		delete(t.busy, nation)
	}
}
