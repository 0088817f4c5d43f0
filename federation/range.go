package federation

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A pushRange is a stretch of the log that a partner is sent, as the register
// remembers it from before the first request on. Its content follows from it and
// the log alone, so that a repeat is the same. Ranges that say nothing are not
// kept.
type pushRange struct {
	From  ledger.Position `json:"from"`
	To    ledger.Position `json:"to"`
	Time  time.Time       `json:"time"` // of the cut it ends with
	Rules recordedRules   `json:"rules"`

	// Total is how many keys it has, in canonical order, withdrawals among them; Size how many of them go
	// into a batch. They go one after the other: those before Sent are done, and
	// Parts are next, where what is next is not simply the next Size.
	Total       int    `json:"total"`
	Withdrawals int    `json:"withdrawals,omitempty"`
	Size        int    `json:"size"`
	Sent        int    `json:"sent"`
	Parts       []part `json:"parts,omitempty"`

	// Refused are the units that the server will never take, by their hashes.
	Refused []string `json:"refused,omitempty"`

	// Completed is when the server had it all; Expired when it was given up,
	// because the ledger no longer had its keys.
	Completed time.Time `json:"completed,omitzero"`
	Expired   time.Time `json:"expired,omitzero"`

	register string
	version  int64
	gap      bool // of which nothing is kept; see withGaps
}

// maxRefused is how many keys of one range a server may refuse one by one.
const maxRefused = 500

// A part is what is sent in one batch, by places in the canonical order.
type part struct {
	First int   `json:"first"`
	Keys  int   `json:"keys"`
	Drop  []int `json:"drop,omitempty"` // places that are not sent
}

func (p *part) drops(n int) bool { return slices.Contains(p.Drop, n) }

// next returns the part that is to be sent next.
func (g *pushRange) next() *part {
	if len(g.Parts) == 0 {
		g.Parts = []part{{First: g.Sent, Keys: min(g.Size, g.Total-g.Sent)}}
	}
	return &g.Parts[0]
}

// sent notes that the next part is done.
func (g *pushRange) sent() {
	p := g.next()
	g.Sent = p.First + p.Keys
	g.Parts = g.Parts[1:]
}

// halve puts two parts in the place of the next.
func (g *pushRange) halve() {
	p := *g.next()
	half := p.Keys / 2
	a, b := part{First: p.First, Keys: half}, part{First: p.First + half, Keys: p.Keys - half}
	for _, n := range p.Drop {
		if n < b.First {
			a.Drop = append(a.Drop, n)
		} else {
			b.Drop = append(b.Drop, n)
		}
	}
	g.Parts = append([]part{a, b}, g.Parts[1:]...)
}

// drop takes a key out of the next part.
func (g *pushRange) drop(n int) {
	if p := g.next(); !p.drops(n) {
		p.Drop = append(p.Drop, n)
	}
}

// empty reports whether the range is not worth keeping.
func (g *pushRange) empty() bool { return g.Total == 0 && g.Expired.IsZero() }

// done reports whether nothing of the range is left to be sent.
func (g *pushRange) done() bool { return !g.Expired.IsZero() || g.Sent >= g.Total }

// untaken reports whether the server has refused, one by one, all that it was sent of
// the range so far.
func (g *pushRange) untaken() bool {
	return len(g.Refused) > 0 && len(g.Refused) >= g.Sent && g.Expired.IsZero()
}

// hashOf names a unit without its key.
func hashOf(id ledger.Identity, u ledger.UnitID) string {
	hash := ledger.TombstoneOf(id, u)
	return hex.EncodeToString(hash[:16])
}

func (g *pushRange) swap() (ledger.Swap, error) { return swapTo(g.register, g.version, g) }

// tag names what a part says: the same for the same, in whatever run, and another
// for anything else. It has the form of a UUID, which the servers known expect.
func (r *pushing) tag(g *pushRange, p *part, all []keys.DiagnosisKey) string {
	h := sha256.New()
	id := r.ledger.Identity()
	fmt.Fprintf(h, "gaen push\n%x\n%s\n%d %s\n%d %s\n%d %d\n", id[:], r.name, g.From.Cut, g.From.Hash, g.To.Cut, g.To.Hash, p.First, p.Keys)
	for i := range all {
		writeKey(h, &all[i])
	}
	sum := h.Sum(nil)
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // RFC 9562, version 8: by ourselves
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// writeKey writes all that is said of a key, unambiguously.
func writeKey(w interface{ Write([]byte) (int, error) }, k *keys.DiagnosisKey) {
	var b []byte
	b = append(b, k.KeyData[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(k.RollingStartIntervalNumber))
	b = append(b, k.RollingPeriod)
	b = appendOptional(b, k.TransmissionRiskLevel)
	b = appendOptional(b, k.ReportType)
	b = appendOptional(b, k.DaysSinceOnsetOfSymptoms)
	b = append(b, byte(k.TestType))
	b = append(b, k.Origin.String()+"\x00"+k.VisitedCountries.String()+"\x00"...)
	w.Write(b)
}

func appendOptional[T ~uint8 | ~int16](b []byte, o keys.Optional[T]) []byte {
	v, ok := o.Get()
	if !ok {
		return append(b, 0)
	}
	return binary.BigEndian.AppendUint16(append(b, 1), uint16(v))
}

// recordedRules are the rules of a range, with the origins that the client could
// bring at the time. Each range has its own, so that they go when it goes.
type recordedRules struct {
	Rules
	Carries keys.Set[keys.Region] `json:"carries"`
}

// Reasons for which a partner is not told of a withdrawal.
const (
	takesNoWithdrawals = "takes-no-withdrawals"
	noCredentials      = "credentials"
)

// untold returns why the partner is not told of a unit's withdrawal, empty if it is:
// one that would be taken for the withdrawal of a key of another origin is not sent.
func (r *recordedRules) untold(u *ledger.Unit) string {
	switch {
	case !r.Withdrawals:
		return takesNoWithdrawals
	case !r.Carries.Has(u.Key.Origin):
		return noCredentials
	}
	return ""
}

// delivers returns what becomes of a telling of span i on its way to a partner: a
// withdrawal of what it never took is nothing, and one that it does not take is
// untold. What else it cannot be told is a reinstatement.
func (v *view) delivers(i int, u *ledger.Unit, what telling, e ledger.Event, why string, rules *recordedRules, refused []int) (telling, string) {
	switch {
	case what == withdrawal && len(refused) > 0 && !v.took(i, u, refused):
		return nothing, ""
	case what == withdrawal && rules.untold(u) != "":
		return untold, rules.untold(u)
	case what == nothing && v.reinstated(i, u, e):
		if why := v.leavesOut(i, u, e); why == "" || why == AbsentBefore {
			return reinstatement, ""
		}
	}
	return what, why
}

// reinstated reports whether a span has a unit active again in our own packages, and
// withdrawn for good to partners.
func (v *view) reinstated(i int, u *ledger.Unit, e ledger.Event) bool {
	return e.Own == ledger.Active && e.Partners == ledger.Withdrawn && u.At(v.spans[i].from).Own != ledger.Active
}

// pushState is what the ledger remembers of an instance's push.
type pushState struct {
	Position ledger.Position `json:"position"` // up to where ranges are recorded

	version int64
	ranges  []*pushRange // ascending
	floored ledger.Register
}

// Registers of an instance begin with this and its name.
const registerPrefix = "federation/"

func pushRegister(name ledger.Source) string { return registerPrefix + string(name) + "/push" }
func rangePrefix(name ledger.Source) string  { return registerPrefix + string(name) + "/range/" }

func rangeRegister(name ledger.Source, cut int64) string {
	return fmt.Sprintf("%s%020d", rangePrefix(name), cut)
}

func pushFloor(name ledger.Source) string { return ledger.FloorRegister(pushRegister(name)) }

// readPushState reads the registers of an instance.
func readPushState(ctx context.Context, l *ledger.Ledger, name ledger.Source) (*pushState, error) {
	s := &pushState{}
	for _, prefix := range []string{pushRegister(name), rangePrefix(name), pushFloor(name)} {
		registers, err := l.Registers(ctx, prefix)
		if err != nil {
			return nil, err
		}
		for _, reg := range registers {
			if err := s.add(name, reg); err != nil {
				return nil, fmt.Errorf("register %s: %w", reg.Name, err)
			}
		}
	}
	return s, nil
}

func (s *pushState) add(name ledger.Source, reg ledger.Register) error {
	switch {
	case reg.Name == pushRegister(name):
		s.version = reg.Version
		return json.Unmarshal(reg.Value, s)
	case reg.Name == pushFloor(name):
		s.floored = reg
	case strings.HasPrefix(reg.Name, rangePrefix(name)):
		g := &pushRange{register: reg.Name, version: reg.Version}
		s.ranges = append(s.ranges, g) // names ascend as cuts do
		return json.Unmarshal(reg.Value, g)
	}
	return nil
}

// setVersion notes which version a register has now.
func (s *pushState) setVersion(register string, name ledger.Source, version int64) {
	switch register {
	case pushRegister(name):
		s.version = version
		return
	case pushFloor(name):
		s.floored.Version = version
		return
	}
	for _, g := range s.ranges {
		if g.register == register {
			g.version = version
		}
	}
}

// swap returns the change of the register to what the state is now.
func (s *pushState) swap(name ledger.Source) (ledger.Swap, error) {
	return swapTo(pushRegister(name), s.version, s)
}

// refusals say in which spans a server did not take units, by their hashes.
type refusals map[string][]int

// refused returns what the server did not take.
func (s *pushState) refused() refusals {
	all := refusals{}
	for j, g := range s.ranges {
		for _, hash := range g.Refused {
			all[hash] = append(all[hash], j)
		}
	}
	return all
}

// of returns the spans in which a unit was not taken.
func (r refusals) of(id ledger.Identity, u *ledger.Unit) []int {
	if len(r) == 0 {
		return nil
	}
	return r[hashOf(id, u.ID())]
}

// view returns the log as the partner is told of it.
func (s *pushState) view(partner ledger.Source) *view {
	v := &view{}
	for _, g := range s.ranges {
		v.spans = append(v.spans, span{g.From.Number, g.To.Number})
	}
	v.leavesOut = func(i int, u *ledger.Unit, e ledger.Event) string {
		g := s.ranges[i]
		if g.Total == 0 && !g.Expired.IsZero() {
			return "expired" // it was never sent
		}
		if broughtBy(partner, u, g.To.Number) {
			return "brought-by-partner"
		}
		if !g.Rules.Carries.Has(u.Key.Origin) {
			return noCredentials
		}
		if why := g.Rules.leavesOut(&u.Key, e); why != "" || !g.gap {
			return why
		}
		return AbsentBefore
	}
	return v
}

// withGaps puts ranges that are gaps where none is kept: those that said nothing, by
// rules of which nothing is kept, and what came before the instance.
func (s *pushState) withGaps(rules recordedRules) {
	var all []*pushRange
	at := ledger.Position{}
	for _, g := range s.ranges {
		if g.From.Number > at.Number {
			all = append(all, &pushRange{From: at, To: g.From, Rules: rules, gap: true})
		}
		all, at = append(all, g), g.To
	}
	s.ranges = all
}

// broughtBy reports whether a partner had brought a unit by number n.
func broughtBy(partner ledger.Source, u *ledger.Unit, n int64) bool {
	for _, e := range u.Events {
		if e.Number <= n && e.Sources.Has(partner) {
			return true
		}
	}
	return false
}

// forget removes ranges from before a time, and returns the swaps that do. As long as
// one is to be sent it removes none: what that says follows from those before it.
func (s *pushState) forget(before time.Time) (swaps []ledger.Swap) {
	if slices.ContainsFunc(s.ranges, func(g *pushRange) bool { return !g.done() }) {
		return nil
	}
	s.ranges = slices.DeleteFunc(s.ranges, func(g *pushRange) bool {
		if !g.Time.Before(before) || len(swaps) >= maxForget {
			return false
		}
		swaps = append(swaps, ledger.Swap{Name: g.register, Version: g.version, Delete: true})
		return true
	})
	return swaps
}

// maxForget bounds one step.
const maxForget = 100

// floor returns from where on the partner is still to be told, as of the last cut.
// What is from before a time is not waited for, so that a partner that is dead
// blocks nothing; what is younger is kept for it all the same.
func (s *pushState) floor(log *ledger.Log, before time.Time) ledger.Floor {
	for _, g := range s.ranges {
		if !g.done() && !g.Time.Before(before) {
			return ledger.Floor{Number: g.From.Number, Time: log.Last.Time}
		}
	}
	floor := ledger.Floor{Number: s.Position.Number, Time: log.Last.Time}
	for _, c := range log.Cuts {
		if c.Seq > s.Position.Cut && c.Time.Before(before) {
			floor.Number = c.Last
		}
	}
	return floor
}

// moves reports whether a floor is another than that in the register. One that
// stays where it is moves once a day, so that it is not taken for that of a consumer
// that stands still: when nothing was released for longer than the prune age, the
// next key is to be kept until it was sent.
func (s *pushState) moves(f ledger.Floor) bool {
	var had ledger.Floor
	return json.Unmarshal(s.floored.Value, &had) != nil || had.Number != f.Number || f.Time.Sub(had.Time) >= 24*time.Hour
}

// swapTo returns the swap that stores v as JSON.
func swapTo(name string, version int64, v any) (ledger.Swap, error) {
	value, err := json.Marshal(v)
	if err != nil {
		return ledger.Swap{}, fmt.Errorf("register %s: %w", name, err)
	}
	return ledger.Swap{Name: name, Version: version, Value: value}, nil
}
