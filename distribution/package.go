package distribution

import (
	"fmt"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A Package is a named stream of archives: a country's, a union's, a region's.
type Package struct {
	Name   string // in object names and registers: "DE", "EUR", "GB-EAW"
	Region string // in the archives; empty for Name
	Select Selector
	Map    PublicationMap

	// FromBeginning has a new package begin with the first cut of the ledger.
	// Otherwise it begins with the last: what was released before is not shown
	// in it. On a ledger without a cut the two are the same.
	FromBeginning bool
}

func (p *Package) region() string {
	if p.Region != "" {
		return p.Region
	}
	return p.Name
}

// States returns what the package's archives would say of a unit that an event
// makes active, in a window that ends at end, by the selector and the map that the
// package has now; or why they would not say it. Whoever asks what a package says
// of a key that it may have shown by others asks [Publisher.Showings].
func (p *Package) States(u *ledger.Unit, e ledger.Event, end time.Time) (keys.TemporaryExposureKey, Absence) {
	if why := p.Select.leavesOut(&u.Key, e); why != "" {
		return keys.TemporaryExposureKey{}, why
	}
	k, leaveOut := p.Map.stated(new(keys.DiagnosisKey), u, e, end)
	return k, Absence(leaveOut)
}

func (p *Package) check() error {
	if r, err := keys.ParseRegion(p.Name); err != nil {
		return fmt.Errorf("distribution: Package.Name %q: %w", p.Name, err)
	} else if r.String() != p.Name {
		return fmt.Errorf("distribution: Package.Name %q: want upper case", p.Name)
	}
	if err := p.Select.check(); err != nil {
		return fmt.Errorf("distribution: package %s: Select: %w", p.Name, err)
	}
	if p.Map.Name == "" || p.Map.Publish == nil {
		return fmt.Errorf("distribution: package %s: Map: needs a name and a function; Identity is one", p.Name)
	}
	if p.Map.wrong != "" {
		return fmt.Errorf("distribution: package %s: Map: %s", p.Name, p.Map.wrong)
	}
	return nil
}

// An epoch is a stretch of the log in which a package had one selector and one
// publication map: from the numbers after After to the next epoch.
type epoch struct {
	After  int64    `json:"after"`
	Select Selector `json:"select"`
	Map    string   `json:"map"`

	// Adopted says that its numbers are of keys that another system published. What
	// is out is out, also where that was before its embargo was over.
	Adopted bool `json:"adopted,omitempty"`
}

// packageState is what the ledger remembers of a package: how far it has been
// planned, and what it went by where.
type packageState struct {
	// Next is the start of the next base window to plan; zero until the ledger
	// has a cut.
	Next time.Time `json:"next,omitzero"`

	// Position is the last cut before Next.
	Position ledger.Position `json:"position"`

	Epochs []epoch `json:"epochs"`
}

// epochAt returns the epoch that number n lies in, nil before the first.
func (s *packageState) epochAt(n int64) *epoch {
	for i := len(s.Epochs) - 1; i >= 0; i-- {
		if s.Epochs[i].After < n {
			return &s.Epochs[i]
		}
	}
	return nil
}

// goBy has the package go by p from the numbers after its position on.
func (s *packageState) goBy(p *Package) {
	now := epoch{After: s.Position.Number, Select: p.Select, Map: p.Map.Name}
	if n := len(s.Epochs); n > 0 {
		last := &s.Epochs[n-1]
		if last.Map == now.Map && last.Select.equal(&now.Select) {
			return
		}
		if last.After == now.After {
			*last = now
			return
		}
	}
	s.Epochs = append(s.Epochs, now)
}
