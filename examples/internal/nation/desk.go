package nation

import (
	"context"
	"fmt"
	"net/http"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/examples/internal/orders"
	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A Preview says what an order would do here, and on phones.
type Preview struct {
	*ledger.OrderReport
	Phones []*distribution.Foresight `json:",omitempty"` // of what withdraws: for each package, what phones would forget
}

// Preview says what an order of the operator would do, and changes nothing.
func (b *Backend) Preview(ctx context.Context, o *ledger.Order) (*Preview, error) {
	report, err := b.ledger.Preview(ctx, o)
	if err != nil || !o.Action.Withdraws() {
		return &Preview{OrderReport: report}, err
	}
	ids, err := b.ledger.Selected(ctx, o)
	if err != nil {
		return nil, err
	}
	preview := &Preview{OrderReport: report}
	for _, out := range b.outputs {
		if out.Layout.Name() == deploy.Deltaset {
			continue // whose clients forget whatever they are told to
		}
		packages, err := out.Foresee(ctx, keys.ReportConfirmedTest, ids...)
		if err != nil {
			return nil, err
		}
		preview.Phones = append(preview.Phones, packages...)
	}
	return preview, nil
}

// Order carries out an order of the operator. What it changes is published, and
// told to partners, by the ticks after the next cut.
func (b *Backend) Order(ctx context.Context, o *ledger.Order) (*ledger.OrderReport, error) {
	report, err := b.ledger.Order(ctx, o)
	if err == nil {
		b.log.Info("order", "id", report.ID, "action", report.Action, "by", report.By, "units", report.Units, "immediately", report.Immediately)
	}
	return report, err
}

// Orders returns the records of orders.
func (b *Backend) Orders(ctx context.Context) ([]ledger.OrderRecord, error) {
	return b.ledger.Orders(ctx)
}

// Desk takes orders of those who have credentials, by HTTP's basic authentication:
//
//	POST /orders/preview  what an order would do, here and on phones; changes nothing
//	POST /orders          carries it out
//	GET  /orders          the records of all orders, oldest first
//	POST /explain         where a key has been: {"keyData": …, "origin": …, "rollingStartIntervalNumber": …}
//	GET  /books           what became of every key
//	POST /repair          has what is published be as it was planned: {}
//
// What a request holds is said by [orders.Parse] and [orders.ParseInquiry].
func (b *Backend) Desk() http.Handler {
	return b.current(func(a *active) http.Handler { return a.desk })
}

// newDesk returns the desk, if there is to be one.
func (b *Backend) newDesk(s partner.Secrets) (http.Handler, error) {
	if b.config.Orders.Listen == "" {
		return nil, nil
	}
	who, err := orders.ParseCredentials(s.Of(b.config.Orders.Operators))
	if err != nil {
		return nil, fmt.Errorf("orders.operators: %w", err)
	}
	return orders.NewDesk(who, b.log, map[string]orders.Answer{
		"POST /orders/preview": ordered(b.Preview),
		"POST /orders":         ordered(b.Order),
		"GET /orders":          told(b.Orders),
		"GET /books":           told(b.balance),
		"POST /repair":         told(b.Repair),
		"POST /explain": func(ctx context.Context, _ string, body []byte) (any, error) {
			in, err := orders.ParseInquiry(body)
			if err != nil {
				return nil, orders.Invalid(err)
			}
			return b.Explain(ctx, in)
		},
	}), nil
}

// balance is the books, and what is wrong with them.
type balance struct {
	*ledger.Stats
	Unbalanced string `json:",omitempty"`
}

func (b *Backend) balance(ctx context.Context) (*balance, error) {
	stats, err := b.Books(ctx)
	if stats == nil {
		return nil, err
	}
	found := &balance{Stats: stats}
	if err != nil {
		found.Unbalanced = err.Error()
	}
	return found, nil
}

// Repair has what is published be as it was planned, whatever the bucket lists: it
// reads all of it.
func (b *Backend) Repair(ctx context.Context) ([]*distribution.Report, error) {
	return b.outputs.Repair(ctx)
}

// ordered answers with what becomes of the order in a body.
func ordered[T any](work func(context.Context, *ledger.Order) (T, error)) orders.Answer {
	return func(ctx context.Context, by string, body []byte) (any, error) {
		o, err := orders.Parse(body, by)
		if err != nil {
			return nil, orders.Invalid(err)
		}
		return work(ctx, o)
	}
}

// told answers what nothing more need be said of.
func told[T any](work func(context.Context) (T, error)) orders.Answer {
	return func(ctx context.Context, _ string, _ []byte) (any, error) { return work(ctx) }
}
