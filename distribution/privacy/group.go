package privacy

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// groupID names what a cut decides on together.
type groupID struct {
	origin keys.Region
	own    bool
}

func (id groupID) String() string {
	if id.own {
		return id.origin.String() + ", own"
	}
	return id.origin.String() + ", by federation"
}

// group is what a cut took of one.
type group struct {
	keys, padded int
	uploads      map[string]bool
}

// groupOf returns the group under an id, made if it is not there.
func groupOf[ID comparable](all map[ID]*group, id ID) *group {
	if all[id] == nil {
		all[id] = &group{uploads: map[string]bool{}}
	}
	return all[id]
}

func (g *group) add(u *ledger.Unit) {
	g.keys++
	g.uploads[u.Upload] = true
	if u.Key.Provenance == keys.Padding {
		g.padded++
	}
}

// thresholds returns what the policy asks of a group.
func (r *reading) thresholds(own bool) (minKeys, minUploads int) {
	if own {
		return r.policy.MinKeys, r.policy.MinUploads
	}
	return r.policy.MinForeignKeys, 0
}

// judgeGroup adds up a group, and finds one that is smaller than the policy asks
// for.
func (r *reading) judgeGroup(id groupID, g *group) {
	o := r.origins[id]
	if o == nil {
		o = &Origin{Origin: id.origin, Own: id.own}
		r.origins[id] = o
	}
	o.Groups++
	o.Keys += g.keys
	o.Padded += g.padded
	o.Uploads += len(g.uploads)
	o.MostKeys, o.MostUpload = max(o.MostKeys, g.keys), max(o.MostUpload, len(g.uploads))
	minKeys, minUploads := r.thresholds(id.own)
	if g.keys >= minKeys && len(g.uploads) >= minUploads {
		o.Reached++
		return
	}
	wait := r.policy.LongestWait
	if !id.own {
		wait = r.policy.ForeignWait
	}
	// How far below, by whichever is further: a group of no upload is at 0.
	share := math.Min(float64(g.keys)/float64(max(1, minKeys)), float64(len(g.uploads))/float64(max(1, minUploads)))
	f := Finding{
		Rule: RuleWaitedOut, Severity: Warning, Where: id.String(), Worst: r.now.window,
		Measured: float64(len(g.uploads)), Limit: float64(minUploads), Unit: "uploads",
		Detail: fmt.Sprintf("%d keys of %d uploads were released, and the policy asks for %d of %d: they had waited for %s, or were what an earlier cut had no room for",
			g.keys, len(g.uploads), minKeys, minUploads, wait),
		Do: "have the policy's LongestWait longer, or turn Padding on; who can bear neither says so in the privacy statement",
	}
	if !id.own {
		f.Measured, f.Limit, f.Unit = float64(g.keys), float64(minKeys), "keys"
	}
	r.findings.add(f, -share)
}

// judgeWithdrawn finds withdrawals of too few uploads.
func (r *reading) judgeWithdrawn(origin keys.Region, g *group) {
	n, limit := len(g.uploads), r.policy.MinWithdrawnUploads
	if n >= limit {
		return
	}
	r.findings.add(Finding{
		Rule: RuleWithdrawals, Severity: Notice, Where: groupID{origin, true}.String(), Worst: r.now.window,
		Measured: float64(n), Limit: float64(limit), Unit: "uploads",
		Detail: fmt.Sprintf("withdrawals of %d keys of %d uploads were told, and the policy asks for %d: they had waited for %s, or it was ordered",
			g.keys, n, limit, r.policy.WithdrawalWait),
		Do: "order withdrawals together, and immediately only what must not wait",
	}, -float64(n))
}

// finishOrigins finds thresholds that no group reached.
func (r *reading) finishOrigins() {
	period := r.report.To.Sub(r.report.From)
	for id, o := range r.origins {
		o.PerUpload = float64(o.Keys) / float64(o.Uploads)
		if days := period.Hours() / 24; days > 0 {
			o.PerDay = float64(o.Uploads) / days
		}
		minKeys, minUploads := r.thresholds(id.own)
		o.Needed = max(minUploads, int(math.Ceil(float64(minKeys)/o.PerUpload)))
		if id.own && o.Reached == 0 && period >= r.policy.LongestWait {
			r.neverReached(id, o, minKeys, minUploads)
		}
		r.report.Origins = append(r.report.Origins, *o)
	}
	slices.SortFunc(r.report.Origins, func(a, b Origin) int {
		return cmp.Or(a.Origin.Compare(b.Origin), -cmp.Compare(number(a.Own), number(b.Own)))
	})
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (r *reading) neverReached(id groupID, o *Origin, minKeys, minUploads int) {
	wait := r.policy.LongestWait
	inWait := o.PerDay * wait.Hours() / 24
	f := Finding{
		Rule: RuleThreshold, Severity: Warning, Where: id.String(),
		Measured: float64(o.MostUpload), Limit: float64(o.Needed), Unit: "uploads",
		Detail: fmt.Sprintf("%.1f keys an upload and %d keys: %d uploads, and the policy asks for %d; the largest group had %d uploads with %d keys, and in %s there come %.1f",
			o.PerUpload, minKeys, int(math.Ceil(float64(minKeys)/o.PerUpload)), minUploads, o.MostUpload, o.MostKeys, wait, inWait),
		Do: fmt.Sprintf("turn Padding on, with at least %d echoes; or have LongestWait %.0f hours, in which as many uploads come: a lower threshold would hide nobody",
			echoesFor(o), math.Ceil(24*float64(o.Needed)/o.PerDay)),
	}
	f.Worst.Start, f.Worst.End = r.report.From, r.report.To
	r.findings.add(f, 1)
}

// echoesFor returns with how many echoes the largest group would have reached what is
// needed.
func echoesFor(o *Origin) int {
	return max(1, int(math.Ceil(float64(o.Needed)/float64(max(1, o.MostUpload))))-1)
}
