package ledgertest

import (
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// Options say what a store can do besides the contract, and what it cannot.
type Options struct {
	// Skip declares deviations: the name of a clause and why the store does not
	// keep it. Each is printed.
	Skip map[string]string

	// Histories is how many random histories are run, and by how much the other
	// clauses that draw by chance are scaled; 0 is 200, for stores that need
	// microseconds for a step. Give a slow store fewer.
	Histories int

	// Reopen closes the store and opens what it kept, with the same clock.
	Reopen func(t *testing.T, s ledger.Store) ledger.Store

	// Copy opens a copy of what the store holds at this moment, with the same
	// clock: a backup that was restored beside it.
	Copy func(t *testing.T, s ledger.Store) ledger.Store

	// Second opens the same ledger once more, as another process would.
	Second func(t *testing.T, s ledger.Store) ledger.Store
}

// Opener opens an empty ledger that runs by clock. It is called many times, and
// cleans up with t.Cleanup.
type Opener = func(t *testing.T, clock func() time.Time) ledger.Store

// Test holds the stores that open returns to the contract of [ledger.Store].
func Test(t *testing.T, open func(t *testing.T, clock func() time.Time) ledger.Store, opts *Options) {
	if opts == nil {
		opts = &Options{}
	}
	for _, name := range opts.strangers() {
		t.Errorf("Options.Skip: no clause is named %q", name)
	}
	for _, c := range clauses() {
		t.Run(c.name, func(t *testing.T) {
			if why, ok := opts.Skip[c.name]; ok {
				t.Skipf("declared deviation: %s", why)
			}
			if !opts.offers(c.needs) {
				t.Skipf("Options.%s is not set", c.needs)
			}
			c.check(newTrial(t, t, c, open, opts))
		})
	}
}

// histories returns how many random histories to run.
func (o *Options) histories() int {
	if o.Histories > 0 {
		return o.Histories
	}
	return 200
}

// strangers returns what Skip names and no clause is named.
func (o *Options) strangers() (names []string) {
	for name := range o.Skip {
		if !slices.ContainsFunc(clauses(), func(c clause) bool { return c.name == name }) {
			names = append(names, name)
		}
	}
	return names
}

// A clause is one thing that a store must do.
type clause struct {
	name  string
	must  string     // the sentence that a failure quotes
	needs capability // that the check uses
	check func(*trial)
}

// clauses returns all clauses, those first that others build upon.
func clauses() []clause {
	return slices.Concat(
		identityClauses, registerClauses, acceptClauses, keepClauses,
		releaseClauses, groupClauses, limitClauses, paddingClauses, withdrawalClauses,
		readClauses, findClauses, removeClauses,
		orderClauses, adoptClauses, durabilityClauses, concurrencyClauses, invariantClauses,
	)
}

// capability names the field of [Options] that a clause needs.
type capability string

const (
	reopen capability = "Reopen"
	copied capability = "Copy"
	second capability = "Second"
)

func (o *Options) offers(c capability) bool {
	switch c {
	case reopen:
		return o.Reopen != nil
	case copied:
		return o.Copy != nil
	case second:
		return o.Second != nil
	}
	return true
}
