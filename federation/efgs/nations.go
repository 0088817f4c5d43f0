package efgs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Nations is what a [Server] needs to know of who calls it, beside the
// certificates: a table, a database, a file that is reloaded. [Directory] is one.
// Methods may be called from several goroutines at once.
type Nations interface {
	// Nation must return whom the certificates of a country stand for; its region
	// must be the country. If there is none, the error must satisfy
	// errors.Is(err, [ErrUnknownNation]); any other means that it could not be found
	// out. What is returned must not be changed afterwards.
	Nation(ctx context.Context, country keys.Region) (*federation.Nation, error)
}

// ErrUnknownNation: no nation is of this country.
var ErrUnknownNation = errors.New("efgs: no such nation")

// A Directory is a table of nations. It may be replaced as a whole while the server
// runs.
type Directory struct {
	nations atomic.Pointer[map[keys.Region]*federation.Nation]
}

var _ Nations = (*Directory)(nil)

// NewDirectory returns the directory of these nations, by their regions, which are
// countries. The error names the nation and the field.
func NewDirectory(nations ...federation.Nation) (*Directory, error) {
	d := &Directory{}
	return d, d.Replace(nations...)
}

// Replace puts other nations in the place of those that are there, or none if there
// is an error. Requests that have begun are finished with the old ones.
func (d *Directory) Replace(nations ...federation.Nation) error {
	table := make(map[keys.Region]*federation.Nation, len(nations))
	names := make(map[ledger.Source]bool, len(nations))
	for _, n := range nations {
		if err := checkNation(&n); err != nil {
			return fmt.Errorf("efgs: nation %q: %w", n.Name, err)
		}
		if names[n.Name] || table[n.Region] != nil {
			return fmt.Errorf("efgs: nation %q: its Name or its Region is another's, too", n.Name)
		}
		table[n.Region], names[n.Name] = &n, true
	}
	d.nations.Store(&table)
	return nil
}

// checkNation returns an error that names the field.
func checkNation(n *federation.Nation) error {
	switch {
	case n.Name == ledger.Own || n.Name == ledger.Operator:
		return errors.New("Nation.Name is not the name of a nation")
	case len(n.Region.String()) != 2:
		return errors.New("Nation.Region is not a country of two letters, as certificates have it")
	case !n.Relays.IsEmpty():
		return errors.New("Nation.Relays is not empty: this protocol takes no key of another origin than the certificate's")
	}
	if err := n.Name.Check(); err != nil {
		return fmt.Errorf("Nation.Name: %w", err)
	}
	return nil
}

// Nation implements [Nations].
func (d *Directory) Nation(_ context.Context, country keys.Region) (*federation.Nation, error) {
	if table := d.nations.Load(); table != nil {
		if n, ok := (*table)[country]; ok {
			return n, nil
		}
	}
	return nil, ErrUnknownNation
}

// Countries returns those that have a nation, in order.
func (d *Directory) Countries() []keys.Region {
	table := d.nations.Load()
	if table == nil {
		return nil
	}
	return slices.SortedFunc(maps.Keys(*table), keys.Region.Compare)
}
