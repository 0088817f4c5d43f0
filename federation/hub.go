package federation

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A Hub is a federation server over a ledger of its own: what nations upload is
// claimed in it, each of its cuts is divided into batches, and batches are what
// nations download. Any number of processes may serve one hub.
type Hub struct {
	ledger *ledger.Ledger
	opts   HubOptions
	shelf  *shelf[[]*ledger.Unit] // by tag

	mu      sync.Mutex
	listing *listing
	listed  time.Time // by this machine's clock

	plain  sync.Map // sources that are known not to seal
	sealed sealedHub
}

// HubOptions are limits of a [Hub]. The zero value is what a server of any size
// wants.
type HubOptions struct {
	// BatchSize is how many numbers of the log a batch has at most, 100 or more; 0
	// is 1000. The batches of one cut are 2500 at most, and larger if they must be.
	BatchSize int64

	// Fresh is for how long a process goes by the batches it has listed before it
	// looks for new ones; 0 is 1 s.
	Fresh time.Duration

	// Shelf is how many batches are kept in memory; 0 is 100.
	Shelf int

	// Keep is for how long a batch can be read at least, whatever the age of its
	// keys; 0 is 7 days. One key that the ledger prunes takes the batch with it, and
	// there are keys of nearly the prune age in every batch.
	Keep time.Duration

	// SealedShelf is how many bytes of sealed uploads are kept in memory, beside the
	// batch read last; 0 is 64 MiB.
	SealedShelf int
}

// A Nation is who uploads to a hub and downloads from it.
type Nation struct {
	Name   ledger.Source // under which its keys are kept
	Region keys.Region   // the origin of its own keys, of which it is given none; zero for a hub or a gateway that has none

	// Relays are the origins beside its own whose keys it may bring: the rights of
	// a gateway.
	Relays keys.Set[keys.Region]

	// Withdrawals has it told what is withdrawn.
	Withdrawals bool

	// SealedOnly has it told nothing, by those who check seals, that nobody has
	// sealed: keys from nations of other protocols, and what has become of a key
	// since it was sealed, among it withdrawals by others than its nation. It loses
	// warnings, and keeps matching keys that are no longer good.
	SealedOnly bool
}

// given reports whether a nation is given what a batch has to tell of a unit.
func (n *Nation) given(what telling, u *ledger.Unit) bool {
	return what == aKey && !u.OperatorWithdrew || what == withdrawal && n.Withdrawals
}

func (n *Nation) check() error {
	if err := checkName(n.Name); err != nil {
		return err
	}
	if n.Region.IsZero() && n.Relays.IsEmpty() {
		return fmt.Errorf("nation %s has neither a region nor the right to relay", n.Name)
	}
	return nil
}

// NewHub returns the hub over a ledger. The error names the field.
func NewHub(l *ledger.Ledger, opts *HubOptions) (*Hub, error) {
	h := &Hub{ledger: l}
	if opts != nil {
		h.opts = *opts
	}
	h.opts.BatchSize = cmp.Or(h.opts.BatchSize, 1000)
	h.opts.Fresh = cmp.Or(h.opts.Fresh, time.Second)
	h.opts.Shelf = cmp.Or(h.opts.Shelf, 100)
	h.opts.Keep = cmp.Or(h.opts.Keep, 7*24*time.Hour)
	h.opts.SealedShelf = cmp.Or(h.opts.SealedShelf, 64<<20)
	switch {
	case h.opts.BatchSize < 100:
		return nil, fmt.Errorf("federation: HubOptions.BatchSize: %d, want at least 100", h.opts.BatchSize)
	case h.opts.Fresh < 0:
		return nil, fmt.Errorf("federation: HubOptions.Fresh: %s is negative", h.opts.Fresh)
	case h.opts.Shelf < 1:
		return nil, fmt.Errorf("federation: HubOptions.Shelf: %d, want at least 1", h.opts.Shelf)
	case h.opts.Keep < 0:
		return nil, fmt.Errorf("federation: HubOptions.Keep: %s is negative", h.opts.Keep)
	case h.opts.SealedShelf < 0:
		return nil, fmt.Errorf("federation: HubOptions.SealedShelf: %d is negative", h.opts.SealedShelf)
	}
	h.shelf = newShelf(h.opts.Shelf, func([]*ledger.Unit) int { return 1 })
	h.sealed.shelf = newShelf(h.opts.SealedShelf, weighPieces)
	return h, nil
}

// An Incoming is what a nation uploads at one time. The tag is the nation's own:
// no other's can be in its way.
type Incoming struct {
	Tag        string
	Keys       []keys.DiagnosisKey // each with its origin; REVOKED is a withdrawal
	Unreadable []ledger.SetAside
}

// Upload stores what a nation brings. Each key is judged alone; the receipt says
// what became of it. The same upload again is all duplicates. The error satisfies
// errors.Is with [ErrKind] for a nation that has uploaded something [Sealed].
func (h *Hub) Upload(ctx context.Context, n *Nation, in *Incoming) (*ledger.Receipt, error) {
	if err := n.check(); err != nil {
		return nil, fmt.Errorf("federation: upload: %w", err)
	}
	d, _ := n.delivery(uploadID(in.Tag), in.Keys)
	for _, a := range in.Unreadable {
		a.Upload = uploadID(in.Tag)
		d.Unreadable = append(d.Unreadable, a)
	}
	receipt, err := h.accept(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("federation: upload of %s: %w", n.Name, err)
	}
	return receipt, nil
}

// Release makes the next cut, if it is due, and the batches of all cuts that have
// none. Batches are recorded in one step, after the cut and before anybody can ask
// for them, so no poller passes one that is still being made (lesson E6). It may be
// called by a timer, by several processes, twice if need be. Options are those of
// the cut, nil for an ordinary one: after an outage of more than a day it needs
// [ledger.ReleaseOptions.AllowGap], and batches that were not recorded before the
// outage are made all the same. The report is nil if no cut was due.
func (h *Hub) Release(ctx context.Context, opts *ledger.ReleaseOptions) (*ledger.ReleaseReport, error) {
	report, err := h.ledger.Release(ctx, opts)
	if err != nil {
		return report, fmt.Errorf("federation: hub: %w", err)
	}
	if err := h.record(ctx); err != nil {
		return report, fmt.Errorf("federation: hub: recording batches: %w", err)
	}
	if report != nil {
		h.relist()
	}
	return report, nil
}

// relist has this process see the batches that it has just recorded.
func (h *Hub) relist() {
	h.mu.Lock()
	h.listed = time.Time{}
	h.mu.Unlock()
	h.sealed.mu.Lock()
	h.sealed.listed = time.Time{}
	h.sealed.mu.Unlock()
}

// Download returns the batch that follows a place, as a nation is given it; nil if
// there is none yet. A tag that this hub did not give, or no longer keeps, is as
// good as the day beside it, or the oldest batch kept: what a reader gets twice
// does no harm, what it never gets does.
//
// A batch is always the same but for keys that the hub's operator has withdrawn,
// which is a matter of this hub alone: from the cut after that on no batch carries
// them, also if it is read again. Whoever has them is not told.
func (h *Hub) Download(ctx context.Context, n *Nation, at Place) (*Page, error) {
	if err := n.check(); err != nil {
		return nil, fmt.Errorf("federation: download: %w", err)
	}
	list, err := h.list(ctx, at.Tag)
	if err != nil {
		return nil, fmt.Errorf("federation: download: %w", err)
	}
	for i := list.after(at); i < len(list.batches); i++ {
		page, err := h.page(ctx, n, list, i)
		if err != nil {
			return nil, fmt.Errorf("federation: batch %s: %w", list.batches[i].tag, err)
		}
		if page != nil {
			return page, nil
		}
	}
	return nil, nil
}

// page returns batch i as a nation is given it, nil if its keys have been pruned.
func (h *Hub) page(ctx context.Context, n *Nation, list *listing, i int) (*Page, error) {
	b := &list.batches[i]
	units, err := h.units(ctx, list.version, b)
	if err != nil || units == nil {
		return nil, err
	}
	v := list.view(n)
	page := &Page{Tag: b.tag, Next: Place{Day: DayOf(b.time), Tag: b.tag}}
	enter := func(u *ledger.Unit) {
		what, e, _ := v.tells(i, u)
		if n.given(what, u) {
			page.Keys = append(page.Keys, said(what, u, e, &Defaults{}))
		}
	}
	for _, u := range units {
		enter(u)
		for s := range u.Siblings {
			enter(&u.Siblings[s])
		}
	}
	sortKeys(page.Keys)
	return page, nil
}

// hubHead is what the ledger remembers of a hub beside its batches.
type hubHead struct {
	Position ledger.Position `json:"position"` // up to where batches are recorded
	Swept    Day             `json:"swept"`    // when batches were last looked through

	// How many batches those have been given who check seals, of the cuts of the
	// last day that has any.
	SealedDay   Day `json:"sealedDay"`
	SealedCount int `json:"sealedCount"`
}

const (
	headRegister  = registerPrefix + "hub/head"
	batchesPrefix = registerPrefix + "hub/batches/"
)

// hubFloor is where the ledger is told what batches can still be read.
var hubFloor = ledger.FloorRegister(headRegister)

// record records the batches of all cuts that have none, and, once a day, forgets
// those whose keys are all gone.
func (h *Hub) record(ctx context.Context) error {
	head, version, err := h.head(ctx)
	if err != nil {
		return err
	}
	if err := h.ledger.Check(ctx, head.Position); err != nil {
		return err
	}
	log, err := h.ledger.Log(ctx, head.Position.Cut)
	if err != nil || len(log.Cuts) == 0 {
		return err
	}
	recorded := head.Position.Number
	swaps, err := h.recordCuts(ctx, &head, log.Cuts)
	if err != nil {
		return err
	}
	if today := DayOf(log.Last.Time); head.Swept != today {
		swept, done, err := h.sweep(ctx, log.Last.Time, recorded)
		if err != nil {
			return err
		}
		if swaps = append(swaps, swept...); done {
			head.Swept = today
		}
	}
	swap, err := swapTo(headRegister, version, head)
	if err != nil {
		return err
	}
	err = h.ledger.Swap(ctx, ledger.NewNonce(), append(swaps, swap)...)
	if isConflict(err) {
		return nil // another process records them
	}
	return err
}

// recordCuts returns the swaps that record the batches of cuts, and moves the head
// past them.
func (h *Hub) recordCuts(ctx context.Context, head *hubHead, cuts []ledger.Cut) (swaps []ledger.Swap, err error) {
	sealing, err := h.readSealing(ctx)
	if err != nil {
		return nil, err
	}
	for i, c := range cuts {
		if c.Last > head.Position.Number {
			swap, err := swapTo(batchesRegister(c.Seq), 0, divideCut(head.Position, c, h.opts.BatchSize))
			if err != nil {
				return nil, err
			}
			swaps = append(swaps, swap)
		}
		var leaving *departure
		if i == len(cuts)-1 {
			if leaving, err = h.depart(ctx, head.Position.Number, c); err != nil {
				return nil, err
			}
		}
		sealed, err := h.sealCut(ctx, sealing, head, c, leaving)
		if err != nil {
			return nil, err
		}
		swaps = append(swaps, sealed...)
		head.Position = c.Position()
	}
	return swaps, nil
}

func (h *Hub) head(ctx context.Context) (head hubHead, version int64, err error) {
	found, err := h.ledger.Registers(ctx, headRegister)
	if err != nil || len(found) == 0 {
		return head, 0, err
	}
	return head, found[0].Version, json.Unmarshal(found[0].Value, &head)
}

// sweep returns the swaps that forget batches from before the prune age, and the
// one that has the ledger keep what is in those that can still be read: up to a
// number, batches are recorded. It goes by the time of the last cut, since a clock
// that jumps ahead makes none. It is done if there is nothing more to forget.
func (h *Hub) sweep(ctx context.Context, now time.Time, recorded int64) (swaps []ledger.Swap, done bool, err error) {
	policy, _ := h.ledger.Policy()
	old, kept := now.Add(-policy.PruneAge-24*time.Hour), now.Add(-h.opts.Keep)
	registers, err := h.ledger.Registers(ctx, batchesPrefix)
	if err != nil {
		return nil, false, err
	}
	floor := ledger.Floor{Number: recorded, Time: now}
	for _, r := range registers {
		var c cutBatches
		if err := json.Unmarshal(r.Value, &c); err != nil {
			return nil, false, fmt.Errorf("register %s: %w", r.Name, err)
		}
		if c.Time.Before(old) && len(swaps) < maxForget {
			swaps = append(swaps, ledger.Swap{Name: r.Name, Version: r.Version, Delete: true})
		}
		if !c.Time.Before(kept) {
			floor.Number = min(floor.Number, c.Bounds[0])
		}
	}
	had, err := h.ledger.Registers(ctx, hubFloor)
	if err != nil {
		return nil, false, err
	}
	swap := ledger.Swap{Name: hubFloor, Value: floor.Value()}
	if len(had) > 0 {
		swap.Version = had[0].Version
	}
	sealed, done, err := h.forgottenSealed(ctx, now.Add(-policy.PruneAge), old, kept)
	return slices.Concat(swaps, sealed, []ledger.Swap{swap}), done && len(swaps) < maxForget, err
}
