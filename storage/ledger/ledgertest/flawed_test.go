package ledgertest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// flawed is a store with one fault, by name; without any it is right, if slow.
type flawed struct {
	fault string
	clock func() time.Time

	mu        sync.Mutex
	identity  ledger.Identity
	units     map[ledger.UnitID]*ledger.Unit
	arrived   []ledger.UnitID // in the order of arrival
	kept      map[ledger.UnitID][]ledger.KeptWithdrawal
	aside     []ledger.SetAside
	tombs     map[ledger.Tombstone]time.Time
	cuts      []ledger.Cut
	waits     []ledger.GroupWait
	registers map[string]ledger.Register
	version   int64
	tallies   ledger.Tallies
	extra     int64 // numbers that nothing has
}

var _ ledger.Store = (*flawed)(nil)

func newFlawed(fault string, clock func() time.Time) *flawed {
	s := &flawed{
		fault: fault, clock: clock,
		units:     map[ledger.UnitID]*ledger.Unit{},
		kept:      map[ledger.UnitID][]ledger.KeptWithdrawal{},
		tombs:     map[ledger.Tombstone]time.Time{},
		registers: map[string]ledger.Register{},
		tallies:   ledger.Tallies{},
	}
	if !s.is("same identity") {
		rand.Read(s.identity[:])
	}
	return s
}

// is reports whether the store has that fault.
func (s *flawed) is(fault string) bool {
	if !slices.ContainsFunc(faults, func(f flaw) bool { return f.name == fault }) {
		panic("no such fault: " + fault)
	}
	return s.fault == fault
}

// copy returns a store of the same content.
func (s *flawed) copy() *flawed {
	c := newFlawed(s.fault, s.clock)
	c.identity, c.version, c.extra = s.identity, s.version, s.extra
	for id, u := range s.units {
		c.units[id] = u.Clone()
	}
	c.arrived, c.aside, c.cuts, c.waits = slices.Clone(s.arrived), slices.Clone(s.aside), slices.Clone(s.cuts), slices.Clone(s.waits)
	for id, kept := range s.kept {
		c.kept[id] = slices.Clone(kept)
	}
	c.tombs, c.registers, c.tallies = maps.Clone(s.tombs), maps.Clone(s.registers), maps.Clone(s.tallies)
	return c
}

func (s *flawed) now() time.Time {
	if s.is("nanoseconds") {
		return s.clock().UTC()
	}
	return s.clock().UTC().Truncate(time.Microsecond)
}

func (s *flawed) last() ledger.Cut {
	if len(s.cuts) == 0 {
		return ledger.Cut{}
	}
	return s.cuts[len(s.cuts)-1]
}

func (s *flawed) cancelled(ctx context.Context) error {
	if s.is("context ignored") {
		return nil
	}
	return ctx.Err()
}

// Log implements [ledger.Store].
func (s *flawed) Log(ctx context.Context, after int64) (*ledger.Log, error) {
	if err := s.cancelled(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.is("identity changes") {
		s.identity[0]++
	}
	if s.is("page off by one") && after > 0 {
		after++
	}
	log := &ledger.Log{Identity: s.identity, Replay: true, Now: s.now(), Last: s.last(), Tallies: maps.Clone(s.tallies)}
	if s.is("tallies shared") {
		log.Tallies = s.tallies
	}
	for _, c := range s.cuts {
		if c.Seq > after {
			log.Cuts = append(log.Cuts, c)
		}
	}
	return log, nil
}

// Registers implements [ledger.Store].
func (s *flawed) Registers(ctx context.Context, prefix string) ([]ledger.Register, error) {
	if err := s.cancelled(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []ledger.Register
	for name, r := range s.registers {
		in := strings.HasPrefix(name, prefix)
		if s.is("prefix of any case") {
			in = strings.HasPrefix(strings.ToLower(name), strings.ToLower(prefix))
		}
		if s.is("empty register is none") && len(r.Value) == 0 {
			in = false
		}
		if in {
			found = append(found, s.own(r))
		}
	}
	slices.SortFunc(found, func(a, b ledger.Register) int {
		if s.is("registers out of order") {
			return cmp.Compare(a.Version, b.Version)
		}
		return strings.Compare(a.Name, b.Name)
	})
	return found, nil
}

// own returns a register with a value of its own.
func (s *flawed) own(r ledger.Register) ledger.Register {
	if !s.is("values shared") {
		r.Value = slices.Clone(r.Value)
	}
	return r
}

// Swap implements [ledger.Store].
func (s *flawed) Swap(ctx context.Context, nonce ledger.Nonce, swaps []ledger.Swap) error {
	if err := s.cancelled(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.check(nonce, swaps)
	if s.is("swap not exclusive") {
		s.yield()
	}
	if err != nil && s.is("swaps one by one") {
		for _, w := range swaps {
			if s.check(nonce, []ledger.Swap{w}) == nil {
				s.swap(nonce, []ledger.Swap{w})
			}
		}
	}
	if err != nil {
		return err
	}
	s.swap(nonce, swaps)
	return nil
}

// yield lets others in, in the middle of a step.
func (s *flawed) yield() {
	s.mu.Unlock()
	for range 10 {
		runtime.Gosched()
	}
	s.mu.Lock()
}

func (s *flawed) check(nonce ledger.Nonce, swaps []ledger.Swap) error {
	var conflict *ledger.ConflictError
	for _, w := range swaps {
		have := s.registers[w.Name]
		have.Name = w.Name
		if s.is("version 0 overwrites") && w.Version == 0 {
			continue
		}
		mine := have.Nonce == nonce && !s.is("first conflict only")
		if have.Version != w.Version && (conflict == nil || mine) {
			conflict = &ledger.ConflictError{Have: s.own(have), Want: w.Version}
		}
	}
	if conflict == nil {
		return nil
	}
	return conflict
}

func (s *flawed) swap(nonce ledger.Nonce, swaps []ledger.Swap) {
	for _, w := range swaps {
		s.version++
		version := s.version
		if s.is("versions begin again") {
			version = s.registers[w.Name].Version + 1
		}
		if w.Delete {
			delete(s.registers, w.Name)
			continue
		}
		value := append([]byte{}, w.Value...)
		if i := bytes.IndexByte(value, 0); i >= 0 && s.is("value ends at a zero") {
			value = value[:i]
		}
		if s.is("nonce forgotten") {
			nonce = ledger.Nonce{}
		}
		s.registers[w.Name] = ledger.Register{Name: w.Name, Version: version, Value: value, Nonce: nonce}
	}
}

// Accept implements [ledger.Store].
func (s *flawed) Accept(ctx context.Context, in *ledger.Intake) error {
	if err := s.cancelled(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	conflict := s.check(in.Nonce, in.Swaps)
	if conflict != nil && !s.is("conflict stores") && !s.is("error before conflict") {
		return conflict
	}
	standing := s.standing(in)
	if s.is("accept not isolated") {
		s.yield()
	}
	changes, err := in.Decide(standing)
	if err != nil && s.is("tallies outside the step") && changes != nil {
		s.add(changes.Tallies)
	}
	if err != nil && !(s.is("error stores") && changes != nil) {
		return err
	}
	if conflict != nil && !s.is("conflict stores") {
		return conflict
	}
	if s.is("tallies of accept forgotten") {
		clear(changes.Tallies)
	}
	s.apply(changes)
	if conflict == nil && !s.is("swaps forgotten") && !(s.is("swaps beside units forgotten") && len(changes.Units) > 0) {
		s.swap(in.Nonce, in.Swaps)
	}
	if s.is("nonce not kept by accept") {
		for _, w := range in.Swaps {
			r := s.registers[w.Name]
			r.Nonce = ledger.Nonce{}
			s.registers[w.Name] = r
		}
	}
	return cmp.Or(err, conflict)
}

func (s *flawed) standing(in *ledger.Intake) *ledger.Standing {
	st := &ledger.Standing{Now: s.now(), Tallies: ledger.Tallies{}, Registers: map[string]ledger.Register{}}
	for _, id := range in.Units {
		st.Records = append(st.Records, s.record(id))
	}
	if s.is("records in another order") {
		slices.Reverse(st.Records)
	}
	for _, name := range in.Registers {
		if r, ok := s.registers[name]; ok {
			st.Registers[name] = s.own(r)
		}
	}
	if in.Tallies != nil {
		for _, name := range in.Tallies(st.Now) {
			st.Tallies[name] = s.tallies[name]
		}
	}
	return st
}

func (s *flawed) record(id ledger.UnitID) *ledger.Record {
	rec := &ledger.Record{ID: id, Kept: slices.Clone(s.kept[id]), Tombstone: s.tombs[s.tombstoneOf(id)]}
	if u, ok := s.units[id]; ok {
		rec.Unit = u.Clone()
		if s.is("units shared") {
			rec.Unit = u
		}
		if s.is("events not shown") {
			rec.Unit.Events = nil
		}
	}
	return rec
}

func (s *flawed) tombstoneOf(id ledger.UnitID) ledger.Tombstone {
	if s.is("tombstone of all origins") {
		id.Origin = keys.Region{}
	}
	return ledger.TombstoneOf(s.identity, id)
}

func (s *flawed) apply(c *ledger.Changes) {
	for _, u := range c.Units {
		s.store(u)
	}
	for _, k := range c.Kept {
		s.keep(k)
	}
	for _, a := range c.SetAside {
		if s.is("no identity, not kept") && a.ID == (ledger.UnitID{}) {
			continue
		}
		s.aside = append(s.aside, a)
	}
	s.aside = slices.DeleteFunc(s.aside, func(a ledger.SetAside) bool {
		return (a.Source == ledger.Own || s.is("erases of all sources")) && slices.Contains(c.Erased, a.Upload)
	})
	s.add(c.Tallies)
}

func (s *flawed) add(t ledger.Tallies) {
	for name, n := range t {
		s.tallies.Add(name, n)
	}
}

func (s *flawed) store(u *ledger.Unit) {
	id := u.ID()
	if _, ok := s.units[id]; !ok {
		s.arrived = append(s.arrived, id)
	}
	c := u.Clone()
	if had := s.units[id]; had != nil && s.is("due for good") {
		c.Due = had.Due
	}
	if had := s.units[id]; had != nil && s.is("key for good") {
		c.Key = had.Key
	}
	if s.is("units shared") {
		c = u
	}
	if s.is("seconds only") {
		c.Due, c.Accepted = c.Due.Truncate(time.Second), c.Accepted.Truncate(time.Second)
	}
	if s.is("absent is zero") && !c.Key.ReportType.Present() {
		c.Key.ReportType = keys.Some(keys.ReportUnknown)
	}
	if s.is("second claim overwrites") {
		for other, u := range s.units {
			if other != id && other.KeyData == id.KeyData {
				u.Key.TransmissionRiskLevel, u.Key.RollingPeriod = c.Key.TransmissionRiskLevel, c.Key.RollingPeriod
			}
		}
	}
	s.units[id] = c
}

func (s *flawed) keep(c ledger.KeptChange) {
	kept := slices.DeleteFunc(s.kept[c.ID], func(k ledger.KeptWithdrawal) bool {
		return k.Source == c.Kept.Source || c.Lifted && s.is("lifts all")
	})
	if !c.Lifted {
		kept = append(kept, c.Kept)
	}
	if len(kept) == 0 || s.is("withdrawals not kept") {
		delete(s.kept, c.ID)
		return
	}
	s.kept[c.ID] = kept
}

// Find implements [ledger.Store].
func (s *flawed) Find(ctx context.Context, q ledger.Query) iter.Seq2[*ledger.Record, error] {
	return func(yield func(*ledger.Record, error) bool) {
		if err := s.cancelled(ctx); err != nil {
			yield(nil, err)
			return
		}
		s.mu.Lock()
		records := s.findAll(q)
		s.mu.Unlock()
		for _, rec := range records {
			if !yield(rec, nil) {
				return
			}
		}
	}
}

func (s *flawed) findAll(q ledger.Query) (records []*ledger.Record) {
	of := map[ledger.UnitID]*ledger.Record{}
	add := func(id ledger.UnitID) *ledger.Record {
		if of[id] == nil || id == (ledger.UnitID{}) {
			of[id] = s.record(id)
			records = append(records, of[id])
		}
		return of[id]
	}
	for id, u := range s.units {
		if s.describes(q, u) {
			add(id)
		}
	}
	if q.Unit != nil && s.units[*q.Unit] == nil && q.Source == "" && q.Upload == "" && !s.is("only units found") &&
		(q.KeyData.IsZero() || q.KeyData == q.Unit.KeyData) &&
		(q.Origin.IsZero() || q.Origin == q.Unit.Origin || s.is("of any origin if only kept")) {
		if rec := s.record(*q.Unit); rec.Kept != nil || !rec.Tombstone.IsZero() {
			add(*q.Unit)
		}
	}
	for _, a := range s.aside {
		if q.SetAside && (q.Unit == nil || *q.Unit == a.ID) && (q.Origin.IsZero() || q.Origin == a.ID.Origin) &&
			(q.KeyData.IsZero() || q.KeyData == a.ID.KeyData || s.is("of any key data if set aside")) &&
			(q.Source == "" || q.Source == a.Source) && (q.Upload == "" || q.Upload == a.Upload) {
			rec := add(a.ID)
			rec.SetAside = append(rec.SetAside, a)
		}
	}
	return records
}

func (s *flawed) describes(q ledger.Query, u *ledger.Unit) bool {
	if q.Unit != nil && *q.Unit != u.ID() || !q.Origin.IsZero() && q.Origin != u.Key.Origin ||
		!q.KeyData.IsZero() && q.KeyData != u.Key.KeyData && !s.is("of any key data") {
		return false
	}
	if s.is("claims found apart") {
		return (q.Source == "" || slices.ContainsFunc(u.Claims, func(c ledger.Claim) bool { return c.Source == q.Source })) &&
			(q.Upload == "" || slices.ContainsFunc(u.Claims, func(c ledger.Claim) bool { return c.Upload == q.Upload }))
	}
	return q.Source == "" && q.Upload == "" || slices.ContainsFunc(u.Claims, func(c ledger.Claim) bool {
		return (q.Source == "" || c.Source == q.Source) && (q.Upload == "" || c.Upload == q.Upload)
	})
}
