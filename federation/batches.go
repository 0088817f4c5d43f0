package federation

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// cutBatches are the batches of one cut, as its register remembers them: batch i
// has the numbers in (Bounds[i], Bounds[i+1]].
type cutBatches struct {
	Cut    ledger.Position `json:"cut"`
	Time   time.Time       `json:"time"`
	Bounds []int64         `json:"bounds"`
}

func batchesRegister(cut int64) string { return fmt.Sprintf("%s%020d", batchesPrefix, cut) }

// maxBatches is how many batches a cut is divided into at most, so that its register
// holds their bounds. Those of a cut that has more to say are larger.
const maxBatches = 2500

// divideCut divides what a cut numbered after a position.
func divideCut(after ledger.Position, c ledger.Cut, size int64) *cutBatches {
	size = max(size, (c.Last-after.Number+maxBatches-1)/maxBatches)
	b := &cutBatches{Cut: c.Position(), Time: c.Time, Bounds: []int64{after.Number}}
	for n := after.Number; n < c.Last; {
		n = min(n+size, c.Last)
		b.Bounds = append(b.Bounds, n)
	}
	return b
}

// A hubBatch is a batch as it is listed.
type hubBatch struct {
	span
	tag  string
	cut  int64
	time time.Time // of its cut
}

// A listing is all batches that are kept, in order.
type listing struct {
	index
	version int64 // of the head register it goes by
	batches []hubBatch
	spans   []span
	cuts    map[string][]hubBatch // by what the register of a cut holds
}

// list returns the batches there are, as of a moment ago; as of now if a tag that
// somebody has is not among them, which another process may have given.
func (h *Hub) list(ctx context.Context, tag string) (*listing, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listing != nil && time.Since(h.listed) < h.opts.Fresh && h.listing.has(tag) {
		return h.listing, nil
	}
	now := time.Now()
	_, version, err := h.head(ctx)
	if err != nil {
		return nil, err
	}
	if h.listing == nil || h.listing.version != version {
		registers, err := h.ledger.Registers(ctx, batchesPrefix)
		if err != nil {
			return nil, err
		}
		if h.listing, err = h.listing.next(version, registers); err != nil {
			return nil, err
		}
	}
	h.listed = now
	return h.listing, nil
}

// next returns the listing of the registers there are now. Those that l has, if it
// is not nil, are not read again.
func (l *listing) next(version int64, registers []ledger.Register) (*listing, error) {
	n := &listing{version: version, cuts: map[string][]hubBatch{}}
	for _, r := range registers {
		var batches []hubBatch
		if l != nil {
			batches = l.cuts[string(r.Value)]
		}
		if batches == nil {
			var c cutBatches
			if err := json.Unmarshal(r.Value, &c); err != nil {
				return nil, fmt.Errorf("register %s: %w", r.Name, err)
			}
			batches = c.batches()
		}
		n.cuts[string(r.Value)] = batches
		for _, b := range batches {
			n.add(b.tag, b.time)
			n.batches, n.spans = append(n.batches, b), append(n.spans, b.span)
		}
	}
	return n, nil
}

// batches returns the batches of a cut. The hash of the cut in their tags tells
// those of a ledger that went back from those it gives now.
func (c *cutBatches) batches() (batches []hubBatch) {
	for i := range len(c.Bounds) - 1 {
		batches = append(batches, hubBatch{
			span: span{c.Bounds[i], c.Bounds[i+1]},
			tag:  fmt.Sprintf("%d-%d-%s", c.Cut.Cut, i, hex.EncodeToString(c.Cut.Hash[:8])),
			cut:  c.Cut.Cut,
			time: c.Time,
		})
	}
	return batches
}

// view returns the log as a nation is told of it.
func (l *listing) view(n *Nation) *view {
	return &view{spans: l.spans, leavesOut: spares(n, l.spans)}
}

// spares returns what of the log a nation is not told: keys of its region, and those
// that it had brought by the end of a span.
func spares(n *Nation, spans []span) func(i int, u *ledger.Unit, e ledger.Event) string {
	return func(i int, u *ledger.Unit, _ ledger.Event) string {
		switch {
		case u.Key.Origin == n.Region:
			return "own"
		case broughtBy(n.Name, u, spans[i].to):
			return "brought"
		}
		return ""
	}
}

// units returns the units of a batch, nil if they have been pruned, as of the
// cut by which the head has a version: the operator may have withdrawn some since. They are not to be changed.
func (h *Hub) units(ctx context.Context, version int64, b *hubBatch) ([]*ledger.Unit, error) {
	ctx = context.WithoutCancel(ctx) // others wait for them
	return h.shelf.get(shelved(b.tag, version), func() ([]*ledger.Unit, error) { return h.readUnits(ctx, b.span) })
}

// shelved is the name under which what a batch tells is kept in memory. What of it the
// operator has withdrawn changes with a cut, and so does the name.
func shelved(tag string, version int64) string { return fmt.Sprintf("%s@%d", tag, version) }

func (h *Hub) readUnits(ctx context.Context, b span) ([]*ledger.Unit, error) {
	units := []*ledger.Unit{}
	for u, err := range h.ledger.Read(ctx, b.from, b.to) {
		if errors.Is(err, ledger.ErrPruned) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		units = append(units, u.Clone())
	}
	return units, nil
}

// isConflict reports whether another writer was quicker.
func isConflict(err error) bool {
	_, ok := errors.AsType[*ledger.ConflictError](err)
	return ok
}
