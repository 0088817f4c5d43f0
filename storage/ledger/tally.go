package ledger

import (
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
)

// Counters of the ledger are named by paths of what they count. Those of a day
// are forgotten when it is long past; all others only rise.
const (
	tallyOffered    = "offered/"    // + source: keys offered
	tallyAccepted   = "accepted/"   // + source: claims
	tallyRevised    = "revised/"    // + source
	tallyDuplicate  = "duplicate/"  // + source
	tallyRejections = "rejected/"   // + source/field/reason
	tallyWithdrawn  = "withdrawal/" // + source/offered, taken, kept, refused
	tallyPadded     = "padded"      // keys made up at cuts
	tallyRemoved    = "removed/"    // + source: claims removed
	tallyPruned     = "pruned/"     // + source/sink/term: the same, by what had become of them
	tallyDay        = "day/"        // + yyyymmdd/...
	tallyDayFormat  = "20060102"
)

// tallyQuota counts what a source brought of one origin in a day.
func tallyQuota(now time.Time, p Pair) string {
	return tallyDay + now.UTC().Format(tallyDayFormat) + "/quota/" + string(p.Source) + "/" + p.Origin.String()
}

// tallyReleased counts what a day's cuts gave numbers to.
func tallyReleased(cut time.Time) string {
	return tallyDay + dayOf(cut).Format(tallyDayFormat) + "/released"
}

// dayOf returns the UTC day that a cut belongs to: what is cut at midnight is
// the day before's.
func dayOf(cut time.Time) time.Time { return cut.UTC().Add(-1).Truncate(24 * time.Hour) }

func tallyRejected(s Source, f keys.Field, r keys.Reason) string {
	return tallyRejections + string(s) + "/" + string(f) + "/" + string(r)
}

// count adds what a receipt says to the tallies of its source. Rejections have
// been counted one by one.
func (r *Receipt) count(s Source, t Tallies) {
	name := string(s)
	t.Add(tallyOffered+name, int64(r.Offered))
	t.Add(tallyAccepted+name, int64(r.Accepted))
	t.Add(tallyRevised+name, int64(r.Revised))
	t.Add(tallyDuplicate+name, int64(r.Duplicates))
	t.Add(tallyWithdrawn+name+"/offered", int64(r.WithdrawalsTaken+r.WithdrawalsKept+r.WithdrawalsRefused))
	t.Add(tallyWithdrawn+name+"/taken", int64(r.WithdrawalsTaken))
	t.Add(tallyWithdrawn+name+"/kept", int64(r.WithdrawalsKept))
	t.Add(tallyWithdrawn+name+"/refused", int64(r.WithdrawalsRefused))
}

// outdated returns the counters of days before the given one.
func (t Tallies) outdated(before time.Time) []string {
	limit := tallyDay + before.UTC().Format(tallyDayFormat)
	var names []string
	for name := range t {
		if strings.HasPrefix(name, tallyDay) && name < limit {
			names = append(names, name)
		}
	}
	return names
}

// cutBoth returns what stands between a prefix and a suffix.
func cutBoth(name, prefix, suffix string) (string, bool) {
	rest, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, suffix)
}
