package federation

import (
	"fmt"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A PullReport says what a run of a [Pull] did.
type PullReport struct {
	Instance ledger.Source
	Time     time.Time // by the ledger's clock, at the start

	Pages  int  // read
	Reread int  // of them, those read before, or in search of a lost tag
	More   bool // a limit, or what the server asked, ended the run; there may be more

	// RetryAfter is for how long the server wants to be left alone; 0 if it did not
	// say.
	RetryAfter time.Duration

	Accepted   int
	Revised    int
	Duplicates int
	Rejected   int

	WithdrawalsTaken   int
	WithdrawalsKept    int
	WithdrawalsRefused int

	// Origins has what the server offered of each region, and what of it was set
	// aside. What could not be read is under the zero region.
	Origins map[keys.Region]*OriginReport

	// OverQuota names the origins of which the server brought more than a day's
	// quota: keys beyond it are held.
	OverQuota []keys.Region

	// Resynchronised is set if the server did not know the tag it was asked for,
	// and was read by date instead.
	Resynchronised bool

	// GivenUp are the pages that were stored without their keys, as nobody vouched for
	// them, for as long as the server keeps its pages: by this run and those before it,
	// whoever ran them.
	GivenUp []GivenUp

	Warnings []string
}

// An OriginReport says what a server offered of one region.
type OriginReport struct {
	Offered  int
	Rejected map[string]int // by field and reason: "rolling_period/range"
}

func (r *PullReport) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

func (r *PullReport) origin(region keys.Region) *OriginReport {
	o := r.Origins[region]
	if o == nil {
		o = &OriginReport{Rejected: map[string]int{}}
		r.Origins[region] = o
	}
	return o
}

// stored counts what a delivery brought, and what became of it.
func (r *PullReport) stored(d *ledger.Delivery, receipt *ledger.Receipt) {
	for _, up := range d.Uploads {
		for i := range up.Keys {
			r.origin(up.Keys[i].Origin).Offered++
		}
	}
	for _, a := range d.Unreadable {
		r.origin(a.ID.Origin).Offered++
	}
	for _, a := range receipt.Rejected {
		r.origin(a.ID.Origin).Rejected[string(a.Field)+"/"+string(a.Reason)]++
	}
	r.Accepted += receipt.Accepted
	r.Revised += receipt.Revised
	r.Duplicates += receipt.Duplicates
	r.Rejected += len(receipt.Rejected)
	r.WithdrawalsTaken += receipt.WithdrawalsTaken
	r.WithdrawalsKept += receipt.WithdrawalsKept
	r.WithdrawalsRefused += receipt.WithdrawalsRefused
	for _, p := range receipt.OverQuota {
		r.OverQuota = append(r.OverQuota, p.Origin)
	}
}
