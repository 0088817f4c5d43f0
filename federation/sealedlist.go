package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// sealedHub is what a process has read of what a hub hands to those who check
// seals.
type sealedHub struct {
	shelf *shelf[[]Piece] // by load

	mu     sync.Mutex
	list   *sealedList
	listed time.Time // by this machine's clock
}

// A sealedList is all batches that are kept for those who check seals, in order.
type sealedList struct {
	index
	version int64 // of the head register it goes by
	batches []sealedBatch
	spans   []span // of the cuts
	sealing *sealing
	cuts    map[string]*sealedCut // by what their registers hold
}

// sealedList returns the batches there are, as [Hub.list] does.
func (h *Hub) sealedList(ctx context.Context, tag string) (*sealedList, error) {
	s := &h.sealed
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.list != nil && time.Since(s.listed) < h.opts.Fresh && s.list.has(tag) {
		return s.list, nil
	}
	now := time.Now()
	_, version, err := h.head(ctx)
	if err != nil {
		return nil, err
	}
	if s.list == nil || s.list.version != version {
		list, err := h.readSealedList(ctx, version, s.list)
		if err != nil {
			return nil, err
		}
		s.list = list
	}
	s.listed = now
	return s.list, nil
}

// readSealedList reads the batches there are. Cuts that old has, if it is not nil,
// are not decoded again.
func (h *Hub) readSealedList(ctx context.Context, version int64, old *sealedList) (*sealedList, error) {
	registers, err := h.ledger.Registers(ctx, sealedCutsPrefix)
	if err != nil {
		return nil, err
	}
	sealing, err := h.readSealing(ctx)
	if err != nil {
		return nil, err
	}
	l := &sealedList{version: version, sealing: sealing, cuts: map[string]*sealedCut{}}
	for _, r := range registers {
		var c *sealedCut
		if old != nil {
			c = old.cuts[string(r.Value)]
		}
		if c == nil {
			if c, err = parseSealedCut(r); err != nil {
				return nil, err
			}
		}
		l.cuts[string(r.Value)] = c
		l.addCut(c)
	}
	return l, nil
}

func parseSealedCut(r ledger.Register) (*sealedCut, error) {
	c := &sealedCut{version: r.Version}
	if err := json.Unmarshal(r.Value, c); err != nil {
		return nil, fmt.Errorf("register %s: %w", r.Name, err)
	}
	return c, nil
}

func (l *sealedList) addCut(c *sealedCut) {
	for _, b := range c.batches() {
		b.view = len(l.spans)
		l.add(b.tag, b.time)
		l.batches = append(l.batches, b)
	}
	l.spans = append(l.spans, span{c.From, c.Cut.Number})
}

// find returns the index of the batch that has a tag; ok is false if there is none
// that can still be had.
func (l *sealedList) find(tag string) (i int, ok bool) {
	i, ok = l.byTag[tag]
	return i, ok && !l.batches[i].gone
}

// next returns the index of the first batch from i on that a nation is given.
func (l *sealedList) next(n *Nation, i int) int {
	for i < len(l.batches) && (l.batches[i].gone || n.SealedOnly && l.batches[i].kind != ofPieces) {
		i++
	}
	return i
}

// view returns the log as a nation that checks seals is told of it by what is not
// sealed. Its spans are cuts; what a batch tells is that part of a cut which is in
// its own span.
func (l *sealedList) view(n *Nation) *view {
	return &view{
		spans:     l.spans,
		leavesOut: spares(n, l.spans),
		elsewhere: l.sealing.inPieces,
	}
}
