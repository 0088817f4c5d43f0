package keys

import "fmt"

// DaysSinceOnset is the days from the onset of symptoms to the key's day, in
// the encoding of the European gateway, which holds more than days:
//
//	        -14 ..   14   days since a known onset
//	100·n - 14 .. +14     days since the last day of an onset range of n days, n = 1 .. 19
//	     2000 - 14 .. +14 symptoms, onset unknown: days since the submission
//	     3000 - 14 .. +14 no symptoms: days since the submission
//	     4000 - 14 .. +14 not known whether there were symptoms: days since the submission
//
// Archives for phones have only the first form: one key outside [-14, 14] makes
// some phones ignore the whole file (COCOA 639). See [DaysSinceOnset.InArchive].
type DaysSinceOnset int16

const (
	maxOnsetDays  = 14
	maxOnsetRange = 19
)

// OnsetStatus says what is known of the onset of symptoms.
type OnsetStatus uint8

const (
	OnsetKnown         OnsetStatus = iota // the day of onset is known
	OnsetInRange                          // the onset lies in a range of days
	OnsetUnknown                          // there were symptoms, the onset is not known
	OnsetAsymptomatic                     // there were no symptoms
	OnsetStatusUnknown                    // it is not known whether there were symptoms
)

var onsetStatusNames = [...]string{
	OnsetKnown:         "known",
	OnsetInRange:       "in range",
	OnsetUnknown:       "unknown",
	OnsetAsymptomatic:  "asymptomatic",
	OnsetStatusUnknown: "status unknown",
}

// String returns "known", "in range", "unknown", "asymptomatic" or
// "status unknown".
func (s OnsetStatus) String() string {
	if int(s) < len(onsetStatusNames) {
		return onsetStatusNames[s]
	}
	return fmt.Sprintf("OnsetStatus(%d)", uint8(s))
}

var onsetBase = [...]int{OnsetUnknown: 2000, OnsetAsymptomatic: 3000, OnsetStatusUnknown: 4000}

// Onset is a [DaysSinceOnset] taken apart.
type Onset struct {
	Status OnsetStatus
	Days   int // -14 .. 14, from what Status says
	Range  int // length of the range in days, 1 .. 19; 0 unless Status is OnsetInRange
}

// ParseDaysSinceOnset returns the value with this number on the wire. The error
// is a [*Rejection] for the field "days_since_onset_of_symptoms".
func ParseDaysSinceOnset(n int64) (DaysSinceOnset, error) {
	if n < -maxOnsetDays || n > 4000+maxOnsetDays {
		return 0, reject(FieldDaysSinceOnset, ReasonRange, "%d is outside -14 .. 4014", n)
	}
	d := DaysSinceOnset(n)
	if _, ok := d.Onset(); !ok {
		return 0, reject(FieldDaysSinceOnset, ReasonRange, "%d lies between two forms of the encoding", n)
	}
	return d, nil
}

// Onset takes d apart. It reports false if d is not a value of the encoding.
func (d DaysSinceOnset) Onset() (Onset, bool) {
	for status := OnsetStatusUnknown; status >= OnsetUnknown; status-- {
		if days := int(d) - onsetBase[status]; -maxOnsetDays <= days && days <= maxOnsetDays {
			return Onset{Status: status, Days: days}, true
		}
	}
	length := (int(d) + maxOnsetDays) / 100
	days := int(d) - length*100
	if d < -maxOnsetDays || length > maxOnsetRange || days > maxOnsetDays {
		return Onset{}, false
	}
	if length == 0 {
		return Onset{Status: OnsetKnown, Days: days}, true
	}
	return Onset{Status: OnsetInRange, Days: days, Range: length}, true
}

// Encode puts o together again: the inverse of [DaysSinceOnset.Onset]. The error
// is a [*Rejection] for the field "days_since_onset_of_symptoms" if o says
// something that the encoding cannot.
func (o Onset) Encode() (DaysSinceOnset, error) {
	if o.Days < -maxOnsetDays || o.Days > maxOnsetDays {
		return 0, reject(FieldDaysSinceOnset, ReasonRange, "%d days, want -14 .. 14", o.Days)
	}
	switch {
	case o.Status > OnsetStatusUnknown:
		return 0, reject(FieldDaysSinceOnset, ReasonRange, "%d is no onset status", uint8(o.Status))
	case o.Status == OnsetInRange && (o.Range < 1 || o.Range > maxOnsetRange):
		return 0, reject(FieldDaysSinceOnset, ReasonRange, "range of %d days, want 1 .. %d", o.Range, maxOnsetRange)
	case o.Status != OnsetInRange && o.Range != 0:
		return 0, reject(FieldDaysSinceOnset, ReasonRange, "range of %d days for an onset that is not in a range", o.Range)
	}
	return DaysSinceOnset(onsetBase[o.Status] + 100*o.Range + o.Days), nil
}

// InArchive returns what an archive for phones may say: d if it counts days
// from a known onset, else nothing.
func (d DaysSinceOnset) InArchive() Optional[DaysSinceOnset] {
	if d < -maxOnsetDays || d > maxOnsetDays {
		return Optional[DaysSinceOnset]{}
	}
	return Some(d)
}
