package federation

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// sealedCut is a cut as its register remembers it for those who check seals. Its
// batches are the loads that are handed out, then for each load of which there is
// something to tell a batch that does, then the spans.
type sealedCut struct {
	Cut   ledger.Position `json:"cut"`
	From  int64           `json:"from"` // the last number before it
	Time  time.Time       `json:"time"`
	First int             `json:"first"` // what the first batch is numbered with
	Loads []loadNote      `json:"loads,omitempty"`

	// Spans are numbers, counted from From, of which something is told that no
	// piece says. They ascend, and between them nothing is.
	Spans [][2]int64 `json:"spans,omitempty"`

	// Said is set if there are registers of numbers in the spans that the batches
	// before them tell of.
	Said bool `json:"said,omitempty"`

	version int64
}

// A loadNote is what a sealedCut says of a load.
type loadNote struct {
	Latest   int64 `json:"latest"` // of its pieces
	Withheld bool  `json:"withheld,omitempty"`
	Tells    bool  `json:"tells,omitempty"`
	Gone     bool  `json:"gone,omitempty"` // it has been forgotten
}

// A load is pieces that are handed out as one batch, each whole; or withheld ones.
type load struct {
	Pieces []leaving `json:"pieces"`
}

// Limits of a load. A register of so many pieces, all of whose keys there is
// something to tell of, is still short enough.
const (
	maxLoadKeys   = 5000
	maxLoadPieces = 100
	maxLoadBytes  = 16 << 20
)

const (
	sealedCutsPrefix = sealedPrefix + "cuts/"
	loadsPrefix      = sealedPrefix + "loads/"
	openPrefix       = sealedPrefix + "open/" // marks of units that may come back
	saidPrefix       = sealedPrefix + "said/" // numbers of a cut that are not told twice
)

func sealedCutRegister(cut int64) string   { return fmt.Sprintf("%s%020d", sealedCutsPrefix, cut) }
func loadRegister(cut int64, i int) string { return fmt.Sprintf("%s%020d/%06d", loadsPrefix, cut, i) }
func openRegister(cut int64, i int) string { return fmt.Sprintf("%s%020d/%06d", openPrefix, cut, i) }
func saidRegister(cut int64, i int) string { return fmt.Sprintf("%s%06d", saidRegisters(cut), i) }
func saidRegisters(cut int64) string       { return fmt.Sprintf("%s%020d/", saidPrefix, cut) }

// maxSaid is how many numbers a register holds, however long they are.
const maxSaid = 3000

// sealing is what the sealed view of a hub goes by.
type sealing struct {
	identity ledger.Identity
	kinds    map[ledger.Source]bool // whether it seals
	open     map[string]bool
}

func (h *Hub) readSealing(ctx context.Context) (*sealing, error) {
	kinds, err := h.readKinds(ctx)
	if err != nil {
		return nil, err
	}
	registers, err := h.ledger.Registers(ctx, openPrefix)
	if err != nil {
		return nil, err
	}
	s := &sealing{identity: h.ledger.Identity(), kinds: kinds, open: map[string]bool{}}
	for _, r := range registers {
		var marks []string
		if err := json.Unmarshal(r.Value, &marks); err != nil {
			return nil, fmt.Errorf("register %s: %w", r.Name, err)
		}
		for _, m := range marks {
			s.open[m] = true
		}
	}
	return s, nil
}

// readKinds returns the sources, and whether they seal.
func (h *Hub) readKinds(ctx context.Context) (map[ledger.Source]bool, error) {
	registers, err := h.ledger.Registers(ctx, kindPrefix)
	if err != nil {
		return nil, err
	}
	kinds := make(map[ledger.Source]bool, len(registers))
	for _, r := range registers {
		var k sourceKind
		if err := json.Unmarshal(r.Value, &k); err != nil {
			return nil, fmt.Errorf("register %s: %w", r.Name, err)
		}
		kinds[ledger.Source(strings.TrimPrefix(r.Name, kindPrefix))] = k.Sealed > 0
	}
	return kinds, nil
}

// seals reports whether any source does.
func (s *sealing) seals() bool {
	for _, seals := range s.kinds {
		if seals {
			return true
		}
	}
	return false
}

// inPieces reports whether a unit that became active by an event is told by pieces
// alone. Where a source that does not seal brought it too, it is told at once by
// the batches of that, so that no seal delays what another source brought.
func (s *sealing) inPieces(u *ledger.Unit, e ledger.Event) bool {
	any := false
	for source := range e.Sources.All() {
		if !s.kinds[source] {
			return false
		}
		any = true
	}
	return any && (len(s.open) == 0 || !s.open[hashOf(s.identity, u.ID())])
}

// tells reports whether an event tells anybody something that no piece says.
func (s *sealing) tells(u *ledger.Unit, i int) bool {
	e := u.Events[i]
	if i == 0 {
		return e.Partners == ledger.Active && !s.inPieces(u, e)
	}
	before := u.Events[i-1]
	return e.Partners != before.Partners || e.ReportType != before.ReportType
}

// sealCut returns the registers by which those who check seals are told of a cut,
// none if there is nothing in it, and counts its batches. What leaves is nil where
// pieces leave with a later cut.
func (h *Hub) sealCut(ctx context.Context, s *sealing, head *hubHead, c ledger.Cut, d *departure) (swaps []ledger.Swap, err error) {
	from := head.Position.Number
	if day := DayOf(c.Time); head.SealedDay != day {
		head.SealedDay, head.SealedCount = day, 0
	}
	cut := &sealedCut{Cut: c.Position(), From: from, Time: c.Time, First: head.SealedCount + 1}
	var said []int64
	if d != nil {
		said = d.said
	}
	if cut.Spans, err = h.spansOf(ctx, s, from, c.Last, said); err != nil {
		return nil, err
	}
	add := func(name string, v any) {
		swap, err2 := swapTo(name, 0, v)
		swaps, err = append(swaps, swap), errors.Join(err, err2)
	}
	if d != nil {
		handedOut := loadsOf(d.leave)
		for i, l := range slices.Concat(handedOut, loadsOf(d.withheld)) {
			note := l.note()
			note.Withheld = i >= len(handedOut)
			cut.Loads = append(cut.Loads, note)
			add(loadRegister(c.Seq, i), l)
		}
		for marks := range slices.Chunk(d.open, 1000) {
			add(openRegister(c.Seq, len(swaps)), marks)
		}
		swaps = append(swaps, d.gone...)
	}
	if cut.Said = len(said) > 0 && len(cut.Spans) > 0; cut.Said {
		for numbers := range slices.Chunk(said, maxSaid) {
			add(saidRegister(c.Seq, len(swaps)), numbers)
		}
	}
	if len(swaps) > 0 || c.Last > from {
		add(sealedCutRegister(c.Seq), cut)
	}
	head.SealedCount += len(cut.batches())
	return swaps, err
}

// loadsOf packs pieces, in their order, into loads.
func loadsOf(all []leaving) (loads []*load) {
	var l *load
	keys, size := 0, 0
	for i := range all {
		p := &all[i]
		if l == nil || keys+p.Keys > maxLoadKeys || len(l.Pieces) == maxLoadPieces || size+p.size() > maxLoadBytes {
			l, keys, size = &load{}, 0, 0
			loads = append(loads, l)
		}
		l.Pieces, keys, size = append(l.Pieces, *p), keys+p.Keys, size+p.size()
	}
	return loads
}

func (l *load) note() (n loadNote) {
	for i := range l.Pieces {
		n.Latest = max(n.Latest, l.Pieces[i].Latest)
		n.Tells = n.Tells || len(l.Pieces[i].Tell) > 0
	}
	return n
}

// spansOf divides the numbers in (from, to] into spans in which something is told that
// is not said before them: those are given, ascending. It reads them, but only where
// somebody seals: else all of them are told.
func (h *Hub) spansOf(ctx context.Context, s *sealing, from, to int64, said []int64) ([][2]int64, error) {
	d := &dividing{size: max(h.opts.BatchSize, (to-from)/1000)} // so that the register is short enough
	if from == to {
		return nil, nil
	}
	if !s.seals() {
		for n := range to - from {
			d.add(n + 1)
		}
		return d.spans, nil
	}
	var told []int64
	for u, err := range h.ledger.Read(ctx, from, to) {
		if errors.Is(err, ledger.ErrPruned) {
			return nil, nil // nobody can be told
		}
		if err != nil {
			return nil, err
		}
		told = s.appendTold(told, u, from)
		for i := range u.Siblings {
			told = s.appendTold(told, &u.Siblings[i], from)
		}
	}
	slices.Sort(told)
	for _, n := range told {
		if _, is := slices.BinarySearch(said, n); !is {
			d.add(n - from)
		}
	}
	return d.spans, nil
}

// appendTold appends the numbers after from by which a unit tells something.
func (s *sealing) appendTold(told []int64, u *ledger.Unit, from int64) []int64 {
	for i := range u.Events {
		if n := u.Events[i].Number; n > from && s.tells(u, i) {
			told = append(told, n)
		}
	}
	return told
}

// dividing divides numbers that are told into spans of a size at most. What lies
// between them is part of a span, so that few spans are many numbers, but neither a
// long silence nor a very long span.
type dividing struct {
	size  int64
	spans [][2]int64
	count int64 // told in the last span
}

func (d *dividing) add(n int64) {
	last := len(d.spans) - 1
	if last < 0 || d.count == d.size || n-d.spans[last][1] > d.size || n-d.spans[last][0] > 10*d.size {
		d.spans, d.count = append(d.spans, [2]int64{n - 1, n}), 1
		return
	}
	d.spans[last][1] = n
	d.count++
}

// readSaid returns the numbers of a cut that are not told twice, ascending.
func (h *Hub) readSaid(ctx context.Context, cut int64) (said []int64, err error) {
	registers, err := h.ledger.Registers(ctx, saidRegisters(cut))
	if err != nil {
		return nil, err
	}
	for _, r := range registers {
		var numbers []int64
		if err := json.Unmarshal(r.Value, &numbers); err != nil {
			return nil, fmt.Errorf("register %s: %w", r.Name, err)
		}
		said = append(said, numbers...)
	}
	return said, nil
}

// A batchKind is what a sealed batch is made of.
type batchKind uint8

const (
	ofPieces batchKind = iota
	ofTells            // what there is to tell of pieces
	ofSpan
)

// A sealedBatch is a batch as those who check seals are given it.
type sealedBatch struct {
	hubBatch
	kind batchKind
	cut  int64  // its sequence number
	load string // the register of its load
	gone bool   // it has been forgotten
	view int    // the index of its cut among the spans of the view
	said bool   // its cut has numbers that are not told twice
}

// batches returns the batches of a cut, by its tags.
func (c *sealedCut) batches() (all []sealedBatch) {
	add := func(b sealedBatch) {
		b.cut, b.time = c.Cut.Cut, c.Time
		b.tag = fmt.Sprintf("%s-%d-%s", c.Time.UTC().Format("20060102"), c.First+len(all), hex.EncodeToString(c.Cut.Hash[:4]))
		all = append(all, b)
	}
	for i, l := range c.Loads {
		if !l.Withheld {
			add(sealedBatch{kind: ofPieces, load: loadRegister(c.Cut.Cut, i), gone: l.Gone})
		}
	}
	for i, l := range c.Loads {
		if l.Tells {
			add(sealedBatch{kind: ofTells, load: loadRegister(c.Cut.Cut, i), gone: l.Gone})
		}
	}
	for _, s := range c.Spans {
		add(sealedBatch{kind: ofSpan, said: c.Said, hubBatch: hubBatch{span: span{c.From + s[0], c.From + s[1]}}})
	}
	return all
}
