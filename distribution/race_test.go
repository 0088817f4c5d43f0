package distribution_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/gaenkit/gaen/distribution"
)

// TestRunnersSideBySide has several runs go on at once, while keys arrive and
// cuts are made, and compares the tree with the model (invariant 2). It means
// most under the race detector.
func TestRunnersSideBySide(t *testing.T) {
	for _, kind := range placeKinds {
		t.Run(string(kind), func(t *testing.T) { runSideBySide(t, kind) })
	}
}

func runSideBySide(t *testing.T, kind placeKind) {
	rounds := 20
	if testing.Short() {
		rounds = 8
	}
	w := newWorldIn(t, kind, 7)
	w.opts.Parallel = 3
	var m model
	for range rounds {
		w.hours(1)
		m.look(t, w.open(nil), w.clock.Truncate(hour), w.packages)
		var group sync.WaitGroup
		for range 3 {
			p, _ := w.publisher(nil, nil)
			group.Go(func() {
				if r, err := p.Run(t.Context()); err != nil && !errors.Is(err, distribution.ErrIncomplete) {
					t.Errorf("%v\n%s", err, r)
				}
			})
		}
		group.Wait()
	}
	w.run()
	w.verify()
	for _, pkg := range []string{"DE", "EUR"} {
		w.compareHours(&m, pkg)
	}
}
