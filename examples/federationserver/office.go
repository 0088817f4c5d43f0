package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"

	"github.com/gaenkit/gaen/examples/internal/orders"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/storage/ledger"
)

// office is where the operator of a federation server works: what is ordered is of
// effect in its own batches, for keys are the word of those who brought them.
type office struct {
	ledger   *ledger.Ledger
	hub      *federation.Hub
	registry *registry
	peers    func() []*peer // nil if there is no file of them
}

// desk returns what takes orders.
func (o *office) desk(log *slog.Logger) *orders.Office {
	return &orders.Office{
		Ledger: o.ledger, Log: log, Reach: o.reach,
		Explain: func(ctx context.Context, in ledger.Inquiry) (any, error) { return o.explain(ctx, in) },
	}
}

// senders returns the peers. Without a file of them, none is configured.
func (o *office) senders() (all []orders.Sender) {
	if o.peers == nil {
		return nil
	}
	for _, p := range o.peers() {
		all = append(all, orders.Sender{Name: p.Name, Push: p.books})
	}
	return all
}

// reach says what nations and peers have of what an order withdraws.
func (o *office) reach(ctx context.Context, order *ledger.Order) (*orders.Reach, error) {
	nations, err := o.registry.all(ctx)
	if err != nil {
		return nil, err
	}
	all, err := orders.Partners(ctx, o.ledger, o.senders())
	if err != nil {
		return nil, err
	}
	for _, n := range nations {
		f, err := o.hub.Forecast(ctx, n.federated())
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	var forecasts []orders.Forecast
	for _, f := range all {
		forecasts = append(forecasts, f)
	}
	if err := orders.Foresee(ctx, o.ledger, order, forecasts...); err != nil {
		return nil, err
	}
	reach := &orders.Reach{}
	for _, f := range all {
		reach.Partners = append(reach.Partners, &orders.PartnerReach{Foresight: f.Foresight})
	}
	return reach, nil
}

// An explanation is where a key has been, without the key.
type explanation struct {
	Ledger  []*ledger.Account     `json:"ledger"`  // for each origin that claims it
	Nations []*federation.Account `json:"nations"` // for each that reads batches, and each origin
	Peers   []*federation.Account `json:"peers"`   // for each that is sent keys
}

// explain says where a key has been. What nations of the European protocol read is
// as it was signed, and none of what the operator says.
func (o *office) explain(ctx context.Context, in ledger.Inquiry) (*explanation, error) {
	e := &explanation{Nations: []*federation.Account{}, Peers: []*federation.Account{}}
	var err error
	if e.Ledger, err = o.ledger.Account(ctx, in); err != nil {
		return nil, err
	}
	families, err := o.ledger.Families(ctx, in.KeyData)
	if err != nil || len(families) == 0 {
		return e, err
	}
	nations, err := o.registry.all(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range nations {
		if n.european() {
			continue
		}
		accounts, err := o.hub.Account(ctx, n.federated(), families[0])
		if err != nil {
			return nil, err
		}
		e.Nations = append(e.Nations, accounts...)
	}
	for _, s := range o.senders() {
		if s.Push == nil {
			continue
		}
		accounts, err := s.Push.Account(ctx, families[0])
		if err != nil {
			return nil, err
		}
		e.Peers = append(e.Peers, accounts...)
	}
	return e, nil
}

// arrears are what nations and peers have not been told.
type arrears struct {
	Nations map[ledger.Source]*federation.Arrears `json:"nations"`
	Peers   []*orders.Arrears                     `json:"peers"`
}

// arrears counts them. It reads all batches, and, if there are peers, the ledger.
func (o *office) arrears(ctx context.Context) (*arrears, error) {
	nations, err := o.registry.all(ctx)
	if err != nil {
		return nil, err
	}
	var readers []*federation.Nation
	for _, n := range nations {
		readers = append(readers, n.federated())
	}
	counts, err := o.hub.Arrears(ctx, readers...)
	if err != nil {
		return nil, err
	}
	a := &arrears{Nations: map[ledger.Source]*federation.Arrears{}}
	for i, n := range readers {
		a.Nations[n.Name] = counts[i]
	}
	partners, err := orders.Partners(ctx, o.ledger, o.senders())
	if err != nil {
		return nil, err
	}
	a.Peers, err = orders.Owing(ctx, o.ledger, partners)
	return a, err
}

// books are what became of every key, and of every withdrawal.
type books struct {
	*ledger.Stats
	Arrears    *arrears
	Unbalanced string `json:",omitempty"`
}

func (o *office) books(ctx context.Context) (*books, error) {
	var sinks []ledger.Sink
	for _, s := range o.senders() {
		if s.Push == nil {
			continue
		}
		sink, err := s.Push.Sink(ctx)
		if err != nil {
			return nil, err
		}
		sinks = append(sinks, sink)
	}
	stats, err := o.ledger.Stats(ctx, sinks...)
	if err != nil {
		return nil, err
	}
	b := &books{Stats: stats}
	if err := stats.Check(); err != nil {
		b.Unbalanced = err.Error()
	}
	b.Arrears, err = o.arrears(ctx)
	return b, err
}

// newDesk takes orders over HTTP of those who are in a file.
func newDesk(f *orders.Office, o *office, operators string) (http.Handler, error) {
	text, err := os.ReadFile(operators)
	if err != nil {
		return nil, err
	}
	who, err := orders.ParseCredentials(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", operators, err)
	}
	answers := f.Answers()
	answers["GET /books"] = orders.Told(o.books)
	return orders.NewDesk(who, f.Log, answers), nil
}

// withOffice works at the office of a ledger that others may be serving.
func withOffice(ctx context.Context, place, peers string, work func(*office) error) error {
	return withRegistry(ctx, place, func(g *registry) error {
		hub, err := federation.NewHub(g.ledger, nil)
		if err != nil {
			return err
		}
		o := &office{ledger: g.ledger, hub: hub, registry: g}
		if peers != "" {
			all, err := readPeers(g.ledger, peers)
			if err != nil {
				return usage("-peers: %w", err)
			}
			o.peers = func() []*peer { return all }
		}
		return work(o)
	})
}

// officeFlags returns the flags that commands of the office have in common.
func officeFlags(name string, stderr io.Writer) (f *flag.FlagSet, place, peers *string) {
	f, place = newFlags(name, stderr)
	return f, place, f.String("peers", "", "`file` of the federation servers of which this one is a client; those that it does not name count as removed")
}

// giveOrder prints what an order would do, or does it and prints that.
func giveOrder(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, place, peers := officeFlags("order", stderr)
	var o orders.Flags
	o.Define(f)
	if _, err := parse(f, args, 0, "none"); err != nil {
		return err
	}
	if err := o.Finish(os.Stdin); err != nil {
		return usage("%w", err)
	}
	log := slog.New(slog.NewJSONHandler(stderr, nil))
	return withOffice(ctx, *place, *peers, func(w *office) error { return w.desk(log).Give(ctx, &o, stdout) })
}

// listOrders prints the records of orders.
func listOrders(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, place := newFlags("orders", stderr)
	if _, err := parse(f, args, 0, "none"); err != nil {
		return err
	}
	return withOffice(ctx, *place, "", func(w *office) error { return w.desk(slog.New(slog.DiscardHandler)).List(ctx, stdout) })
}

// explain prints where a key has been.
func explain(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, place, peers := officeFlags("explain", stderr)
	key := f.String("key", "-", "`file` that the key is read from; - is standard input")
	if _, err := parse(f, args, 0, "none"); err != nil {
		return err
	}
	in, err := orders.ReadInquiry(*key, os.Stdin)
	if err != nil {
		return usage("the key: %w", err)
	}
	return withOffice(ctx, *place, *peers, func(w *office) error {
		return w.desk(slog.New(slog.DiscardHandler)).Ask(ctx, in, stdout)
	})
}

// printBooks prints the books. That they do not balance is the error, after them.
func printBooks(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, place, peers := officeFlags("books", stderr)
	if _, err := parse(f, args, 0, "none"); err != nil {
		return err
	}
	return withOffice(ctx, *place, *peers, func(w *office) error {
		b, err := w.books(ctx)
		if err != nil {
			return err
		}
		if b.Unbalanced != "" {
			err = errors.New(b.Unbalanced)
		}
		return errors.Join(orders.Print(stdout, b), err)
	})
}
