package deploy

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/gaenkit/gaen/storage/ledger"
)

// apart is a ledger's store as it would be: registers that are changed stay in memory,
// and the store below is only read. It is for who reads the log and changes registers,
// as publishers do; what else changes a ledger must not be asked of it.
type apart struct {
	ledger.Store

	mu      sync.Mutex
	changed map[string]ledger.Register // a version of 0 is gone
}

func newApart(below ledger.Store) *apart {
	return &apart{Store: below, changed: map[string]ledger.Register{}}
}

// Registers returns those below as they have been changed since.
func (a *apart) Registers(ctx context.Context, prefix string) ([]ledger.Register, error) {
	below, err := a.Store.Registers(ctx, prefix)
	if err != nil {
		return nil, err
	}
	all := map[string]ledger.Register{}
	for _, r := range below {
		all[r.Name] = r
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, r := range a.changed {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		if all[name] = r; r.Version == 0 {
			delete(all, name)
		}
	}
	var list []ledger.Register
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[name])
	}
	return list, nil
}

// firstVersion is what registers that are made apart begin with, so that no version
// is used again of one that was there before.
const firstVersion = 1 << 40

// Swap changes registers in memory.
func (a *apart) Swap(ctx context.Context, nonce ledger.Nonce, swaps []ledger.Swap) error {
	next := map[string]ledger.Register{}
	for _, s := range swaps {
		have := ledger.Register{Name: s.Name}
		found, err := a.Registers(ctx, s.Name)
		if err != nil {
			return err
		}
		if len(found) > 0 && found[0].Name == s.Name {
			have = found[0]
		}
		if have.Version != s.Version {
			return &ledger.ConflictError{Have: have, Want: s.Version}
		}
		if next[s.Name] = (ledger.Register{Name: s.Name}); !s.Delete {
			next[s.Name] = ledger.Register{Name: s.Name, Version: max(have.Version, firstVersion) + 1, Value: slices.Clone(s.Value), Nonce: nonce}
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.Copy(a.changed, next)
	return nil
}
