package distribution

import (
	"cmp"
	"slices"
)

// A sweep is plans that one reading of the log gives the content of: those of one
// window, of all packages, and those of the base windows within it. Each key is read
// once then, and not once for every file that it is in.
type sweep struct {
	Window
	plans  []*committed // by time
	weight int          // of the plans together
}

// heldKeys is how many keys a run has in memory at a time for what it plans or
// writes, in multiples of the largest file: all of the largest day of three packages.
const heldKeys = 2

// held returns the most keys that are in memory at a time, unless one window has more.
func (r *run) held() int { return heldKeys * r.opts.MaxKeys }

// numbers returns how many numbers of the log a plan is about, which no file has
// more keys than.
func (p *plan) numbers() int { return int(p.To.Number - p.From.Number) }

// total returns how many keys and revised keys the plan's files hold.
func (p *plan) total() int {
	fresh, revised := p.keys()
	return fresh + revised
}

// room returns how many keys there must be room for while a plan is carried out. What
// is shown altogether is looked for in all of the ledger, one plan at a time.
func (r *run) room(p *plan) int {
	if r.span(p.Span).State {
		return r.held()
	}
	return p.total()
}

// sweeps puts plans together into sweeps that weigh no more than most, unless a
// single plan does. They are in the order of time, and so are the plans of each, so
// that a package that stops lacks what is latest.
func sweeps(plans []*committed, weigh func(*plan) int, most int) []sweep {
	all := windows(plans, weigh, most)
	var joined []sweep
	for i := 0; i < len(all); {
		n := nested(all, i, most)
		joined = append(joined, join(all[i:i+n]))
		i += n
	}
	slices.SortStableFunc(joined, func(a, b sweep) int { return a.compare(b.Window) })
	return joined
}

// compare orders windows by their ends, the longer first.
func (w Window) compare(other Window) int {
	return cmp.Or(w.End.Compare(other.End), w.Start.Compare(other.Start))
}

// windows returns a sweep for each window, the longer before those within it. One that
// weighs too much is several.
func windows(plans []*committed, weigh func(*plan) int, most int) []sweep {
	plans = slices.SortedStableFunc(slices.Values(plans), func(a, b *committed) int {
		return cmp.Or(a.Start.Compare(b.Start), -a.End.Compare(b.End))
	})
	var all []sweep
	for _, c := range plans {
		weight := weigh(&c.plan)
		if last := len(all) - 1; last >= 0 && all[last].compare(c.window()) == 0 && all[last].weight+weight <= most {
			all[last].plans = append(all[last].plans, c)
			all[last].weight += weight
			continue
		}
		all = append(all, sweep{c.window(), []*committed{c}, weight})
	}
	return all
}

// nested returns how many sweeps, one and those within its window that follow it, may
// be one: all or none, so that no file of a window comes after one of a later window.
func nested(all []sweep, i, most int) int {
	outer, n, weight := all[i].Window, 1, all[i].weight
	if i > 0 && all[i-1].compare(outer) == 0 {
		return 1
	}
	for ; i+n < len(all) && !all[i+n].End.After(outer.End); n++ {
		if all[i+n].compare(outer) == 0 {
			return 1
		}
		weight += all[i+n].weight
	}
	if weight > most {
		return 1
	}
	return n
}

// join makes one sweep of several.
func join(all []sweep) sweep {
	one := sweep{Window: all[0].Window}
	for _, s := range all {
		one.plans = append(one.plans, s.plans...)
		one.weight += s.weight
	}
	slices.SortStableFunc(one.plans, func(a, b *committed) int { return a.window().compare(b.window()) })
	return one
}
