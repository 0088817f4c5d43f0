package pgledger

import (
	"context"
	"slices"
	"strings"

	"github.com/gaenkit/gaen/storage/ledger"
)

// Registers implements [ledger.Store].
func (s *Store) Registers(ctx context.Context, prefix string) (found []ledger.Register, err error) {
	err = s.read(ctx, "registers", func(t *tx) error {
		b := t.batch()
		b.eachRegister(`starts_with(name, $1) ORDER BY name`, []any{text(prefix)}, func(r ledger.Register) { found = append(found, r) })
		return b.send()
	})
	return found, err
}

// eachRegister adds to a batch a query for registers.
func (b *batch) eachRegister(where string, args []any, f func(ledger.Register)) {
	var name string
	var version int64
	var value []byte
	var nonce bytes16
	b.each(`SELECT name, version, value, nonce FROM gaen.register WHERE `+where, args, []any{&name, &version, &value, &nonce}, func() error {
		f(ledger.Register{Name: name, Version: version, Value: append([]byte{}, value...), Nonce: ledger.Nonce(nonce)})
		return nil
	})
}

// lookRegisters adds to a batch what reads those of the named registers that
// there are.
func (b *batch) lookRegisters(into map[string]ledger.Register, names []string) {
	if len(names) == 0 {
		return
	}
	b.eachRegister(`name = ANY ($1)`, []any{list(names, text)}, func(r ledger.Register) { into[r.Name] = r })
}

// Swap implements [ledger.Store].
func (s *Store) Swap(ctx context.Context, nonce ledger.Nonce, swaps []ledger.Swap) error {
	return s.write(ctx, "swap", plan{isolation: eachQuery}, func(t *tx) error {
		b := t.batch()
		w := b.lookSwaps(nonce, swaps)
		if err := b.send(); err != nil {
			return err
		}
		if err := w.conflict(); err != nil {
			return err
		}
		b = t.batch()
		b.swap(w)
		return b.send()
	})
}

// swapping are swaps of one writer, with the registers as they are.
type swapping struct {
	nonce ledger.Nonce
	swaps []ledger.Swap
	have  map[string]ledger.Register
}

// lookSwaps adds to a batch what reads and locks the registers of swaps, in the
// order of their names.
func (b *batch) lookSwaps(nonce ledger.Nonce, swaps []ledger.Swap) *swapping {
	w := &swapping{nonce: nonce, swaps: swaps, have: map[string]ledger.Register{}}
	if len(swaps) > 0 {
		names := list(swaps, func(w ledger.Swap) string { return text(w.Name) })
		b.eachRegister(`name = ANY ($1) ORDER BY name FOR UPDATE`, []any{names}, func(r ledger.Register) { w.have[r.Name] = r })
	}
	return w
}

// conflict returns a [*ledger.ConflictError] for a register that has moved on:
// for one that the writer with this nonce wrote itself, if there is one, so that
// it recognises itself.
func (w *swapping) conflict() error {
	var conflict error
	for _, swap := range w.swaps {
		have := w.have[swap.Name]
		have.Name = swap.Name
		if have.Version != swap.Version && (conflict == nil || have.Nonce == w.nonce) {
			conflict = &ledger.ConflictError{Have: have, Want: swap.Version}
		}
	}
	return conflict
}

// swap adds to a batch what changes registers. One that is new and that somebody
// else has made meanwhile is read again.
func (b *batch) swap(w *swapping) {
	const (
		add    = `INSERT INTO gaen.register (name, version, value, nonce) VALUES ($1, nextval('gaen.register_version'), $2, $3) ON CONFLICT DO NOTHING`
		change = `UPDATE gaen.register SET version = nextval('gaen.register_version'), value = $2, nonce = $3 WHERE name = $1`
		remove = `DELETE FROM gaen.register WHERE name = $1`
	)
	swaps := slices.SortedFunc(slices.Values(w.swaps), func(a, b ledger.Swap) int { return strings.Compare(a.Name, b.Name) })
	for _, swap := range swaps {
		name, value, nonce := text(swap.Name), append([]byte{}, swap.Value...), w.nonce[:]
		_, known := w.have[swap.Name]
		switch {
		case swap.Delete:
			b.exec(remove, name)
		case known:
			b.execAll(1, change, name, value, nonce)
		default:
			b.execAll(1, add, name, value, nonce)
		}
	}
}
