package federation

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A Sealed is an upload that is kept and handed out byte for byte, with the seal
// of who uploaded it, so that whoever downloads it can check that.
//
// Its keys are claims like any others: the log numbers each of them when it is
// due, and nations of other protocols are told of it then, by ordinary batches.
// Were the log to keep the keys of an upload together instead, one key that is
// not yet due would keep all its neighbours from everybody, and every store would
// have to know what an upload is. Beside the log the bytes are kept, in registers
// written in the step that stores the claims, and leave whole with the first cut
// at which every key in them has left.
type Sealed struct {
	// Tag is 1 to [MaxTag] bytes, and the nation's own for as long as the upload is
	// kept.
	Tag string

	// Keys is what Body says: 1 to [MaxSealedKeys] keys, each with its origin.
	// REVOKED is a withdrawal.
	Keys []keys.DiagnosisKey

	Body []byte // as uploaded, at most [MaxSealed] bytes; the hub does not look into it
	Seal []byte // signature, certificate, format, at most [MaxSeal] bytes; nor into this
}

// Limits of a [Sealed].
const (
	MaxSealedKeys = 5000
	MaxSealed     = 2 << 20
	MaxSeal       = 32 << 10
)

// ErrTagTaken: the nation has uploaded something else under that tag.
var ErrTagTaken = errors.New("federation: another upload of the nation has that tag")

// ErrKind: a nation seals what it uploads, or does not, from its first upload on.
// What is told by sealed uploads is told by no other batch to those who check
// seals, so that a source that did both would be told by neither. One that changes
// its protocol needs another name.
var ErrKind = errors.New("federation: a nation either seals all that it uploads or nothing")

// A SealedAnswer says what became of a [Sealed].
type SealedAnswer struct {
	// Stored is set if it is stored. If it is not, nothing of it is, for the sake
	// of the keys in Known and Refused.
	Stored bool

	// Again is set with Stored if that had been so before, under this tag and with
	// this body: the answer of the first upload was lost, or never read. The
	// European gateway answers 409 then, as it does to [ErrTagTaken].
	Again bool

	Known   []int     // indices of keys that the nation has brought before
	Refused []Refusal // of keys that will never be taken, by index
}

// A Refusal is why one key of an upload is not taken.
type Refusal struct {
	Index int
	Why   *keys.Rejection
}

func (s *Sealed) check() error {
	switch {
	case len(s.Tag) < 1 || len(s.Tag) > MaxTag:
		return fmt.Errorf("%w: tag of %d bytes, want 1 to %d", ErrRefused, len(s.Tag), MaxTag)
	case len(s.Keys) < 1 || len(s.Keys) > MaxSealedKeys:
		return fmt.Errorf("%w: %d keys, want 1 to %d", ErrRefused, len(s.Keys), MaxSealedKeys)
	case len(s.Body) < 1 || len(s.Body) > MaxSealed:
		return fmt.Errorf("%w: body of %d bytes, want 1 to %d", ErrRefused, len(s.Body), MaxSealed)
	case len(s.Seal) < 1 || len(s.Seal) > MaxSeal:
		return fmt.Errorf("%w: seal of %d bytes, want 1 to %d", ErrRefused, len(s.Seal), MaxSeal)
	}
	return nil
}

// UploadSealed stores what a nation brings, whole or not at all, which is no error:
// the answer says for the sake of which keys. Errors satisfy errors.Is with
// [ErrRefused] if s is beyond a limit, [ErrTagTaken], or [ErrKind]. After any other
// nothing is known to be stored, and the same may be uploaded again. Nothing of s
// is kept by the hub in memory.
func (h *Hub) UploadSealed(ctx context.Context, n *Nation, s *Sealed) (*SealedAnswer, error) {
	err := n.check()
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return nil, fmt.Errorf("federation: sealed upload: %w", err)
	}
	answer, err := h.storeSealed(ctx, n, s)
	if err != nil {
		return nil, fmt.Errorf("federation: sealed upload of %s: %w", n.Name, err)
	}
	return answer, nil
}

func (h *Hub) storeSealed(ctx context.Context, n *Nation, s *Sealed) (*SealedAnswer, error) {
	p := h.pieceOf(n, s)
	d, places := n.delivery(p.upload(), s.Keys)
	d.Whole = true
	err := h.acceptSealed(ctx, d, p, s)
	partial, isPartial := errors.AsType[*ledger.PartialError](err)
	switch {
	case err == nil:
		return &SealedAnswer{Stored: true}, nil
	case !isPartial && !isConflict(err):
		return nil, err
	}
	// It may be known because it has been uploaded before, just now perhaps.
	have, found, err2 := h.tagged(ctx, p)
	switch {
	case err2 != nil:
		return nil, err2
	case found && have == p.Hash:
		return &SealedAnswer{Stored: true, Again: true}, nil
	case found:
		return nil, ErrTagTaken
	case !isPartial:
		return nil, err
	}
	answer := &SealedAnswer{}
	for i, at := range places {
		switch fate := at.fate(d, partial); {
		case fate.Refused != nil:
			answer.Refused = append(answer.Refused, Refusal{Index: i, Why: fate.Refused})
		case fate.Known:
			answer.Known = append(answer.Known, i)
		}
	}
	return answer, nil
}

// pieceOf returns the piece that an upload becomes.
func (h *Hub) pieceOf(n *Nation, s *Sealed) *piece {
	policy, _ := h.ledger.Policy()
	p := &piece{
		Source: n.Name, ID: pieceID(s.Tag), Region: s.Keys[0].Origin,
		Keys: len(s.Keys), Hash: sha256.Sum256(s.Body),
		Tag: len(s.Tag), Seal: len(s.Seal), Body: len(s.Body),
	}
	latest := time.Time{}
	for i := range s.Keys {
		k := &s.Keys[i]
		if k.Origin != p.Region {
			p.Region = keys.Region{}
		}
		if due := k.End().Add(policy.Embargo); due.After(latest) {
			latest = due
		}
	}
	p.Latest = latest.Unix()
	return p
}

// A place is where in a delivery a key of an upload is.
type place struct {
	as placeAs
	i  int
}

type placeAs uint8

const (
	asKey placeAs = iota
	asWithdrawal
	asUnreadable
)

// delivery returns what a nation brings as the ledger takes it, and where in it
// each key is.
func (n *Nation) delivery(upload string, all []keys.DiagnosisKey) (*ledger.Delivery, []place) {
	d := &ledger.Delivery{Source: n.Name}
	up := ledger.Upload{ID: upload}
	places := make([]place, len(all))
	for i := range all {
		switch k := &all[i]; {
		case k.Origin != n.Region && !n.Relays.Has(k.Origin):
			places[i] = place{asUnreadable, len(d.Unreadable)}
			d.Unreadable = append(d.Unreadable, ledger.SetAside{Upload: up.ID, ID: ledger.IDOf(k), Field: keys.FieldOrigin, Reason: keys.ReasonNotAllowed, Detail: "not an origin that this nation may bring"})
		case k.ReportType == keys.Some(keys.ReportRevoked):
			places[i] = place{asWithdrawal, len(d.Withdrawals)}
			d.Withdrawals = append(d.Withdrawals, ledger.IDOf(k))
		default:
			places[i] = place{asKey, len(up.Keys)}
			up.Keys = append(up.Keys, *k)
		}
	}
	if len(up.Keys) > 0 {
		d.Uploads = []ledger.Upload{up}
	}
	return d, places
}

// fate returns what became of a key.
func (p place) fate(d *ledger.Delivery, partial *ledger.PartialError) ledger.Fate {
	switch p.as {
	case asKey:
		return partial.Keys[p.i]
	case asWithdrawal:
		return partial.Withdrawals[p.i]
	}
	why := d.Unreadable[p.i]
	return ledger.Fate{Refused: &keys.Rejection{Field: why.Field, Reason: why.Reason, Detail: why.Detail}}
}

// accept has the ledger take a delivery of a nation that does not seal.
func (h *Hub) accept(ctx context.Context, d *ledger.Delivery) (*ledger.Receipt, error) {
	for {
		swaps, err := h.notePlain(ctx, d.Source)
		if err != nil {
			return nil, err
		}
		d.Nonce, d.Swaps = ledger.NewNonce(), swaps
		receipt, err := h.ledger.Accept(ctx, d)
		if isConflict(err) {
			continue // two first uploads at once
		}
		if err == nil {
			h.plain.Store(d.Source, true)
		}
		return receipt, err
	}
}

// notePlain returns the swap that notes that a source does not seal, none if that
// has been noted, or [ErrKind].
func (h *Hub) notePlain(ctx context.Context, name ledger.Source) ([]ledger.Swap, error) {
	if _, known := h.plain.Load(name); known {
		return nil, nil
	}
	k, version, err := h.readKind(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case k.Sealed > 0:
		return nil, ErrKind
	case version > 0:
		return nil, nil
	}
	swap, err := swapTo(kindRegister(name), 0, k)
	return []ledger.Swap{swap}, err
}

// acceptSealed has the ledger take a delivery of a nation that seals, with the
// registers of its piece. Those of one nation come one after another.
func (h *Hub) acceptSealed(ctx context.Context, d *ledger.Delivery, p *piece, s *Sealed) error {
	for {
		k, version, err := h.readKind(ctx, d.Source)
		if err != nil {
			return err
		}
		if version > 0 && k.Sealed == 0 {
			return ErrKind
		}
		k.Sealed++
		p.Seq = k.Sealed
		kind, err := swapTo(kindRegister(d.Source), version, k)
		if err != nil {
			return err
		}
		registers, err := p.registers(s)
		if err != nil {
			return err
		}
		d.Nonce, d.Swaps = ledger.NewNonce(), append(registers, kind)
		_, err = h.ledger.Accept(ctx, d)
		conflict, ok := errors.AsType[*ledger.ConflictError](err)
		if !ok || conflict.Have.Name != kind.Name {
			return err
		}
	}
}

// sourceKind is what the ledger remembers of a source of the hub's.
type sourceKind struct {
	Sealed int64 `json:"sealed"` // how many uploads it has sealed; 0 if it does not
}

const kindPrefix = registerPrefix + "hub/sources/"

func kindRegister(name ledger.Source) string { return kindPrefix + string(name) }

// readKind returns what kind of source one is, with the version of its register.
func (h *Hub) readKind(ctx context.Context, name ledger.Source) (k sourceKind, version int64, err error) {
	registers, err := h.ledger.Registers(ctx, kindRegister(name))
	if err != nil || len(registers) == 0 || registers[0].Name != kindRegister(name) {
		return k, 0, err // names that only begin with it come after it
	}
	return k, registers[0].Version, json.Unmarshal(registers[0].Value, &k)
}
