package main

import (
	"fmt"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/bucketledger"
)

// summary is what a run did, to be printed in the end.
type summary struct {
	*options
	begin time.Time // of a replay

	files, otherFiles, unverified int
	bad                           []string // files and lines, with the reason
	badMore                       int
	inbox                         *bucketledger.InboxReport // nil for none
	intake                        map[ledger.Source]*counts
	rejections                    []*rejected
	notes                         []string

	cuts         int
	last         *ledger.ReleaseReport
	publications int
	totals       []*distribution.Report // by layout
	removed      int

	due   []distribution.Planned // of a dry run
	stats *ledger.Stats
	trees []*distribution.TreeReport // by layout
}

// counts are what a source brought in this run.
type counts struct{ offered, accepted, revised, duplicates, rejected, withdrawals int }

// rejected are keys that were not taken for one reason.
type rejected struct {
	source ledger.Source
	field  keys.Field
	reason keys.Reason
	n      int
	first  ledger.SetAside
}

func newSummary(o *options) *summary {
	return &summary{options: o, intake: map[ledger.Source]*counts{}}
}

// maxBad is how many bad files are named.
const maxBad = 20

func (s *summary) badFile(name, reason string) {
	if len(s.bad) == maxBad {
		s.badMore++
		return
	}
	s.bad = append(s.bad, name+": "+reason)
}

func (s *summary) note(text string) { s.notes = append(s.notes, text) }

func (s *summary) accepted(source ledger.Source, r *ledger.Receipt) {
	c := s.intake[source]
	if c == nil {
		c = &counts{}
		s.intake[source] = c
	}
	c.offered += r.Offered
	c.accepted += r.Accepted
	c.revised += r.Revised
	c.duplicates += r.Duplicates
	c.rejected += len(r.Rejected)
	c.withdrawals += r.WithdrawalsTaken + r.WithdrawalsKept + r.WithdrawalsRefused
	for _, a := range r.Rejected {
		s.reject(source, a)
	}
	for _, p := range r.OverQuota {
		s.note(fmt.Sprintf("ALARM: %s brought more keys of %s today than its quota; they are held", p.Source, p.Origin))
	}
}

// tookInbox notes what was found in the inbox.
func (s *summary) tookInbox(r *bucketledger.InboxReport) {
	s.inbox = r
	for _, b := range r.Bad {
		s.badFile(b.Name, fmt.Sprintf("%s: %s: %s", b.Field, b.Reason, b.Detail))
	}
	for source, receipt := range r.Receipts {
		s.accepted(source, receipt)
	}
}

func (s *summary) reject(source ledger.Source, a ledger.SetAside) {
	for _, r := range s.rejections {
		if r.source == source && r.field == a.Field && r.reason == a.Reason {
			r.n++
			return
		}
	}
	s.rejections = append(s.rejections, &rejected{source, a.Field, a.Reason, 1, a})
}

func (s *summary) released(r *ledger.ReleaseReport) {
	if r == nil {
		return // the cut was made before
	}
	s.cuts++
	s.last = r
	for _, w := range r.Warnings {
		s.note(w)
	}
}

func (s *summary) pruned(r *ledger.PruneReport) {
	s.removed += r.Removed
	for _, name := range r.Expired {
		s.note(name + " stood still for longer than keys are kept; nobody waits for it any more")
	}
}

// published adds the reports of one publication to those before.
func (s *summary) published(reports []*distribution.Report) {
	s.publications++
	for i, r := range reports {
		if i == len(s.totals) {
			s.totals = append(s.totals, &distribution.Report{})
		}
		addReport(s.totals[i], r)
	}
}

// addReport adds a report to the total.
func addReport(t, r *distribution.Report) {
	t.Output, t.Time = r.Output, r.Time
	t.Published = append(t.Published, r.Published...)
	t.Written += r.Written
	t.Bytes += r.Bytes
	t.Indexes = append(t.Indexes, r.Indexes...)
	t.Open = append(t.Open, r.Open...)
	t.Deleted += r.Deleted
	t.Repaired = append(t.Repaired, r.Repaired...)
	t.Failed, t.Conflicts, t.Lost = r.Failed, r.Conflicts, r.Lost // the next run tries again
	t.Expired = append(t.Expired, r.Expired...)
	t.Warnings = append(t.Warnings, r.Warnings...)
	for pkg, reasons := range r.LeftOut {
		if t.LeftOut == nil {
			t.LeftOut = map[string]map[string]int{}
		}
		if t.LeftOut[pkg] == nil {
			t.LeftOut[pkg] = map[string]int{}
		}
		for reason, n := range reasons {
			t.LeftOut[pkg][reason] += n
		}
	}
}
