package federation

import (
	"fmt"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A PushReport says what a run of a [Push] did.
type PushReport struct {
	Instance ledger.Source
	Time     time.Time // by the ledger's clock, at the start

	More bool // a limit, or what the server asked, ended the run; there may be more

	// RetryAfter is for how long the server wants to be left alone; 0 if it did not
	// say. One that takes nothing at all is left alone for a while, too.
	RetryAfter time.Duration

	Ranges      int // completed
	Batches     int // sent, or tried
	Keys        int // sent and stored
	Withdrawals int // likewise
	New         int // of both, what the server said was new to it; it may say nothing

	// NotNew is what was sent in batches of which the server said how much was new
	// to it, and was not. It had those before, as after an answer that was lost, or
	// took the batch without them: the interoperability service does either and
	// says which of no key, so there are no reasons to count by, and nothing to set
	// aside. If it is not 0 where nothing was sent twice, the server skips keys that
	// it ought to have.
	NotNew int

	Known int // what the server said it had before, one by one

	// Refused counts the keys that the server will never take, by origin. They
	// are set aside, and others of their range were taken: where none was, the run
	// fails with [ErrRefused], and all are sent again.
	Refused map[keys.Region]int

	// LeftOut counts the units of ranges recorded now that are not for the
	// partner, by reason: "no-consent", "source", "brought-by-partner", ...
	LeftOut map[string]int

	// Untold counts withdrawals in them that the partner ought to be told of and
	// does not take.
	Untold    int
	UntoldWhy map[string]int // the same by reason: "takes-no-withdrawals", "credentials"

	// Expired counts withdrawals that the partner ought to have been told of in
	// ranges that were given up now: of one that was sent in part, as many as may not
	// have been sent. What a range had that was not recorded before, nobody knows.
	Expired int

	// Reinstated counts keys in ranges recorded now that are published again here,
	// and withdrawn to the partner for good: no partner can be told to take a
	// withdrawal back.
	Reinstated int

	Warnings []string
}

func (r *PushReport) sent(b *Batch, a *Answer) {
	for i := range b.Keys {
		if b.Keys[i].ReportType == keys.Some(keys.ReportRevoked) {
			r.Withdrawals++
		} else {
			r.Keys++
		}
	}
	if a.Inserted >= 0 {
		r.New += a.Inserted
		r.NotNew += max(0, len(b.Keys)-a.Inserted)
	}
}

func (r *PushReport) refused(k *keys.DiagnosisKey) {
	if r.Refused == nil {
		r.Refused = map[keys.Region]int{}
	}
	r.Refused[k.Origin]++
}

// completed counts a range that the server has, and says what of it was set aside.
func (r *PushReport) completed(g *pushRange) {
	r.Ranges++
	if n := len(g.Refused); n > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d of %d keys of cuts %d to %d were refused one by one, and are set aside", n, g.Total, g.From.Cut+1, g.To.Cut))
	}
}

func (r *PushReport) leftOut(c *content) {
	for why, n := range c.leftOut {
		r.LeftOut[why] += n
	}
	for why, n := range c.untold {
		r.Untold += n
		if r.UntoldWhy == nil {
			r.UntoldWhy = map[string]int{}
		}
		r.UntoldWhy[why] += n
	}
	r.Reinstated += c.again
}

func (r *PushReport) expired(g *pushRange) {
	r.Expired += min(g.Withdrawals, g.Total-g.Sent)
	r.Warnings = append(r.Warnings, fmt.Sprintf("cuts %d to %d were never sent: the ledger no longer has their keys", g.From.Cut+1, g.To.Cut))
}
