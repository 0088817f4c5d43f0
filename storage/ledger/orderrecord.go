package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// OrderAge is for how long the record of an order is kept: longer than any key,
// so that whoever asks what became of one within the time of its effect finds
// out, and no longer than a quarter, as it names who worked when.
const OrderAge = 90 * 24 * time.Hour

// An OrderRecord is what a ledger keeps of an [Order], from the step in which it
// changed something on; of one that was refused, why. It holds no key data, and
// no upload but as a hash.
type OrderRecord struct {
	ID    string    `json:"id"`
	Given time.Time `json:"given"` // by the ledger's clock
	By    string    `json:"by"`
	Why   string    `json:"why"`

	Action      Action          `json:"action"`
	Select      SelectionRecord `json:"select,omitzero"`
	Holds       Holds           `json:"holds,omitzero"`
	ReportType  string          `json:"reportType,omitzero"`
	Immediately bool            `json:"immediately,omitzero"`
	Confirm     int             `json:"confirm,omitzero"`

	// Refused is the reason for which nothing was done, and Detail says more.
	Refused RefusalReason `json:"refused,omitzero"`
	Detail  string        `json:"detail,omitzero"`

	// Units is how many it is about, Uploads those that they are counted with.
	// Effects are those of the steps taken so far, Done is set by the last.
	Units   int     `json:"units,omitzero"`
	Uploads int     `json:"uploads,omitzero"`
	Arrived int     `json:"arrived,omitzero"` // since the preview
	Effects Effects `json:"effects,omitzero"`
	Steps   int     `json:"steps,omitzero"`
	Done    bool    `json:"done,omitzero"`

	// Through is the hash up to which units have been dealt with.
	Through string `json:"through,omitzero"`
}

// orderPrefix begins the names of the registers that hold records of orders.
const orderPrefix = "order/"

// record returns the record of an order that begins now.
func (o *Order) record(id Identity, now time.Time) *OrderRecord {
	r := &OrderRecord{
		ID: o.ID, Given: now.UTC(), By: o.By, Why: o.Why,
		Action: o.Action.known(), Immediately: o.Immediately, Confirm: o.Confirm,
	}
	if o.check() != nil {
		return r // what makes no sense is not described, it may be anything
	}
	r.Select, r.Holds = o.Select.record(id), o.Holds
	if t, ok := o.ReportType.Get(); ok {
		r.ReportType = t.String()
	}
	return r
}

// sameOrder reports whether two records are of one order, given twice.
func (r *OrderRecord) sameOrder(other *OrderRecord) bool {
	order := func(r *OrderRecord) []any {
		return []any{r.ID, r.By, r.Why, r.Action, r.Select, r.ReportType, r.Immediately, r.Holds.Origins, r.Holds.Sources}
	}
	plain := func(r *OrderRecord) string { b, _ := json.Marshal(order(r)); return string(b) }
	return plain(r) == plain(other)
}

// swap returns what stores the record in place of the given version.
func (r *OrderRecord) swap(version int64) (Swap, error) {
	value, err := json.Marshal(r)
	return Swap{Name: orderPrefix + r.ID, Version: version, Value: value}, err
}

// refusal returns the error of an order that was refused, nil of any other.
func (r *OrderRecord) refusal() *OrderError {
	if r.Refused == "" {
		return nil
	}
	return &OrderError{Action: r.Action, Reason: r.Refused, Detail: r.Detail, Confirm: r.Confirm, Effects: r.Effects}
}

// Orders returns the records of orders that are still kept, in the order in which
// they were given.
func (l *Ledger) Orders(ctx context.Context) ([]OrderRecord, error) {
	registers, err := l.store.Registers(ctx, orderPrefix)
	if err != nil {
		return nil, err
	}
	records := make([]OrderRecord, len(registers))
	for i := range registers {
		if err := json.Unmarshal(registers[i].Value, &records[i]); err != nil {
			return nil, fmt.Errorf("ledger: register %s: %w", registers[i].Name, err)
		}
	}
	slices.SortFunc(records, func(a, b OrderRecord) int {
		return cmp.Or(a.Given.Compare(b.Given), strings.Compare(a.ID, b.ID))
	})
	return records, nil
}

// readOrder returns the record of the order with that id, nil if there is none,
// and its version.
func (l *Ledger) readOrder(ctx context.Context, id string) (*OrderRecord, int64, error) {
	register, err := readRegister(ctx, l.store, orderPrefix+id)
	if err != nil || register.Version == 0 {
		return nil, 0, err
	}
	r := &OrderRecord{}
	if err := json.Unmarshal(register.Value, r); err != nil {
		return nil, 0, fmt.Errorf("ledger: register %s: %w", register.Name, err)
	}
	return r, register.Version, nil
}

// pruneOrders removes the records of orders that have had their time.
func (l *Ledger) pruneOrders(ctx context.Context, now time.Time) (int, error) {
	registers, err := l.store.Registers(ctx, orderPrefix)
	if err != nil {
		return 0, err
	}
	var old []Swap
	for _, r := range registers {
		var record OrderRecord
		if err := json.Unmarshal(r.Value, &record); err != nil {
			return 0, fmt.Errorf("ledger: register %s: %w", r.Name, err)
		}
		if now.Sub(record.Given) > OrderAge {
			old = append(old, Swap{Name: r.Name, Version: r.Version, Delete: true})
		}
	}
	if len(old) == 0 {
		return 0, nil
	}
	err = l.store.Swap(ctx, NewNonce(), old)
	if isConflict(err) {
		return 0, nil // another prunes them at this moment
	}
	if err != nil {
		return 0, err
	}
	return len(old), nil
}
