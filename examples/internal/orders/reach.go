package orders

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Reach says whom the withdrawals of an order reach, and whom they do not.
type Reach struct {
	Packages []*PackageReach `json:"packages,omitempty"`
	Partners []*PartnerReach `json:"partners,omitempty"`
}

// A PackageReach says what becomes of the keys in what a package publishes: Keys =
// Forgettable + Kept + Retracted + Unchanged.
type PackageReach struct {
	Layout string `json:"layout"`
	*distribution.Foresight

	// Retracted is for delta sets, whose clients forget whatever they are told to.
	Retracted int `json:"retracted,omitempty"`

	// By is when the file that says so is due, if it is known.
	By time.Time `json:"by,omitzero"`

	closes func(cut time.Time) time.Time
}

// A PartnerReach says what a partner is told.
type PartnerReach struct {
	*federation.Foresight

	// By is the time of the cut that tells of it, if it is known. It is sent with the
	// next run after that.
	By time.Time `json:"by,omitzero"`
}

// NewPackageReach returns what is said of one package. Clients of one that retracts
// need no state of their own to forget a key.
func NewPackageReach(layout string, retracts bool, f *distribution.Foresight, closes func(cut time.Time) time.Time) *PackageReach {
	p := &PackageReach{Layout: layout, Foresight: f, closes: closes}
	if retracts {
		plain := *f
		p.Retracted = plain.Forgettable
		for _, n := range plain.Kept {
			p.Retracted += n
		}
		plain.Forgettable, plain.Kept = 0, nil
		p.Foresight = &plain
	}
	return p
}

// schedule says by when.
func (r *Reach) schedule(report *ledger.OrderReport) {
	if report.Cut.IsZero() {
		return
	}
	for _, p := range r.Packages {
		if p.Unchanged != nil && p.Retracted+p.Forgettable+len(p.Kept) == 0 {
			continue // it says nothing
		}
		p.By = p.closes(report.Cut)
	}
	for _, p := range r.Partners {
		if p.Told > 0 {
			p.By = report.Cut
		}
	}
}

// A Forecast counts what becomes of keys somewhere: of each family those units that
// are withdrawn.
type Forecast interface {
	Add(family *ledger.Unit, withdrawn map[ledger.UnitID]bool)
}

// foreseen is how many keys are looked up at a time, so that an order about all there
// is does not hold all of them in memory.
const foreseen = 500

// Foresee has forecasts count what an order withdraws.
func Foresee(ctx context.Context, l *ledger.Ledger, o *ledger.Order, forecasts ...Forecast) error {
	ids, err := l.Withdrawn(ctx, o)
	if err != nil {
		return err
	}
	slices.SortFunc(ids, func(a, b ledger.UnitID) int { return bytes.Compare(a.KeyData[:], b.KeyData[:]) })
	for len(ids) > 0 {
		n := min(len(ids), foreseen)
		for n < len(ids) && ids[n].KeyData == ids[n-1].KeyData { // a key is counted once
			n++
		}
		if err := foresee(ctx, l, ids[:n], forecasts); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

func foresee(ctx context.Context, l *ledger.Ledger, ids []ledger.UnitID, forecasts []Forecast) error {
	withdrawn := make(map[ledger.UnitID]bool, len(ids))
	data := make([]keys.KeyData, len(ids))
	for i, id := range ids {
		withdrawn[id], data[i] = true, id.KeyData
	}
	families, err := l.Families(ctx, slices.Compact(data)...)
	if err != nil {
		return err
	}
	for _, family := range families {
		for _, f := range forecasts {
			f.Add(family, withdrawn)
		}
	}
	return nil
}

// A Sender is a partner that is configured. Push is nil where it is sent nothing.
type Sender struct {
	Name ledger.Source
	Push *federation.Push
}

// Partners begins a forecast for each partner that is sent keys, and for all others
// to whom the ledger says that something was sent: those that are configured are sent
// nothing any more, and the others are no partners any more.
func Partners(ctx context.Context, l *ledger.Ledger, senders []Sender) ([]*federation.Forecast, error) {
	names, err := federation.Partners(ctx, l)
	if err != nil {
		return nil, err
	}
	why := map[ledger.Source]string{}
	for _, name := range names {
		why[name] = federation.UntoldRemoved
	}
	var all []*federation.Forecast
	for _, s := range senders {
		if s.Push == nil {
			if why[s.Name] != "" {
				why[s.Name] = federation.UntoldExportOff
			}
			continue
		}
		delete(why, s.Name)
		f, err := s.Push.Forecast(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	for _, name := range names {
		if why[name] == "" {
			continue
		}
		f, err := federation.Forsaken(ctx, l, name, why[name])
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}
