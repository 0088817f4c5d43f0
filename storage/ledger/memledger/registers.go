package memledger

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/gaenkit/gaen/storage/ledger"
)

// Registers implements [ledger.Store].
func (s *Store) Registers(ctx context.Context, prefix string) ([]ledger.Register, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []ledger.Register
	for name, r := range s.registers {
		if strings.HasPrefix(name, prefix) {
			found = append(found, private(r))
		}
	}
	slices.SortFunc(found, func(a, b ledger.Register) int { return cmp.Compare(a.Name, b.Name) })
	return found, nil
}

// Swap implements [ledger.Store].
func (s *Store) Swap(ctx context.Context, nonce ledger.Nonce, swaps []ledger.Swap) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkSwaps(nonce, swaps); err != nil {
		return err
	}
	return s.take(ctx, &Step{Nonce: nonce, Swaps: swaps})
}

// checkSwaps returns the conflict of swaps by a writer with that nonce, if there
// is one: the first, but rather one with what the writer itself wrote.
func (s *Store) checkSwaps(nonce ledger.Nonce, swaps []ledger.Swap) error {
	var conflict *ledger.ConflictError
	for _, w := range swaps {
		have := s.registers[w.Name]
		have.Name = w.Name
		if have.Version != w.Version && (conflict == nil || have.Nonce == nonce) {
			conflict = &ledger.ConflictError{Have: private(have), Want: w.Version}
		}
	}
	if conflict == nil {
		return nil // and not a nil *ConflictError
	}
	return conflict
}

// named returns those of the named registers that exist.
func (s *Store) named(names []string) map[string]ledger.Register {
	found := map[string]ledger.Register{}
	for _, name := range names {
		if r, ok := s.registers[name]; ok {
			found[name] = private(r)
		}
	}
	return found
}

// private returns r with a value of its own.
func private(r ledger.Register) ledger.Register {
	r.Value = slices.Clone(r.Value)
	return r
}

func (s *Store) swap(nonce ledger.Nonce, swaps []ledger.Swap) {
	for _, w := range swaps {
		s.version++
		if w.Delete {
			delete(s.registers, w.Name)
			continue
		}
		s.registers[w.Name] = ledger.Register{
			Name:    w.Name,
			Version: s.version,
			Value:   append([]byte{}, w.Value...),
			Nonce:   nonce,
		}
	}
}
