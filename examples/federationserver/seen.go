package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/storage/ledger"
)

// sightings are what is known of when nations were here last, in registers, so
// that every process says the same of them, after a restart too.
type sightings struct {
	lag    func(context.Context, ledger.Source, federation.Place) (federation.Lag, error)
	ledger *ledger.Ledger

	mu    sync.Mutex
	fresh map[ledger.Source]sighting // what is not stored yet
}

// A sighting is what is remembered of a nation. Times are whole hours.
type sighting struct {
	Asked      federation.Place `json:"asked"` // the furthest place that it asked from
	Uploaded   time.Time        `json:"uploaded,omitzero"`
	Downloaded time.Time        `json:"downloaded,omitzero"` // or asked to
}

func newSightings(h *federation.Hub, l *ledger.Ledger) *sightings {
	return &sightings{lag: lagsOf(h, newRegistry(l)), ledger: l, fresh: map[ledger.Source]sighting{}}
}

// lagsOf returns what tells how far nations are behind that stand at a place: each
// is given batches, and places, of its own protocol.
func lagsOf(h *federation.Hub, g *registry) func(context.Context, ledger.Source, federation.Place) (federation.Lag, error) {
	return func(ctx context.Context, id ledger.Source, at federation.Place) (federation.Lag, error) {
		n, _, err := g.find(ctx, id)
		if err != nil && !errors.Is(err, interop.ErrUnknownNation) {
			return federation.Lag{}, err
		}
		if n == nil || !n.european() {
			return h.Lag(ctx, at)
		}
		return h.SealedLag(ctx, n.federated(), at)
	}
}

// see notes that a nation is here.
func (s *sightings) see(ctx context.Context, id ledger.Source, now sighting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh[id] = s.later(ctx, id, s.fresh[id], now)
}

// later returns the later of both, by each of its parts.
func (s *sightings) later(ctx context.Context, id ledger.Source, a, b sighting) sighting {
	if b.Uploaded.After(a.Uploaded) {
		a.Uploaded = b.Uploaded
	}
	if b.Downloaded.After(a.Downloaded) {
		a.Downloaded = b.Downloaded
	}
	if s.further(ctx, id, b.Asked, a.Asked) {
		a.Asked = b.Asked
	}
	return a
}

// further reports whether fewer batches follow one place than another. A nation
// reads some batches twice, and looks back now and then: that is not where it
// stands.
func (s *sightings) further(ctx context.Context, id ledger.Source, a, b federation.Place) bool {
	none := federation.Place{}
	if a == b || a == none || b == none {
		return a != b && b == none
	}
	x, errA := s.lag(ctx, id, a)
	y, errB := s.lag(ctx, id, b)
	return errA == nil && errB == nil && (x.Batches < y.Batches || x.Batches == y.Batches && a.Tag != "" && b.Tag == "")
}

func seenRegister(id ledger.Source) string { return seenPrefix + string(id) }

// stored returns what all processes have stored, and the registers.
func (s *sightings) stored(ctx context.Context) (map[ledger.Source]sighting, map[ledger.Source]ledger.Register, error) {
	found, err := s.ledger.Registers(ctx, seenPrefix)
	if err != nil {
		return nil, nil, err
	}
	all, registers := map[ledger.Source]sighting{}, map[ledger.Source]ledger.Register{}
	for _, reg := range found {
		id := ledger.Source(reg.Name[len(seenPrefix):])
		var had sighting
		if err := json.Unmarshal(reg.Value, &had); err != nil {
			return nil, nil, fmt.Errorf("register %s: %w", reg.Name, err)
		}
		all[id], registers[id] = had, reg
	}
	return all, registers, nil
}

// all returns what is known of every nation that was ever here.
func (s *sightings) all(ctx context.Context) (map[ledger.Source]sighting, error) {
	all, _, err := s.stored(ctx)
	if err != nil {
		return nil, err
	}
	for id, fresh := range s.unstored() {
		all[id] = s.later(ctx, id, all[id], fresh)
	}
	return all, nil
}

func (s *sightings) unstored() map[ledger.Source]sighting {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.fresh)
}

// maxStored is how many registers one step changes.
const maxStored = 100

// store stores what is new, in as many steps as it takes. What another process
// changes at the same time is left for the next time.
func (s *sightings) store(ctx context.Context) error {
	fresh := s.unstored()
	if len(fresh) == 0 {
		return nil
	}
	had, registers, err := s.stored(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(fresh)), maxStored) {
		var swaps []ledger.Swap
		for _, id := range ids {
			now := s.later(ctx, id, had[id], fresh[id])
			if now == had[id] {
				continue
			}
			value, err := json.Marshal(now)
			if err != nil {
				return err
			}
			swaps = append(swaps, ledger.Swap{Name: seenRegister(id), Version: registers[id].Version, Value: value})
		}
		err := s.swap(ctx, swaps)
		if err == nil {
			s.forget(ids, fresh)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *sightings) swap(ctx context.Context, swaps []ledger.Swap) error {
	if len(swaps) == 0 {
		return nil
	}
	return s.ledger.Swap(ctx, ledger.NewNonce(), swaps...)
}

// forget forgets what has been stored.
func (s *sightings) forget(ids []ledger.Source, stored map[ledger.Source]sighting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if s.fresh[id] == stored[id] {
			delete(s.fresh, id)
		}
	}
}
