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
	// selects all there are, or changes another number than was confirmed.
	RefusedUnconfirmed RefusalReason = "unconfirmed"

	// RefusedOther: another order has that ID.
	RefusedOther RefusalReason = "other"
)

// An OrderError says why an order was refused. Nothing was changed but the record
// of it; of another's ID, not even that.
type OrderError struct {
	Action  Action
	Reason  RefusalReason
	Detail  string
	Confirm int     // the number of changes that was confirmed
	Effects Effects // that it would have
}

// Error says what to do about it.
func (e *OrderError) Error() string {
	what := "ledger: order to " + string(e.Action) + ": "
	if e.Action == "" {
		what = "ledger: order: "
	}
	switch e.Reason {
	case RefusedUnknown:
		return what + "the ledger has nothing that it selects"
	case RefusedAlready:
		return what + "everything that it selects was so before"
	case RefusedNotOurs:
		return what + fmt.Sprintf("of %d units %d are not the operator's to change and %d were so before", e.Effects.Units(), e.Effects.Refused, e.Effects.Already)
	case RefusedUnconfirmed:
		if e.Confirm > 0 {
			return what + fmt.Sprintf("it changes %d units, and %d were confirmed: look again", e.Effects.Changes(), e.Confirm)
		}
		return what + fmt.Sprintf("it changes %d units%s: confirm that number", e.Effects.Changes(), e.Detail)
	case RefusedOther:
		return what + "another order has this ID"
	}
	return what + e.Detail
}
