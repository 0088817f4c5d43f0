package ringtest_test

import (
	"testing"
	"time"
)

// slices is how many parts of a run memory is told for.
const parts = 10

// memory is how much of it each program had, at most, second by second.
type memory struct {
	programs []*program
	most     [][]int // KiB, by program and second
	quit     chan struct{}
	done     chan struct{}
}

// measure begins to measure.
func (r *ring) measure() *memory {
	m := &memory{programs: r.programs(), quit: make(chan struct{}), done: make(chan struct{})}
	m.most = make([][]int, len(m.programs))
	go func() {
		defer close(m.done)
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			for i, p := range m.programs {
				m.most[i] = append(m.most[i], p.resident())
			}
			select {
			case <-m.quit:
				return
			case <-ticker.C:
			}
		}
	}()
	return m
}

func (m *memory) stop() {
	close(m.quit)
	<-m.done
}

// tell logs the most that each program had in each tenth of the run.
func (m *memory) tell(t *testing.T) {
	for i, p := range m.programs {
		var tenths []int
		for part := range parts {
			most := 0
			n := len(m.most[i])
			for _, kib := range m.most[i][part*n/parts : (part+1)*n/parts] {
				most = max(most, kib)
			}
			tenths = append(tenths, most>>10)
		}
		t.Logf("%s: MiB in each tenth of the run: %v", p.name, tenths)
	}
}
