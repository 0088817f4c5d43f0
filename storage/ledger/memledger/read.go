package memledger

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sort"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Log implements [ledger.Store].
func (s *Store) Log(ctx context.Context, after int64) (*ledger.Log, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	log := &ledger.Log{Identity: s.identity, Replay: s.replay, Now: s.now(), Last: s.last(), Tallies: ledger.Tallies{}}
	log.Cuts = slices.Clone(s.cuts[min(max(after, 0), int64(len(s.cuts))):])
	maps.Copy(log.Tallies, s.tallies)
	return log, nil
}

// Read implements [ledger.Store].
func (s *Store) Read(ctx context.Context, from, to int64) iter.Seq2[*ledger.Unit, error] {
	return func(yield func(*ledger.Unit, error) bool) {
		units, err := s.readAll(ctx, from, to)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, u := range units {
			if !yield(u, nil) {
				return
			}
		}
	}
}

// readAll is Read at one moment.
func (s *Store) readAll(ctx context.Context, from, to int64) ([]*ledger.Unit, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	to = min(to, s.last().Last)
	if s.pruned(from, to) {
		return nil, ledger.ErrPruned
	}
	var units []*ledger.Unit
	seen := map[keys.KeyData]bool{}
	first := sort.Search(len(s.numbers), func(i int) bool { return s.numbers[i].number > from })
	for _, n := range s.numbers[first:] {
		if n.number > to {
			break
		}
		if k := n.id.KeyData; !seen[k] {
			seen[k] = true
			units = append(units, s.family(k, to))
		}
	}
	return units, nil
}

// pruned reports whether a number in (from, to] has been removed.
func (s *Store) pruned(from, to int64) bool {
	first := int64(0)
	for _, c := range s.cuts {
		if c.Pruned && max(first, from) < min(c.Last, to) {
			return true
		}
		first = c.Last
	}
	return false
}

// family returns the units with that key data as of number to, the one released
// first with the others as its siblings.
func (s *Store) family(k keys.KeyData, to int64) *ledger.Unit {
	var units []ledger.Unit
	for _, origin := range s.origins[k] {
		u := s.units[ledger.UnitID{Origin: origin, KeyData: k}].Clone()
		u.Events = slices.DeleteFunc(u.Events, func(e ledger.Event) bool { return e.Number > to })
		if u.Released() {
			units = append(units, *u)
		}
	}
	slices.SortFunc(units, func(a, b ledger.Unit) int {
		return ledger.CompareSiblings(&a, s.cutOf(a.Events[0].Number), &b, s.cutOf(b.Events[0].Number))
	})
	first := units[0]
	if len(units) > 1 {
		first.Siblings = units[1:]
	}
	return &first
}

// cutOf returns the index of the cut that gave a number.
func (s *Store) cutOf(number int64) int64 {
	return int64(sort.Search(len(s.cuts), func(i int) bool { return s.cuts[i].Last >= number }))
}

// Find implements [ledger.Store].
func (s *Store) Find(ctx context.Context, q ledger.Query) iter.Seq2[*ledger.Record, error] {
	return func(yield func(*ledger.Record, error) bool) {
		records, err := s.findAll(ctx, q)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (s *Store) findAll(ctx context.Context, q ledger.Query) ([]*ledger.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[ledger.UnitID]*ledger.Record{}
	switch {
	case q.Unit != nil:
		if rec := s.record(*q.Unit); describes(q, rec) {
			found[*q.Unit] = rec
		}
	case q.Upload != "":
		for id := range s.uploads[q.Upload] {
			if matches(q, s.units[id]) {
				found[id] = s.record(id)
			}
		}
	case !q.KeyData.IsZero():
		for _, origin := range s.origins[q.KeyData] {
			id := ledger.UnitID{Origin: origin, KeyData: q.KeyData}
			if matches(q, s.units[id]) {
				found[id] = s.record(id)
			}
		}
	default:
		for id, u := range s.units {
			if matches(q, u) {
				found[id] = s.record(id)
			}
		}
	}
	var records []*ledger.Record
	if q.SetAside {
		records = s.addSetAside(q, found)
	}
	for _, rec := range found {
		records = append(records, rec)
	}
	return records, nil
}

// describes reports whether a query that names the record's unit describes what
// is known of it.
func describes(q ledger.Query, rec *ledger.Record) bool {
	if rec.Unit != nil {
		return matches(q, rec.Unit)
	}
	known := rec.Kept != nil || !rec.Tombstone.IsZero()
	return known && q.Source == "" && q.Upload == "" && (q.Origin.IsZero() || q.Origin == rec.ID.Origin) &&
		(q.KeyData.IsZero() || q.KeyData == rec.ID.KeyData)
}

// matches reports whether a query describes u, but for the unit it may name.
func matches(q ledger.Query, u *ledger.Unit) bool {
	if !q.Origin.IsZero() && q.Origin != u.Key.Origin || !q.KeyData.IsZero() && q.KeyData != u.Key.KeyData {
		return false
	}
	if q.Source == "" && q.Upload == "" {
		return true
	}
	return slices.ContainsFunc(u.Claims, func(c ledger.Claim) bool {
		return (q.Source == "" || q.Source == c.Source) && (q.Upload == "" || q.Upload == c.Upload)
	})
}

// addSetAside adds the keys that were set aside to the records found, and
// returns records for those that have none.
func (s *Store) addSetAside(q ledger.Query, found map[ledger.UnitID]*ledger.Record) []*ledger.Record {
	var unreadable []*ledger.Record
	for _, a := range s.setAside {
		switch {
		case q.Unit != nil && *q.Unit != a.ID,
			!q.Origin.IsZero() && q.Origin != a.ID.Origin,
			!q.KeyData.IsZero() && q.KeyData != a.ID.KeyData,
			q.Source != "" && q.Source != a.Source,
			q.Upload != "" && q.Upload != a.Upload:
			continue
		case a.ID == ledger.UnitID{}:
			unreadable = append(unreadable, &ledger.Record{SetAside: []ledger.SetAside{a}})
			continue
		}
		if found[a.ID] == nil {
			found[a.ID] = s.record(a.ID)
		}
		found[a.ID].SetAside = append(found[a.ID].SetAside, a)
	}
	return unreadable
}
