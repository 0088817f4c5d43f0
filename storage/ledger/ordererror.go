package ledger

import "fmt"

// A RefusalReason is why an [Order] was refused.
type RefusalReason string

const (
	// RefusedInvalid: a field of the order makes no sense.
	RefusedInvalid RefusalReason = "invalid"

	// RefusedUnknown: the ledger has nothing of what it names.
	RefusedUnknown RefusalReason = "unknown"

	// RefusedAlready: everything it names was so before.
	RefusedAlready RefusalReason = "already"

	// RefusedNotOurs: what it names is not the operator's to change: what its
	// source has taken back, or what only its source may say.
	RefusedNotOurs RefusalReason = "not-ours"

	// RefusedUnconfirmed: it changes more than [MaxUnconfirmed] units, or
	// selects all there are, or changes another number than was confirmed; or it
	// holds an origin or a source of which the ledger has nothing.
	RefusedUnconfirmed RefusalReason = "unconfirmed"

	// RefusedOther: another order has that ID.
	RefusedOther RefusalReason = "other"
)

// An OrderError says why an order was refused. Nothing was changed but the record
// of it; of another's ID, not even that.
type OrderError struct {
	Action  Action        `json:"action,omitempty"`
	Reason  RefusalReason `json:"reason"`
	Detail  string        `json:"detail,omitempty"` // begins with the field; of RefusedUnconfirmed, what else there is to say
	Confirm int           `json:"confirm,omitzero"` // the number that was confirmed
	Effects Effects       `json:"effects,omitzero"` // that it would have
}

// Wants returns the number that [Order.Confirm] must have.
func (e *OrderError) Wants() int { return e.Effects.confirms(e.Action) }

// Error says what to do about it.
func (e *OrderError) Error() string {
	what := "ledger: order to " + string(e.Action) + ": "
	if e.Action == "" {
		what = "ledger: order: "
	}
	switch e.Reason {
	case RefusedUnknown:
		return what + e.Detail + ": the ledger has nothing that it selects"
	case RefusedAlready:
		return what + e.Detail + ": everything that it selects was so before"
	case RefusedNotOurs:
		return what + e.Detail + fmt.Sprintf(": of %d units %d are not the operator's to change and %d were so before", e.Effects.Units(), e.Effects.Refused, e.Effects.Already)
	case RefusedUnconfirmed:
		return what + "Order.Confirm: " + e.unconfirmed()
	case RefusedOther:
		return what + "Order.ID: another order has this one"
	}
	return what + e.Detail
}

// unconfirmed says which number is to be confirmed.
func (e *OrderError) unconfirmed() string {
	it := fmt.Sprintf("it changes %d units", e.Wants())
	if e.Action.holds() {
		it = fmt.Sprintf("of %d of its origins and sources the ledger has nothing", e.Wants())
	}
	if e.Confirm > 0 {
		return it + fmt.Sprintf(", and %d were confirmed: look again", e.Confirm)
	}
	return it + e.Detail + ": confirm that number"
}
