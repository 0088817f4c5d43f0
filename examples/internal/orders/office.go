package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/gaenkit/gaen/storage/ledger"
)

// An Office takes orders, from wherever they are given.
type Office struct {
	Ledger *ledger.Ledger
	Log    *slog.Logger

	// Reach says of an order that withdraws whom it reaches; what it says is the same
	// before and after the order is carried out.
	Reach func(context.Context, *ledger.Order) (*Reach, error)

	// Explain says where a key has been.
	Explain func(context.Context, ledger.Inquiry) (any, error)
}

// A Report is what is answered to an order, or to the question what it would do: what
// it does to the ledger, and, of what withdraws, who hears of it.
type Report struct {
	*ledger.OrderReport
	Reach *Reach `json:"reach,omitempty"`
}

// Preview says what an order would do, and changes nothing.
func (f *Office) Preview(ctx context.Context, o *ledger.Order) (*Report, error) {
	report, err := f.Ledger.Preview(ctx, o)
	if err != nil {
		return nil, err
	}
	return f.report(ctx, o, report)
}

// Order carries out an order. An error that is no refusal is an [*Unfinished].
func (f *Office) Order(ctx context.Context, o *ledger.Order) (*Report, error) {
	done, err := f.Ledger.Order(ctx, o)
	if _, refused := errors.AsType[*ledger.OrderError](err); err != nil && !refused {
		return nil, &Unfinished{o.ID, err}
	}
	if err != nil {
		return nil, err
	}
	f.Log.Info("order", "id", done.ID, "action", done.Action, "by", done.By, "units", done.Units, "immediately", done.Immediately)
	report, err := f.report(ctx, o, done)
	if err != nil {
		return nil, &Unfinished{o.ID, fmt.Errorf("it is done, and whom it reaches is not known: %w", err)}
	}
	return report, nil
}

// report adds whom an order reaches.
func (f *Office) report(ctx context.Context, o *ledger.Order, r *ledger.OrderReport) (*Report, error) {
	if !o.Action.Withdraws() {
		return &Report{OrderReport: r}, nil
	}
	reach, err := f.Reach(ctx, o)
	if err != nil {
		return nil, err
	}
	reach.schedule(r)
	return &Report{OrderReport: r, Reach: reach}, nil
}

// Unfinished is the error of an order that may have begun, and is to be given again
// by the ID that it has been given: then it goes on, or the answer is that of the
// first time.
type Unfinished struct {
	ID  string // empty if it has not begun
	Err error
}

// Error says how to go on.
func (u *Unfinished) Error() string {
	if u.ID == "" {
		return u.Err.Error()
	}
	return fmt.Sprintf("%v\n(to go on with it: -id %s)", u.Err, u.ID)
}

// Unwrap returns what was in the way.
func (u *Unfinished) Unwrap() error { return u.Err }

// Answers returns what a desk answers; see [NewDesk].
func (f *Office) Answers() map[string]Answer {
	return map[string]Answer{
		"POST /orders/preview": ordered(f.Preview),
		"POST /orders":         ordered(f.Order),
		"GET /orders":          Told(f.Ledger.Orders),
		"POST /explain": func(ctx context.Context, _ string, body []byte) (any, error) {
			in, err := ParseInquiry(body)
			if err != nil {
				return nil, Invalid(err)
			}
			return f.Explain(ctx, in)
		},
	}
}

// ordered answers with what becomes of the order in a body.
func ordered[T any](work func(context.Context, *ledger.Order) (T, error)) Answer {
	return func(ctx context.Context, by string, body []byte) (any, error) {
		o, err := Parse(body, by)
		if err != nil {
			return nil, Invalid(err)
		}
		return work(ctx, o)
	}
}

// Told answers what nothing more need be said of.
func Told[T any](work func(context.Context) (T, error)) Answer {
	return func(ctx context.Context, _ string, _ []byte) (any, error) { return work(ctx) }
}

// Give prints what the order of the flags would do, or does it and prints that.
func (f *Office) Give(ctx context.Context, o *Flags, stdout io.Writer) error {
	work := f.Preview
	if o.do {
		work = f.Order
	}
	report, err := work(ctx, &o.order)
	if err != nil {
		return err
	}
	return Print(stdout, report)
}

// List prints the records of orders.
func (f *Office) List(ctx context.Context, stdout io.Writer) error {
	records, err := f.Ledger.Orders(ctx)
	if err != nil {
		return err
	}
	return Print(stdout, records)
}

// Ask prints where a key has been.
func (f *Office) Ask(ctx context.Context, in ledger.Inquiry, stdout io.Writer) error {
	explanation, err := f.Explain(ctx, in)
	if err != nil {
		return err
	}
	return Print(stdout, explanation)
}

// Print prints v as JSON.
func Print(w io.Writer, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		_, err = fmt.Fprintf(w, "%s\n", text)
	}
	return err
}
