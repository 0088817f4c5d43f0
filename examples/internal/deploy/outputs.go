package deploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A Tree is what is published in one layout.
type Tree struct {
	distribution.Layout
	Packages []distribution.Package
}

// Trees returns what is published, a tree for each layout. Metadata are signed by
// metadata, if a layout has them.
func (c *Config) Trees(metadata *signing.Signer) ([]Tree, error) {
	var trees []Tree
	for _, name := range c.API.Layouts {
		layout, err := c.LayoutNamed(name, metadata)
		if err != nil {
			return nil, err
		}
		packages, err := c.PackagesOf(name)
		if err != nil {
			return nil, err
		}
		trees = append(trees, Tree{layout, packages})
	}
	return trees, nil
}

// Outputs are the trees that are published of one ledger in one bucket, on the same
// grid of cuts.
type Outputs []Output

// An Output is one of them.
type Output struct {
	Tree
	*distribution.Publisher
}

// NewOutputs returns the publishers of trees.
func NewOutputs(l *ledger.Ledger, b storage.Bucket, trees []Tree, ring *signing.Ring, opts *distribution.Options) (Outputs, error) {
	var all Outputs
	for _, t := range trees {
		p, err := distribution.New(l, b, t.Layout, t.Packages, ring, opts)
		if err != nil {
			return nil, err
		}
		all = append(all, Output{t, p})
	}
	return all, nil
}

// Run publishes all that is due. A layout that cannot be published holds up no
// other. The error satisfies errors.Is(err, [distribution.ErrIncomplete]) only if no
// run was stopped. There is a report for each.
func (o Outputs) Run(ctx context.Context) ([]*distribution.Report, error) {
	return o.each(func(p *distribution.Publisher) (*distribution.Report, error) { return p.Run(ctx) })
}

// Repair has all that is published be as it was planned.
func (o Outputs) Repair(ctx context.Context) ([]*distribution.Report, error) {
	return o.each(func(p *distribution.Publisher) (*distribution.Report, error) { return p.Repair(ctx) })
}

func (o Outputs) each(work func(*distribution.Publisher) (*distribution.Report, error)) (reports []*distribution.Report, _ error) {
	var stopped, incomplete []error
	for _, p := range o {
		r, err := work(p.Publisher)
		reports = append(reports, r)
		switch {
		case errors.Is(err, distribution.ErrIncomplete):
			incomplete = append(incomplete, err)
		case err != nil:
			stopped = append(stopped, err)
		}
	}
	if len(stopped) > 0 {
		return reports, errors.Join(stopped...)
	}
	return reports, errors.Join(incomplete...)
}

// Check returns an error if a run would be stopped by what it finds.
func (o Outputs) Check(ctx context.Context) error {
	for _, p := range o {
		if err := p.Check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Due returns what the next run would plan and write, and changes nothing.
func (o Outputs) Due(ctx context.Context) ([]distribution.Planned, error) {
	return gather(o, func(p *distribution.Publisher) ([]distribution.Planned, error) { return p.Due(ctx) })
}

// Sinks returns those who are shown keys, as the books of the ledger know them.
func (o Outputs) Sinks(ctx context.Context) ([]ledger.Sink, error) {
	return gather(o, func(p *distribution.Publisher) ([]ledger.Sink, error) { return p.Sinks(ctx) })
}

// gather returns what all publishers say, one after the other.
func gather[T any](o Outputs, say func(*distribution.Publisher) ([]T, error)) ([]T, error) {
	all := []T{}
	for _, p := range o {
		some, err := say(p.Publisher)
		if err != nil {
			return nil, fmt.Errorf("layout %s: %w", p.Layout.Name(), err)
		}
		all = append(all, some...)
	}
	return all, nil
}

// Reconcile holds all that is published against the ledger, and changes nothing.
func (o Outputs) Reconcile(ctx context.Context) ([]*distribution.Reconciliation, error) {
	return gather(o, func(p *distribution.Publisher) ([]*distribution.Reconciliation, error) {
		r, err := p.Reconcile(ctx)
		return []*distribution.Reconciliation{r}, err
	})
}

// Showings returns where all packages of all layouts have shown a key.
func (o Outputs) Showings(ctx context.Context, family *ledger.Unit) ([]*distribution.Showing, error) {
	return gather(o, func(p *distribution.Publisher) ([]*distribution.Showing, error) { return p.Showings(ctx, family) })
}
