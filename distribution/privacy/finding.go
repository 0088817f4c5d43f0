package privacy

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/gaenkit/gaen/distribution"
)

// A Rule is one thing that a publication should not reveal, or reveals by design
// and should say.
type Rule string

const (
	// RuleLone: of the own uploads of a window, the share that is alone in its
	// cohort, those of the same origin and onset date as a package's archives tell
	// them. The keys of such an upload are known to belong together. Its limit is
	// [Options.LoneShare].
	RuleLone Rule = "lone-uploads"

	// RuleWaitedOut: a cut released keys of fewer uploads or keys than the policy
	// asks for, because they had waited for the longest time.
	RuleWaitedOut Rule = "waited-out"

	// RuleWithdrawals: a cut told own withdrawals of fewer uploads than the policy
	// asks for, because they had waited, or by order.
	RuleWithdrawals Rule = "few-withdrawals"

	// RuleThreshold: of all groups of an origin none reached what the policy asks
	// for, though the ledger is older than the longest wait: every release is one
	// that waited, and the threshold hides nobody.
	RuleThreshold Rule = "threshold-never-reached"

	// RulePadding: keys that were made up at a cut are not among the real ones of
	// the cut in proportion, kind by kind, so that what is odd is made up, or real.
	RulePadding Rule = "padding-stands-out"

	// RuleFiner: something leaves finer than the grid of [Options.Finest]: cuts, the
	// windows of files, or pieces of windows that those of another layout cut off.
	RuleFiner Rule = "finer-than-grid"

	// RuleSmallSet: a published window, what one has that another has not, or what
	// two have in common, is of fewer keys than [Options.MinKeys].
	RuleSmallSet Rule = "small-set"
)

// Severity is how much a finding matters.
type Severity string

const (
	Warning Severity = "warning" // something to be done, or to be answered for
	Notice  Severity = "notice"  // to be known; it may be as it should
)

// A Finding is one rule that was broken in one place, however often.
type Finding struct {
	Rule     Rule     `json:"rule"`
	Severity Severity `json:"severity"`
	Where    string   `json:"where"` // an origin, or a layout and a package
	Times    int      `json:"times"`

	First time.Time           `json:"first"` // the end of the first window
	Last  time.Time           `json:"last"`
	Worst distribution.Window `json:"worst"` // of which are the following

	Measured float64 `json:"measured"`
	Limit    float64 `json:"limit"`
	Unit     string  `json:"unit"`
	Detail   string  `json:"detail"`
	Do       string  `json:"do"`
}

// String returns the finding as a line.
func (f *Finding) String() string {
	times := "once, "
	if f.Times > 1 {
		times = fmt.Sprintf("%d times, from %s to %s, worst ", f.Times, moment(f.First), moment(f.Last))
	}
	return fmt.Sprintf("%s: %s: %s: %s (%s%s); %s", f.Severity, f.Where, f.Rule, f.Detail, times, moment(f.Worst.End), f.Do)
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// findings collects what was found, a finding for each rule and place.
type findings map[findingID]*found

type findingID struct {
	rule  Rule
	where string
}

type found struct {
	Finding
	badness float64
}

// add adds a finding of one window. The larger its badness, the worse it is.
func (all findings) add(f Finding, badness float64) {
	id := findingID{f.Rule, f.Where}
	f.Times, f.First, f.Last = 1, f.Worst.End, f.Worst.End
	have := all[id]
	if have == nil {
		all[id] = &found{f, badness}
		return
	}
	f.Times = have.Times + 1
	f.First, f.Last = earlier(have.First, f.First), later(have.Last, f.Last)
	if badness > have.badness {
		*have = found{f, badness}
		return
	}
	have.Times, have.First, have.Last = f.Times, f.First, f.Last
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// list returns the findings, warnings first.
func (all findings) list() []Finding {
	list := []Finding{}
	for _, f := range all {
		list = append(list, f.Finding)
	}
	slices.SortFunc(list, func(a, b Finding) int {
		return cmp.Or(-cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Where, b.Where))
	})
	return list
}
