package nation

import (
	"context"

	"github.com/gaenkit/gaen/distribution/privacy"
)

// Privacy reports what the releases and the archives reveal of single uploads.
func (b *Backend) Privacy(ctx context.Context) (*privacy.Report, error) {
	var outputs []privacy.Output
	for _, o := range b.outputs {
		outputs = append(outputs, privacy.Output{Layout: o.Layout, Packages: o.Packages})
	}
	return privacy.OfLedger(ctx, b.ledger, outputs, nil)
}
