package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/gaenkit/gaen/keys"
)

// A Delivery is what one source brings at one time. It is stored whole, with
// its swaps, or not at all; each key in it is judged alone, unless it says
// otherwise.
type Delivery struct {
	Source  Source
	Uploads []Upload

	// Whole has the delivery stored only if all of it is taken: if a key or a
	// withdrawal in it is known already or would be set aside or refused, nothing
	// is stored or counted, and the error is a [*PartialError]. It is what becomes
	// of uploads that are signed as one. Keys beyond the source's quota are taken,
	// and held.
	Whole bool

	// Withdrawals are keys that the source takes back.
	Withdrawals []UnitID

	// Unreadable are keys that came in it but could not even be parsed, so that
	// what was offered can be counted. Source and At are filled in.
	Unreadable []SetAside

	// Swaps change registers in the same step: the cursor that says how far the
	// source has been read.
	Swaps []Swap

	// Nonce marks the delivery, so that after a lost answer it is recognised by
	// its swaps when it is accepted again. Accept fills it in.
	Nonce Nonce
}

// An Upload is keys that came together: a submission of one phone, or a batch.
type Upload struct {
	ID   string // unique within its source; 1 to 200 bytes of UTF-8
	Keys []keys.DiagnosisKey
}

// A Receipt says what became of a [Delivery]. Each key and each withdrawal is
// counted once.
type Receipt struct {
	Offered    int
	Accepted   int
	Revised    int
	Duplicates int
	Rejected   []SetAside

	WithdrawalsTaken   int
	WithdrawalsKept    int
	WithdrawalsRefused int

	// OverQuota names the pairs of which keys were stored held, or not kept,
	// because the source had brought too many of that origin today.
	OverQuota []Pair

	// Repeated is set where this delivery had been stored before, and only the
	// answer was lost. Nothing else is known of it then.
	Repeated bool
}

// A Pair is what quotas are counted by.
type Pair struct {
	Source Source
	Origin keys.Region
}

// Accept stores a delivery. Keys that are not taken are no error: the receipt
// has them, each with its field and reason. Only of a delivery that is to be
// whole they are, a [*PartialError]. The error is a [*ConflictError] if
// a register has moved on, whatever else is wrong. After any error nothing is
// known to be stored, and the same delivery may be accepted again.
//
// Accept answers only when everything it says is durable.
func (l *Ledger) Accept(ctx context.Context, d *Delivery) (*Receipt, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if d.Nonce == (Nonce{}) {
		d.Nonce = NewNonce()
	}
	in := newIntake(l, d)
	err := l.store.Accept(ctx, &Intake{
		Units:     in.units,
		Registers: []string{policyRegister},
		Tallies:   in.quotas,
		Swaps:     d.Swaps,
		Nonce:     d.Nonce,
		Decide:    in.decide,
	})
	if repeated(err, d.Nonce) {
		return &Receipt{Repeated: true}, nil
	}
	if err != nil {
		return nil, err
	}
	return in.receipt, nil
}

// repeated reports whether err is a conflict with the very writer that met it.
func repeated(err error, nonce Nonce) bool {
	conflict, ok := errors.AsType[*ConflictError](err)
	return ok && conflict.Have.Nonce == nonce
}

func (d *Delivery) check() error {
	if err := d.Source.Check(); err != nil {
		return err
	}
	if d.Source == Operator {
		return fmt.Errorf("ledger: source %q brings no keys", d.Source)
	}
	seen := make(map[string]bool, len(d.Uploads))
	for i := range d.Uploads {
		id := d.Uploads[i].ID
		if err := checkUploadID(id); err != nil {
			return err
		}
		if seen[id] {
			return fmt.Errorf("ledger: two uploads of one delivery have the same id")
		}
		seen[id] = true
	}
	return checkSwaps(d.Swaps)
}
