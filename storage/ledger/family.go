package ledger

import (
	"cmp"
	"context"
	"slices"
	"sort"

	"github.com/gaenkit/gaen/keys"
)

// fewFamilies is up to how many keys are asked for one by one.
const fewFamilies = 500

// Families returns the units with the given key data as [Store.Read] yields them,
// as of the last cut and also where cuts have been pruned: for each key data the unit
// released first, its siblings in their order. Those that have no number yet come
// last, and have no event. Unlike those of Read they have their claims. What the
// ledger has no unit of is left out; the order is that of the first mention.
func (l *Ledger) Families(ctx context.Context, of ...keys.KeyData) ([]*Unit, error) {
	log, err := l.store.Log(ctx, 0)
	if err != nil {
		return nil, err
	}
	found := make(map[keys.KeyData][]*Unit, len(of))
	for _, k := range of {
		if !k.IsZero() { // which is no key's, and asks for all
			found[k] = nil
		}
	}
	if len(of) <= fewFamilies {
		for k := range found {
			if err := l.addFamily(ctx, found, Query{KeyData: k}); err != nil {
				return nil, err
			}
		}
	} else if err := l.addFamily(ctx, found, Query{}); err != nil {
		return nil, err
	}
	var families []*Unit
	for _, k := range of {
		if units := found[k]; len(units) > 0 {
			families = append(families, log.family(units))
			delete(found, k)
		}
	}
	return families, nil
}

// addFamily adds to what was found those units that a query describes.
func (l *Ledger) addFamily(ctx context.Context, found map[keys.KeyData][]*Unit, q Query) error {
	for rec, err := range l.store.Find(ctx, q) {
		if err != nil {
			return err
		}
		if units, wanted := found[rec.ID.KeyData]; wanted && rec.Unit != nil {
			found[rec.ID.KeyData] = append(units, rec.Unit)
		}
	}
	return nil
}

// family puts the unit released first before its siblings, by the rule of
// [Store.Read].
func (log *Log) family(units []*Unit) *Unit {
	slices.SortFunc(units, func(a, b *Unit) int {
		return cmp.Or(
			cmp.Compare(log.releasedBy(a), log.releasedBy(b)),
			cmp.Compare(releasedRank(a), releasedRank(b)),
			a.Accepted.Compare(b.Accepted),
			a.Key.Origin.Compare(b.Key.Origin))
	})
	first := units[0].Clone()
	for _, u := range units[1:] {
		first.Siblings = append(first.Siblings, *u)
	}
	return first
}

// releasedBy returns the place of the cut that released a unit, that after the last
// if none has.
func (log *Log) releasedBy(u *Unit) int {
	if !u.Released() {
		return len(log.Cuts)
	}
	return log.cutOf(u.Events[0].Number)
}

// cutOf returns the place of the cut that gave a number, in a log of all cuts.
func (log *Log) cutOf(number int64) int {
	return sort.Search(len(log.Cuts), func(i int) bool { return log.Cuts[i].Last >= number })
}

// releasedRank puts own units, as of their first event, before others.
func releasedRank(u *Unit) int {
	if u.Released() && !u.Events[0].Sources.Has(Own) {
		return 1
	}
	return 0
}
