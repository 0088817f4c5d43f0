package federation

import (
	"errors"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Rules say which units a partner is sent, and what is said of them. They are data
// and not a function, because every range remembers the rules it was made by. A
// unit is selected if one of its sources is in Sources, its origin in Origins, its
// report type in ReportTypes, its test type in TestTypes, and if it is of interest:
// its origin, or a region that its owner visited, in Interest.
//
// Whatever the rules, a partner is sent no key without its owner's consent, none
// that was made up, and none that it brought itself.
type Rules struct {
	Sources     keys.Set[ledger.Source]   `json:"sources"`
	Origins     keys.Set[keys.Region]     `json:"origins"`
	Interest    keys.Set[keys.Region]     `json:"interest"`
	ReportTypes keys.Set[keys.ReportType] `json:"reportTypes"` // a key without one counts as UNKNOWN
	TestTypes   keys.Set[keys.TestType]   `json:"testTypes"`

	// Withdrawals has the partner told what is withdrawn, by keys of the report
	// type REVOKED. Only a partner that is known to take them may be: others store
	// them as keys.
	Withdrawals bool `json:"withdrawals"`

	Defaults Defaults `json:"defaults,omitzero"`
}

// Export returns the rules of a back end that sends what was submitted to it.
func Export() Rules {
	r := Relay()
	r.Sources = keys.Only(ledger.Own)
	return r
}

// Relay returns the rules of a gateway: what was submitted, and what others
// brought.
func Relay() Rules {
	return Rules{
		Sources:     keys.All[ledger.Source](),
		Origins:     keys.All[keys.Region](),
		Interest:    keys.All[keys.Region](),
		ReportTypes: keys.All[keys.ReportType](),
		TestTypes:   keys.All[keys.TestType](),
	}
}

// check returns an error that names the first field that selects nothing.
func (r *Rules) check() error {
	switch {
	case r.Sources.IsEmpty():
		return errors.New("Rules.Sources is empty: name sources, or all")
	case r.Origins.IsEmpty():
		return errors.New("Rules.Origins is empty: name origins, or all")
	case r.Interest.IsEmpty():
		return errors.New("Rules.Interest is empty: name regions, or all")
	case r.ReportTypes.IsEmpty():
		return errors.New("Rules.ReportTypes is empty: name report types, or all")
	case r.TestTypes.IsEmpty():
		return errors.New("Rules.TestTypes is empty: name test types, or all")
	}
	return r.Defaults.check()
}

// leavesOut returns why a unit is not sent in the state an event gave it, empty if
// it is.
func (r *Rules) leavesOut(k *keys.DiagnosisKey, e ledger.Event) string {
	switch {
	case k.Provenance != keys.Real:
		return "padding"
	case !r.selectsSource(e.Sources):
		return "source"
	case !r.Origins.Has(k.Origin):
		return "origin"
	case !consented(k, e):
		return "no-consent"
	case !r.ofInterest(k):
		return "interest"
	case !r.ReportTypes.Has(e.ReportType.Or(keys.ReportUnknown)):
		return "report-type"
	case !r.TestTypes.Has(k.TestType):
		return "test-type"
	}
	return ""
}

func (r *Rules) selectsSource(sources ledger.Sources) bool {
	for s := range sources.All() {
		if r.Sources.Has(s) {
			return true
		}
	}
	return false
}

func (r *Rules) ofInterest(k *keys.DiagnosisKey) bool {
	if r.Interest.Has(k.Origin) {
		return true
	}
	for region := range k.VisitedCountries.All() {
		if r.Interest.Has(region) {
			return true
		}
	}
	return false
}

// consented reports whether the owner of a key agreed to its leaving. Own
// submissions must say so; a key that came from a partner left its country with
// consent, unless it says otherwise.
func consented(k *keys.DiagnosisKey, e ledger.Event) bool {
	if e.Sources.Has(ledger.Own) {
		return k.ConsentToFederate == keys.ConsentGiven
	}
	return k.ConsentToFederate != keys.ConsentRefused
}

// Defaults are what is said of keys that say nothing, or of all.
type Defaults struct {
	TransmissionRiskLevel Default[keys.TransmissionRiskLevel] `json:"transmissionRiskLevel,omitzero"`
	DaysSinceOnset        Default[keys.DaysSinceOnset]        `json:"daysSinceOnset,omitzero"`
}

// A Default is a value for keys that have none. The zero Default leaves keys as
// they are.
type Default[T comparable] struct {
	Value  keys.Optional[T] `json:"value,omitzero"`
	Always bool             `json:"always,omitempty"` // for all keys, whatever they have
}

// DefaultTo returns the default v.
func DefaultTo[T comparable](v T) Default[T] { return Default[T]{Value: keys.Some(v)} }

// Always returns v instead of what any key has.
func Always[T comparable](v T) Default[T] { return Default[T]{Value: keys.Some(v), Always: true} }

func (d Default[T]) of(have keys.Optional[T]) keys.Optional[T] {
	if d.Always || !have.Present() {
		return d.Value
	}
	return have
}

// fill changes k to what is said of it.
func (d *Defaults) fill(k *keys.DiagnosisKey) {
	k.TransmissionRiskLevel = d.TransmissionRiskLevel.of(k.TransmissionRiskLevel)
	k.DaysSinceOnsetOfSymptoms = d.DaysSinceOnset.of(k.DaysSinceOnsetOfSymptoms)
}

func (d *Defaults) check() error {
	if level, ok := d.TransmissionRiskLevel.Value.Get(); ok && level > keys.MaxTransmissionRiskLevel {
		return errors.New("Defaults.TransmissionRiskLevel is out of range")
	}
	if days, ok := d.DaysSinceOnset.Value.Get(); ok {
		if _, known := days.Onset(); !known {
			return errors.New("Defaults.DaysSinceOnset is not a value of the encoding")
		}
	}
	return nil
}
