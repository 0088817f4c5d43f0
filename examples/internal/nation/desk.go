package nation

import (
	"context"
	"fmt"
	"net/http"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/examples/internal/orders"
	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Office takes the operator's orders. What they change is published, and told to
// partners, by the ticks after the next cut.
func (b *Backend) Office() *orders.Office {
	return &orders.Office{
		Ledger: b.ledger, Log: b.log, Reach: b.reach,
		Explain: func(ctx context.Context, in ledger.Inquiry) (any, error) { return b.Explain(ctx, in) },
	}
}

// reach says whom the withdrawals of an order reach: what is published here, and
// everybody who was ever sent keys.
func (b *Backend) reach(ctx context.Context, o *ledger.Order) (*orders.Reach, error) {
	var all []orders.Forecast
	packages := make([]*distribution.Forecast, len(b.outputs))
	for i, out := range b.outputs {
		var err error
		if packages[i], err = out.Forecast(ctx, keys.ReportConfirmedTest); err != nil {
			return nil, err
		}
		all = append(all, packages[i])
	}
	partners, err := b.partners(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range partners {
		all = append(all, p)
	}
	if err := orders.Foresee(ctx, b.ledger, o, all...); err != nil {
		return nil, err
	}
	reach := &orders.Reach{}
	for i, out := range b.outputs {
		for _, f := range packages[i].Foresights() {
			reach.Packages = append(reach.Packages, orders.NewPackageReach(out.Layout.Name(), out.Layout.Name() == deploy.Deltaset, f, out.Closes))
		}
	}
	for _, p := range partners {
		reach.Partners = append(reach.Partners, &orders.PartnerReach{Foresight: p.Foresight})
	}
	return reach, nil
}

// partners begins a forecast for everybody who was ever sent keys.
func (b *Backend) partners(ctx context.Context) ([]*federation.Forecast, error) {
	pushes := map[ledger.Source]*federation.Push{}
	for _, x := range b.active.Load().exchanges {
		pushes[x.Name] = x.Push
	}
	var senders []orders.Sender
	for i := range b.config.Instances {
		name := b.config.Instances[i].Name
		senders = append(senders, orders.Sender{Name: name, Push: pushes[name]})
	}
	return orders.Partners(ctx, b.ledger, senders)
}

// Owing returns the withdrawals that partners have not been told, or cannot be.
func (b *Backend) Owing(ctx context.Context) ([]*orders.Arrears, error) {
	partners, err := b.partners(ctx)
	if err != nil {
		return nil, err
	}
	return orders.Owing(ctx, b.ledger, partners)
}

// Desk takes orders of those who have credentials, by HTTP's basic authentication:
//
//	POST /orders/preview  what an order would do: here, on phones, at partners; changes nothing
//	POST /orders          carries it out, and says the same
//	GET  /orders          the records of all orders, oldest first
//	POST /explain         where a key has been: {"keyData": …, "origin": …, "rollingStartIntervalNumber": …}
//	GET  /books           what became of every key
//	POST /reconcile       the books, and what is published that is not as it was planned; changes nothing
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
	answers := b.Office().Answers()
	answers["GET /books"] = orders.Told(b.Balance)
	answers["POST /reconcile"] = orders.Told(b.Reconcile)
	answers["POST /repair"] = orders.Told(b.Repair)
	return orders.NewDesk(who, b.log, answers), nil
}

// A Balance is the books, and what is wrong with them.
type Balance struct {
	*ledger.Stats
	Arrears    []*orders.Arrears `json:",omitempty"`
	Unbalanced string            `json:",omitempty"`
}

// Balance returns the books, with the withdrawals that partners have not been told.
// That something is lost is said in them.
func (b *Backend) Balance(ctx context.Context) (*Balance, error) {
	stats, lost := b.Books(ctx)
	if stats == nil {
		return nil, lost
	}
	owing, err := b.Owing(ctx)
	if err != nil {
		return nil, err
	}
	found := &Balance{Stats: stats, Arrears: owing}
	if lost != nil {
		found.Unbalanced = lost.Error()
	}
	return found, nil
}

// A Reconciliation is the books, and what is published held against them.
type Reconciliation struct {
	Books *Balance
	Trees []*distribution.Reconciliation
}

// Wrong returns what is wrong, empty if nothing is.
func (r *Reconciliation) Wrong() string {
	if r.Books.Unbalanced != "" {
		return r.Books.Unbalanced
	}
	for _, d := range r.Trees {
		if len(d.Findings) > 0 {
			return fmt.Sprintf("%s: what is published is not what the ledger says", d.Output)
		}
	}
	return ""
}

// Reconcile compares all that is published with the ledger, and changes nothing.
func (b *Backend) Reconcile(ctx context.Context) (*Reconciliation, error) {
	books, err := b.Balance(ctx)
	if err != nil {
		return nil, err
	}
	trees, err := b.outputs.Reconcile(ctx)
	return &Reconciliation{books, trees}, err
}

// Repair has what is published be as it was planned, whatever the bucket lists: it
// reads all of it.
func (b *Backend) Repair(ctx context.Context) ([]*distribution.Report, error) {
	return b.outputs.Repair(ctx)
}
