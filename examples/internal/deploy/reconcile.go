package deploy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A Difference is what a tree is and is not, by its ledger.
type Difference struct {
	Output string `json:"output"`

	// Differs are objects that are missing, or do not say what was planned: a repair
	// would write them. Those of Lost it could not, as their keys are forgotten, and
	// those of Conflicts somebody else has written.
	Differs   []string `json:"differs,omitempty"`
	Lost      []string `json:"lost,omitempty"`
	Conflicts []string `json:"conflicts,omitempty"`

	// Due are windows that the next run publishes. Indexes are looked at only if there
	// are none, since they have to change then.
	Due int `json:"due,omitzero"`
}

// Wrong reports whether anything is not as it should be.
func (d *Difference) Wrong() bool { return len(d.Differs)+len(d.Lost)+len(d.Conflicts) > 0 }

// Reconcile says what a repair would do, and changes nothing: it reads all that is
// published. make makes the publishers of a ledger and a bucket.
func Reconcile(ctx context.Context, l *ledger.Ledger, store ledger.Store, b storage.Bucket, make func(*ledger.Ledger, storage.Bucket) (Outputs, error)) ([]*Difference, error) {
	over := NewOverlay(b)
	outputs, err := make(l.With(newApart(store)), over)
	if err != nil {
		return nil, err
	}
	reports, err := outputs.Repair(ctx)
	if err != nil && !errors.Is(err, distribution.ErrIncomplete) {
		return nil, err
	}
	var all []*Difference
	for _, r := range reports {
		d := &Difference{Output: r.Output, Differs: slices.Clone(r.Repaired), Lost: r.Lost, Due: len(r.Published) + len(r.Open)}
		for _, err := range slices.Concat(r.Conflicts, r.Failed) {
			d.Conflicts = append(d.Conflicts, err.Error())
		}
		if d.Due == 0 {
			for _, name := range r.Indexes {
				same, err := over.unchanged(ctx, name)
				if err != nil {
					return nil, err
				}
				if !same {
					d.Differs = append(d.Differs, name)
				}
			}
		}
		all = append(all, d)
	}
	return all, nil
}

// unchanged reports whether an object says the same above and below.
func (o *Overlay) unchanged(ctx context.Context, name string) (bool, error) {
	below, err := content(ctx, o.below, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	above, err := content(ctx, o, name)
	return bytes.Equal(above, below), err
}

func content(ctx context.Context, b storage.Bucket, name string) ([]byte, error) {
	body, _, err := storage.Get(ctx, b, name)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}
