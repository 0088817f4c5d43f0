package pgledger

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// known is what a step knows of the units it is about.
type known struct {
	*tx
	ids   []ledger.UnitID // asked for
	data  [][]byte        // their key data, each once
	rows  map[ledger.UnitID]*row
	byKey map[keys.KeyData][]*row // all units with that key data
	free  []int64                 // ids for new units

	traces *traces
}

// bulk is how many units a delivery asks for before it is taken for granted that
// some of them are known.
const bulk = 200

// look adds to a batch what finds units and those of other origins with their key
// data, and locks them.
//
// Without a lock of the log it finds nothing but that there are any: then the
// step must begin again with one.
func (k *known) look(b *batch) {
	if k.log == unlocked {
		var ignored int64
		b.each(`SELECT id FROM gaen.unit WHERE key_data = ANY ($1) LIMIT 1`, []any{k.data}, []any{&ignored}, func() error { return errKnown })
		return
	}
	found := newRows()
	dest, add := found.add()
	b.each(selectUnits+`WHERE unit.key_data = ANY ($1) ORDER BY unit.key_data, unit.place FOR UPDATE`, []any{k.data}, dest, func() error {
		if err := add(); err != nil {
			return err
		}
		r := found.all[len(found.all)-1]
		k.rows[r.unit.ID()] = r
		k.byKey[r.unit.Key.KeyData] = append(k.byKey[r.unit.Key.KeyData], r)
		return nil
	})
	// These are other queries than the one that may have waited, so they see what
	// was waited for. That may be a further unit of the key data.
	var n int
	b.each(`SELECT count(*) FROM gaen.unit WHERE key_data = ANY ($1)`, []any{k.data}, []any{&n}, func() error { return nil })
	b.checks = append(b.checks, func() error {
		if n != len(found.all) {
			return errAgain
		}
		return nil
	})
	const ofKeys = `unit.key_data = ANY ($1))`
	found.addClaims(b, `claim.unit IN (SELECT id FROM gaen.unit WHERE unit.source IS NULL AND `+ofKeys, k.data)
	found.addEvents(b, `event.unit IN (SELECT id FROM gaen.unit WHERE `+ofKeys, k.data)
}

// number adds to a batch what gets ids for n new units, and the database's time
// when it does.
func (k *known) number(b *batch, n int) (now *time.Time) {
	now = new(time.Time)
	var id int64
	b.each(`SELECT nextval('gaen.unit_id'), clock_timestamp() FROM generate_series(0, $1::int)`, []any{n}, []any{&id, now}, func() error {
		k.free = append(k.free, id)
		return nil
	})
	return now
}

func (t *tx) known(ids []ledger.UnitID) *known {
	return &known{
		tx:    t,
		ids:   ids,
		data:  keyData(ids),
		rows:  make(map[ledger.UnitID]*row, len(ids)),
		byKey: make(map[keys.KeyData][]*row, len(ids)),
	}
}

// unit returns a copy of a unit that has been looked for, nil if there is none.
func (k *known) unit(id ledger.UnitID) *ledger.Unit {
	if r := k.rows[id]; r != nil {
		return r.unit.Clone()
	}
	return nil
}

// unclaimed returns the key data, of what was asked for, that there is no unit of.
func (k *known) unclaimed() [][]byte {
	var none [][]byte
	for _, data := range k.data {
		if len(k.byKey[keys.KeyData(data)]) == 0 {
			none = append(none, data)
		}
	}
	return none
}

// A saving is units to be stored, sorted by what has to be done.
type saving struct {
	added   []*row
	shared  []int64
	changed []*row
	claims  []*row  // whose claims are to be rows
	bare    []int64 // whose claims may have been rows
	idle    []int64 // known units that wait for nothing
	waiting []waiter
}

// A waiter is a unit with the event that it waits for.
type waiter struct {
	*row
	event ledger.Event
	wait  ledger.Wait
}

// sort finds out what has to be done to store units.
func (k *known) sort(units []*ledger.Unit) (*saving, error) {
	s := &saving{}
	for _, u := range units {
		r := k.rows[u.ID()]
		switch {
		case r == nil:
			if len(k.free) == 0 {
				return nil, errTooMany
			}
			s.insert(k, u)
		case !same(&r.unit, u):
			s.update(r, u)
		}
	}
	return s, nil
}

// order puts what is added into the order in which all deliveries add, so that
// none waits for one that waits for it.
func (s *saving) order() {
	slices.SortFunc(s.added, func(a, b *row) int {
		return cmp.Or(bytes.Compare(a.unit.Key.KeyData[:], b.unit.Key.KeyData[:]), cmp.Compare(a.place, b.place))
	})
}

func (s *saving) insert(k *known, u *ledger.Unit) {
	id := u.ID()
	siblings := k.byKey[id.KeyData]
	r := &row{id: k.free[0], unit: *u, plain: isPlain(u), shared: len(siblings) > 0}
	k.free = k.free[1:]
	for _, sibling := range siblings {
		r.place = max(r.place, sibling.place+1)
		if !sibling.shared {
			sibling.shared = true
			s.shared = append(s.shared, sibling.id)
		}
	}
	k.rows[id], k.byKey[id.KeyData] = r, append(siblings, r)
	s.added = append(s.added, r)
	s.rest(r)
}

// update notes a unit that stands otherwise than it did.
func (s *saving) update(r *row, u *ledger.Unit) {
	if !r.plain {
		s.bare = append(s.bare, r.id)
	}
	events := r.unit.Events // the log's, which stay as they are
	r.unit, r.plain = *u, isPlain(u)
	r.unit.Events = events
	s.changed = append(s.changed, r)
	if !s.rest(r) {
		s.idle = append(s.idle, r.id)
	}
}

// rest notes what is not in a unit's own row, and reports whether it waits.
func (s *saving) rest(r *row) bool {
	if !r.plain {
		s.claims = append(s.claims, r)
	}
	event, wait := r.unit.Pending()
	if wait == ledger.WaitNothing {
		return false
	}
	s.waiting = append(s.waiting, waiter{row: r, event: event, wait: wait})
	return true
}

// same reports whether two states of a unit are stored alike.
func same(a, b *ledger.Unit) bool {
	return a.Key == b.Key && a.Accepted.Equal(b.Accepted) && a.Due.Equal(b.Due) && a.Upload == b.Upload &&
		a.SourceWithdrew == b.SourceWithdrew && a.OperatorWithdrew == b.OperatorWithdrew && a.Erase == b.Erase &&
		slices.EqualFunc(a.Claims, b.Claims, func(x, y ledger.Claim) bool {
			at := x.Accepted.Equal(y.Accepted)
			x.Accepted = y.Accepted
			return at && x == y
		})
}
