package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A SealedPage is a batch as it is handed to those who check seals: either whole
// uploads, or keys of which nothing sealed says what is to be said: those that came
// by other protocols, those whose report type rose or that were withdrawn since
// they were sealed. It must not be changed.
type SealedPage struct {
	Tag       string // yyyyMMdd-N-hash; N counts the batches of the day from 1
	Time      time.Time
	Next      Place  // after it
	Following string // the tag of the batch that follows it, empty if there is none yet

	// Pieces are uploads in the order of the hashes of their bodies, of
	// [MaxSealedKeys] keys together at most.
	Pieces []Piece

	// Keys are in canonical order. One whose report type is REVOKED is a withdrawal.
	// A batch has pieces or keys.
	Keys []keys.DiagnosisKey
}

// A Piece is an upload as it was [Sealed]. When it was uploaded stays with the hub:
// it leaves when its last key does, which is the time of its page.
type Piece struct {
	Source ledger.Source // who uploaded it
	Region keys.Region   // the origin of all its keys; zero if they have several
	Tag    string        // its nation's, not that of the batch
	Keys   int           // how many
	Hash   ledger.Hash   // SHA-256 of Body
	Body   []byte
	Seal   []byte
}

// DownloadSealed returns the batch that follows a place, as a nation that checks
// seals is given it; nil if there is none yet. Left out are its own uploads, and
// those that hold nothing but keys of its region. Whether it is told what is not
// sealed, it chooses ([Nation.SealedOnly]). Of places it thinks as [Hub.Download]
// does, but tags are not the same there and here.
func (h *Hub) DownloadSealed(ctx context.Context, n *Nation, at Place) (*SealedPage, error) {
	list, err := h.sealedListFor(ctx, n, at.Tag)
	if err != nil {
		return nil, err
	}
	for i := list.next(n, list.after(at)); i < len(list.batches); i = list.next(n, i+1) {
		page, err := h.sealedPage(ctx, n, list, i)
		if page != nil || err != nil {
			return page, err
		}
	}
	return nil, nil
}

// DownloadSealedBatch returns the batch that has a tag, as [Hub.DownloadSealed]
// does; nil if there is none.
func (h *Hub) DownloadSealedBatch(ctx context.Context, n *Nation, tag string) (*SealedPage, error) {
	list, err := h.sealedListFor(ctx, n, tag)
	if err != nil {
		return nil, err
	}
	i, ok := list.find(tag)
	if !ok {
		return nil, nil
	}
	return h.sealedPage(ctx, n, list, i)
}

// SealedBatches returns the batches that follow a place, as [Hub.DownloadSealed] has
// them, without what is in them: whoever announces batches needs no more. There may
// be some among them that are forgotten before they are asked for.
func (h *Hub) SealedBatches(ctx context.Context, n *Nation, at Place) ([]SealedPage, error) {
	list, err := h.sealedListFor(ctx, n, at.Tag)
	if err != nil {
		return nil, err
	}
	var all []SealedPage
	for i := list.next(n, list.after(at)); i < len(list.batches); i = list.next(n, i+1) {
		all = append(all, *list.page(n, i))
	}
	return all, nil
}

// Audit returns the batch that has a tag with all its pieces, the nation's own too,
// and no keys; nil if there is none. A batch of what is not sealed has an empty
// audit.
func (h *Hub) Audit(ctx context.Context, n *Nation, tag string) (*SealedPage, error) {
	list, err := h.sealedListFor(ctx, n, tag)
	if err != nil {
		return nil, err
	}
	i, ok := list.find(tag)
	if !ok {
		return nil, nil
	}
	page := list.page(n, i)
	if b := &list.batches[i]; b.kind == ofPieces {
		page.Pieces, err = h.pieces(ctx, b.load)
		if page.Pieces == nil {
			page = nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("federation: audit of batch %s: %w", list.batches[i].tag, err)
	}
	return page, nil
}

func (h *Hub) sealedListFor(ctx context.Context, n *Nation, tag string) (*sealedList, error) {
	if err := n.check(); err != nil {
		return nil, fmt.Errorf("federation: sealed download: %w", err)
	}
	list, err := h.sealedList(ctx, tag)
	if err != nil {
		return nil, fmt.Errorf("federation: sealed download: %w", err)
	}
	return list, nil
}

// page returns the page of batch i without what is in it.
func (l *sealedList) page(n *Nation, i int) *SealedPage {
	b := &l.batches[i]
	page := &SealedPage{Tag: b.tag, Time: b.time, Next: Place{Day: DayOf(b.time), Tag: b.tag}}
	if next := l.next(n, i+1); next < len(l.batches) {
		page.Following = l.batches[next].tag
	}
	return page
}

// sealedPage returns batch i as a nation is given it, nil if it has been forgotten.
func (h *Hub) sealedPage(ctx context.Context, n *Nation, list *sealedList, i int) (*SealedPage, error) {
	page, b := list.page(n, i), &list.batches[i]
	var there bool
	var err error
	switch b.kind {
	case ofPieces:
		there, err = h.addPieces(ctx, page, n, b)
	case ofTells:
		there, err = h.addTells(ctx, page, n, list, b)
	default:
		there, err = h.addSpan(ctx, page, n, list, b)
	}
	if err != nil {
		return nil, fmt.Errorf("federation: sealed batch %s: %w", b.tag, err)
	}
	if !there {
		return nil, nil
	}
	sortKeys(page.Keys)
	return page, nil
}

func (h *Hub) addPieces(ctx context.Context, page *SealedPage, n *Nation, b *sealedBatch) (bool, error) {
	all, err := h.pieces(ctx, b.load)
	for _, p := range all {
		if !own(n, p.Source, p.Region) {
			page.Pieces = append(page.Pieces, p)
		}
	}
	return all != nil, err
}

// addSpan adds what a span of the log tells a nation.
func (h *Hub) addSpan(ctx context.Context, page *SealedPage, n *Nation, list *sealedList, b *sealedBatch) (bool, error) {
	v := list.view(n)
	units, err := h.units(ctx, list.version, &b.hubBatch)
	if err != nil || units == nil {
		return false, err
	}
	var said []int64
	if b.said {
		if said, err = h.readSaid(ctx, b.cut); err != nil {
			return false, err
		}
	}
	enter := func(u *ledger.Unit) {
		what, e, _ := v.tells(b.view, u)
		if e.Number <= b.from || e.Number > b.to {
			return // told by another batch of the cut
		}
		if _, is := slices.BinarySearch(said, e.Number); is {
			return // by one before it, without a place in the log
		}
		page.add(n, what, u, e)
	}
	for _, u := range units {
		enter(u)
		for s := range u.Siblings {
			enter(&u.Siblings[s])
		}
	}
	return true, nil
}

func (p *SealedPage) add(n *Nation, what telling, u *ledger.Unit, e ledger.Event) {
	if n.given(what, u) {
		p.Keys = append(p.Keys, said(what, u, e, &Defaults{}))
	}
}

// addTells adds the state, after a cut, of the keys of which pieces do not say it.
// Whoever is given a piece is told this of it, too.
func (h *Hub) addTells(ctx context.Context, page *SealedPage, n *Nation, list *sealedList, b *sealedBatch) (bool, error) {
	l, err := h.readLoad(ctx, b.load)
	if err != nil || l == nil {
		return false, err
	}
	units, err := h.told(ctx, list.version, b.tag, l)
	if err != nil || units == nil {
		return false, err
	}
	for i := range l.Pieces {
		p := &l.Pieces[i]
		for _, u := range units[:len(p.Tell)] {
			if u == nil || p.own(n) || u.Key.Origin == n.Region {
				continue
			}
			what, e := aKey, u.At(list.spans[b.view].to)
			if e.Partners != ledger.Active {
				what = withdrawal
			}
			page.add(n, what, u, e)
		}
		units = units[len(p.Tell):]
	}
	return true, nil
}

// told returns the units of a load of which there is something to tell, in order,
// those that are there; nil if the load has been forgotten. They are as of the cut by
// which the head has a version, as those of [Hub.units] are.
func (h *Hub) told(ctx context.Context, version int64, tag string, l *load) ([]*ledger.Unit, error) {
	ctx = context.WithoutCancel(ctx) // others wait for them
	return h.shelf.get(shelved(tag, version), func() ([]*ledger.Unit, error) {
		units := []*ledger.Unit{}
		for i := range l.Pieces {
			p := &l.Pieces[i]
			if len(p.Tell) == 0 {
				continue
			}
			all, err := h.readStatements(ctx, &p.piece)
			if err != nil || all == nil {
				return nil, err
			}
			for _, at := range p.Tell {
				u, err := h.unit(ctx, all[at].id)
				if err != nil {
					return nil, err
				}
				units = append(units, u)
			}
		}
		return units, nil
	})
}

// pieces returns the pieces of a load, nil if it has been forgotten.
func (h *Hub) pieces(ctx context.Context, name string) ([]Piece, error) {
	ctx = context.WithoutCancel(ctx) // others wait for it
	return h.sealed.shelf.get(name, func() ([]Piece, error) {
		l, err := h.readLoad(ctx, name)
		if err != nil || l == nil {
			return nil, err
		}
		pieces := make([]Piece, len(l.Pieces))
		for i := range pieces {
			p := &l.Pieces[i].piece
			tag, seal, body, err := h.readBytes(ctx, p)
			if err != nil || body == nil {
				return nil, err
			}
			pieces[i] = Piece{Source: p.Source, Region: p.Region, Tag: tag, Keys: p.Keys, Hash: p.Hash, Body: body, Seal: seal}
		}
		return pieces, nil
	})
}

// weighPieces returns how many bytes pieces are.
func weighPieces(all []Piece) int {
	sum := 64
	for i := range all {
		sum += len(all[i].Tag) + len(all[i].Seal) + len(all[i].Body)
	}
	return sum
}

// readLoad returns a load, nil if it has been forgotten.
func (h *Hub) readLoad(ctx context.Context, name string) (*load, error) {
	registers, err := h.ledger.Registers(ctx, name)
	if err != nil || len(registers) == 0 {
		return nil, err
	}
	l := &load{}
	return l, json.Unmarshal(registers[0].Value, l)
}
