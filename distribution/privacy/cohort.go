package privacy

import (
	"fmt"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// cohort is what a reader of archives takes uploads for alike by.
type cohort struct {
	origin keys.Region
	onset  int // a day; untold if the archives do not say
}

// untold is the onset date of keys that are published without one.
const untold = -1 << 31

// cohorts are those of one package: at any time of one base window.
type cohorts struct {
	reading *reading
	layout  distribution.Layout
	pkg     *distribution.Package
	sum     Cohorts

	window  distribution.Window
	uploads map[string]bool
	members map[cohort]*members
	coded   bool // the map puts something else in the place of the onset
}

// members are the uploads of a cohort: the first, and whether there are others.
type members struct {
	first  string
	others bool
}

func newCohorts(l distribution.Layout, pkg *distribution.Package, r *reading) *cohorts {
	c := &cohorts{reading: r, layout: l, pkg: pkg, sum: Cohorts{Where: l.Name() + " " + pkg.Name}}
	c.clear()
	return c
}

// begin takes a cut at t: one of a new window ends the one before.
func (c *cohorts) begin(t time.Time) {
	if w := windowAt(c.layout, t); w != c.window {
		c.flush()
		c.window = w
	}
}

// add adds a unit that the cut released, if the package shows it.
func (c *cohorts) add(u *ledger.Unit, e ledger.Event) {
	if e.Own != ledger.Active {
		return
	}
	k, absence := c.pkg.States(u, e, c.window.End)
	if absence != "" {
		return
	}
	c.uploads[u.Upload] = true
	id := cohort{u.Key.Origin, untold}
	if days, ok := k.DaysSinceOnsetOfSymptoms.Get(); ok {
		stored, known := u.Key.DaysSinceOnsetOfSymptoms.Get()
		switch {
		case known && stored == days:
			id.onset = k.RollingStartIntervalNumber.Day() - int(days)
		case known:
			c.coded = true
		}
	}
	enter(c.members, id, members{first: u.Upload})
}

// enter adds members to a cohort.
func enter(all map[cohort]*members, id cohort, more members) {
	switch m := all[id]; {
	case m == nil:
		all[id] = &more
	case more.others || m.first != more.first:
		m.others = true
	}
}

// told returns the cohorts as the archives tell them. If what they say of the onset is
// something else than is known of it, such as the codes of the German back end, none
// is an onset date, also where the two happen to be equal.
func (c *cohorts) told() map[cohort]*members {
	if !c.coded {
		return c.members
	}
	byOrigin := map[cohort]*members{}
	for id, m := range c.members {
		enter(byOrigin, cohort{id.origin, untold}, *m)
	}
	return byOrigin
}

// flush judges the window.
func (c *cohorts) flush() {
	defer c.clear()
	n := len(c.uploads)
	if n == 0 {
		return
	}
	lone := map[string]bool{}
	for _, m := range c.told() {
		if !m.others {
			lone[m.first] = true
		}
	}
	share := float64(len(lone)) / float64(n)
	c.sum.Windows++
	c.sum.Uploads += n
	c.sum.Alone += len(lone)
	if share > c.sum.Highest || c.sum.Windows == 1 {
		c.sum.Highest, c.sum.Window = share, c.window
	}
	if limit := *c.reading.opts.LoneShare; share > limit {
		c.reading.findings.add(Finding{
			Rule: RuleLone, Severity: Warning, Where: c.sum.Where, Worst: c.window,
			Measured: share, Limit: limit, Unit: "share of uploads",
			Detail: fmt.Sprintf("%d of %d uploads are alone with their origin and onset date, %s, and %s are allowed", len(lone), n, percent(share), percent(limit)),
			Do:     "release more uploads at once (MinUploads, LongestWait), or publish by a map that does not tell the onset date",
		}, share)
	}
}

func (c *cohorts) clear() {
	c.uploads, c.members, c.coded = map[string]bool{}, map[cohort]*members{}, false
}
