package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// maxForgetSealed bounds how many registers of sealed uploads one step forgets, but
// for those of one load: a version has to be read with every part.
const maxForgetSealed = 1000

// forgottenSealed returns the swaps that forget loads whose last key may have left
// before a time, as the ledger prunes keys, but none of cuts that can still be read,
// those after kept; and cuts from before another time. It is done if that is all of
// them. A piece that waits is in no load.
func (h *Hub) forgottenSealed(ctx context.Context, pruned, before, kept time.Time) (swaps []ledger.Swap, done bool, err error) {
	registers, err := h.ledger.Registers(ctx, sealedCutsPrefix)
	if err != nil {
		return nil, false, err
	}
	for _, r := range registers {
		if len(swaps) >= maxForgetSealed {
			return swaps, false, nil
		}
		cut, err := parseSealedCut(r)
		if err != nil {
			return nil, false, err
		}
		if !cut.Time.Before(kept) {
			continue
		}
		more, err := h.forgottenCut(ctx, r.Name, cut, pruned, before, maxForgetSealed-len(swaps))
		if err != nil {
			return nil, false, err
		}
		swaps = append(swaps, more...)
	}
	return swaps, len(swaps) < maxForgetSealed, nil
}

// forgottenCut returns the swaps that forget what has had its time of one cut, and
// the cut itself when nothing of it is left.
func (h *Hub) forgottenCut(ctx context.Context, name string, cut *sealedCut, pruned, before time.Time, room int) (swaps []ledger.Swap, err error) {
	gone := 0
	for i := range cut.Loads {
		note := &cut.Loads[i]
		if !note.Gone && time.Unix(note.Latest, 0).Before(pruned) && len(swaps) < room {
			more, err := h.forgottenLoad(ctx, loadRegister(cut.Cut.Cut, i))
			if err != nil {
				return nil, err
			}
			swaps, note.Gone = append(swaps, more...), true
		}
		if note.Gone {
			gone++
		}
	}
	switch {
	case gone == len(cut.Loads) && cut.Time.Before(before):
		for _, prefix := range []string{fmt.Sprintf("%s%020d/", openPrefix, cut.Cut.Cut), saidRegisters(cut.Cut.Cut)} {
			more, err := h.forgottenPrefix(ctx, prefix)
			if err != nil {
				return nil, err
			}
			swaps = append(swaps, more...)
		}
		return append(swaps, ledger.Swap{Name: name, Version: cut.version, Delete: true}), nil
	case len(swaps) > 0:
		swap, err := swapTo(name, cut.version, cut)
		return append(swaps, swap), err
	}
	return nil, nil
}

// forgottenLoad returns the swaps that forget a load and its pieces.
func (h *Hub) forgottenLoad(ctx context.Context, name string) (swaps []ledger.Swap, err error) {
	registers, err := h.ledger.Registers(ctx, name)
	if err != nil || len(registers) == 0 {
		return nil, err
	}
	var l load
	if err := json.Unmarshal(registers[0].Value, &l); err != nil {
		return nil, fmt.Errorf("register %s: %w", name, err)
	}
	swaps = append(swaps, ledger.Swap{Name: name, Version: registers[0].Version, Delete: true})
	for i := range l.Pieces {
		p := &l.Pieces[i].piece
		for _, prefix := range []string{p.name(tagsPrefix), p.name(unitsPrefix) + "/", p.name(bytesPrefix) + "/"} {
			more, err := h.forgottenPrefix(ctx, prefix)
			if err != nil {
				return nil, err
			}
			swaps = append(swaps, more...)
		}
	}
	return swaps, nil
}

// forgottenPrefix returns the swaps that forget all registers whose names begin
// with a prefix.
func (h *Hub) forgottenPrefix(ctx context.Context, prefix string) (swaps []ledger.Swap, err error) {
	registers, err := h.ledger.Registers(ctx, prefix)
	for _, r := range registers {
		swaps = append(swaps, ledger.Swap{Name: r.Name, Version: r.Version, Delete: true})
	}
	return swaps, err
}
