package privacy

import (
	"fmt"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// Options are the limits of a report. The zero value is what the defaults of a
// ledger promise.
type Options struct {
	// LoneShare is the share of a window's uploads that may be alone in their
	// cohort; more is a finding. Nil is 0.05.
	LoneShare *float64

	// Finest is the time below which nothing may leave; 0 is an hour.
	Finest time.Duration

	// MinKeys is how many keys a set that files form must have; 0 is that of
	// [ledger.DefaultPolicy]. It is for trees: a ledger goes by its own policy.
	MinKeys int

	// Since has a ledger read from the first cut after it; zero is the beginning.
	Since time.Time
}

// settle returns the options with defaults.
func settle(opts *Options) (Options, error) {
	o := Options{}
	if opts != nil {
		o = *opts
	}
	if o.LoneShare == nil {
		o.LoneShare = new(0.05)
	}
	if o.Finest == 0 {
		o.Finest = time.Hour
	}
	if o.MinKeys == 0 {
		o.MinKeys = ledger.DefaultPolicy().MinKeys
	}
	switch {
	case !(*o.LoneShare >= 0 && *o.LoneShare <= 1):
		return o, fmt.Errorf("privacy: Options.LoneShare: %v, want 0 to 1", *o.LoneShare)
	case o.Finest < 0:
		return o, fmt.Errorf("privacy: Options.Finest: %s is negative", o.Finest)
	case o.MinKeys < 0:
		return o, fmt.Errorf("privacy: Options.MinKeys: %d is negative", o.MinKeys)
	}
	return o, nil
}
