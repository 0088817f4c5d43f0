package bucketledger

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A parcel is the letters of one source that are delivered next.
type parcel struct {
	letters []*letter
	keys    int
}

// add adds a letter to its source's parcel, and delivers one that is full.
func (t *taking) add(ctx context.Context, o *letter) error {
	p := t.waiting[o.source]
	if p == nil {
		p = &parcel{}
		t.waiting[o.source] = p
	}
	p.letters = append(p.letters, o)
	p.keys += o.size()
	if p.keys < deliveryKeys && len(p.letters) < deliverySize {
		return nil
	}
	return t.deliver(ctx, o.source)
}

// deliver has the ledger take in a parcel, and note its objects in the same
// step. Where another process was faster, what it has taken is left out.
func (t *taking) deliver(ctx context.Context, source ledger.Source) error {
	letters := t.waiting[source].letters
	delete(t.waiting, source)
	for len(letters) > 0 {
		d, page := t.delivery(source, letters)
		receipt, err := t.ledger.Accept(ctx, d)
		if err == nil {
			t.note(source, letters, receipt)
			return t.seen.stored(ctx, t.ledger, page)
		}
		if _, beaten := errors.AsType[*ledger.ConflictError](err); !beaten {
			return err
		}
		if t.seen, err = readSeen(ctx, t.ledger); err != nil {
			return err
		}
		letters = slices.DeleteFunc(letters, func(o *letter) bool { return t.seen.marks[o.mark] })
	}
	return nil
}

// delivery makes a delivery of letters, and the page that notes them.
func (t *taking) delivery(source ledger.Source, letters []*letter) (*ledger.Delivery, *page) {
	d := &ledger.Delivery{Source: source}
	var marks []mark
	for _, o := range letters {
		marks = append(marks, o.mark)
		id := uploadID(o.name)
		if len(o.keys) > 0 {
			d.Uploads = append(d.Uploads, ledger.Upload{ID: id, Keys: o.keys})
		}
		d.Withdrawals = append(d.Withdrawals, o.withdrawals...)
		for _, why := range o.unreadable {
			d.Unreadable = append(d.Unreadable, setAside(id, o.granted.Origin, why))
		}
		if o.rejected != nil {
			d.Unreadable = append(d.Unreadable, setAside(id, o.granted.Origin, o.rejected))
		}
	}
	page := t.seen.with(marks)
	d.Swaps = []ledger.Swap{page.swap()}
	return d, page
}

func setAside(upload string, origin keys.Region, why *keys.Rejection) ledger.SetAside {
	return ledger.SetAside{
		Upload: upload,
		ID:     ledger.UnitID{Origin: origin},
		Field:  why.Field,
		Reason: why.Reason,
		Detail: why.Detail,
	}
}

// note adds to the report what has been taken in.
func (t *taking) note(source ledger.Source, letters []*letter, r *ledger.Receipt) {
	t.report.Taken += len(letters)
	for _, o := range letters {
		if why := o.rejected; why != nil {
			t.report.Bad = append(t.report.Bad, BadObject{Name: o.name, Field: why.Field, Reason: why.Reason, Detail: why.Detail})
		}
	}
	sum := t.report.Receipts[source]
	if sum == nil {
		sum = &ledger.Receipt{}
		t.report.Receipts[source] = sum
	}
	sum.Offered += r.Offered
	sum.Accepted += r.Accepted
	sum.Revised += r.Revised
	sum.Duplicates += r.Duplicates
	sum.Rejected = append(sum.Rejected, r.Rejected...)
	sum.WithdrawalsTaken += r.WithdrawalsTaken
	sum.WithdrawalsKept += r.WithdrawalsKept
	sum.WithdrawalsRefused += r.WithdrawalsRefused
	for _, p := range r.OverQuota {
		if !slices.Contains(sum.OverQuota, p) {
			sum.OverQuota = append(sum.OverQuota, p)
		}
	}
	sum.Repeated = sum.Repeated || r.Repeated
}

// forget drops marks that were there before the objects were listed, and whose
// objects were not: those are gone, by a rule of the bucket. Another process
// may be at it; then it is the next run's turn.
func (t *taking) forget(ctx context.Context, before *seen, there map[mark]bool) error {
	swaps := before.forget(there)
	if len(swaps) == 0 {
		return nil
	}
	err := t.ledger.Swap(ctx, ledger.NewNonce(), swaps...)
	if _, beaten := errors.AsType[*ledger.ConflictError](err); beaten {
		return nil
	}
	return err
}

// isLedgers reports whether an object is the ledger's own.
func isLedgers(name string) bool { return strings.HasPrefix(name, root) }
