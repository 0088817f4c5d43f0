package orders

import (
	"context"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Arrears are the withdrawals of keys that a partner has, and of which it has not been
// told.
type Arrears struct {
	Partner ledger.Source  `json:"partner"`
	Owed    int            `json:"owed"`             // they are on their way
	Untold  map[string]int `json:"untold,omitempty"` // they cannot be told, by why
}

// Owing returns the arrears of partners. The forecasts must be new. It reads the whole
// ledger.
func Owing(ctx context.Context, l *ledger.Ledger, partners []*federation.Forecast) ([]*Arrears, error) {
	if len(partners) == 0 {
		return nil, nil
	}
	for rec, err := range l.Find(ctx, ledger.Query{}) {
		if err != nil {
			return nil, err
		}
		if rec.Unit == nil || !rec.Unit.Gone() {
			continue
		}
		withdrawn := map[ledger.UnitID]bool{rec.ID: true}
		for _, f := range partners {
			f.Add(rec.Unit, withdrawn)
		}
	}
	all := make([]*Arrears, len(partners))
	for i, f := range partners {
		all[i] = &Arrears{Partner: f.Partner, Owed: f.Told, Untold: f.Untold}
	}
	return all, nil
}
