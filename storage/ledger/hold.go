package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/gaenkit/gaen/keys"
)

// Holds are origins and sources whose units no cut takes for now. A hold pauses
// publication and loses nothing; it never delays a withdrawal.
type Holds struct {
	Origins []keys.Region `json:"origins,omitempty"`
	Sources []Source      `json:"sources,omitempty"`
}

// Holds reports whether a unit of this origin, with standing claims of these
// sources, is held. A unit that a source brought which is not held is not held
// by its others.
func (h Holds) Holds(origin keys.Region, sources Sources) bool {
	return slices.Contains(h.Origins, origin) || h.holdsAll(sources)
}

func (h Holds) holdsAll(sources Sources) bool {
	if len(h.Sources) == 0 || sources == "" {
		return false
	}
	for s := range sources.All() {
		if !slices.Contains(h.Sources, s) {
			return false
		}
	}
	return true
}

const holdsRegister = "holds"

func parseHolds(value []byte) (Holds, error) {
	var h Holds
	if len(value) == 0 {
		return h, nil
	}
	if err := json.Unmarshal(value, &h); err != nil {
		return h, fmt.Errorf("ledger: register %s: %w", holdsRegister, err)
	}
	return h, nil
}

// Holds returns what is held at present.
func (l *Ledger) Holds(ctx context.Context) (Holds, error) {
	h, _, err := l.readHolds(ctx)
	return h, err
}

// Hold stops cuts from taking units of an origin, a source, or both lists. It
// takes effect with the next cut.
func (l *Ledger) Hold(ctx context.Context, h Holds) error {
	return l.changeHolds(ctx, func(have Holds) Holds {
		have.Origins = with(have.Origins, h.Origins)
		have.Sources = with(have.Sources, h.Sources)
		return have
	})
}

// Resume lets cuts take them again. What waited meanwhile goes by the rules of any
// cut: a group that is too small waits for others first.
func (l *Ledger) Resume(ctx context.Context, h Holds) error {
	return l.changeHolds(ctx, func(have Holds) Holds {
		have.Origins = without(have.Origins, h.Origins)
		have.Sources = without(have.Sources, h.Sources)
		return have
	})
}

func (l *Ledger) readHolds(ctx context.Context) (Holds, int64, error) {
	register, err := readRegister(ctx, l.store, holdsRegister)
	if err != nil {
		return Holds{}, 0, err
	}
	h, err := parseHolds(register.Value)
	return h, register.Version, err
}

func (l *Ledger) changeHolds(ctx context.Context, change func(Holds) Holds) error {
	nonce := NewNonce()
	for {
		have, version, err := l.readHolds(ctx)
		if err != nil {
			return err
		}
		value, err := json.Marshal(change(have))
		if err != nil {
			return err
		}
		err = l.Swap(ctx, nonce, Swap{Name: holdsRegister, Version: version, Value: value})
		if !isConflict(err) {
			return err
		}
	}
}

// with returns the union of two lists, without touching either.
func with[T comparable](have, more []T) []T {
	have = slices.Clone(have)
	for _, x := range more {
		if !slices.Contains(have, x) {
			have = append(have, x)
		}
	}
	return have
}

// without returns have without the members of less.
func without[T comparable](have, less []T) []T {
	return slices.DeleteFunc(slices.Clone(have), func(x T) bool { return slices.Contains(less, x) })
}
