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

// Lag returns how far a reader is behind that stands at a place among the batches of
// [Hub.Download]; who checks seals is given others, and asked about by
// [Hub.SealedLag]. Batches count that hold nothing for it, and those whose keys have
// been pruned, too. It is cheap enough to be asked for all nations at every look of a
// monitoring system.
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

// SealedLag returns how far a nation is behind that checks seals and stands at a place
// among the batches of [Hub.DownloadSealed]. Batches count that hold nothing for it;
// those that it is not given, as it is [Nation.SealedOnly], and those that are
// forgotten do not. It is as cheap as [Hub.Lag].
func (h *Hub) SealedLag(ctx context.Context, n *Nation, at Place) (Lag, error) {
	list, err := h.sealedListFor(ctx, n, at.Tag)
	if err != nil {
		return Lag{}, err
	}
	lag := Lag{}
	for i := list.next(n, list.after(at)); i < len(list.batches); i = list.next(n, i+1) {
		if lag.Batches++; lag.Batches == 1 {
			lag.Since = list.batches[i].time
		}
	}
	return lag, nil
}
