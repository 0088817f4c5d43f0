package nation

import (
	"context"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/storage/ledger"
)

// An Explanation is where a key has been, without the key.
type Explanation struct {
	Ledger   []*ledger.Account       `json:"ledger"`   // for each origin that claims it
	Packages []*distribution.Showing `json:"packages"` // none if no origin does
	Partners []*federation.Account   `json:"partners"` // for each instance that is sent keys, and each origin
}

// Explain says where a key has been, and why it is or is not somewhere. It changes
// nothing; cuts wait for it for a moment.
func (b *Backend) Explain(ctx context.Context, in ledger.Inquiry) (*Explanation, error) {
	e := &Explanation{Packages: []*distribution.Showing{}, Partners: []*federation.Account{}}
	var err error
	if e.Ledger, err = b.ledger.Account(ctx, in); err != nil {
		return nil, err
	}
	families, err := b.ledger.Families(ctx, in.KeyData)
	if err != nil || len(families) == 0 {
		return e, err
	}
	if e.Packages, err = b.outputs.Showings(ctx, families[0]); err != nil {
		return nil, err
	}
	for _, x := range b.active.Load().exchanges {
		if x.Push == nil {
			continue
		}
		accounts, err := x.Push.Account(ctx, families[0])
		if err != nil {
			return nil, err
		}
		e.Partners = append(e.Partners, accounts...)
	}
	return e, nil
}
