package distribution

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A draft is what a plan's files will say, as far as the log has been read for it.
// Several are filled by one reading.
type draft struct {
	*committed
	viewer *viewer
	limits []int64 // the plan's bounds

	// content is in canonical order once it is sorted. It is nil where keys are only
	// counted.
	content       *export.Content
	sorted        bool
	keys, revised int

	err error // why the plan's content cannot be had
}

// newDraft returns an empty draft. One that collects has room for as many keys as
// the plan says.
func (r *run) newDraft(c *committed, collect bool) *draft {
	d := &draft{committed: c, limits: c.bounds()}
	d.viewer = &viewer{state: &r.state.packages[c.pkg].packageState, maps: r.maps, leftOut: map[string]int{}}
	if !collect {
		return d
	}
	d.content = &export.Content{Start: c.Start, End: c.End, Region: r.regionOf(c)}
	fresh, revised := c.plan.keys()
	d.content.Keys = slices.Grow(d.content.Keys, min(fresh, c.numbers()))
	d.content.RevisedKeys = slices.Grow(d.content.RevisedKeys, min(revised, c.numbers()))
	return d
}

// add enters a unit whose first and last number are given, if it is in the plan's
// window.
func (d *draft) add(u *ledger.Unit, from, to int64) {
	first, last := d.limits[0], d.limits[len(d.limits)-1]
	if from > last || to <= first || !moved(u, first, last) {
		return
	}
	k, as := d.viewer.says(u, d.limits, d.End)
	switch {
	case as == "":
		return
	case as == SaidNew:
		d.keys++
	default:
		d.revised++
	}
	if d.content != nil {
		as.add(d.content, k)
	}
}

// sort puts what was collected into canonical order, in which a cut has numbered it
// already: what takes time is the window of several cuts.
func (d *draft) sort() {
	if !d.sorted {
		sortCanonically(d.content.Keys)
		sortCanonically(d.content.RevisedKeys)
		d.sorted = true
	}
}

// read fills drafts by one reading of the log, or says in each why it cannot. If the
// ledger no longer has all of it, each is read by itself: it may still have the rest.
func (r *run) read(ctx context.Context, drafts ...*draft) {
	var logged []*draft
	for _, d := range drafts {
		if span := r.span(d.Span); span.State {
			d.content, d.err = r.stateContent(ctx, d.viewer, d.committed, span.firstDay(d.End))
			continue
		}
		logged = append(logged, d)
	}
	err := r.readLog(ctx, logged)
	for _, d := range logged {
		if d.err = err; errors.Is(err, ledger.ErrPruned) && len(logged) > 1 {
			d.err = r.readLog(ctx, []*draft{d})
		}
		if _, ok := r.layout.(Encoder); ok && d.err == nil {
			d.err = r.addExpired(ctx, d.viewer, d.committed, d.content)
		}
	}
}

// readLog has the drafts see each unit with a number in any of their windows, once.
func (r *run) readLog(ctx context.Context, drafts []*draft) error {
	var from, to int64
	for _, d := range drafts {
		first, last := d.limits[0], d.limits[len(d.limits)-1]
		switch {
		case first == last:
		case from == to:
			from, to = first, last
		default:
			from, to = min(from, first), max(to, last)
		}
	}
	if from == to {
		return nil
	}
	for u, err := range r.ledger.Read(ctx, from, to) {
		if err != nil {
			return fmt.Errorf("distribution: reading numbers %d to %d: %w", from+1, to, err)
		}
		first, last := numbersOf(u)
		for _, d := range drafts {
			d.add(u, first, last)
		}
	}
	return nil
}

// numbersOf returns the first and the last number of a unit and its siblings.
func numbersOf(u *ledger.Unit) (first, last int64) {
	first, last = u.Events[0].Number, u.Events[len(u.Events)-1].Number
	for i := range u.Siblings {
		events := u.Siblings[i].Events
		first, last = min(first, events[0].Number), max(last, events[len(events)-1].Number)
	}
	return first, last
}

// contentOf returns what all files of a plan's window say together, in canonical
// order where they are archives.
func (r *run) contentOf(ctx context.Context, c *committed) (*export.Content, error) {
	d := r.newDraft(c, true)
	if r.read(ctx, d); d.err != nil {
		return nil, d.err
	}
	if _, ok := r.layout.(Encoder); !ok {
		d.sort()
	}
	return d.content, nil
}
