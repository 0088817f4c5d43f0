package federation

import (
	"slices"
	"sort"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A span is a stretch of the log that a partner is told of at one time: the
// numbers in (from, to]. What happened within it and was undone within it is never
// told.
type span struct{ from, to int64 }

// A view is the log as one partner is told of it, in spans that are recorded. What
// a span says is a function of the log up to its end and of the spans before it,
// so it never changes.
type view struct {
	// spans are all that the partner was or is told, ascending.
	spans []span

	// leavesOut returns why a unit that became active is not told in a span, empty
	// if it is.
	leavesOut func(i int, u *ledger.Unit, e ledger.Event) string

	// elsewhere reports whether the partner is told that a unit became active by
	// other means than spans; nil if of none. Spans tell it what came after.
	elsewhere func(u *ledger.Unit, e ledger.Event) bool
}

// A telling is what a span says of a unit.
type telling uint8

const (
	nothing    telling = iota
	aKey               // it is new, or its report type rose
	withdrawal         // of what was told before
	leftOut            // it would be new, but for the rules

	untold        // a withdrawal of what the partner has, which it does not take
	reinstatement // of what it was told to be withdrawn, which nobody can be told
)

// tells returns what span i says of a unit, without its siblings, and the event it
// goes by. If it is left out, why says so.
func (v *view) tells(i int, u *ledger.Unit) (what telling, e ledger.Event, why string) {
	v.follow(i, u, func(j int, w telling, at ledger.Event, y string) {
		if j == i {
			what, e, why = w, at, y
		}
	})
	return what, e, why
}

// follow calls f for each span up to i in which something happened to a unit, with
// what it says.
func (v *view) follow(i int, u *ledger.Unit, f func(j int, what telling, e ledger.Event, why string)) {
	var told keys.Optional[keys.ReportType]
	known := false
	for _, j := range v.touched(i, u) {
		what, why := nothing, ""
		e := u.At(v.spans[j].to)
		switch {
		case e.Partners == ledger.Active && !known:
			if why = v.leavesOut(j, u, e); why != "" {
				what = leftOut
				break
			}
			known, told = true, e.ReportType
			if v.elsewhere == nil || !v.elsewhere(u, e) {
				what = aKey
			}
		case e.Partners == ledger.Active && e.ReportType != told:
			what, told = aKey, e.ReportType
		case e.Partners == ledger.Withdrawn && known:
			what, known = withdrawal, false
		}
		f(j, what, e, why)
	}
}

// took reports whether the partner has a unit of which spans before i told: whether
// it took one telling, at least, of those that were not refused.
func (v *view) took(i int, u *ledger.Unit, refused []int) (took bool) {
	v.follow(i-1, u, func(j int, what telling, _ ledger.Event, _ string) {
		took = took || what == aKey && !slices.Contains(refused, j)
	})
	return took
}

// touched returns the spans up to i in which something happened to a unit.
func (v *view) touched(i int, u *ledger.Unit) []int {
	var touched []int
	for _, e := range u.Events {
		j, ok := v.spanOf(e.Number)
		if ok && j <= i && (len(touched) == 0 || touched[len(touched)-1] != j) {
			touched = append(touched, j)
		}
	}
	return touched
}

// spanOf returns the span that a number is in, if there is one.
func (v *view) spanOf(n int64) (int, bool) {
	j := sort.Search(len(v.spans), func(j int) bool { return v.spans[j].to >= n })
	return j, j < len(v.spans) && n > v.spans[j].from
}

// said returns the key by which a telling says what it does.
func said(what telling, u *ledger.Unit, e ledger.Event, d *Defaults) keys.DiagnosisKey {
	k := u.Key
	k.ReportType = e.ReportType
	d.fill(&k)
	if what == withdrawal {
		k.ReportType = keys.Some(keys.ReportRevoked)
	}
	return k
}

// sortKeys puts keys into canonical order, as they are said.
func sortKeys(all []keys.DiagnosisKey) {
	slices.SortFunc(all, func(a, b keys.DiagnosisKey) int { return a.Compare(&b) })
}
