package distribution

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A Foresight says what would become of keys in a package, were they to be withdrawn
// now. Each key is in one of its terms: Keys = Forgettable + Kept + Unchanged.
type Foresight struct {
	Package     string          `json:"package"`
	Keys        int             `json:"keys"`
	Forgettable int             `json:"forgettable"`         // phones forget them when they read that they are revoked
	Kept        map[Keeping]int `json:"kept,omitempty"`      // phones match them all the same, by why
	Unchanged   map[Absence]int `json:"unchanged,omitempty"` // the package would say nothing, by why
}

// String returns the foresight as a line, for people.
func (f *Foresight) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: of %d keys phones would forget %d", f.Package, f.Keys, f.Forgettable)
	for _, why := range slices.Sorted(maps.Keys(f.Kept)) {
		fmt.Fprintf(&b, "; keep %d (%s)", f.Kept[why], why)
	}
	for _, why := range slices.Sorted(maps.Keys(f.Unchanged)) {
		fmt.Fprintf(&b, "; nothing changes for %d (%s)", f.Unchanged[why], why)
	}
	return b.String()
}

// Foresee says what phones would make of the withdrawal of units, package by
// package, were the next cut to number it. It changes nothing. Units that the ledger
// does not know are passed over. Of many units, use [Publisher.Forecast].
//
// Phones are those that read the files of every base window, those to be written
// among them, in an app that takes keys without report type for whenMissing
// ([Phone.WhenMissing]). A phone that reads only roll-ups, or came later, may have
// met fewer states of a key, and forget more.
func (p *Publisher) Foresee(ctx context.Context, whenMissing keys.ReportType, ids ...ledger.UnitID) ([]*Foresight, error) {
	f, err := p.Forecast(ctx, whenMissing)
	if err != nil {
		return nil, err
	}
	withdrawn := make(map[ledger.UnitID]bool, len(ids))
	data := make([]keys.KeyData, len(ids))
	for i, id := range ids {
		withdrawn[id], data[i] = true, id.KeyData
	}
	families, err := p.ledger.Families(ctx, data...)
	if err != nil {
		return nil, err
	}
	for _, family := range families {
		f.Add(family, withdrawn)
	}
	return f.Foresights(), nil
}

// A Forecast is Foresee, key by key, so that there may be any number of them.
type Forecast struct{ packages []*foreseeing }

// Forecast begins a forecast, by the plans there are now.
func (p *Publisher) Forecast(ctx context.Context, whenMissing keys.ReportType) (*Forecast, error) {
	r := newRun(p)
	if err := r.readBooks(ctx); err != nil {
		return nil, err
	}
	f := &Forecast{}
	for _, s := range r.sinks() {
		f.packages = append(f.packages, r.newForeseeing(s, whenMissing))
	}
	return f, nil
}

// Add counts a key: a family of the ledger's ([ledger.Ledger.Families]), of whose
// units those are to be withdrawn. No key is to be added twice.
func (f *Forecast) Add(family *ledger.Unit, withdrawn map[ledger.UnitID]bool) {
	for _, p := range f.packages {
		p.foresee(family, withdrawn)
	}
}

// Foresights returns what was counted, package by package.
func (f *Forecast) Foresights() (all []*Foresight) {
	for _, p := range f.packages {
		all = append(all, p.Foresight)
	}
	return all
}

// Closes returns the end of the base window that a cut of that time is in: what it
// changes is published from then on.
func (p *Publisher) Closes(cut time.Time) time.Time {
	return windowAt(p.layout, base(p.layout), cut.Add(-1)).End
}

// foreseeing is a forecast for one package.
type foreseeing struct {
	*Foresight
	now         *packageSink
	then        packageSink // with the window in which the withdrawals are
	whenMissing keys.ReportType
	number      int64 // of the withdrawals
}

// newForeseeing gives the number of the next cut to the base window that it is in:
// one that has begun, or one to come.
func (r *run) newForeseeing(s *packageSink, whenMissing keys.ReportType) *foreseeing {
	f := &foreseeing{now: s, then: *s, whenMissing: whenMissing, number: r.log.Last.Last + 1}
	f.Foresight = &Foresight{Package: s.pkg.Name, Kept: map[Keeping]int{}, Unchanged: map[Absence]int{}}
	policy, _ := r.ledger.Policy()
	end := windowAt(r.layout, s.span, r.log.Last.Time.Add(policy.Grid-1)).End
	f.then.ends = slices.Clone(s.ends)
	if last := len(s.ends) - 1; last >= 0 && !s.ends[last].time.Before(end) {
		f.then.ends[last].last = f.number
	} else {
		f.then.ends = append(f.then.ends, windowEnd{end, f.number})
	}
	return f
}

// foresee counts one key.
func (f *foreseeing) foresee(family *ledger.Unit, withdrawn map[ledger.UnitID]bool) {
	f.Keys++
	phone := Phone{WhenMissing: f.whenMissing}
	then := f.withdraw(family, withdrawn)
	last, revoked := len(f.then.ends)-1, false
	for _, i := range f.then.touched(then) {
		w := f.then.windowAt(i)
		c := f.then.viewer.said(then, w.bounds(), w.window())
		switch {
		case c == nil || w.state() == FileNever:
		case i < last:
			phone.Read(c)
		default:
			revoked = len(c.RevisedKeys) > 0 && c.RevisedKeys[0].ReportType == keys.Some(keys.ReportRevoked)
		}
	}
	can, why := phone.CanForget(family.Key.KeyData)
	_, matched := phone.Matches(family.Key.KeyData)
	switch {
	case !revoked:
		f.Unchanged[f.unchanged(family, withdrawn)]++
	case can:
		f.Forgettable++
	case matched:
		f.Kept[why]++
	default:
		f.Unchanged[AbsentExpired]++ // no file that phones could read ever had it
	}
}

// withdraw returns the family as the withdrawals leave it, by the rules of the
// ledger.
func (f *foreseeing) withdraw(family *ledger.Unit, withdrawn map[ledger.UnitID]bool) *ledger.Unit {
	then := family.Clone()
	for _, u := range unitsOf(then) {
		if withdrawn[u.ID()] && u.Released() {
			siblings := u.Siblings
			*u = *u.Withdrawn(f.number)
			u.Siblings = siblings
		}
	}
	return then
}

// unchanged returns why the package would not revoke a key.
func (f *foreseeing) unchanged(family *ledger.Unit, withdrawn map[ledger.UnitID]bool) (why Absence) {
	units := f.now.units(family)
	for i, u := range unitsOf(family) {
		if !withdrawn[u.ID()] {
			continue
		}
		switch absence := units[i].Absence; absence {
		case "", AbsentOtherOrigin:
			return AbsentOtherOrigin
		case AbsentDue:
			why = AbsentOvertaken
		default:
			why = absence
		}
	}
	return why
}
