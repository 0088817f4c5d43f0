package distribution

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

func hexOf(sum [32]byte) string { return hex.EncodeToString(sum[:]) }

// standing is a unit as a package shows it, with what says which of several with
// the same key data it shows.
type standing struct {
	key      keys.TemporaryExposureKey
	cut      int // the first
	foreign  bool
	accepted time.Time
	origin   keys.Region
}

// compare puts units with the same key data in the order of [ledger.Store.Read].
func (s *standing) compare(other *standing) int {
	rank := func(s *standing) int {
		if s.foreign {
			return 1
		}
		return 0
	}
	return cmp.Or(
		bytes.Compare(s.key.KeyData[:], other.key.KeyData[:]),
		cmp.Compare(s.cut, other.cut),
		cmp.Compare(rank(s), rank(other)),
		s.accepted.Compare(other.accepted),
		s.origin.Compare(other.origin))
}

// stateAt returns what the package shows at the end of a plan's window of the
// keys that began on a day or later, by key data.
func (v *viewer) stateAt(ctx context.Context, l *ledger.Ledger, cuts []ledger.Cut, c *committed, day int) (*export.Content, error) {
	var all []standing
	for rec, err := range l.Find(ctx, ledger.Query{}) {
		if err != nil {
			return nil, fmt.Errorf("distribution: reading what the ledger has: %w", err)
		}
		u := rec.Unit
		if u == nil || !u.Released() || u.Events[0].Number > c.To.Number {
			continue
		}
		now := v.unitAt(u, c.To.Number, c.End)
		if !now.ok {
			continue
		}
		first := u.Events[0]
		all = append(all, standing{
			key:      now.key,
			cut:      sort.Search(len(cuts), func(i int) bool { return cuts[i].Last >= first.Number }),
			foreign:  !first.Sources.Has(ledger.Own),
			accepted: u.Accepted,
			origin:   u.Key.Origin,
		})
	}
	slices.SortFunc(all, func(a, b standing) int { return a.compare(&b) })
	content := &export.Content{Start: c.Start, End: c.End}
	for i := range all {
		if k := &all[i].key; (i == 0 || k.KeyData != all[i-1].key.KeyData) && k.RollingStartIntervalNumber.Day() >= day {
			content.Keys = append(content.Keys, *k)
		}
	}
	return content, nil
}
