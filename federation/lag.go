package federation

import (
	"context"
	"fmt"
	"time"
)

// Lag is how far a reader of a hub's batches is behind.
type Lag struct {
	Batches int       // that follow the place at which it stands
	Since   time.Time // the cut of the first of them; zero if there is none
}

// Lag returns how far a reader is behind that stands at a place. Batches count that
// hold nothing for it, and those whose keys have been pruned, too. It is cheap
// enough to be asked for all nations at every look of a monitoring system.
func (h *Hub) Lag(ctx context.Context, at Place) (Lag, error) {
	list, err := h.list(ctx, at.Tag)
	if err != nil {
		return Lag{}, fmt.Errorf("federation: lag: %w", err)
	}
	i := list.after(at)
	if i >= len(list.batches) {
		return Lag{}, nil
	}
	return Lag{Batches: len(list.batches) - i, Since: list.batches[i].time}, nil
}
