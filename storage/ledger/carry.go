package ledger

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
)

// orderStep is how many units one step of an order changes, so that it never
// keeps submissions waiting for long.
const orderStep = 5000

// An OrderReport says what an [Order] did, or would do.
type OrderReport struct {
	OrderRecord

	// Groups are the own withdrawals that coming cuts tell, by origin. Cut is the
	// time of the cut by which all is told that the order withdraws, zero if there
	// is nothing to tell, or if the order had been done before.
	Groups []WithdrawnGroup `json:"groups,omitempty"`
	Cut    time.Time        `json:"cut,omitzero"`

	// Unconfirmed says of a preview that the order will be carried out only if
	// Confirm is the number of changes, and Refusal why it will not be at all.
	Unconfirmed bool        `json:"unconfirmed,omitzero"`
	Refusal     *OrderError `json:"refusal,omitempty"`

	// Repeated is set where the order had been done before.
	Repeated bool `json:"repeated,omitzero"`

	// Notes are what the operator must not miss, in sentences: that an order about
	// others' keys is of effect here alone, that partners are not told of what is
	// reinstated.
	Notes []string `json:"notes,omitempty"`
}

func newReport(r *OrderRecord) *OrderReport {
	return &OrderReport{OrderRecord: *r, Notes: r.Effects.notes(r.Action)}
}

// Preview says what an order would do now, and changes nothing. What arrives
// between it and the order is not in it: with its number of changes as
// [Order.Confirm], an order that has become another is refused; with Given as
// [Order.Previewed], what has come is counted, and with Given as [Selection.To],
// left out.
func (l *Ledger) Preview(ctx context.Context, o *Order) (*OrderReport, error) {
	if err := o.check(); err != nil {
		return nil, invalid(o, err)
	}
	log, err := l.store.Log(ctx, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	record := o.record(l.identity, log.Now)
	if o.Action.holds() {
		_, _, why, err := l.lookAtHolds(ctx, o, log)
		return previewed(record, why), err
	}
	s, err := l.survey(ctx, o, log, time.Time{})
	if err != nil {
		return nil, err
	}
	s.describe(record)
	record.Effects = s.effects()
	report := previewed(record, s.refusal())
	report.Groups, report.Cut, err = s.forecast(ctx)
	return report, err
}

// previewed returns the report of a preview: why the order would be refused, if it
// would.
func previewed(record *OrderRecord, why *OrderError) *OrderReport {
	if why != nil && record.Action.holds() {
		record.Effects = why.Effects
	}
	report := newReport(record)
	if report.Refusal = why; why != nil && why.Reason == RefusedUnconfirmed {
		report.Unconfirmed, report.Refusal = true, nil
	}
	return report
}

// describe enters into a record what the order is about.
func (s *survey) describe(r *OrderRecord) {
	r.Units, r.Uploads, r.Arrived = len(s.units), s.uploads(), s.arrived
}

// Withdrawn returns the units, of those that an order to withdraw is about, that are
// withdrawn once it is done, or are so already; not those that it spares. It is the
// same before and after, for what is said elsewhere of whom the order reaches. Of any
// other order it is none.
func (l *Ledger) Withdrawn(ctx context.Context, o *Order) ([]UnitID, error) {
	if err := o.check(); err != nil {
		return nil, invalid(o, err)
	}
	if !o.Action.Withdraws() {
		return nil, nil
	}
	log, err := l.store.Log(ctx, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	s, err := l.survey(ctx, o, log, time.Time{})
	if err != nil {
		return nil, err
	}
	var ids []UnitID
	for i := range s.units {
		if s.units[i].gone {
			ids = append(ids, s.units[i].id)
		}
	}
	return ids, nil
}

func invalid(o *Order, err error) *OrderError {
	return &OrderError{Action: o.Action.known(), Reason: RefusedInvalid, Detail: err.Error()}
}

// Order carries out an order. What is refused is a [*OrderError]; it has changed
// nothing, and is recorded, too. Up to 5,000 units are changed in one step, with
// the record; more in as many as it takes, each with the record as far as it has
// come. After any other error the same order, with the ID that it has been given,
// goes on where it stopped; a unit that came after it began is not part of it.
func (l *Ledger) Order(ctx context.Context, o *Order) (*OrderReport, error) {
	if err := o.signed(); err != nil {
		return nil, invalid(o, err)
	}
	named := o.ID != ""
	if !named {
		o.ID = rand.Text()
	}
	report, err := l.carryOut(ctx, o)
	if _, ok := errors.AsType[*OrderError](err); ok && !named {
		o.ID = "" // what is put right is another order
	}
	return report, err
}

// carryOut takes an order from where it stands to its end. Another process may
// have it in hand as well; then they go on together.
func (l *Ledger) carryOut(ctx context.Context, o *Order) (*OrderReport, error) {
	for {
		report, err := l.takeUp(ctx, o)
		if !isConflict(err) {
			return report, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// takeUp reads how far an order has come, and goes on from there. A conflict
// means that another did meanwhile.
func (l *Ledger) takeUp(ctx context.Context, o *Order) (*OrderReport, error) {
	log, err := l.store.Log(ctx, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	have, version, err := l.readOrder(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	c := &carrying{ledger: l, order: o, log: log, record: o.record(l.identity, log.Now), version: version}
	if have != nil {
		if !have.sameOrder(c.record) {
			return nil, &OrderError{Action: o.Action.known(), Reason: RefusedOther}
		}
		c.record = have
	}
	switch {
	case c.record.Done && c.record.Refused != "":
		return nil, c.record.refusal()
	case c.record.Done:
		report := newReport(c.record)
		report.Repeated = true
		return report, nil
	}
	if err := o.check(); err != nil {
		return nil, c.refuse(ctx, invalid(o, err))
	}
	if o.Action.holds() {
		return c.changeHolds(ctx)
	}
	return c.changeUnits(ctx)
}

// carrying is an order in hand.
type carrying struct {
	ledger  *Ledger
	order   *Order
	log     *Log
	record  *OrderRecord
	version int64 // of the record
}

// refuse records why nothing is done, and returns it.
func (c *carrying) refuse(ctx context.Context, why *OrderError) error {
	r := c.record
	r.Refused, r.Detail, r.Effects, r.Done = why.Reason, why.Detail, why.Effects, true
	swap, err := r.swap(c.version)
	if err != nil {
		return err
	}
	if err := c.ledger.Swap(ctx, NewNonce(), swap); err != nil {
		return err
	}
	return why
}

// changeHolds holds or resumes.
func (c *carrying) changeHolds(ctx context.Context) (*OrderReport, error) {
	have, version, why, err := c.ledger.lookAtHolds(ctx, c.order, c.log)
	if err != nil {
		return nil, err
	}
	if why != nil {
		return nil, c.refuse(ctx, why)
	}
	value, err := json.Marshal(c.order.newHolds(have))
	if err != nil {
		return nil, err
	}
	c.record.Done, c.record.Steps = true, 1
	c.record.Effects.Unknown = c.order.Confirm
	swap, err := c.record.swap(c.version)
	if err != nil {
		return nil, err
	}
	err = c.ledger.Swap(ctx, NewNonce(), Swap{Name: holdsRegister, Version: version, Value: value}, swap)
	return newReport(c.record), err
}

// lookAtHolds returns what is held, and why an order to hold or resume may not be
// carried out, nil if it may.
func (l *Ledger) lookAtHolds(ctx context.Context, o *Order, log *Log) (have Holds, version int64, why *OrderError, err error) {
	have, version, err = l.readHolds(ctx)
	if err != nil {
		return have, version, nil, err
	}
	if o.sameHolds(have) {
		return have, version, &OrderError{Action: o.Action, Reason: RefusedAlready, Detail: "Order.Holds"}, nil
	}
	strange, err := l.strangers(ctx, o, log)
	if err == nil && strange != o.Confirm {
		why = &OrderError{Action: o.Action, Reason: RefusedUnconfirmed, Confirm: o.Confirm, Effects: Effects{Unknown: strange}}
	}
	return have, version, why, err
}

// strangers returns of how many of the origins and sources that an order is to hold
// the ledger has nothing. To resume them is safe.
func (l *Ledger) strangers(ctx context.Context, o *Order, log *Log) (n int, err error) {
	if o.Action != OrderHold {
		return 0, nil
	}
	for _, s := range with(nil, o.Holds.Sources) {
		if s != Own && log.Tallies[tallyOffered+string(s)] == 0 {
			n++
		}
	}
	for _, origin := range with(nil, o.Holds.Origins) {
		known, err := l.hasUnitOf(ctx, origin)
		if err != nil {
			return 0, err
		}
		if !known {
			n++
		}
	}
	return n, nil
}

func (l *Ledger) hasUnitOf(ctx context.Context, origin keys.Region) (bool, error) {
	for rec, err := range l.store.Find(ctx, Query{Origin: origin}) {
		if err != nil {
			return false, err
		}
		if rec.Unit != nil {
			return true, nil
		}
	}
	return false, nil
}

// newHolds returns what is held after the order.
func (o *Order) newHolds(have Holds) Holds {
	if o.Action == OrderHold {
		return Holds{Origins: with(have.Origins, o.Holds.Origins), Sources: with(have.Sources, o.Holds.Sources)}
	}
	return Holds{Origins: without(have.Origins, o.Holds.Origins), Sources: without(have.Sources, o.Holds.Sources)}
}

// sameHolds reports whether the order changes nothing of what is held.
func (o *Order) sameHolds(have Holds) bool {
	next := o.newHolds(have)
	return len(next.Origins) == len(have.Origins) && len(next.Sources) == len(have.Sources)
}

// changeUnits changes the units that the order is about and that have not been
// dealt with yet.
func (c *carrying) changeUnits(ctx context.Context) (*OrderReport, error) {
	goesOn := c.record.Steps > 0
	until := time.Time{}
	if goesOn {
		until = c.record.Given
	}
	s, err := c.ledger.survey(ctx, c.order, c.log, until)
	if err != nil {
		return nil, err
	}
	if goesOn {
		s.units = slices.DeleteFunc(s.units, func(u surveyed) bool { return u.hash <= c.record.Through })
	} else {
		s.describe(c.record)
		if why := s.refusal(); why != nil {
			return nil, c.refuse(ctx, why)
		}
		c.record.Effects.Unknown = s.unknown
	}
	groups, cut, err := s.forecast(ctx)
	if err != nil {
		return nil, err
	}
	for rest := s.units; !c.record.Done; {
		n := min(len(rest), orderStep)
		if err := c.step(ctx, rest[:n], len(rest)-n); err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	report := newReport(c.record)
	report.Groups, report.Cut = groups, cut
	return report, nil
}

// errMoved ends a step whose units are not as they were when they were looked
// up: what the record was to say of them is no longer so.
var errMoved = errors.New("ledger: a unit has changed meanwhile")

// step changes some units, and the record with them; rest is how many are left
// after that.
func (c *carrying) step(ctx context.Context, units []surveyed, rest int) error {
	if c.record.Steps > 0 {
		have, version, err := c.ledger.readOrder(ctx, c.order.ID)
		if err != nil {
			return err
		}
		if have == nil || have.Steps != c.record.Steps {
			return &ConflictError{Have: Register{Name: orderPrefix + c.order.ID, Version: version}, Want: c.version}
		}
		c.version = version
	}
	for {
		next, err := c.tryStep(ctx, units, rest)
		if err == nil {
			c.record = next
			return nil
		}
		if !errors.Is(err, errMoved) {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// tryStep changes the units if they are as they were looked up, else it looks
// anew and returns errMoved.
func (c *carrying) tryStep(ctx context.Context, units []surveyed, rest int) (*OrderRecord, error) {
	next := *c.record
	for i := range units {
		next.Effects.count(units[i].fate, c.order.Immediately)
		next.Through = units[i].hash
	}
	next.Units = next.Effects.Units() + rest
	next.Steps++
	next.Done = rest == 0
	swap, err := next.swap(c.version)
	if err != nil {
		return nil, err
	}
	touched := c.touched(units)
	in := &Intake{Registers: []string{policyRegister}, Swaps: []Swap{swap}, Nonce: NewNonce()}
	for _, u := range touched {
		in.Units = append(in.Units, u.id)
	}
	in.Decide = func(s *Standing) (*Changes, error) { return c.decide(s, touched) }
	err = c.ledger.store.Accept(ctx, in)
	if repeated(err, in.Nonce) {
		err = nil
	}
	return &next, err
}

// touched returns the units that a step needs to see.
func (c *carrying) touched(units []surveyed) (list []*surveyed) {
	for i := range units {
		if f := units[i].fate; f.changes || f.tells && c.order.Immediately {
			list = append(list, &units[i])
		}
	}
	return list
}

// decide applies the order to the units as they are.
func (c *carrying) decide(s *Standing, units []*surveyed) (*Changes, error) {
	if err := c.ledger.checkVersion(s.Registers[policyRegister]); err != nil {
		return nil, err
	}
	changes := &Changes{Tallies: Tallies{}}
	if c.order.Action == OrderErase {
		changes.Erased = c.order.Select.Uploads
	}
	moved := false
	for i, rec := range s.Records {
		f := fate{}
		if rec.Unit != nil {
			f = c.order.apply(rec.Unit)
		}
		if f != units[i].fate {
			units[i].fate, moved = f, true
		}
		if f.changes {
			changes.Units = append(changes.Units, rec.Unit)
		}
		if f.tells && c.order.Immediately {
			changes.Tallies.Add(tallyUrgentOrdered(rec.ID.Origin.String()), 1)
		}
	}
	if moved {
		return nil, errMoved
	}
	return changes, nil
}
