package efgs

import (
	"time"

	"github.com/gaenkit/gaen/keys"
)

// maxKeyDays is how many days before today the period of a key may begin.
const maxKeyDays = 15

// A validityRange is when the periods of keys may begin, both ends within.
type validityRange struct{ first, last keys.Interval }

// validity returns what the gateway takes at a time: from the midnight, in UTC, 15
// days ago to the next interval.
func validity(now time.Time) validityRange {
	midnight := now.UTC().Truncate(24 * time.Hour)
	return validityRange{keys.IntervalAt(midnight.AddDate(0, 0, -maxKeyDays)), keys.IntervalAt(now) + 1}
}

func (v validityRange) check(k *keys.DiagnosisKey) error {
	if start := k.RollingStartIntervalNumber; start < v.first || start > v.last {
		return &keys.Rejection{Field: keys.FieldRollingStart, Reason: keys.ReasonRange}
	}
	return nil
}
